//! Signature checking: what others signed, and every way a signature, a key or a name can be wrong
//! (threats H3, A6, A19, T21, T22).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{data, text, thread_cpu_time, unhex};
use nacre_crypto::{AwsLc, KeyKind, PrivateKey, PublicKey, base64_decode};
use nacre_proto::algorithm::{HashAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{CryptoError, Provider};
use nacre_wire::{Reader, WriteExt};
use num_bigint::BigUint;
use std::time::Duration;

const KEYS: [(&str, SignatureAlgorithm); 6] = [
    ("ed25519", SignatureAlgorithm::Ed25519),
    ("ecdsa256", SignatureAlgorithm::EcdsaNistp256),
    ("ecdsa384", SignatureAlgorithm::EcdsaNistp384),
    ("ecdsa521", SignatureAlgorithm::EcdsaNistp521),
    ("rsa2048", SignatureAlgorithm::RsaSha512),
    ("rsa3072", SignatureAlgorithm::RsaSha512),
];

fn verify(algorithm: SignatureAlgorithm, blob: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    AwsLc::default().verify(algorithm, blob, message, signature)
}

fn public(name: &str) -> Vec<u8> {
    PublicKey::parse_line(&text(&format!("keys/{name}.pub"))).unwrap().blob().to_vec()
}

fn private(name: &str) -> PrivateKey {
    PrivateKey::read(&data(&format!("keys/{name}")), None).unwrap()
}

fn blob_of(format: &str, raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_string(format);
    out.put_string(raw);
    out
}

/// Takes an SSHSIG apart (OpenSSH PROTOCOL.sshsig): what was signed, and the signature.
fn sshsig(name: &str) -> (Vec<u8>, Vec<u8>) {
    let armoured = text(&format!("keys/{name}.sshsig"));
    let base64: String = armoured.lines().filter(|line| !line.starts_with("-----")).collect();
    let bytes = base64_decode(&base64).unwrap();
    let mut reader = Reader::new(&bytes);
    reader.bytes(6, "magic").unwrap();
    reader.u32("version").unwrap();
    reader.string("public key").unwrap();
    let namespace = reader.string("namespace").unwrap();
    let reserved = reader.string("reserved").unwrap();
    let hash_name = reader.string("hash").unwrap();
    let signature = reader.string("signature").unwrap().to_vec();
    let hash = match hash_name {
        b"sha512" => HashAlgorithm::Sha512,
        _ => HashAlgorithm::Sha256,
    };
    let mut signed = b"SSHSIG".to_vec();
    signed.put_string(namespace);
    signed.put_string(reserved);
    signed.put_string(hash_name);
    signed.put_string(AwsLc::default().hash(hash, &[&data("keys/message.txt")]));
    (signed, signature)
}

#[test]
fn what_openssh_signed_is_accepted() {
    for (name, algorithm) in KEYS {
        let (signed, signature) = sshsig(name);
        assert_eq!(verify(algorithm, &public(name), &signed, &signature), Ok(()), "{name}");
    }
}

#[test]
fn what_openssl_signed_is_accepted_under_its_own_hash_only() {
    let message = data("keys/message.txt");
    let key = public("rsa2048");
    for (file, right, wrong) in [
        ("keys/rsa2048.sha256", SignatureAlgorithm::RsaSha256, SignatureAlgorithm::RsaSha512),
        ("keys/rsa2048.sha512", SignatureAlgorithm::RsaSha512, SignatureAlgorithm::RsaSha256),
    ] {
        let raw = unhex(text(file).trim());
        assert_eq!(verify(right, &key, &message, &blob_of(right.name(), &raw)), Ok(()), "{file}");
        assert_eq!(verify(wrong, &key, &message, &blob_of(wrong.name(), &raw)), Err(CryptoError), "{file}");
    }
}

#[test]
fn what_we_sign_is_accepted_and_any_change_is_not() {
    for (name, _) in KEYS {
        let key = private(name);
        for algorithm in key.algorithms() {
            let signature = key.sign(algorithm, b"data").unwrap();
            assert_eq!(verify(algorithm, key.public_blob(), b"data", &signature), Ok(()), "{name}");
            assert!(verify(algorithm, key.public_blob(), b"datb", &signature).is_err(), "{name} other data");
            for at in 0..signature.len() {
                let mut bad = signature.clone();
                bad[at] ^= 1;
                assert!(verify(algorithm, key.public_blob(), b"data", &bad).is_err(), "{name} byte {at}");
            }
            for cut in 0..signature.len() {
                assert!(verify(algorithm, key.public_blob(), b"data", &signature[..cut]).is_err(), "{name} cut {cut}");
            }
            let longer = [&signature[..], &[0]].concat();
            assert!(verify(algorithm, key.public_blob(), b"data", &longer).is_err(), "{name} trailing byte");
        }
    }
}

#[test]
fn h03_a06_name_key_and_format_must_all_agree() {
    for (name, own) in KEYS {
        let key = private(name);
        let own = if own == SignatureAlgorithm::RsaSha512 { key.algorithms()[0] } else { own };
        let signature = key.sign(own, b"data").unwrap();
        let raw = {
            let mut reader = Reader::new(&signature);
            reader.string("format").unwrap();
            reader.string("signature").unwrap().to_vec()
        };
        for &other in SignatureAlgorithm::ALL {
            if other == own {
                continue;
            }
            // The negotiated name differs: with the format as signed, and with it relabelled.
            assert!(verify(other, key.public_blob(), b"data", &signature).is_err(), "{name} as {other}");
            let relabelled = blob_of(other.name(), &raw);
            assert!(verify(other, key.public_blob(), b"data", &relabelled).is_err(), "{name} relabelled {other}");
            assert!(verify(own, key.public_blob(), b"data", &relabelled).is_err(), "{name} format {other}");
        }
        for format in ["ssh-rsa", "", "ssh-ed25519-cert-v01@openssh.com", "ssh-dss", "RSA-SHA2-512"] {
            assert!(verify(own, key.public_blob(), b"data", &blob_of(format, &raw)).is_err(), "{name} {format}");
        }
        // Another key of any type.
        for (other_name, _) in KEYS.iter().filter(|(other, _)| *other != name) {
            assert!(verify(own, &public(other_name), b"data", &signature).is_err(), "{name} by {other_name}");
        }
    }
}

#[test]
fn h03_a_curve_that_is_not_the_key_types_is_refused() {
    let key = private("ecdsa256");
    let signature = key.sign(SignatureAlgorithm::EcdsaNistp256, b"data").unwrap();
    let mut reader = Reader::new(key.public_blob());
    reader.string("type").unwrap();
    reader.string("curve").unwrap();
    let point = reader.string("point").unwrap().to_vec();
    for (key_type, curve) in [
        ("ecdsa-sha2-nistp256", "nistp384"),
        ("ecdsa-sha2-nistp384", "nistp256"),
        ("ecdsa-sha2-nistp384", "nistp384"),
        ("ssh-ed25519", "nistp256"),
    ] {
        let mut blob = Vec::new();
        blob.put_string(key_type);
        blob.put_string(curve);
        blob.put_string(&point);
        assert!(verify(SignatureAlgorithm::EcdsaNistp256, &blob, b"data", &signature).is_err(), "{key_type} {curve}");
    }
}

#[test]
fn key_blobs_are_read_strictly() {
    for (name, algorithm) in KEYS {
        let (signed, signature) = sshsig(name);
        let good = public(name);
        for cut in 0..good.len() {
            assert!(verify(algorithm, &good[..cut], &signed, &signature).is_err(), "{name} cut {cut}");
        }
        let longer = [&good[..], &[0]].concat();
        assert!(verify(algorithm, &longer, &signed, &signature).is_err(), "{name} trailing byte");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(verify(algorithm, &bad, &signed, &signature).is_err(), "{name} byte {at}");
        }
    }
}

fn rsa_numbers(name: &str) -> (Vec<u8>, Vec<u8>) {
    let blob = public(name);
    let mut reader = Reader::new(&blob);
    reader.string("type").unwrap();
    let e = reader.mpint("e").unwrap().to_vec();
    (e, reader.mpint("n").unwrap().to_vec())
}

fn rsa_blob(e: &[u8], n: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_string("ssh-rsa");
    out.put_mpint(e);
    out.put_mpint(n);
    out
}

/// The padded digest of PKCS#1 v1.5 with SHA-256 (RFC 8017 §9.2), as wide as the modulus.
fn padded_digest(message: &[u8], width: usize) -> Vec<u8> {
    let info = unhex("3031300d060960864801650304020105000420");
    let digest = AwsLc::default().hash(HashAlgorithm::Sha256, &[message]);
    let mut out = vec![0, 1];
    out.resize(width - info.len() - digest.len() - 1, 0xff);
    out.push(0);
    out.extend_from_slice(&info);
    out.extend_from_slice(&digest);
    out
}

#[test]
fn t22_exponent_one_forges_nothing() {
    let (_, n) = rsa_numbers("rsa2048");
    // With e = 1 the signature is the padded digest itself.
    let forged = blob_of("rsa-sha2-256", &padded_digest(b"data", n.len()));
    assert!(verify(SignatureAlgorithm::RsaSha256, &rsa_blob(&[1], &n), b"data", &forged).is_err());
    assert!(PublicKey::from_blob(&rsa_blob(&[1], &n), "").is_err());
}

#[test]
fn t22_exponents_must_be_odd_and_fit_32_bits() {
    let (_, n) = rsa_numbers("rsa2048");
    for e in [&[][..], &[1], &[2], &[4], &[0xff, 0xff, 0xff, 0xfe], &[1, 0, 0, 0, 1], &[0xff; 16]] {
        assert!(PublicKey::from_blob(&rsa_blob(e, &n), "").is_err(), "{e:?}");
    }
    for e in [&[3][..], &[1, 0, 1], &[0xff, 0xff, 0xff, 0xff]] {
        assert!(PublicKey::from_blob(&rsa_blob(e, &n), "").is_ok(), "{e:?}");
    }
}

#[test]
fn t22_a_small_exponent_does_not_let_a_cube_root_through() {
    // Bleichenbacher 2006: the digest far left and noise after it, so that a cube root exists.
    let (_, n) = rsa_numbers("rsa2048");
    let digest = padded_digest(b"data", 64);
    let mut block = digest.clone();
    block.resize(n.len(), 0xff);
    let root = BigUint::from_bytes_be(&block).cbrt();
    assert!((&root * &root * &root).to_bytes_be().starts_with(&digest[1..40]), "the forgery is well made");
    let signature = blob_of("rsa-sha2-256", &root.to_bytes_be());
    assert!(verify(SignatureAlgorithm::RsaSha256, &rsa_blob(&[3], &n), b"data", &signature).is_err());
}

#[test]
fn t22_giant_moduli_cost_nothing() {
    for bits in [8200usize, 16_384, 65_536, 1 << 20] {
        let blob = rsa_blob(&[1, 0, 1], &vec![0xff; bits / 8]);
        let signature = blob_of("rsa-sha2-256", &vec![0x55; bits / 8]);
        let once = |_| {
            let start = thread_cpu_time();
            assert!(verify(SignatureAlgorithm::RsaSha256, &blob, b"data", &signature).is_err());
            thread_cpu_time() - start
        };
        // Work, not time on the clock, and the least of ten, so that a busy machine does not fail
        // the test; the arithmetic itself takes tens of milliseconds at these sizes.
        let best = (0..10).map(once).min().unwrap();
        assert!(bits < 65_536 || best < Duration::from_millis(1), "{bits} bits: {best:?}");
    }
}

#[test]
fn a19_moduli_below_the_bound_are_refused_and_the_bound_only_goes_up() {
    let message = data("keys/message.txt");
    let raw = unhex(text("keys/rsa2048.sha256").trim());
    let signature = blob_of("rsa-sha2-256", &raw);
    let check = |bits| AwsLc::new(bits).verify(SignatureAlgorithm::RsaSha256, &public("rsa2048"), &message, &signature);
    assert_eq!(check(0), Ok(()));
    assert_eq!(check(2048), Ok(()));
    assert_eq!(check(2049), Err(CryptoError));
    assert_eq!(check(3072), Err(CryptoError));
    // 1024 bits stay refused even when a caller asks for them.
    let weak = blob_of("rsa-sha2-256", &[0x55; 128]);
    assert!(AwsLc::new(1024).verify(SignatureAlgorithm::RsaSha256, &public("rsa1024"), &message, &weak).is_err());
    assert_eq!(AwsLc::new(1024), AwsLc::default());
}

#[test]
fn rsa_signatures_without_their_leading_zeros_are_accepted_and_longer_ones_are_not() {
    let key = private("rsa2048");
    let algorithm = SignatureAlgorithm::RsaSha256;
    // One signature in 256 begins with a zero byte.
    let (message, raw) = (0u32..20_000)
        .find_map(|i| {
            let message = i.to_be_bytes().to_vec();
            let signature = key.sign(algorithm, &message).unwrap();
            let raw = signature[signature.len() - 256..].to_vec();
            (raw[0] == 0).then_some((message, raw))
        })
        .expect("a signature with a leading zero");
    let check = |raw: &[u8]| verify(algorithm, key.public_blob(), &message, &blob_of(algorithm.name(), raw));
    assert_eq!(check(&raw), Ok(()));
    assert_eq!(check(&raw[1..]), Ok(()), "stripped");
    assert!(check(&[&[0], &raw[..]].concat()).is_err(), "one zero too many");
    assert!(check(&[]).is_err(), "empty");
    assert!(check(&[0; 256]).is_err(), "zero");
    // s + n is the same number modulo n.
    let (_, n) = rsa_numbers("rsa2048");
    let more = (BigUint::from_bytes_be(&raw) + BigUint::from_bytes_be(&n)).to_bytes_be();
    assert!(check(&more).is_err(), "s + n");
}

#[test]
fn t21_ed25519_signatures_have_one_form() {
    // The group's order, little-endian (RFC 8032 §5.1).
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let key = private("ed25519");
    let signature = key.sign(SignatureAlgorithm::Ed25519, b"data").unwrap();
    let raw = &signature[signature.len() - 64..];
    let s = BigUint::from_bytes_le(&raw[32..]) + BigUint::from_bytes_le(&order);
    let mut bytes = s.to_bytes_le();
    bytes.resize(32, 0);
    let forged = blob_of("ssh-ed25519", &[&raw[..32], &bytes].concat());
    assert!(verify(SignatureAlgorithm::Ed25519, key.public_blob(), b"data", &forged).is_err());
    for len in [0, 63, 65, 128] {
        let mut wrong = raw.to_vec();
        wrong.resize(len, 0);
        let wrong = blob_of("ssh-ed25519", &wrong);
        assert!(verify(SignatureAlgorithm::Ed25519, key.public_blob(), b"data", &wrong).is_err(), "{len} bytes");
    }
}

#[test]
fn ecdsa_scalars_must_be_canonical_and_in_range() {
    // The order of P-256 (FIPS 186-4 §D.1.2.3).
    let order = unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let key = private("ecdsa256");
    let algorithm = SignatureAlgorithm::EcdsaNistp256;
    let signature = key.sign(algorithm, b"data").unwrap();
    let mut outer = Reader::new(&signature);
    outer.string("format").unwrap();
    let mut inner = Reader::new(outer.string("signature").unwrap());
    let (r, s) = (inner.mpint("r").unwrap().to_vec(), inner.mpint("s").unwrap().to_vec());
    let check = |raw: Vec<u8>| verify(algorithm, key.public_blob(), b"data", &blob_of(algorithm.name(), &raw));
    let mpints = |r: &[u8], s: &[u8]| {
        let mut out = Vec::new();
        out.put_mpint(r);
        out.put_mpint(s);
        out
    };
    assert_eq!(check(mpints(&r, &s)), Ok(()));
    let plus_order = |x: &[u8]| (BigUint::from_bytes_be(x) + BigUint::from_bytes_be(&order)).to_bytes_be();
    for (what, raw) in [
        ("r = 0", mpints(&[], &s)),
        ("s = 0", mpints(&r, &[])),
        ("both 0", mpints(&[], &[])),
        ("r = order", mpints(&order, &s)),
        ("s = order", mpints(&r, &order)),
        ("r + order", mpints(&plus_order(&r), &s)),
        ("s + order", mpints(&r, &plus_order(&s))),
        ("swapped", mpints(&s, &r)),
        ("only r", mpints(&r, &s)[..r.len() + 4].to_vec()),
        ("trailing byte", [mpints(&r, &s), vec![0]].concat()),
    ] {
        assert_eq!(check(raw), Err(CryptoError), "{what}");
    }
    // Strings instead of mpints: a set first bit makes them negative, a leading zero too long.
    let strings = |r: &[u8], s: &[u8]| {
        let mut out = Vec::new();
        out.put_string(r);
        out.put_string(s);
        out
    };
    let padded = |x: &[u8]| [&[0, 0], x].concat();
    assert_eq!(check(strings(&padded(&r), &padded(&s))), Err(CryptoError), "needless zeros");
    // DER instead of SSH's form.
    assert_eq!(check(unhex("3006020101020101")), Err(CryptoError), "DER");
}

#[test]
fn ecdsa_signatures_with_short_numbers_are_accepted() {
    // One number in 256 is a byte shorter than the curve; both sides must cope (threat T12).
    let key = private("ecdsa256");
    let algorithm = SignatureAlgorithm::EcdsaNistp256;
    let mut short = 0;
    for i in 0u32..1500 {
        let signature = key.sign(algorithm, &i.to_be_bytes()).unwrap();
        let mut outer = Reader::new(&signature);
        outer.string("format").unwrap();
        let mut inner = Reader::new(outer.string("signature").unwrap());
        let lens = [inner.mpint("r").unwrap().len(), inner.mpint("s").unwrap().len()];
        short += usize::from(lens.iter().any(|len| *len < 32));
        assert_eq!(verify(algorithm, key.public_blob(), &i.to_be_bytes(), &signature), Ok(()));
    }
    assert!(short > 0, "no short number came up");
}

#[test]
fn keys_off_the_curve_verify_nothing() {
    for (name, algorithm) in &KEYS[1..4] {
        let (signed, signature) = sshsig(name);
        let mut blob = public(name);
        *blob.last_mut().unwrap() ^= 1;
        assert!(verify(*algorithm, &blob, &signed, &signature).is_err(), "{name}");
    }
}

#[test]
fn a_key_signs_with_its_own_algorithms_only() {
    for key in [PrivateKey::generate(KeyKind::Ed25519, None), PrivateKey::generate(KeyKind::Ecdsa, Some(384))] {
        let key = key.unwrap();
        for &algorithm in SignatureAlgorithm::ALL {
            // By a certificate's name it signs as the key inside.
            let own = key.algorithms().contains(&algorithm.plain());
            assert_eq!(key.sign(algorithm, b"x").is_ok(), own, "{algorithm}");
        }
    }
}
