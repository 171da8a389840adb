//! Public key lines and fingerprints, against what `ssh-keygen` printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::text;
use nacre_crypto::{PublicKey, PublicKeyError, base64_decode, base64_encode, fingerprint_sha256};
use nacre_wire::WriteExt;

const KEYS: [(&str, &str, usize); 6] = [
    ("ed25519", "ssh-ed25519", 256),
    ("ecdsa256", "ecdsa-sha2-nistp256", 256),
    ("ecdsa384", "ecdsa-sha2-nistp384", 384),
    ("ecdsa521", "ecdsa-sha2-nistp521", 521),
    ("rsa2048", "ssh-rsa", 2048),
    ("rsa3072", "ssh-rsa", 3072),
];

fn key(name: &str) -> PublicKey {
    PublicKey::parse_line(&text(&format!("keys/{name}.pub"))).unwrap()
}

#[test]
fn lines_are_read_and_written_as_ssh_keygen_does() {
    for (name, key_type, bits) in KEYS {
        let line = text(&format!("keys/{name}.pub"));
        let key = PublicKey::parse_line(&line).unwrap();
        assert_eq!(key.to_line(), line.trim_end(), "{name}");
        assert_eq!((key.key_type(), key.bits()), (key_type, bits), "{name}");
        assert_eq!(key.comment(), format!("{name}@fake.example"));
    }
}

#[test]
fn fingerprints_and_random_art_are_ssh_keygens() {
    for (name, ..) in KEYS {
        let key = key(name);
        let expected = text(&format!("keys/{name}.fingerprints"));
        let (sha256, rest) = expected.split_once('\n').unwrap();
        let (md5, art) = rest.split_once('\n').unwrap();
        let line = |fingerprint: &str| format!("{} {fingerprint} {} ({})", key.bits(), key.comment(), key.type_label());
        assert_eq!(line(&key.fingerprint_sha256()), sha256);
        assert_eq!(line(&key.fingerprint_md5()), md5);
        assert_eq!(key.randomart(), art.trim_end());
        assert_eq!(fingerprint_sha256(key.blob()), key.fingerprint_sha256());
    }
}

#[test]
fn blanks_and_comments_are_taken_as_they_come() {
    let line = text("keys/ed25519.pub");
    let mut fields = line.split(' ');
    let (key_type, base64) = (fields.next().unwrap(), fields.next().unwrap());
    for (line, comment) in [
        (format!("{key_type} {base64}"), ""),
        (format!("{key_type} {base64} "), ""),
        (format!("  {key_type}\t{base64}\r\n"), ""),
        (format!("{key_type}   {base64}  two words \n"), "two words"),
        (format!("{key_type} {base64} # x ssh-rsa AAAA"), "# x ssh-rsa AAAA"),
    ] {
        let key = PublicKey::parse_line(&line).unwrap();
        assert_eq!(key.comment(), comment, "{line:?}");
        assert_eq!(key.blob(), self::key("ed25519").blob());
    }
}

#[test]
fn h03_lines_that_are_not_one_key_are_refused() {
    let line = text("keys/ed25519.pub");
    let mut fields = line.split_whitespace();
    let (key_type, base64) = (fields.next().unwrap(), fields.next().unwrap());
    let blob = base64_decode(base64).unwrap();
    for line in ["", " ", "ssh-ed25519", "ssh-ed25519 ", base64] {
        assert_eq!(PublicKey::parse_line(line), Err(PublicKeyError::Incomplete), "{line:?}");
    }
    for bad in ["*", &base64[1..], &format!("{base64}="), &base64.replace('A', "-"), &"A".repeat(1 << 20)] {
        let result = PublicKey::parse_line(&format!("{key_type} {bad}"));
        assert_eq!(result, Err(PublicKeyError::NotBase64), "{:.20}", bad);
    }
    for other in ["ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519-cert-v01@openssh.com", "SSH-ED25519", "x"] {
        let result = PublicKey::parse_line(&format!("{other} {base64}"));
        assert_eq!(result, Err(PublicKeyError::TypeMismatch), "{other}");
    }
    for bad in [[&blob[..], &[0]].concat(), blob[..blob.len() - 1].to_vec(), vec![0; 4]] {
        let result = PublicKey::parse_line(&format!("{key_type} {}", base64_encode(&bad)));
        assert!(matches!(result, Err(PublicKeyError::Blob(_))), "{bad:?}");
    }
    assert!(matches!(PublicKey::parse_line(&text("keys/dsa.pub")), Err(PublicKeyError::Blob(_))));
}

#[test]
fn t12_rsa_numbers_must_be_canonical_mpints() {
    let modulus = [0xc3; 256];
    let blob = |e: &[u8], n: &[u8]| {
        let mut out = Vec::new();
        out.put_string("ssh-rsa");
        out.put_string(e);
        out.put_string(n);
        PublicKey::from_blob(&out, "")
    };
    let positive = [&[0], &modulus[..]].concat();
    assert!(blob(&[1, 0, 1], &positive).is_ok());
    assert!(blob(&[0, 1, 0, 1], &positive).is_err(), "needless zero in e");
    assert!(blob(&[1, 0, 1], &modulus).is_err(), "negative n");
    assert!(blob(&[1, 0, 1], &[&[0, 0], &modulus[..]].concat()).is_err(), "needless zero in n");
}
