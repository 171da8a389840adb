//! Algorithm negotiation, RFC 4253 §7.1: two KEXINITs in, one choice of each kind out.

use crate::algorithm::{CipherAlgorithm, CompressionMethod, KexMethod, MacAlgorithm, SignatureAlgorithm};
use crate::config::TransportConfig;
use crate::error::{Error, Incompatibility};
use crate::limits;
use nacre_wire::message::{KexInit, Message};
use nacre_wire::text::clean_line;
use nacre_wire::{NameList, Role, WriteExt, names};

/// The algorithms of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectionAlgorithms {
    /// The cipher.
    pub cipher: CipherAlgorithm,
    /// The MAC; `None` exactly when the cipher authenticates by itself.
    pub mac: Option<MacAlgorithm>,
    /// What is done to payloads once somebody has logged in.
    pub compression: CompressionMethod,
}

/// What was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// Key exchange method.
    pub kex: KexMethod,
    /// Algorithm of the host key's signature.
    pub host_key: SignatureAlgorithm,
    /// Client to server.
    pub client_to_server: DirectionAlgorithms,
    /// Server to client.
    pub server_to_client: DirectionAlgorithms,
    /// The peer announced strict key exchange in this KEXINIT.
    pub peer_strict: bool,
    /// The peer takes EXT_INFO.
    pub peer_ext_info: bool,
    /// The peer sends a guessed packet that must be dropped.
    pub skip_guess: bool,
}

/// Our own KEXINIT as bytes.
pub(crate) fn our_kexinit(
    role: Role,
    config: &TransportConfig,
    host_keys: &[SignatureAlgorithm],
    first: bool,
    cookie: [u8; 16],
) -> Vec<u8> {
    let mut out = vec![KexInit::NUMBER];
    out.extend_from_slice(&cookie);
    let mut kex: Vec<&str> = config.kex.iter().map(|k| k.name()).collect();
    // The markers mean something in the first KEXINIT only (OpenSSH PROTOCOL §1.9, RFC 8308 §2.1).
    if first {
        kex.push(if role == Role::Client { names::EXT_INFO_C } else { names::EXT_INFO_S });
        if !config.dangerous_without_strict_kex {
            kex.push(if role == Role::Client { names::KEX_STRICT_C } else { names::KEX_STRICT_S });
        }
    }
    out.put_name_list(kex);
    out.put_name_list(host_keys.iter().map(|h| h.name()));
    for _ in 0..2 {
        out.put_name_list(config.ciphers.iter().map(|c| c.name()));
    }
    for _ in 0..2 {
        out.put_name_list(config.macs.iter().map(|m| m.name()));
    }
    for _ in 0..2 {
        out.put_name_list(config.compression.iter().map(|c| c.name()));
    }
    out.put_string("");
    out.put_string("");
    out.put_bool(false);
    out.put_u32(0);
    out
}

/// Chooses, given both KEXINITs. The first name of the client's list that the server has wins.
///
/// # Errors
/// Nothing in common in some list, or the winner is not one we know.
pub(crate) fn negotiate(role: Role, ours: &KexInit<'_>, theirs: &KexInit<'_>) -> Result<Negotiated, Error> {
    let (client, server) = match role {
        Role::Client => (ours, theirs),
        Role::Server => (theirs, ours),
    };
    let choose = |what, c: NameList<'_>, s: NameList<'_>| -> Result<String, Error> {
        c.iter().find(|name| !is_marker(name) && s.contains(name)).map(str::to_owned).ok_or_else(|| {
            let (ours, theirs) = if role == Role::Client { (c, s) } else { (s, c) };
            no_common(what, ours, theirs)
        })
    };
    let kex = choose("key exchange method", client.kex_algorithms, server.kex_algorithms)?;
    let host_key = choose("host key type", client.server_host_key_algorithms, server.server_host_key_algorithms)?;
    let direction = |cc, sc, cm, sm, cz, sz| -> Result<DirectionAlgorithms, Error> {
        let cipher =
            CipherAlgorithm::from_name(&choose("cipher", cc, sc)?).ok_or(Error::Bug("chose an unknown cipher"))?;
        // A MAC list means nothing beside an AEAD: it is not even compared (threat T8).
        let mac = if cipher.is_aead() {
            None
        } else {
            Some(MacAlgorithm::from_name(&choose("MAC", cm, sm)?).ok_or(Error::Bug("chose an unknown MAC"))?)
        };
        let compression = CompressionMethod::from_name(&choose("compression method", cz, sz)?)
            .ok_or(Error::Bug("chose an unknown compression"))?;
        Ok(DirectionAlgorithms { cipher, mac, compression })
    };
    let client_to_server = direction(
        client.encryption_client_to_server,
        server.encryption_client_to_server,
        client.mac_client_to_server,
        server.mac_client_to_server,
        client.compression_client_to_server,
        server.compression_client_to_server,
    )?;
    let server_to_client = direction(
        client.encryption_server_to_client,
        server.encryption_server_to_client,
        client.mac_server_to_client,
        server.mac_server_to_client,
        client.compression_server_to_client,
        server.compression_server_to_client,
    )?;
    let (strict, ext_info) = match role {
        Role::Client => (names::KEX_STRICT_S, names::EXT_INFO_S),
        Role::Server => (names::KEX_STRICT_C, names::EXT_INFO_C),
    };
    Ok(Negotiated {
        kex: KexMethod::from_name(&kex).ok_or(Error::Bug("chose an unknown key exchange method"))?,
        host_key: SignatureAlgorithm::from_name(&host_key).ok_or(Error::Bug("chose an unknown host key type"))?,
        client_to_server,
        server_to_client,
        peer_strict: theirs.kex_algorithms.contains(strict),
        peer_ext_info: theirs.kex_algorithms.contains(ext_info),
        skip_guess: theirs.first_kex_packet_follows && !guessed_right(client, server),
    })
}

/// RFC 4253 §7: a guess is right when both first choices agree.
fn guessed_right(client: &KexInit<'_>, server: &KexInit<'_>) -> bool {
    let first = |list: NameList<'_>| list.iter().next().map(str::to_owned);
    first(client.kex_algorithms) == first(server.kex_algorithms)
        && first(client.server_host_key_algorithms) == first(server.server_host_key_algorithms)
}

/// Markers stand among the key exchange methods but are none, so they are never chosen.
fn is_marker(name: &str) -> bool {
    [names::EXT_INFO_C, names::EXT_INFO_S, names::KEX_STRICT_C, names::KEX_STRICT_S].contains(&name)
}

fn no_common(what: &'static str, ours: NameList<'_>, theirs: NameList<'_>) -> Error {
    Error::PeerIncompatible(Incompatibility::NoCommon {
        what,
        ours: ours.as_str().to_owned(),
        theirs: clean_line(theirs.as_str().as_bytes(), limits::MAX_PEER_TEXT),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    struct Lists {
        kex: &'static str,
        host: &'static str,
        cipher: &'static str,
        mac: &'static str,
        compression: &'static str,
        follows: bool,
    }

    const BASE: Lists = Lists {
        kex: "curve25519-sha256",
        host: "ssh-ed25519",
        cipher: "aes256-ctr",
        mac: "hmac-sha2-256",
        compression: "none",
        follows: false,
    };

    fn bytes(lists: &Lists) -> Vec<u8> {
        let list = |s: &'static str| NameList::parse(s.as_bytes(), "l").unwrap();
        KexInit {
            cookie: [0; 16],
            kex_algorithms: list(lists.kex),
            server_host_key_algorithms: list(lists.host),
            encryption_client_to_server: list(lists.cipher),
            encryption_server_to_client: list(lists.cipher),
            mac_client_to_server: list(lists.mac),
            mac_server_to_client: list(lists.mac),
            compression_client_to_server: list(lists.compression),
            compression_server_to_client: list(lists.compression),
            languages_client_to_server: list(""),
            languages_server_to_client: list(""),
            first_kex_packet_follows: lists.follows,
            reserved: 7,
        }
        .to_bytes()
    }

    fn run(client: &Lists, server: &Lists) -> Result<Negotiated, Error> {
        let (c, s) = (bytes(client), bytes(server));
        let (c, s) = (KexInit::decode(&c).unwrap(), KexInit::decode(&s).unwrap());
        let as_client = negotiate(Role::Client, &c, &s);
        let as_server = negotiate(Role::Server, &s, &c);
        match (&as_client, &as_server) {
            (Ok(a), Ok(b)) => {
                assert_eq!(
                    (a.kex, a.host_key, a.client_to_server, a.server_to_client),
                    (b.kex, b.host_key, b.client_to_server, b.server_to_client)
                );
            }
            (Err(_), Err(_)) => {}
            other => panic!("the two ends disagree: {other:?}"),
        }
        as_server
    }

    #[test]
    fn t08_the_first_name_of_the_client_that_the_server_has_wins() {
        let client = Lists { cipher: "x@y,aes128-ctr,aes256-ctr", ..BASE };
        let server = Lists { cipher: "aes256-ctr,aes128-ctr", ..BASE };
        assert_eq!(run(&client, &server).unwrap().client_to_server.cipher, CipherAlgorithm::Aes128Ctr);
    }

    #[test]
    fn t08_markers_are_never_chosen() {
        let client = Lists { kex: "ext-info-c,kex-strict-c-v00@openssh.com,ext-info-s", ..BASE };
        let server = Lists { kex: "ext-info-c,ext-info-s,kex-strict-c-v00@openssh.com", ..BASE };
        assert!(matches!(run(&client, &server), Err(Error::PeerIncompatible(_))));
        let server = Lists { kex: "curve25519-sha256,kex-strict-s-v00@openssh.com", ..BASE };
        let client = Lists { kex: "kex-strict-c-v00@openssh.com,curve25519-sha256", ..BASE };
        assert!(run(&client, &server).unwrap().peer_strict);
    }

    #[test]
    fn t08_mac_lists_mean_nothing_beside_an_aead_and_everything_otherwise() {
        let gcm = Lists { cipher: "aes256-gcm@openssh.com", mac: "none", ..BASE };
        let other = Lists { cipher: "aes256-gcm@openssh.com", mac: "umac-64@openssh.com", ..BASE };
        assert_eq!(run(&gcm, &other).unwrap().client_to_server.mac, None);
        let none = Lists { mac: "none", ..BASE };
        assert!(run(&none, &BASE).is_err());
        let empty = Lists { mac: "", ..BASE };
        assert!(run(&empty, &empty).is_err());
    }

    #[test]
    fn t08_every_empty_or_foreign_list_fails() {
        for foreign in ["", "x", "none"] {
            assert!(run(&Lists { kex: foreign, ..BASE }, &BASE).is_err());
            assert!(run(&Lists { host: foreign, ..BASE }, &BASE).is_err());
            assert!(run(&Lists { cipher: foreign, ..BASE }, &BASE).is_err());
        }
        assert!(run(&Lists { compression: "zlib", ..BASE }, &BASE).is_err());
        assert!(run(&Lists { compression: "", ..BASE }, &BASE).is_err());
    }

    #[test]
    fn t08_a_wrong_guess_is_dropped_and_a_right_one_kept() {
        let right = Lists { follows: true, ..BASE };
        assert!(!run(&right, &BASE).unwrap().skip_guess);
        let wrong = Lists { follows: true, kex: "ecdh-sha2-nistp256,curve25519-sha256", ..BASE };
        assert!(run(&wrong, &BASE).unwrap().skip_guess);
        let wrong = Lists { follows: true, host: "rsa-sha2-256,ssh-ed25519", ..BASE };
        assert!(run(&wrong, &BASE).unwrap().skip_guess);
    }

    #[test]
    fn t15_compression_before_login_is_never_in_our_offer() {
        let offered = |config: &TransportConfig| {
            let ours = our_kexinit(Role::Server, config, &[SignatureAlgorithm::Ed25519], true, [1; 16]);
            let message = KexInit::decode(&ours).unwrap();
            assert_eq!(message.compression_client_to_server, message.compression_server_to_client);
            message.compression_client_to_server.as_str().to_owned()
        };
        assert_eq!(offered(&TransportConfig::default()), "none");
        let all = TransportConfig { compression: CompressionMethod::ALL.to_vec(), ..TransportConfig::default() };
        assert_eq!(offered(&all), "none,zlib@openssh.com");
        assert_eq!(CompressionMethod::from_name("zlib"), None);
    }

    #[test]
    fn t15_both_ends_must_want_compression() {
        let chosen = |client, server| {
            let (client, server) = (Lists { compression: client, ..BASE }, Lists { compression: server, ..BASE });
            run(&client, &server).map(|n| (n.client_to_server.compression, n.server_to_client.compression))
        };
        let (none, zlib) = (CompressionMethod::None, CompressionMethod::Zlib);
        assert_eq!(chosen("zlib@openssh.com,zlib,none", "none,zlib@openssh.com"), Ok((zlib, zlib)));
        assert_eq!(chosen("none,zlib@openssh.com", "none,zlib@openssh.com"), Ok((none, none)));
        assert_eq!(chosen("zlib,zlib@openssh.com,none", "none"), Ok((none, none)));
        assert!(chosen("zlib", "none,zlib@openssh.com").is_err());
    }

    #[test]
    fn t11_no_finite_field_group_is_offered_by_default() {
        let config = TransportConfig::default();
        assert!(config.kex.iter().all(|k| !k.name().starts_with("diffie-hellman")));
    }
}
