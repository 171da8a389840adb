//! Signatures of security keys (OpenSSH PROTOCOL.u2f), made here with keys in memory: flags, counters, applications and
//! what was changed (threat A8).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre_crypto::{AwsLc, KeyKind, PrivateKey, PublicKey, SecurityKeyFlags, security_key_flags, sha256};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::Provider;
use nacre_wire::{Reader, WriteExt};

/// A key that stands for one inside a security key, made for `ssh:`.
struct SecurityKey {
    inside: PrivateKey,
    algorithm: SignatureAlgorithm,
}

impl SecurityKey {
    fn new(algorithm: SignatureAlgorithm) -> Self {
        let kind = if algorithm == SignatureAlgorithm::SkEd25519 { KeyKind::Ed25519 } else { KeyKind::Ecdsa };
        Self { inside: PrivateKey::generate(kind, Some(256)).unwrap(), algorithm }
    }

    /// The public key for this application.
    fn blob(&self, application: &str) -> Vec<u8> {
        let mut plain = Reader::new(self.inside.public_blob());
        plain.string("key type").unwrap();
        let mut blob = Vec::new();
        blob.put_string(self.algorithm.key_type());
        blob.extend_from_slice(plain.rest());
        blob.put_string(application);
        blob
    }

    fn sign(&self, application: &str, flags: u8, counter: u32, message: &[u8]) -> Vec<u8> {
        let signed = [&sha256(application.as_bytes())[..], &[flags], &counter.to_be_bytes(), &sha256(message)].concat();
        let signature = self.inside.sign(self.inside.algorithms()[0], &signed).unwrap();
        let mut signature = Reader::new(&signature);
        signature.string("format").unwrap();
        let mut out = Vec::new();
        out.put_string(self.algorithm.name());
        out.put_string(signature.string("signature").unwrap());
        out.put_u8(flags);
        out.put_u32(counter);
        out
    }
}

const KINDS: [SignatureAlgorithm; 2] = [SignatureAlgorithm::SkEd25519, SignatureAlgorithm::SkEcdsaNistp256];

#[test]
fn a08_signatures_count_for_their_application_flags_and_counter() {
    let provider = AwsLc::default();
    for algorithm in KINDS {
        let key = SecurityKey::new(algorithm);
        let blob = key.blob("ssh:");
        for (flags, user_present, user_verified) in [(0x00, false, false), (0x01, true, false), (0x05, true, true)] {
            let signature = key.sign("ssh:", flags, 7, b"message");
            let good = |signature: &[u8]| provider.verify(algorithm, &blob, b"message", signature).is_ok();
            assert!(good(&signature), "{algorithm} {flags}");
            assert_eq!(security_key_flags(&signature), Ok(SecurityKeyFlags { user_present, user_verified }));
            // Flags and counter stand at the end and are signed.
            for (at, change) in [(5, 0x01), (5, 0x04), (5, 0x80), (4, 1), (1, 1)] {
                let mut changed = signature.clone();
                let index = changed.len() - at;
                changed[index] ^= change;
                assert!(!good(&changed), "{algorithm} {flags} {at}");
            }
            for cut in 0..signature.len() {
                assert!(!good(&signature[..cut]));
            }
            assert!(!good(&[&signature[..], &[0]].concat()));
            assert!(provider.verify(algorithm, &blob, b"another", &signature).is_err());
            for other in ["", "ssh", "ssh:x", "https://example.org"] {
                assert!(provider.verify(algorithm, &key.blob(other), b"message", &signature).is_err(), "{other}");
                let elsewhere = key.sign(other, flags, 7, b"message");
                assert!(!good(&elsewhere), "{other}");
                assert!(provider.verify(algorithm, &key.blob(other), b"message", &elsewhere).is_ok());
            }
        }
    }
}

#[test]
fn a08_a_signature_is_of_one_kind_of_key_only() {
    let provider = AwsLc::default();
    for algorithm in KINDS {
        let key = SecurityKey::new(algorithm);
        let (blob, signature) = (key.blob("ssh:"), key.sign("ssh:", 1, 0, b"message"));
        for &other in SignatureAlgorithm::ALL.iter().filter(|other| **other != algorithm) {
            assert!(provider.verify(other, &blob, b"message", &signature).is_err(), "{other}");
        }
        // What the key inside signs is no signature of the security key, and the other way round.
        let plain = key.inside.algorithms()[0];
        let bare = key.inside.sign(plain, b"message").unwrap();
        assert!(provider.verify(algorithm, &blob, b"message", &bare).is_err());
        assert!(provider.verify(plain, key.inside.public_blob(), b"message", &signature).is_err());
        assert!(security_key_flags(&bare).is_err());
    }
}

#[test]
fn public_keys_of_security_keys() {
    for (algorithm, label) in KINDS.into_iter().zip(["ED25519-SK", "ECDSA-SK"]) {
        let blob = SecurityKey::new(algorithm).blob("ssh:");
        let key = PublicKey::from_blob(&blob, "me").unwrap();
        assert_eq!((key.key_type(), key.type_label(), key.bits()), (algorithm.name(), label, 256));
        assert_eq!(PublicKey::parse_line(&key.to_line()).unwrap(), key);
        for cut in 0..blob.len() {
            assert!(PublicKey::from_blob(&blob[..cut], "").is_err());
        }
        let mut reader = Reader::new(&blob);
        reader.string("key type").unwrap();
        assert!(PublicKey::from_blob(&[&blob[..], &[0]].concat(), "").is_err());
    }
}
