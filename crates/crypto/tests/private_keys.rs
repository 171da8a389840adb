//! Private key files: every format that is read, every way they can be wrong (threat K1), and what
//! is written, checked by `ssh-keygen` itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_possible_truncation)]

mod common;

use common::{PASSPHRASE, data, scratch, ssh_keygen, text, thread_cpu_time, write_private};
use nacre_crypto::{
    AwsLc, DEFAULT_ROUNDS, KeyError, KeyKind, MAX_ROUNDS, PrivateKey, Protection, PublicKey, base64_decode,
    base64_encode, public_half,
};
use nacre_proto::crypto::Provider;
use nacre_wire::{Reader, WriteExt};
use std::time::Duration;

fn file(name: &str) -> Vec<u8> {
    data(&format!("keys/{name}"))
}

fn public(name: &str) -> PublicKey {
    PublicKey::parse_line(&text(&format!("keys/{name}.pub"))).unwrap()
}

fn read(name: &str, passphrase: Option<&[u8]>) -> Result<PrivateKey, KeyError> {
    PrivateKey::read(&file(name), passphrase)
}

/// The key is whole: what it signs, its public half verifies.
fn works(key: &PrivateKey) {
    for algorithm in key.algorithms() {
        let signature = key.sign(algorithm, b"data").unwrap();
        AwsLc::default().verify(algorithm, key.public_blob(), b"data", &signature).unwrap();
    }
}

const PLAIN: [&str; 9] = [
    "ed25519",
    "ecdsa256",
    "ecdsa384",
    "ecdsa521",
    "rsa2048",
    "rsa3072",
    "ecdsa256_short",
    "ecdsa384_short",
    "ecdsa521_short",
];

#[test]
fn openssh_keys_are_read() {
    for name in PLAIN {
        for passphrase in [None, Some(PASSPHRASE)] {
            let key = read(name, passphrase).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(key.public_key(), public(name), "{name}");
            works(&key);
        }
    }
}

const ENCRYPTED: [(&str, &str); 10] = [
    ("ed25519_aes256_ctr", "ed25519"),
    ("ed25519_aes192_ctr", "ed25519"),
    ("ed25519_aes128_ctr", "ed25519"),
    ("ed25519_aes256_cbc", "ed25519"),
    ("ed25519_aes192_cbc", "ed25519"),
    ("ed25519_aes128_cbc", "ed25519"),
    ("ed25519_aes256_gcm", "ed25519"),
    ("ed25519_aes128_gcm", "ed25519"),
    ("rsa2048_encrypted", "rsa2048"),
    ("ecdsa521_encrypted", "ecdsa521"),
];

#[test]
fn encrypted_openssh_keys_need_their_passphrase() {
    for (name, base) in ENCRYPTED {
        assert_eq!(read(name, None).unwrap_err(), KeyError::NeedsPassphrase, "{name}");
        assert_eq!(read(name, Some(b"wrong")).unwrap_err(), KeyError::WrongPassphrase, "{name}");
        assert_eq!(read(name, Some(b"")).unwrap_err(), KeyError::WrongPassphrase, "{name}");
        let key = read(name, Some(PASSPHRASE)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(key.public_key(), public(base), "{name}");
        works(&key);
        assert_eq!(public_half(&file(name)).unwrap().blob(), public(base).blob(), "{name}");
    }
}

#[test]
fn pem_and_pkcs8_keys_are_read() {
    for name in [
        "rsa2048.pem",
        "rsa2048.pkcs8",
        "ecdsa256.pem",
        "ecdsa256.pkcs8",
        "ecdsa384.pem",
        "ecdsa384.pem_no_public",
        "ecdsa384.pkcs8",
        "ecdsa521.pem",
        "ecdsa521.pkcs8",
    ] {
        let key = read(name, None).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(key.public_blob(), public(name.split('.').next().unwrap()).blob(), "{name}");
        assert_eq!(key.comment(), "");
        works(&key);
    }
}

#[test]
fn encrypted_pem_and_pkcs8_keys_need_their_passphrase() {
    for name in [
        "rsa2048.pem_encrypted",
        "rsa2048.pem_aes192",
        "rsa2048.pem_aes256",
        "rsa2048.pkcs8_encrypted",
        "ecdsa256.pem_encrypted",
        "ecdsa256.pkcs8_encrypted",
        "ecdsa384.pem_encrypted",
        "ecdsa384.pkcs8_encrypted",
        "ecdsa521.pem_encrypted",
        "ecdsa521.pkcs8_encrypted",
    ] {
        assert_eq!(read(name, None).unwrap_err(), KeyError::NeedsPassphrase, "{name}");
        assert_eq!(read(name, Some(b"wrong")).unwrap_err(), KeyError::WrongPassphrase, "{name}");
        let key = read(name, Some(PASSPHRASE)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(key.public_blob(), public(name.split('.').next().unwrap()).blob(), "{name}");
        works(&key);
    }
}

#[test]
fn a_wrong_passphrase_is_called_wrong_whatever_comes_out() {
    // CBC padding looks right once in 256 times; the noise behind it must not be called malformed.
    for name in ["rsa2048.pem_encrypted", "ecdsa256.pem_encrypted"] {
        for i in 0..2000u32 {
            let error = read(name, Some(&i.to_be_bytes())).unwrap_err();
            assert_eq!(error, KeyError::WrongPassphrase, "{name} {i}");
        }
    }
}

#[test]
fn ed25519_keys_of_openssl_are_read() {
    let expected = common::unhex(text("keys/openssl_ed25519.public_hex").trim());
    for name in ["pkcs8", "pkcs8_encrypted", "pkcs8_sha1", "pkcs8_sha512", "pkcs8_scrypt"] {
        let key = read(&format!("openssl_ed25519.{name}"), Some(PASSPHRASE)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(key.public_blob().ends_with(&expected), "{name}");
        works(&key);
        if name != "pkcs8" {
            let wrong = read(&format!("openssl_ed25519.{name}"), Some(b"wrong")).unwrap_err();
            assert_eq!(wrong, KeyError::WrongPassphrase, "{name}");
        }
    }
}

#[test]
fn what_is_not_supported_says_what_it_is() {
    for (name, word) in [
        ("dsa", "ssh-dss"),
        ("ed25519_3des_cbc", "3des-cbc"),
        ("ed25519_chacha20_poly1305", "chacha20-poly1305"),
        ("rsa2048.pem_des3", "DES-EDE3-CBC"),
        ("openssl_ed25519.pkcs8_des3", "PKCS#8 encryption"),
        ("openssl_ed25519.pkcs8_pbes1", "PKCS#8 encryption"),
        ("secp256k1.pem", "1.3.132.0.10"),
        ("x25519.pkcs8", "1.3.101.110"),
    ] {
        match read(name, Some(PASSPHRASE)) {
            Err(KeyError::Unsupported(what)) => assert!(what.contains(word), "{name}: {what}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let foreign = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(PrivateKey::read(foreign, None).unwrap_err(), KeyError::Unsupported("CERTIFICATE".into()));
}

#[test]
fn a19_weak_rsa_keys_are_refused() {
    for name in ["rsa1024", "rsa1024.pem"] {
        assert!(matches!(read(name, None), Err(KeyError::Weak(_))), "{name}");
    }
    assert!(matches!(PrivateKey::generate(KeyKind::Rsa, Some(1024)), Err(KeyError::Weak(_))));
}

/// A container's parts, for building bad ones.
struct Parts {
    cipher: &'static str,
    kdf: &'static str,
    options: Vec<u8>,
    keys: u32,
    public: Vec<u8>,
    private: Vec<u8>,
    tail: Vec<u8>,
}

impl Parts {
    fn plain(public: &[u8], private: Vec<u8>) -> Self {
        let (cipher, kdf) = ("none", "none");
        Self { cipher, kdf, options: vec![], keys: 1, public: public.to_vec(), private, tail: vec![] }
    }

    fn armoured(&self) -> Vec<u8> {
        let mut body = b"openssh-key-v1\0".to_vec();
        body.put_string(self.cipher);
        body.put_string(self.kdf);
        body.put_string(&self.options);
        body.put_u32(self.keys);
        body.put_string(&self.public);
        body.put_string(&self.private);
        body.extend_from_slice(&self.tail);
        armour("OPENSSH PRIVATE KEY", &body)
    }
}

fn armour(label: &str, body: &[u8]) -> Vec<u8> {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64_encode(body)).into_bytes()
}

fn body_of(name: &str) -> Vec<u8> {
    let armoured = String::from_utf8(file(name)).unwrap();
    base64_decode(&armoured.lines().filter(|line| !line.starts_with("-----")).collect::<String>()).unwrap()
}

/// The private section of a plain fixture.
fn private_of(name: &str) -> Vec<u8> {
    let body = body_of(name);
    let mut reader = Reader::new(&body);
    reader.bytes(15, "magic").unwrap();
    for _ in 0..3 {
        reader.string("header").unwrap();
    }
    reader.u32("keys").unwrap();
    reader.string("public").unwrap();
    reader.string("private").unwrap().to_vec()
}

#[test]
fn k01_rounds_are_bounded_before_any_is_done() {
    for rounds in [0, MAX_ROUNDS + 1, 1 << 20, u32::MAX] {
        let mut options = Vec::new();
        options.put_string([7; 16]);
        options.put_u32(rounds);
        let parts = Parts {
            cipher: "aes256-ctr",
            kdf: "bcrypt",
            options,
            ..Parts::plain(public("ed25519").blob(), vec![0; 160])
        };
        let start = thread_cpu_time();
        for passphrase in [None, Some(PASSPHRASE)] {
            let error = PrivateKey::read(&parts.armoured(), passphrase).unwrap_err();
            assert!(matches!(&error, KeyError::Unsupported(what) if what.contains("rounds")), "{rounds}: {error}");
        }
        assert!(thread_cpu_time() - start < Duration::from_secs(1), "{rounds} rounds were worked on");
    }
}

#[test]
fn k01_other_derivations_are_bounded_too() {
    // The iteration count of PBKDF2 and the cost of scrypt, raised inside real files.
    for (name, from, to) in [
        ("openssl_ed25519.pkcs8_sha512", &[2, 2, 0x03, 0xe8][..], &[2, 2, 0x7f, 0xff][..]),
        ("openssl_ed25519.pkcs8_scrypt", &[2, 2, 0x04, 0x00], &[2, 2, 0x40, 0x00]),
    ] {
        let body = body_of(name);
        let at = body.windows(from.len()).position(|window| window == from).expect(name);
        let mut changed = body.clone();
        changed[at..at + to.len()].copy_from_slice(to);
        // Within the bounds it is tried, and the key that comes out is another.
        let tried = PrivateKey::read(&armour("ENCRYPTED PRIVATE KEY", &changed), Some(PASSPHRASE)).unwrap_err();
        assert_eq!(tried, KeyError::WrongPassphrase, "{name}");
    }
    // Beyond the bounds it is not. A four-byte count needs the lengths around it to grow.
    let huge = |name: &str, from: &[u8], to: &[u8]| {
        let grow = to.len() - from.len();
        let mut body = body_of(name);
        let at = body.windows(from.len()).position(|window| window == from).expect(name);
        body.splice(at..at + from.len(), to.iter().copied());
        // Every enclosing SEQUENCE begins before it and reaches beyond it.
        let mut offset = 0;
        let mut outer = Vec::new();
        while offset < at {
            let (header, len) = match body[offset + 1] {
                0x81 => (3, usize::from(body[offset + 2])),
                0x82 => (4, usize::from(body[offset + 2]) << 8 | usize::from(body[offset + 3])),
                short => (2, usize::from(short)),
            };
            if body[offset] == 0x30 && offset + header + len > at {
                outer.push((offset, header, len + grow));
                offset += header;
            } else {
                offset += header + len;
            }
        }
        for (offset, header, len) in outer {
            match header {
                2 => body[offset + 1] = len as u8,
                3 => body[offset + 2] = len as u8,
                _ => body[offset + 2..offset + 4].copy_from_slice(&(len as u16).to_be_bytes()),
            }
        }
        let start = thread_cpu_time();
        let error = PrivateKey::read(&armour("ENCRYPTED PRIVATE KEY", &body), Some(PASSPHRASE)).unwrap_err();
        assert!(thread_cpu_time() - start < Duration::from_secs(1), "{name} was worked on");
        error
    };
    let error = huge("openssl_ed25519.pkcs8_sha512", &[2, 2, 0x03, 0xe8], &[2, 4, 0x7f, 0xff, 0xff, 0xff]);
    assert!(matches!(&error, KeyError::Unsupported(what) if what.contains("PBKDF2")), "{error}");
    let error = huge("openssl_ed25519.pkcs8_scrypt", &[2, 2, 0x04, 0x00], &[2, 4, 0x40, 0x00, 0x00, 0x00]);
    assert!(matches!(&error, KeyError::Unsupported(what) if what.contains("scrypt")), "{error}");
}

#[test]
fn k01_every_cut_and_every_flipped_byte_is_an_error_or_the_same_key() {
    for name in ["ed25519", "ecdsa256", "rsa2048", "ed25519_aes256_gcm"] {
        let body = body_of(name);
        for cut in 0..body.len() {
            let bad = armour("OPENSSH PRIVATE KEY", &body[..cut]);
            assert!(PrivateKey::read(&bad, Some(PASSPHRASE)).is_err(), "{name} cut {cut}");
        }
        let encrypted = name.contains("aes");
        // bcrypt makes each try of an encrypted key slow: take some of the bytes.
        for at in (0..body.len()).step_by(if encrypted { 7 } else { 1 }) {
            let mut bad = body.clone();
            bad[at] ^= 0x11;
            if let Ok(key) = PrivateKey::read(&armour("OPENSSH PRIVATE KEY", &bad), Some(PASSPHRASE)) {
                // Only the comment may differ: nothing protects it in a plain key.
                assert!(!encrypted, "{name} byte {at}");
                let original = read(name, None).unwrap();
                assert_eq!(key.public_blob(), original.public_blob(), "{name} byte {at}");
                assert_ne!(key.comment(), original.comment(), "{name} byte {at}");
            }
        }
    }
    for name in ["rsa2048.pkcs8", "ecdsa256.pkcs8", "openssl_ed25519.pkcs8"] {
        let body = body_of(name);
        let original = read(name, None).unwrap();
        for at in 0..body.len() {
            assert!(PrivateKey::read(&armour("PRIVATE KEY", &body[..at]), None).is_err(), "{name} cut {at}");
            let mut bad = body.clone();
            bad[at] ^= 0x11;
            if let Ok(key) = PrivateKey::read(&armour("PRIVATE KEY", &bad), None) {
                // A bare Ed25519 seed is a key whatever its bits are; CRT exponents are worked out anew.
                let seed = name.contains("ed25519") && key.public_blob() != original.public_blob();
                let exponent = name.contains("rsa") && key.public_blob() == original.public_blob();
                assert!(seed || exponent, "{name} byte {at}");
            }
        }
    }
}

#[test]
fn k01_containers_with_wrong_parts_are_refused() {
    let public = public("ed25519").blob().to_vec();
    let private = private_of("ed25519");
    let good = || Parts::plain(&public, private.clone());
    assert!(PrivateKey::read(&good().armoured(), None).is_ok());

    let bcrypt = || {
        let mut options = Vec::new();
        options.put_string([7; 16]);
        options.put_u32(1);
        options
    };
    let bad: Vec<(&str, Parts)> = vec![
        ("no key", Parts { keys: 0, ..good() }),
        ("two keys", Parts { keys: 2, ..good() }),
        ("many keys", Parts { keys: u32::MAX, ..good() }),
        ("trailing byte", Parts { tail: vec![0], ..good() }),
        ("options without kdf", Parts { options: vec![0; 4], ..good() }),
        ("kdf without cipher", Parts { kdf: "bcrypt", options: bcrypt(), ..good() }),
        ("cipher without kdf", Parts { cipher: "aes256-ctr", ..good() }),
        ("unknown kdf", Parts { cipher: "aes256-ctr", kdf: "scrypt", ..good() }),
        ("unknown cipher", Parts { cipher: "rot13", kdf: "bcrypt", options: bcrypt(), ..good() }),
        ("empty salt", {
            let mut options = Vec::new();
            options.put_string([]);
            options.put_u32(1);
            Parts { cipher: "aes256-ctr", kdf: "bcrypt", options, ..Parts::plain(&public, vec![0; 160]) }
        }),
        ("short options", {
            Parts { cipher: "aes256-ctr", kdf: "bcrypt", options: vec![0, 0], ..Parts::plain(&public, vec![0; 160]) }
        }),
        ("empty private part", Parts { private: vec![], ..good() }),
        ("private part of 8 bytes", Parts { private: vec![0; 8], ..good() }),
        ("no tag", Parts { cipher: "aes256-gcm@openssh.com", kdf: "bcrypt", options: bcrypt(), ..good() }),
        ("another public key", Parts { public: self::public("ecdsa256").blob().to_vec(), ..good() }),
        ("no public key", Parts { public: vec![], ..good() }),
    ];
    for (what, parts) in bad {
        assert!(PrivateKey::read(&parts.armoured(), Some(PASSPHRASE)).is_err(), "{what}");
    }
}

#[test]
fn k01_padding_is_checked_to_the_last_byte() {
    let public = public("ed25519").blob().to_vec();
    let unpadded = {
        let private = private_of("ed25519");
        let mut reader = Reader::new(&private);
        reader.u64("checks").unwrap();
        for _ in 0..3 {
            reader.string("field").unwrap();
        }
        let mut unpadded = private[..private.len() - reader.remaining()].to_vec();
        unpadded.put_string("a comment that asks for padding");
        unpadded
    };
    let with = |padding: &[u8]| {
        let mut private = unpadded.clone();
        private.extend_from_slice(padding);
        PrivateKey::read(&Parts::plain(&public, private).armoured(), None)
    };
    let need = unpadded.len().next_multiple_of(8) - unpadded.len();
    let right: Vec<u8> = (1..=need as u8).collect();
    assert!(need > 1, "the fixture has padding");
    assert!(with(&right).is_ok());
    for at in 0..need {
        let mut wrong = right.clone();
        wrong[at] ^= 1;
        assert_eq!(with(&wrong).unwrap_err(), KeyError::Malformed("padding"), "byte {at}");
    }
    assert!(with(&vec![0; need]).is_err());
    assert!(with(&right[..need - 1]).is_err(), "short padding");
    assert!(with(&[]).is_err(), "no padding");
    let endless: Vec<u8> = (0..300 * 8 + need).map(|i| (i + 1) as u8).collect();
    assert!(with(&endless).is_err(), "padding beyond 255 bytes");
}

#[test]
fn k01_oversized_and_inconsistent_rsa_numbers_are_refused_quickly() {
    let private = private_of("rsa2048");
    let mut reader = Reader::new(&private);
    let checks = reader.bytes(8, "checks").unwrap().to_vec();
    reader.string("type").unwrap();
    let numbers: Vec<Vec<u8>> = (0..6).map(|_| reader.mpint("number").unwrap().to_vec()).collect();
    let build = |numbers: &[Vec<u8>]| {
        let mut public = Vec::new();
        public.put_string("ssh-rsa");
        public.put_mpint(&numbers[1]);
        public.put_mpint(&numbers[0]);
        let mut private = checks.clone();
        private.put_string("ssh-rsa");
        numbers.iter().for_each(|number| private.put_mpint(number));
        private.put_string("comment");
        let padding = private.len().next_multiple_of(8) - private.len();
        private.extend((1..=7u8).take(padding));
        Parts::plain(&public, private).armoured()
    };
    works(&PrivateKey::read(&build(&numbers), None).unwrap());

    let names = ["n", "e", "d", "iqmp", "p", "q"];
    for (which, name) in names.iter().enumerate() {
        for (what, value) in [
            ("zero", vec![]),
            ("one", vec![1]),
            ("two", vec![2]),
            ("64 kbit", vec![0xff; 8192]),
            ("8192 bits and one", [vec![1], vec![0xff; 1024]].concat()),
            ("off by one", {
                let mut changed = numbers[which].clone();
                *changed.last_mut().unwrap() ^= 2;
                changed
            }),
        ] {
            let mut bad = numbers.clone();
            bad[which] = value;
            let start = thread_cpu_time();
            assert!(PrivateKey::read(&build(&bad), None).is_err(), "{name} {what}");
            assert!(
                thread_cpu_time() - start < Duration::from_secs(2),
                "{name} {what}: {:?}",
                thread_cpu_time() - start
            );
        }
    }
    let mut swapped = numbers.clone();
    swapped.swap(4, 5);
    assert!(PrivateKey::read(&build(&swapped), None).is_err(), "p and q swapped without a new coefficient");
}

#[test]
fn armour_that_is_broken_is_refused() {
    let good = String::from_utf8(file("ed25519")).unwrap();
    for (what, bad) in [
        ("empty", String::new()),
        ("no end", good.replace("-----END OPENSSH PRIVATE KEY-----\n", "")),
        ("another end", good.replace("END OPENSSH", "END RSA")),
        ("no begin", good.replace("-----BEGIN OPENSSH PRIVATE KEY-----\n", "")),
        ("not Base64", good.replace("b3Blb", "b3*lb")),
        ("cut Base64", good.replacen("b3Blb", "b3Bl", 1)),
        ("a public key", text("keys/ed25519.pub")),
        (
            "encrypted header in the wrong format",
            good.replace("KEY-----\nb3", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nb3"),
        ),
        (
            "headers that disagree",
            String::from_utf8(file("rsa2048.pem_encrypted")).unwrap().replace("Proc-Type: 4,ENCRYPTED\n", ""),
        ),
        ("a short IV", {
            let text = String::from_utf8(file("rsa2048.pem_encrypted")).unwrap();
            let at = text.find("CBC,").unwrap() + 4;
            [&text[..at], &text[at + 2..]].concat()
        }),
    ] {
        assert!(PrivateKey::read(bad.as_bytes(), Some(PASSPHRASE)).is_err(), "{what}");
    }
    assert!(PrivateKey::read(&vec![b'A'; 10 << 20], None).is_err(), "10 MiB");
    assert!(PrivateKey::read(&[0xff, 0xfe, 0xfd], None).is_err(), "not text");
    // Carriage returns, other widths and text around the block are harmless.
    for fine in
        [good.replace('\n', "\r\n"), format!("made by hand\n\n{good}\nthe end\n"), good.replace("\nb3", "\n\nb3")]
    {
        assert!(PrivateKey::read(fine.as_bytes(), None).is_ok());
    }
}

fn all_kinds() -> Vec<PrivateKey> {
    [
        (KeyKind::Ed25519, None),
        (KeyKind::Ed25519, Some(256)),
        (KeyKind::Ecdsa, None),
        (KeyKind::Ecdsa, Some(384)),
        (KeyKind::Ecdsa, Some(521)),
        (KeyKind::Rsa, Some(2048)),
        (KeyKind::Rsa, None),
    ]
    .map(|(kind, bits)| {
        let key = PrivateKey::generate(kind, bits).unwrap();
        assert_eq!(key.kind(), kind);
        assert_eq!(key.bits(), bits.unwrap_or(if kind == KeyKind::Rsa { 3072 } else { 256 }));
        assert_eq!(key.bits(), key.public_key().bits());
        key
    })
    .into()
}

#[test]
fn keys_survive_being_written_and_read() {
    for mut key in all_kinds() {
        works(&key);
        key.set_comment("nobody@fake.example");
        let plain = key.write_openssh(None).unwrap();
        let back = PrivateKey::read(plain.as_bytes(), None).unwrap();
        assert_eq!(back.public_key(), key.public_key());
        works(&back);

        let protection = Protection { passphrase: PASSPHRASE, rounds: 1 };
        let sealed = key.write_openssh(Some(protection)).unwrap();
        assert_eq!(PrivateKey::read(sealed.as_bytes(), None).unwrap_err(), KeyError::NeedsPassphrase);
        assert_eq!(PrivateKey::read(sealed.as_bytes(), Some(b"x")).unwrap_err(), KeyError::WrongPassphrase);
        let back = PrivateKey::read(sealed.as_bytes(), Some(PASSPHRASE)).unwrap();
        assert_eq!(back.public_key(), key.public_key());
        assert_ne!(*sealed, *key.write_openssh(Some(protection)).unwrap(), "the salt must differ");
    }
}

#[test]
fn short_scalars_survive_being_written_and_read() {
    for name in ["ecdsa256_short", "ecdsa384_short", "ecdsa521_short"] {
        let key = read(name, None).unwrap();
        let again = PrivateKey::read(key.write_openssh(None).unwrap().as_bytes(), None).unwrap();
        assert_eq!(again.public_key(), public(name), "{name}");
        works(&again);
    }
}

#[test]
fn sizes_that_do_not_exist_and_weak_protection_are_refused() {
    for (kind, bits) in [
        (KeyKind::Ed25519, 255),
        (KeyKind::Ed25519, 512),
        (KeyKind::Ecdsa, 255),
        (KeyKind::Ecdsa, 512),
        (KeyKind::Rsa, 0),
        (KeyKind::Rsa, 2047),
        (KeyKind::Rsa, 2560),
        (KeyKind::Rsa, 16_384),
    ] {
        assert!(PrivateKey::generate(kind, Some(bits)).is_err(), "{kind:?} {bits}");
    }
    let key = read("ed25519", None).unwrap();
    for (passphrase, rounds) in [(&b""[..], DEFAULT_ROUNDS), (PASSPHRASE, 0), (PASSPHRASE, MAX_ROUNDS + 1)] {
        assert!(key.write_openssh(Some(Protection { passphrase, rounds })).is_err(), "{rounds}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let key = read("ed25519", None).unwrap();
    assert_eq!(format!("{key:?}"), format!("PrivateKey({})", key.public_key().fingerprint_sha256()));
}

#[test]
fn ssh_keygen_reads_what_we_write() {
    let dir = scratch("ssh_keygen_reads");
    for (i, mut key) in all_kinds().into_iter().enumerate() {
        key.set_comment("nobody@fake.example");
        for (protection, passphrase) in
            [(None, ""), (Some(Protection { passphrase: PASSPHRASE, rounds: DEFAULT_ROUNDS }), "fake-passphrase")]
        {
            let path = dir.join(format!("key{i}{}", if protection.is_some() { "_encrypted" } else { "" }));
            write_private(&path, key.write_openssh(protection).unwrap().as_bytes());
            let path = path.to_str().unwrap();
            let output = ssh_keygen(&["-y", "-P", passphrase, "-f", path], b"");
            let printed = String::from_utf8(output.stdout).unwrap();
            assert_eq!(printed.trim(), key.public_key().to_line(), "{}", String::from_utf8_lossy(&output.stderr));
            if protection.is_some() {
                assert!(!ssh_keygen(&["-y", "-P", "wrong", "-f", path], b"").status.success());
            }
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn ssh_keygen_accepts_what_we_sign() {
    let dir = scratch("ssh_keygen_accepts");
    for (i, key) in all_kinds().into_iter().enumerate() {
        for algorithm in key.algorithms() {
            let message = b"a message from no one";
            let hash = AwsLc::default().hash(nacre_proto::algorithm::HashAlgorithm::Sha256, &[message]);
            let mut signed = b"SSHSIG".to_vec();
            for field in [&b"fake"[..], b"", b"sha256", &hash] {
                signed.put_string(field);
            }
            let mut body = b"SSHSIG\0\0\0\x01".to_vec();
            body.put_string(key.public_blob());
            for field in [&b"fake"[..], b"", b"sha256"] {
                body.put_string(field);
            }
            body.put_string(key.sign(algorithm, &signed).unwrap());
            let path = dir.join(format!("{i}-{algorithm}.sig"));
            write_private(&path, &armour("SSH SIGNATURE", &body));

            let check = ["-Y", "check-novalidate", "-n", "fake", "-s", path.to_str().unwrap()];
            let output = ssh_keygen(&check, message);
            assert!(output.status.success(), "{algorithm}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}
