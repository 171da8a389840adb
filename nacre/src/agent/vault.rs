//! The agent's cryptography: keys as ssh and keygen use them.

use nacre_agent::SignFlags;
use nacre_agent::server::{Opened, Vault};
use nacre_crypto::{AwsLc, Certificate, KeyKind, PrivateKey};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate::plain_key;
use nacre_proto::crypto::Provider;
use nacre_wire::Reader;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Certificates of hosts that are kept read, and the largest of them in bytes.
const KEPT: usize = 32;
const LARGEST_KEPT: usize = 16 * 1024;

/// Opens keys and signs with them.
#[derive(Default)]
pub struct KeyVault {
    /// Those read last; reading one verifies its CA's signature, and each key with destinations asks again.
    read: Mutex<VecDeque<Arc<Certificate>>>,
}

impl KeyVault {
    fn certificate(&self, blob: &[u8]) -> Option<Arc<Certificate>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.iter().find(|known| known.blob() == blob) {
            return Some(Arc::clone(known));
        }
        let certificate = Arc::new(Certificate::from_blob(blob).ok()?);
        if blob.len() <= LARGEST_KEPT {
            read.truncate(KEPT - 1);
            read.push_front(Arc::clone(&certificate));
        }
        Some(certificate)
    }
}

impl Vault for KeyVault {
    type Key = PrivateKey;

    fn open(&self, form: &[u8]) -> Option<Opened<PrivateKey>> {
        let (key, certificate) = PrivateKey::read_agent_form(form).ok()?;
        let public_key = certificate.unwrap_or_else(|| key.public_blob().to_vec());
        Some(Opened { key, public_key })
    }

    fn sign(&self, key: &PrivateKey, data: &[u8], flags: u32) -> Option<Vec<u8>> {
        let algorithm = match key.kind() {
            // The order is OpenSSH's. Without a flag it would be SHA-1, which is not made; the signature's own label says what
            // it is instead, and those who only test a key (`ssh-add -T`) take it.
            KeyKind::Rsa if flags & SignFlags::RSA_SHA2_256.bits() != 0 => SignatureAlgorithm::RsaSha256,
            KeyKind::Rsa if flags & SignFlags::RSA_SHA2_512.bits() != 0 => SignatureAlgorithm::RsaSha512,
            KeyKind::Rsa => SignatureAlgorithm::RsaSha256,
            KeyKind::Ed25519 | KeyKind::Ecdsa => key.algorithms().first().copied()?,
        };
        key.sign(algorithm, data).ok()
    }

    fn verifies(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let algorithm = Reader::new(signature).text("signature format").ok().and_then(SignatureAlgorithm::from_name);
        let key = plain_key(public_key);
        algorithm.is_some_and(|algorithm| AwsLc::default().verify(algorithm, &key, message, signature).is_ok())
    }

    fn certifies(&self, certificate: &[u8], authority: &[u8], host: &[u8]) -> bool {
        let (Some(certificate), Ok(host)) = (self.certificate(certificate), std::str::from_utf8(host)) else {
            return false;
        };
        // Before 1970 nothing holds.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |now| now.as_secs());
        certificate.ca().blob() == authority && certificate.check_host(host, now).is_ok()
    }
}

/// The passphrase of a lock in a form that takes bytes of every kind.
fn printable(passphrase: &[u8]) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(nacre_crypto::base64_encode(&nacre_crypto::sha256(passphrase)))
}

/// What a passphrase is known by (argon2id, so that each guess costs; threat G5). `None`: it could not be derived.
pub fn verifier(passphrase: &[u8]) -> Option<String> {
    nacre_crypto::hash_password(&printable(passphrase)).ok()
}

/// Whether this is the passphrase, in a time that does not depend on how much of it is right.
pub fn unlocks(verifier: &str, passphrase: &[u8]) -> bool {
    nacre_crypto::verify_password(verifier, &printable(passphrase)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nacre_crypto::{CertificateKind, CertificateRequest};

    fn certificate(ca: &PrivateKey, serial: u64) -> Certificate {
        let key = PrivateKey::generate(KeyKind::Ed25519, None).unwrap().public_key();
        let request = CertificateRequest {
            key: &key,
            kind: CertificateKind::Host,
            serial,
            key_id: "host",
            principals: &["web.example".to_owned()],
            valid_after: 0,
            valid_before: u64::MAX,
            critical: &[],
            extensions: &[],
        };
        request.sign(ca, SignatureAlgorithm::Ed25519).unwrap()
    }

    #[test]
    fn g03_a_hosts_certificate_is_read_once_and_few_are_kept() {
        let ca = PrivateKey::generate(KeyKind::Ed25519, None).unwrap();
        let vault = KeyVault::default();
        let first = certificate(&ca, 0);
        for _ in 0..2 {
            assert!(vault.certifies(first.blob(), ca.public_blob(), b"web.example"));
            assert!(!vault.certifies(first.blob(), ca.public_blob(), b"db.example"));
            assert!(!vault.certifies(first.blob(), first.blob(), b"web.example"));
        }
        let (one, two) = (vault.certificate(first.blob()).unwrap(), vault.certificate(first.blob()).unwrap());
        assert!(Arc::ptr_eq(&one, &two));
        for serial in 1..100 {
            vault.certificate(certificate(&ca, serial).blob()).unwrap();
        }
        assert_eq!(vault.read.lock().unwrap().len(), KEPT);
        assert!(!Arc::ptr_eq(&one, &vault.certificate(first.blob()).unwrap()), "others took its place");
        assert!(vault.certificate(b"junk").is_none());
    }
}
