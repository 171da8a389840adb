//! What each algorithm of SSH is worth, known here or not.

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Weak, or not what one would choose today.
    Warn,
    /// Broken, or dangerous.
    Bad,
}

impl Verdict {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A verdict and why; nothing is said of what is good.
pub type Grade = (Verdict, &'static str);

const GOOD: Grade = (Verdict::Good, "");
const SHA1: Grade = (Verdict::Bad, "SHA-1, for which collisions are made");
const SMALL_GROUP: Grade = (Verdict::Bad, "a group of 1024 bits, or one that may be as small");
const GROUP14: Grade = (Verdict::Warn, "a group of 2048 bits, about 112 bits of strength");
const CBC: Grade = (Verdict::Warn, "CBC, whose padding and lengths can tell plain text");
const OLD_CIPHER: Grade = (Verdict::Bad, "a cipher with small blocks or known weaknesses");
const UNPROTECTED: Grade = (Verdict::Bad, "no protection at all");
const AND_MAC: Grade = (Verdict::Warn, "authenticates the plain text (encrypt-and-MAC) and not what is sent");
const SMALL_TAG: Grade = (Verdict::Warn, "a tag of 64 bits");
const OLD_MAC: Grade = (Verdict::Bad, "MD5, RIPEMD or a shortened tag");
const UNKNOWN: Grade = (Verdict::Warn, "not known here; nobody checks what few people use");

fn ends(name: &str, ends: &[&str]) -> bool {
    ends.iter().any(|end| name.ends_with(end))
}

fn begins(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

/// A key exchange method; `None` for a marker, which is none.
pub fn kex(name: &str) -> Option<Grade> {
    if begins(name, &["ext-info-", "kex-strict-", "kexguess"]) {
        return None;
    }
    Some(match name {
        _ if is_post_quantum(name) => GOOD,
        "curve25519-sha256" | "curve25519-sha256@libssh.org" | "curve448-sha512" => GOOD,
        "ecdh-sha2-nistp256" | "ecdh-sha2-nistp384" | "ecdh-sha2-nistp521" => GOOD,
        "diffie-hellman-group-exchange-sha256" => GOOD,
        _ if begins(name, &["diffie-hellman-group14-sha256", "gss-group14-sha256"]) => GROUP14,
        _ if begins(name, &["diffie-hellman-group1-", "gss-group1-", "rsa1024"]) => SMALL_GROUP,
        _ if ends(name, &["-sha1"]) || name.contains("-sha1-") => SHA1,
        _ if begins(name, &["diffie-hellman-group1", "gss-group1", "gss-curve", "gss-nistp"]) => GOOD,
        "sntrup4591761x25519-sha512@tinyssh.org" => (Verdict::Warn, "an early form that was replaced"),
        _ => UNKNOWN,
    })
}

/// Whether a recording of today stays secret from the quantum computers of later.
pub fn is_post_quantum(name: &str) -> bool {
    begins(name, &["mlkem768", "mlkem1024", "sntrup761"])
}

/// An algorithm of host keys or of users' keys.
pub fn signature(name: &str) -> Grade {
    let plain = name.replace("-cert-v01@openssh.com", "").replace("-cert-v00@openssh.com", "");
    match plain.trim_end_matches("@openssh.com") {
        "ssh-ed25519" | "ssh-ed448" | "sk-ssh-ed25519" | "sk-ecdsa-sha2-nistp256" => GOOD,
        "webauthn-sk-ecdsa-sha2-nistp256" | "webauthn-sk-ssh-ed25519" => GOOD,
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => GOOD,
        "rsa-sha2-256" | "rsa-sha2-512" => GOOD,
        "ssh-mldsa-65" | "ssh-mldsa-87" | "ssh-mldsa-44" | "ssh-mldsa44-ed25519" | "ssh-mldsa65-ed25519" => GOOD,
        "ssh-rsa" => SHA1,
        "ssh-dss" => (Verdict::Bad, "DSA with 1024 bits and SHA-1"),
        _ => UNKNOWN,
    }
}

/// A cipher.
pub fn cipher(name: &str) -> Grade {
    match name {
        "chacha20-poly1305@openssh.com" | "chacha20-poly1305" => GOOD,
        "aes256-gcm@openssh.com" | "aes128-gcm@openssh.com" | "AEAD_AES_256_GCM" | "AEAD_AES_128_GCM" => GOOD,
        "aes256-ctr" | "aes192-ctr" | "aes128-ctr" => GOOD,
        "none" => UNPROTECTED,
        _ if begins(name, &["aes", "rijndael-cbc", "camellia", "twofish", "serpent"]) && name.contains("-cbc") => CBC,
        _ if begins(name, &["3des", "des", "blowfish", "cast128", "arcfour", "idea"]) => OLD_CIPHER,
        _ => UNKNOWN,
    }
}

/// A cipher that the Terrapin attack needs, where key exchange is not strict; for the last kind the MAC must be
/// encrypt-then-MAC.
pub fn feeds_terrapin(cipher: &str, macs: &[String]) -> bool {
    cipher.starts_with("chacha20-poly1305") || (cipher.contains("-cbc") && macs.iter().any(|mac| mac.contains("-etm@")))
}

/// A MAC.
pub fn mac(name: &str) -> Grade {
    match name {
        "hmac-sha2-256-etm@openssh.com" | "hmac-sha2-512-etm@openssh.com" | "umac-128-etm@openssh.com" => GOOD,
        // Names of RFC 5647 that stand among the MACs as well.
        "AEAD_AES_256_GCM" | "AEAD_AES_128_GCM" => GOOD,
        "none" => UNPROTECTED,
        _ if name.contains("md5") || name.contains("ripemd") || name.contains("-96") => OLD_MAC,
        _ if name.contains("sha1") => (Verdict::Warn, "SHA-1, which as a MAC holds so far"),
        _ if name.starts_with("umac-64") => SMALL_TAG,
        "hmac-sha2-256" | "hmac-sha2-512" | "umac-128@openssh.com" | "hmac-sha256@ssh.com" => AND_MAC,
        _ => UNKNOWN,
    }
}

/// A compression method.
pub fn compression(name: &str) -> Grade {
    match name {
        "none" | "zlib@openssh.com" => GOOD,
        "zlib" => (Verdict::Warn, "begins before anybody has logged in"),
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nacre_proto::TransportConfig;
    use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};

    #[test]
    fn everything_that_is_known_here_has_a_grade_and_our_defaults_are_good() {
        for method in KexMethod::ALL {
            let grade = kex(method.name()).unwrap();
            assert_ne!(grade, UNKNOWN, "{method}");
            assert_eq!(is_post_quantum(method.name()), method.is_post_quantum(), "{method}");
        }
        assert!(SignatureAlgorithm::ALL.iter().all(|a| signature(a.name()) == GOOD));
        assert!(CipherAlgorithm::ALL.iter().all(|a| cipher(a.name()) == GOOD));
        assert!(MacAlgorithm::ALL.iter().all(|a| mac(a.name()) != UNKNOWN));
        let ours = TransportConfig::default();
        assert!(ours.kex.iter().all(|m| kex(m.name()) == Some(GOOD)));
        assert!(ours.macs.iter().all(|m| mac(m.name()) == GOOD));
    }

    #[test]
    fn what_is_broken_is_bad() {
        for name in ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1"]
        {
            assert_eq!(kex(name).unwrap().0, Verdict::Bad, "{name}");
        }
        for name in ["gss-gex-sha1-toWM5Slw5Ew8Mqkay+al2g==", "gss-group1-sha1-x", "rsa1024-sha1"] {
            assert_eq!(kex(name).unwrap().0, Verdict::Bad, "{name}");
        }
        for name in ["diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "gss-group16-sha512-x"] {
            assert_eq!(kex(name), Some(GOOD), "{name}");
        }
        assert_eq!(kex("kexguess2@matt.ucc.asn.au"), None);
        for name in ["ssh-rsa", "ssh-dss", "ssh-rsa-cert-v01@openssh.com"] {
            assert_eq!(signature(name).0, Verdict::Bad, "{name}");
        }
        for name in ["3des-cbc", "arcfour128", "none", "blowfish-cbc"] {
            assert_eq!(cipher(name).0, Verdict::Bad, "{name}");
        }
        assert_eq!(cipher("aes256-cbc").0, Verdict::Warn);
        for name in ["hmac-md5", "hmac-sha1-96", "none", "hmac-md5-etm@openssh.com"] {
            assert_eq!(mac(name).0, Verdict::Bad, "{name}");
        }
        for name in ["x", "", "mine@example.org"] {
            let grades = [kex(name).unwrap(), signature(name), cipher(name), mac(name), compression(name)];
            assert_eq!(grades, [UNKNOWN; 5], "{name:?}");
        }
    }
}
