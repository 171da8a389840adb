//! What the key exchange is fed with and what comes out: T8, T9, T12, T13, T16.

use crate::{ROLES, logged_in, reason};
use nacre_proto::algorithm::{KexMethod, SignatureAlgorithm};
use nacre_proto::crypto::Provider;
use nacre_proto::{Role, TransportConfig};
use nacre_testkit::keys::other_key;
use nacre_testkit::provider::{ForcedZeros, NoMaths};
use nacre_testkit::raw::{Raw, Reply, Setup};
use nacre_testkit::{Pair, host_key, sample};
use nacre_wire::{WriteExt, ext_info, number};
use std::sync::Arc;

/// The prime of group 14 (RFC 3526 §3).
const GROUP14: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5\
AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9\
DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF";

fn group14(less: u8) -> Vec<u8> {
    let digit = |i| u8::from_str_radix(&GROUP14[i..i + 2], 16).unwrap();
    let mut p: Vec<u8> = (0..GROUP14.len()).step_by(2).map(digit).collect();
    *p.last_mut().unwrap() -= less;
    p
}

/// Points on curve25519 whose multiples stay in a tiny group.
const SMALL_ORDER: [[u8; 32]; 4] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    {
        // p itself, which is 0.
        let mut p = [0xff; 32];
        p[0] = 0xed;
        p[31] = 0x7f;
        p
    },
];

/// Values that no exchange of that method may take from that side.
fn bad_values(method: KexMethod, sender: Role) -> Vec<Vec<u8>> {
    let sizes = |right: usize| vec![vec![], vec![9; right - 1], vec![9; right + 1], vec![9; 4 * right]];
    let ec = |field: usize| {
        let mut values = sizes(1 + 2 * field);
        values.push(vec![0]);
        values.push(vec![0; 1 + 2 * field]);
        // Uncompressed, and on no curve.
        values.push([&[4][..], &vec![1; 2 * field]].concat());
        values.push([&[4][..], &vec![0xff; 2 * field]].concat());
        // Compressed.
        values.push([&[2][..], &vec![1; field]].concat());
        values
    };
    let hybrid = |post_quantum: usize| {
        let mut values = sizes(post_quantum + 32);
        // A degenerate curve half behind a post-quantum half of zeros.
        values.extend(SMALL_ORDER.iter().map(|point| [&vec![0; post_quantum][..], point].concat()));
        values
    };
    // Beyond the prime, at it, and degenerate.
    let group = |len: usize| vec![vec![], vec![1], vec![2], vec![0xff; len], vec![1; len + 1], vec![0x7f; 4 * len]];
    match method {
        KexMethod::Curve25519 | KexMethod::Curve25519LibSsh => {
            let mut values = sizes(32);
            values.extend(SMALL_ORDER.iter().map(|point| point.to_vec()));
            values
        }
        KexMethod::EcdhNistp256 => ec(32),
        KexMethod::EcdhNistp384 => ec(48),
        KexMethod::EcdhNistp521 => ec(66),
        KexMethod::MlKem768X25519 => {
            let len = if sender == Role::Client { 1184 } else { 1088 };
            let mut values = hybrid(len);
            if sender == Role::Client {
                // Coefficients that are not reduced (FIPS 203 §7.2).
                values.push([&vec![0xff; len][..], &[9; 32]].concat());
            }
            values
        }
        KexMethod::Sntrup761X25519 | KexMethod::Sntrup761X25519OpenSsh => {
            hybrid(if sender == Role::Client { 1158 } else { 1039 })
        }
        KexMethod::Group14Sha256 => {
            let mut values = group(256);
            values.extend([group14(0), group14(1)]);
            values
        }
        KexMethod::Group16Sha512 => group(512),
        KexMethod::Group18Sha512 => group(1024),
    }
}

fn ready(role: Role, method: KexMethod) -> Raw {
    let mut setup = Setup::default();
    setup.config.kex = vec![method];
    let mut raw = Raw::of(role, setup);
    raw.offer.kex = vec![method.name().into()];
    raw.exchange_idents();
    raw.send_kexinit();
    raw.recv_kexinit();
    raw
}

#[test]
fn t09_bad_public_values_are_refused_by_a_server() {
    for method in KexMethod::ALL {
        for value in bad_values(*method, Role::Client) {
            let mut raw = ready(Role::Client, *method);
            raw.send_init_of(&value);
            assert!(raw.end.error.is_some(), "{method}: {value:x?}");
            raw.assert_disconnected(reason::KEY_EXCHANGE_FAILED);
        }
    }
}

#[test]
fn t09_bad_public_values_are_refused_by_a_client() {
    let key = host_key();
    let sign = |algorithm, hash: &[u8]| key.sign(algorithm, hash).unwrap();
    for method in KexMethod::ALL {
        let values = bad_values(*method, Role::Server);
        // Making a key pair in the largest group takes a second or so; its checks are group 16's.
        let few = if *method == KexMethod::Group18Sha512 { 2 } else { values.len() };
        for value in values.into_iter().take(few) {
            let mut raw = ready(Role::Server, *method);
            let reply = Reply { host_key: key.public_blob().to_vec(), public: Some(value.clone()), sign: &sign };
            raw.answer_init_with(&reply);
            assert!(raw.end.error.is_some(), "{method}: {value:x?}");
            raw.assert_disconnected(reason::KEY_EXCHANGE_FAILED);
            assert!(!raw.end.log.contains(&"host key".to_owned()), "nobody was asked about the host key");
        }
    }
}

#[test]
fn t09_a_value_that_is_not_a_canonical_mpint_is_malformed() {
    for bytes in [&[0][..], &[0, 0x7f], &[0xff; 256], &[0x80]] {
        let mut raw = ready(Role::Client, KexMethod::Group14Sha256);
        let mut message = vec![number::KEX_ECDH_INIT];
        message.put_string(bytes);
        raw.send(&message);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
    // A length beyond the message, and bytes after it.
    for message in [vec![30, 0xff, 0xff, 0xff, 0xff, 9], vec![30, 0, 0, 0, 1, 9, 9], vec![30]] {
        for method in [KexMethod::Group14Sha256, KexMethod::Curve25519] {
            let mut raw = ready(Role::Client, method);
            raw.send(&message);
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
        }
    }
}

/// A handshake with the raw peer, whose derivation is its own, up to the first sealed answer.
fn shake_hands(role: Role, method: KexMethod, machine: Arc<dyn Provider>, raw: Arc<dyn Provider>) {
    let mut setup = Setup { provider: machine, raw_provider: raw, ..Setup::default() };
    setup.config.kex = vec![method];
    let mut raw = Raw::of(role, setup);
    raw.offer.kex = vec![method.name().into()];
    raw.handshake();
    raw.service();
    raw.assert_alive();
    let ours = raw.end.connection.session_id().unwrap().as_bytes().to_vec();
    assert_eq!(ours, raw.session_id, "both derive one exchange hash");
}

#[test]
fn t12_two_thousand_handshakes_whose_secrets_begin_with_zeros() {
    for i in 0..2_000u64 {
        let zeros = [1, 2, 3, 4, 31, 32][(i % 6) as usize];
        let role = ROLES[(i % 2) as usize];
        let provider = |seed| Arc::new(NoMaths::with_zeros(seed, zeros));
        shake_hands(role, KexMethod::Curve25519, provider(i), provider(i + 1_000_000));
    }
}

#[test]
fn t12_real_curves_whose_secrets_begin_with_zeros() {
    for i in 0..200 {
        let provider = Arc::new(ForcedZeros::new(1 + i % 4));
        shake_hands(ROLES[i % 2], KexMethod::Curve25519, provider.clone(), provider.clone());
        let setup = nacre_testkit::pair::Setup {
            client: curve(),
            server: curve(),
            client_provider: provider.clone(),
            server_provider: provider,
            ..Default::default()
        };
        Pair::logged_in(setup);
    }
}

fn curve() -> TransportConfig {
    TransportConfig { kex: vec![KexMethod::Curve25519], ..TransportConfig::default() }
}

#[test]
fn t12_every_method_agrees_with_an_independent_derivation() {
    for method in KexMethod::ALL {
        for zeros in 0..3 {
            let provider = Arc::new(ForcedZeros::new(zeros));
            let slow = *method == KexMethod::Group18Sha512;
            for role in if slow && zeros > 0 { &ROLES[..0] } else { &ROLES[..] } {
                shake_hands(*role, *method, provider.clone(), provider.clone());
            }
        }
    }
}

#[test]
fn t13_another_host_key_in_a_rekey_is_refused() {
    let mut raw = logged_in(Role::Server);
    raw.send_kexinit();
    raw.recv_kexinit();
    let key = other_key();
    let sign = |algorithm, hash: &[u8]| key.sign(algorithm, hash).unwrap();
    raw.answer_init_with(&Reply { host_key: key.public_blob().to_vec(), public: None, sign: &sign });
    raw.assert_disconnected(reason::HOST_KEY_NOT_VERIFIABLE);
    assert_eq!(raw.end.log.iter().filter(|line| *line == "host key").count(), 1, "nobody is asked again");
}

#[test]
fn t13_the_session_identifier_is_the_first_exchange_hash_for_life() {
    for role in ROLES {
        let mut raw = logged_in(role);
        let first = raw.session_id.clone();
        for _ in 0..3 {
            raw.rekey();
            assert_eq!(raw.end.connection.session_id().unwrap().as_bytes(), first);
        }
        // The raw peer derives with the first one too, or this would not open.
        raw.send(&sample::of(number::PING));
        raw.expect(number::PONG);
    }
}

#[test]
fn t08_one_wrongly_guessed_packet_is_dropped_and_one_only() {
    let guessing = |strict: bool, kex: &[&str]| {
        let mut raw = Raw::client(Setup::default());
        raw.offer.strict = strict;
        raw.offer.follows = true;
        raw.offer.kex = kex.iter().map(|name| (*name).to_owned()).collect();
        raw.exchange_idents();
        raw.send_kexinit();
        raw.recv_kexinit();
        raw
    };
    let wrong = ["ecdh-sha2-nistp256", "curve25519-sha256"];
    for strict in [true, false] {
        // Wrong: dropped unread, and the exchange goes on.
        let mut raw = guessing(strict, &wrong);
        raw.send(&[number::KEX_ECDH_INIT, 0xff, 0xff]);
        raw.finish_exchange();
        raw.take_ext_info();
        raw.service();
        // A second one is the answer itself, and must be good.
        let mut raw = guessing(strict, &wrong);
        raw.send(&[number::KEX_ECDH_INIT]);
        raw.send(&[number::KEX_ECDH_INIT, 0xff]);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
        // Nothing but a message of a key exchange can have been guessed.
        let mut raw = guessing(strict, &wrong);
        raw.send(&sample::auth_none());
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
    // Right: it is the answer.
    let mut raw = guessing(true, &["curve25519-sha256"]);
    raw.finish_exchange();
}

#[test]
fn t16_ext_info_has_its_places_and_no_other_at_a_server() {
    // First after NEWKEYS.
    let mut raw = Raw::client(Setup::default());
    raw.handshake();
    raw.send(&sample::ext_info());
    raw.service();
    // Twice, ten thousand times, and after something else.
    for times in [2, 10_000] {
        let mut raw = Raw::client(Setup::default());
        raw.handshake();
        let message = sample::ext_info();
        raw.send_all(std::iter::repeat_n(&message[..], times));
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
    let mut raw = Raw::client(Setup::default());
    raw.handshake();
    raw.send(&sample::ignore());
    raw.send(&sample::ext_info());
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    let mut raw = Raw::client(Setup::default());
    raw.handshake();
    raw.service();
    raw.send(&sample::ext_info());
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
}

#[test]
fn t16_ext_info_has_its_places_and_no_other_at_a_client() {
    // First after NEWKEYS, and once more just before success.
    let mut raw = Raw::server(Setup::default());
    raw.handshake();
    raw.send(&sample::ext_info());
    raw.service();
    raw.expect(number::USERAUTH_REQUEST);
    raw.send(&sample::ext_info());
    raw.send(&sample::of(number::USERAUTH_SUCCESS));
    raw.assert_alive();
    assert!(raw.end.connection.is_authenticated());
    // Twice, ten thousand times, and after something else.
    for times in [2, 10_000] {
        let mut raw = Raw::server(Setup::default());
        raw.handshake();
        let message = sample::ext_info();
        raw.send_all(std::iter::repeat_n(&message[..], times));
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
    let mut raw = Raw::server(Setup::default());
    raw.handshake();
    raw.send(&sample::ignore());
    raw.send(&sample::ext_info());
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    // The second one, and then not success.
    let mut raw = Raw::server(Setup::default());
    raw.handshake();
    raw.service();
    raw.send(&sample::ext_info());
    raw.send(&sample::of(number::USERAUTH_FAILURE));
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    // After login.
    let mut raw = logged_in(Role::Server);
    raw.send(&sample::ext_info());
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
}

#[test]
fn t16_ext_info_is_bounded_and_its_counts_are_checked() {
    let many: Vec<(&str, &[u8])> = vec![("x", b""); 1025];
    let long = [("x", &[b'v'; 16 * 1024][..])];
    let mut lie = vec![number::EXT_INFO];
    lie.put_u32(u32::MAX);
    let mut trailing = sample::ext_info();
    trailing.push(0);
    for message in [ext_info::encode(&many), ext_info::encode(&long), lie, trailing, vec![number::EXT_INFO]] {
        for role in ROLES {
            let mut raw = Raw::of(role, Setup::default());
            raw.handshake();
            raw.send(&message);
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
        }
    }
}

#[test]
fn t16_server_sig_algs_brings_no_old_signature_back() {
    use nacre_proto::login::client::Attempt;
    let key = nacre_testkit::keys::rsa_key();
    let mut setup = Setup { user_key: key, ..Setup::default() };
    setup.policy.attempts = vec![Attempt::PublicKey {
        algorithm: SignatureAlgorithm::RsaSha256,
        public_key: key.public_blob().to_vec(),
        probe: false,
    }];
    let mut raw = Raw::server(setup);
    raw.handshake();
    raw.send(&ext_info::encode(&[("server-sig-algs", b"ssh-rsa")]));
    raw.service();
    let request = raw.expect(number::USERAUTH_REQUEST);
    let mut sha1 = Vec::new();
    sha1.put_string("ssh-rsa");
    let mut algorithm = Vec::new();
    algorithm.put_string("rsa-sha2-256");
    let count = |needle: &[u8]| request.windows(needle.len()).filter(|w| *w == needle).count();
    assert_eq!(count(&sha1), 1, "only the key's own type, in its blob");
    assert_eq!(count(&algorithm), 2, "in the request and in the signature");
}
