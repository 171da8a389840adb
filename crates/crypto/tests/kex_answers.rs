//! Key exchange against independent arithmetic: `num-bigint` for the groups, the bare primitives
//! for the curves and the hybrids.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use aws_lc_rs::agreement::{self, Algorithm, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::{digest, kem};
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::KexMethod;
use nacre_proto::crypto::Provider;
use num_bigint::BigUint;

/// `floor(2^bits * pi)`, by Machin's formula.
fn pi_times_two_to(bits: u32) -> BigUint {
    let guard = 64;
    let unity = BigUint::from(1u8) << (bits + guard);
    let arccot = |x: u32| {
        let square = BigUint::from(x * x);
        let mut power = &unity / x;
        let (mut plus, mut minus, mut n) = (power.clone(), BigUint::ZERO, 3u32);
        while power != BigUint::ZERO {
            power /= &square;
            let term = &power / n;
            if (n / 2) % 2 == 1 {
                minus += term
            } else {
                plus += term
            }
            n += 2;
        }
        plus - minus
    };
    ((BigUint::from(16u8) * arccot(5)) - (BigUint::from(4u8) * arccot(239))) >> guard
}

/// RFC 3526: `2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + k)`.
fn prime(method: KexMethod) -> BigUint {
    let (n, k) = match method {
        KexMethod::Group14Sha256 => (2048u32, 124_476u32),
        KexMethod::Group16Sha512 => (4096, 240_904),
        KexMethod::Group18Sha512 => (8192, 4_743_158),
        _ => panic!("{method} is no group"),
    };
    let two_to = |bits: u32| BigUint::from(1u8) << bits;
    two_to(n) - two_to(n - 64) - 1u8 + ((pi_times_two_to(n - 130) + k) << 64)
}

const GROUPS: [KexMethod; 3] = [KexMethod::Group14Sha256, KexMethod::Group16Sha512, KexMethod::Group18Sha512];

#[test]
fn the_groups_are_the_documents_and_so_is_the_arithmetic() {
    for method in GROUPS {
        let p = prime(method);
        let g = BigUint::from(2u8);
        let y = BigUint::parse_bytes(b"1234567890abcdef1234567890abcdef1234567890abcdef", 16).unwrap();
        let gy = g.modpow(&y, &p);

        let client = AwsLc::default().kex_client(method).unwrap();
        let gx = BigUint::from_bytes_be(client.public());
        assert_eq!(gx.to_bytes_be(), client.public(), "{method}: leading zeros");
        let secret = client.finish(&gy.to_bytes_be()).unwrap();
        assert_eq!(BigUint::from_bytes_be(secret.expose()), gx.modpow(&y, &p), "{method} as client");

        let answer = AwsLc::default().kex_server(method, &gy.to_bytes_be()).unwrap();
        let gx = BigUint::from_bytes_be(&answer.public);
        assert_eq!(BigUint::from_bytes_be(answer.secret.expose()), gx.modpow(&y, &p), "{method} as server");
    }
}

fn refused_by_both(method: KexMethod, value: &BigUint) {
    let bytes = value.to_bytes_be();
    assert!(AwsLc::default().kex_server(method, &bytes).is_err(), "{method} as server took {value:#x}");
    assert!(AwsLc::default().kex_client(method).unwrap().finish(&bytes).is_err(), "{method} client took {value:#x}");
}

#[test]
fn t09_degenerate_group_values_are_refused() {
    for method in GROUPS {
        let p = prime(method);
        let small = |n: u32| BigUint::from(n);
        let edge = [small(0), small(1), &p - 1u8, p.clone(), &p + 1u8, &p + 2u8, &p << 1];
        let sparse = [small(2), small(3), small(7), BigUint::from(1u8) << 100, (BigUint::from(3u8) << 1000) + 1u8];
        for value in edge.iter().chain(&sparse) {
            refused_by_both(method, value);
        }
        // The neighbours of what is refused are fine: 15 has four bits set, p - 2 is the largest.
        for good in [small(15), &p - 2u8] {
            assert!(AwsLc::default().kex_server(method, &good.to_bytes_be()).is_ok(), "{method} {good:#x}");
        }
        // One value has one form.
        let padded = [&[0], &small(0x1234_5678).to_bytes_be()[..]].concat();
        assert!(AwsLc::default().kex_server(method, &padded).is_err(), "{method}: leading zero");
    }
}

fn agree(algorithm: &'static Algorithm, private: &PrivateKey, public: &[u8]) -> Vec<u8> {
    agreement::agree(private, UnparsedPublicKey::new(algorithm, public), (), |secret| Ok(secret.to_vec())).unwrap()
}

#[test]
fn a_peer_made_of_bare_primitives_agrees_with_the_curves() {
    for (method, algorithm) in [
        (KexMethod::Curve25519, &agreement::X25519),
        (KexMethod::Curve25519LibSsh, &agreement::X25519),
        (KexMethod::EcdhNistp256, &agreement::ECDH_P256),
        (KexMethod::EcdhNistp384, &agreement::ECDH_P384),
        (KexMethod::EcdhNistp521, &agreement::ECDH_P521),
    ] {
        let peer = PrivateKey::generate(algorithm).unwrap();
        let public = peer.compute_public_key().unwrap();
        let answer = AwsLc::default().kex_server(method, public.as_ref()).unwrap();
        assert_eq!(answer.secret.expose(), agree(algorithm, &peer, &answer.public), "{method}");
    }
}

#[test]
fn a_peer_made_of_bare_primitives_agrees_with_mlkem768x25519() {
    let private = kem::DecapsulationKey::generate(&kem::ML_KEM_768).unwrap();
    let curve = PrivateKey::generate(&agreement::X25519).unwrap();
    let mut public = private.encapsulation_key().unwrap().key_bytes().unwrap().as_ref().to_vec();
    public.extend_from_slice(curve.compute_public_key().unwrap().as_ref());
    let answer = AwsLc::default().kex_server(KexMethod::MlKem768X25519, &public).unwrap();
    let (ciphertext, curve_public) = answer.public.split_at(1088);
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(private.decapsulate(ciphertext.into()).unwrap().as_ref());
    hash.update(&agree(&agreement::X25519, &curve, curve_public));
    assert_eq!(answer.secret.expose(), hash.finish().as_ref());
}

#[test]
fn a_peer_made_of_bare_primitives_agrees_with_sntrup761x25519() {
    let (kem_public, private) = sntrup761::generate_key_from_seed([7; 32]);
    let curve = PrivateKey::generate(&agreement::X25519).unwrap();
    let public = [kem_public.as_ref(), curve.compute_public_key().unwrap().as_ref()].concat();
    let answer = AwsLc::default().kex_server(KexMethod::Sntrup761X25519, &public).unwrap();
    let (ciphertext, curve_public) = answer.public.split_at(1039);
    let mut hash = digest::Context::new(&digest::SHA512);
    hash.update(private.decapsulate(&ciphertext.try_into().unwrap()).as_ref());
    hash.update(&agree(&agreement::X25519, &curve, curve_public));
    assert_eq!(answer.secret.expose(), hash.finish().as_ref());
}
