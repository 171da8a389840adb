//! Algorithm lists: `+` appends, `-` removes, `^` moves to the front, wildcards pick (ssh_config(5), Ciphers).

use nacre_wire::names;

use crate::pattern;

/// What kind of algorithm a list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Key exchange methods.
    Kex,
    /// Ciphers.
    Cipher,
    /// Message authentication codes.
    Mac,
    /// Signature algorithms of host keys.
    HostKey,
    /// Signature algorithms of users' keys.
    UserKey,
    /// What CAs sign certificates with.
    CaKey,
}

/// The algorithms of one class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlgorithmTable {
    /// All that can be turned on.
    pub known: Vec<String>,
    /// Those that are on when nothing is configured, best first.
    pub default: Vec<String>,
}

impl AlgorithmTable {
    /// A table from two lists, best first.
    pub fn new(known: &[&str], default: &[&str]) -> Self {
        let own = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Self { known: own(known), default: own(default) }
    }
}

/// The algorithms that the program has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlgorithmSets {
    /// Key exchange methods.
    pub kex: AlgorithmTable,
    /// Ciphers.
    pub ciphers: AlgorithmTable,
    /// Message authentication codes.
    pub macs: AlgorithmTable,
    /// Signature algorithms of host keys.
    pub host_keys: AlgorithmTable,
    /// Signature algorithms of users' keys.
    pub user_keys: AlgorithmTable,
    /// What CAs sign certificates with.
    pub ca_keys: AlgorithmTable,
}

impl AlgorithmSets {
    /// The table of a class.
    pub fn table(&self, class: Class) -> &AlgorithmTable {
        match class {
            Class::Kex => &self.kex,
            Class::Cipher => &self.ciphers,
            Class::Mac => &self.macs,
            Class::HostKey => &self.host_keys,
            Class::UserKey => &self.user_keys,
            Class::CaKey => &self.ca_keys,
        }
    }
}

impl Default for AlgorithmSets {
    /// What Nacre plans to offer and know. A program whose crypto has less passes its own tables.
    fn default() -> Self {
        let kex = [
            names::KEX_MLKEM768X25519,
            names::KEX_CURVE25519,
            names::KEX_CURVE25519_LIBSSH,
            names::KEX_ECDH_NISTP256,
            names::KEX_ECDH_NISTP384,
            names::KEX_ECDH_NISTP521,
            names::KEX_GROUP14_SHA256,
            names::KEX_GROUP16_SHA512,
            names::KEX_GROUP18_SHA512,
        ];
        let ciphers = [
            names::CIPHER_AES256_GCM,
            names::CIPHER_AES128_GCM,
            names::CIPHER_CHACHA20_POLY1305,
            names::CIPHER_AES256_CTR,
            names::CIPHER_AES192_CTR,
            names::CIPHER_AES128_CTR,
        ];
        let etm = [names::MAC_HMAC_SHA2_256_ETM, names::MAC_HMAC_SHA2_512_ETM];
        let macs = [etm.as_slice(), &[names::MAC_HMAC_SHA2_256, names::MAC_HMAC_SHA2_512]].concat();
        let ecdsa = [names::ECDSA_NISTP256, names::ECDSA_NISTP384, names::ECDSA_NISTP521];
        let rsa = [names::RSA_SHA2_512, names::RSA_SHA2_256];
        let host = [&[names::SSH_ED25519], rsa.as_slice()].concat();
        let user = [&[names::SSH_ED25519], ecdsa.as_slice(), rsa.as_slice()].concat();
        Self {
            kex: AlgorithmTable::new(&kex, &[kex[0], kex[1], kex[2]]),
            ciphers: AlgorithmTable::new(&ciphers, &ciphers),
            macs: AlgorithmTable::new(&macs, &etm),
            host_keys: AlgorithmTable::new(&[host.as_slice(), ecdsa.as_slice()].concat(), &host),
            user_keys: AlgorithmTable::new(&user, &user),
            ca_keys: AlgorithmTable::new(&user, &user),
        }
    }
}

/// What a list comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// The algorithms, best first; empty only for keys of types that nobody here has.
    pub names: Vec<String>,
    /// Names that OpenSSH knows and this program does not have: left out.
    pub left_out: Vec<String>,
}

/// Works out a list against a table. The error says what would be allowed.
///
/// # Errors
/// A name is unknown to everybody, a pattern is negated, or nothing is left.
pub fn resolve(spec: &str, table: &AlgorithmTable, class: Class) -> Result<Resolved, String> {
    let allowed = || format!("a comma-separated list, maybe after + - or ^, of {}", table.known.join(","));
    let (prefix, list) = match spec.chars().next() {
        Some(sign @ ('+' | '-' | '^')) => (Some(sign), spec.get(1..).unwrap_or_default()),
        _ => (None, spec),
    };
    if list.is_empty() {
        return Err(allowed());
    }
    let mut out = Resolved::default();
    if prefix == Some('-') {
        let removed = |name: &str| list.split(',').any(|p| pattern::matches(name, p));
        out.names = table.default.iter().filter(|name| !removed(name)).cloned().collect();
    } else {
        let mut picked = Vec::new();
        for item in list.split(',') {
            pick(item, table, class, &mut picked, &mut out.left_out).ok_or_else(allowed)?;
        }
        let (front, back) = match prefix {
            Some('+') => (table.default.clone(), picked),
            Some(_) => (picked, table.default.clone()),
            None => (picked, Vec::new()),
        };
        for name in front.into_iter().chain(back) {
            if !out.names.contains(&name) {
                out.names.push(name);
            }
        }
    }
    // Keys that nobody has are a narrow choice; without the rest there is no connection.
    let may_be_empty = matches!(class, Class::UserKey | Class::CaKey) && !out.left_out.is_empty();
    if out.names.is_empty() && !may_be_empty { Err(allowed()) } else { Ok(out) }
}

/// Adds what one name or wildcard picks.
fn pick(
    item: &str,
    table: &AlgorithmTable,
    class: Class,
    picked: &mut Vec<String>,
    left_out: &mut Vec<String>,
) -> Option<()> {
    if item.is_empty() || item.starts_with('!') {
        return None;
    }
    let before = picked.len();
    picked.extend(table.known.iter().filter(|name| pattern::matches(name, item)).cloned());
    if picked.len() == before {
        // The key is meant more than SHA-1 is.
        let successors = RSA_OF_OLD.iter().filter(|(old, _)| pattern::matches(old, item)).flat_map(|(_, new)| new);
        picked
            .extend(successors.filter(|new| table.known.iter().any(|name| name == *new)).map(|new| (*new).to_owned()));
    }
    if picked.len() > before {
        return Some(());
    }
    openssh_knows(class).iter().any(|name| pattern::matches(name, item)).then(|| left_out.push(item.to_owned()))
}

/// What stands for RSA keys that sign with SHA-1, which nothing here does: the same keys with SHA-2.
const RSA_OF_OLD: [(&str, [&str; 2]); 2] = [
    (names::SSH_RSA, [names::RSA_SHA2_512, names::RSA_SHA2_256]),
    (names::SSH_RSA_CERT, [names::RSA_SHA2_512_CERT, names::RSA_SHA2_256_CERT]),
];

/// Names that OpenSSH 10.5 or an older one accepts in its files.
fn openssh_knows(class: Class) -> &'static [&'static str] {
    match class {
        Class::Kex => &[
            "mlkem768x25519-sha256",
            "sntrup761x25519-sha512",
            "sntrup761x25519-sha512@openssh.com",
            "curve25519-sha256",
            "curve25519-sha256@libssh.org",
            "ecdh-sha2-nistp256",
            "ecdh-sha2-nistp384",
            "ecdh-sha2-nistp521",
            "diffie-hellman-group-exchange-sha1",
            "diffie-hellman-group-exchange-sha256",
            "diffie-hellman-group1-sha1",
            "diffie-hellman-group14-sha1",
            "diffie-hellman-group14-sha256",
            "diffie-hellman-group16-sha512",
            "diffie-hellman-group18-sha512",
        ],
        Class::Cipher => &[
            "3des-cbc",
            "aes128-cbc",
            "aes192-cbc",
            "aes256-cbc",
            "rijndael-cbc@lysator.liu.se",
            "aes128-ctr",
            "aes192-ctr",
            "aes256-ctr",
            "aes128-gcm@openssh.com",
            "aes256-gcm@openssh.com",
            "chacha20-poly1305@openssh.com",
        ],
        Class::Mac => &[
            "hmac-sha1",
            "hmac-sha1-96",
            "hmac-sha2-256",
            "hmac-sha2-512",
            "hmac-md5",
            "hmac-md5-96",
            "umac-64@openssh.com",
            "umac-128@openssh.com",
            "hmac-sha1-etm@openssh.com",
            "hmac-sha1-96-etm@openssh.com",
            "hmac-sha2-256-etm@openssh.com",
            "hmac-sha2-512-etm@openssh.com",
            "hmac-md5-etm@openssh.com",
            "hmac-md5-96-etm@openssh.com",
            "umac-64-etm@openssh.com",
            "umac-128-etm@openssh.com",
        ],
        Class::HostKey | Class::UserKey | Class::CaKey => &[
            "ssh-ed25519",
            "ssh-ed25519-cert-v01@openssh.com",
            "sk-ssh-ed25519@openssh.com",
            "sk-ssh-ed25519-cert-v01@openssh.com",
            "ecdsa-sha2-nistp256",
            "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "ecdsa-sha2-nistp384",
            "ecdsa-sha2-nistp384-cert-v01@openssh.com",
            "ecdsa-sha2-nistp521",
            "ecdsa-sha2-nistp521-cert-v01@openssh.com",
            "sk-ecdsa-sha2-nistp256@openssh.com",
            "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
            "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "ssh-dss",
            "ssh-dss-cert-v01@openssh.com",
            "ssh-rsa",
            "ssh-rsa-cert-v01@openssh.com",
            "rsa-sha2-256",
            "rsa-sha2-256-cert-v01@openssh.com",
            "rsa-sha2-512",
            "rsa-sha2-512-cert-v01@openssh.com",
        ],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(spec: &str) -> Result<String, String> {
        let table = AlgorithmTable::new(&["a-1", "a-2", "b-1", "c-1"], &["b-1", "a-1"]);
        resolve(spec, &table, Class::Cipher).map(|r| r.names.join(","))
    }

    #[test]
    fn prefixes_and_wildcards() {
        assert_eq!(of("a-2,b-1").unwrap(), "a-2,b-1");
        assert_eq!(of("+c-1,a-1").unwrap(), "b-1,a-1,c-1");
        assert_eq!(of("^a-*").unwrap(), "a-1,a-2,b-1");
        assert_eq!(of("-a-*").unwrap(), "b-1");
        assert_eq!(of("-unheard-of").unwrap(), "b-1,a-1");
        assert_eq!(of("*").unwrap(), "a-1,a-2,b-1,c-1");
        assert_eq!(of("a-1,a-1").unwrap(), "a-1");
    }

    #[test]
    fn a20_a_bad_list_is_refused() {
        for bad in ["", "+", "zzz", "a-1,zzz", "a-1,", "!a-1", "-*", "z*"] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
        let table = AlgorithmTable::new(&["aes128-ctr"], &["aes128-ctr"]);
        let some = resolve("aes128-cbc,aes128-ctr", &table, Class::Cipher).unwrap();
        assert_eq!((some.names.join(","), some.left_out.join(",")), ("aes128-ctr".into(), "aes128-cbc".into()));
        assert!(resolve("aes128-cbc", &table, Class::Cipher).is_err(), "nothing left is an error, never the default");
    }

    #[test]
    fn keys_of_old() {
        let table = AlgorithmTable::new(&["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"], &["ssh-ed25519"]);
        let of = |spec: &str| resolve(spec, &table, Class::UserKey).map(|resolved| resolved.names.join(","));
        assert_eq!(of("+ssh-rsa").unwrap(), "ssh-ed25519,rsa-sha2-512,rsa-sha2-256", "the key is meant, not SHA-1");
        assert_eq!(of("ssh-rsa*").unwrap(), "rsa-sha2-512,rsa-sha2-256");
        assert_eq!(of("ssh-dss").unwrap(), "", "nobody has such keys");
        assert!(resolve("ssh-dss", &table, Class::HostKey).is_err());
        assert!(of("ssh-xyz").is_err());
    }
}
