//! Key exchange through the provider: agreement, shapes, and every bad public value (threat T9).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::unhex;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::KexMethod;
use nacre_proto::crypto::{CryptoError, KexAnswer, Provider};

fn provider() -> AwsLc {
    AwsLc::default()
}

/// Lengths in bytes of (client public, server public, secret); `None` for an mpint.
fn lengths(method: KexMethod) -> Option<(usize, usize, usize)> {
    match method {
        KexMethod::MlKem768X25519 => Some((1184 + 32, 1088 + 32, 32)),
        KexMethod::Sntrup761X25519 | KexMethod::Sntrup761X25519OpenSsh => Some((1158 + 32, 1039 + 32, 64)),
        KexMethod::Curve25519 | KexMethod::Curve25519LibSsh => Some((32, 32, 32)),
        KexMethod::EcdhNistp256 => Some((65, 65, 32)),
        KexMethod::EcdhNistp384 => Some((97, 97, 48)),
        KexMethod::EcdhNistp521 => Some((133, 133, 66)),
        _ => None,
    }
}

#[test]
fn both_sides_agree_in_every_method_and_never_twice_the_same() {
    for &method in KexMethod::ALL {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let client = provider().kex_client(method).unwrap();
            let public = client.public().to_vec();
            let answer = provider().kex_server(method, &public).unwrap();
            let secret = client.finish(&answer.public).unwrap();
            assert_eq!(secret.expose(), answer.secret.expose(), "{method}");
            if let Some((c, s, k)) = lengths(method) {
                assert_eq!((public.len(), answer.public.len(), secret.expose().len()), (c, s, k), "{method}");
            }
            assert!(!seen.contains(&secret.expose().to_vec()), "{method}: a secret came twice");
            assert!(secret.expose().iter().any(|b| *b != 0), "{method}");
            seen.push(secret.expose().to_vec());
        }
    }
}

#[test]
fn t21_no_ephemeral_key_comes_twice() {
    let mut seen = std::collections::HashSet::new();
    for method in [KexMethod::Curve25519, KexMethod::EcdhNistp256, KexMethod::MlKem768X25519] {
        let client = provider().kex_client(method).unwrap().public().to_vec();
        for _ in 0..500 {
            assert!(seen.insert(provider().kex_client(method).unwrap().public().to_vec()), "{method} as client");
            assert!(seen.insert(provider().kex_server(method, &client).unwrap().public), "{method} as server");
        }
    }
    for _ in 0..1000 {
        assert!(seen.insert(nacre_crypto::random_bytes::<16>().unwrap().to_vec()), "random bytes");
    }
}

/// Tries a value as the peer of both roles.
fn both_roles_refuse(method: KexMethod, what: &str, value: &[u8]) {
    let as_server = provider().kex_server(method, value).map(|_: KexAnswer| ());
    assert_eq!(as_server, Err(CryptoError), "{method} as server took {what}");
    client_refuses(method, what, value);
}

fn client_refuses(method: KexMethod, what: &str, value: &[u8]) {
    let as_client = provider().kex_client(method).unwrap().finish(value).map(|_| ());
    assert_eq!(as_client, Err(CryptoError), "{method} as client took {what}");
}

/// Valid public values of both roles, to be spoilt.
fn valid(method: KexMethod) -> (Vec<u8>, Vec<u8>) {
    let client = provider().kex_client(method).unwrap();
    let public = client.public().to_vec();
    let answer = provider().kex_server(method, &public).unwrap();
    (public, answer.public)
}

#[test]
fn t09_values_of_the_wrong_length_are_refused() {
    for &method in KexMethod::ALL {
        both_roles_refuse(method, "nothing", &[]);
        both_roles_refuse(method, "one byte", &[1]);
        both_roles_refuse(method, "2 KiB of 0x55", &vec![0x55; 2048]);
        if lengths(method).is_none() {
            continue;
        }
        let (client, server) = valid(method);
        for value in [&client, &server] {
            both_roles_refuse(method, "one byte too few", &value[..value.len() - 1]);
            let longer = [&value[..], &[0]].concat();
            both_roles_refuse(method, "one byte too many", &longer);
        }
    }
}

/// The u-coordinates of small order on Curve25519, and non-canonical forms of them (RFC 7748 §6.1,
/// https://cr.yp.to/ecdh.html#validate).
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn t09_x25519_points_of_small_order_are_refused() {
    for hex in SMALL_ORDER {
        let point = unhex(hex);
        for method in [KexMethod::Curve25519, KexMethod::Curve25519LibSsh] {
            both_roles_refuse(method, hex, &point);
        }
        // The hybrids must not lean on their other half.
        for method in [KexMethod::MlKem768X25519, KexMethod::Sntrup761X25519] {
            let (client, server) = valid(method);
            let as_client = [&client[..client.len() - 32], &point].concat();
            assert!(provider().kex_server(method, &as_client).is_err(), "{method} as server took {hex}");
            client_refuses(method, hex, &[&server[..server.len() - 32], &point].concat());
        }
    }
}

#[test]
fn t09_points_off_the_curve_and_other_forms_of_points_are_refused() {
    for method in [KexMethod::EcdhNistp256, KexMethod::EcdhNistp384, KexMethod::EcdhNistp521] {
        let (good, _) = valid(method);
        let half = (good.len() - 1) / 2;
        let changed = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            bytes
        };
        let last = good.len() - 1;
        both_roles_refuse(method, "a point off the curve", &changed(last, good[last] ^ 1));
        both_roles_refuse(method, "a point off the curve", &changed(half, good[half] ^ 1));
        for form in [0, 2, 3, 5, 6, 7] {
            both_roles_refuse(method, "another form byte", &changed(0, form));
        }
        both_roles_refuse(method, "infinity", &[0]);
        both_roles_refuse(method, "zero padded infinity", &vec![0; good.len()]);
        let parity = 2 + (good[last] & 1);
        both_roles_refuse(method, "the compressed point", &[&[parity], &good[1..=half]].concat());
        let mut beyond = vec![0xff; good.len()];
        beyond[0] = 4;
        both_roles_refuse(method, "coordinates beyond the field", &beyond);
        // A point of another curve.
        let other = if method == KexMethod::EcdhNistp256 { KexMethod::EcdhNistp384 } else { KexMethod::EcdhNistp256 };
        both_roles_refuse(method, "a point of another curve", &valid(other).0);
    }
}

#[test]
fn t09_mlkem_keys_with_coefficients_out_of_range_are_refused() {
    // FIPS 203 §7.2: coefficients are 12 bits and must be below 3329.
    let method = KexMethod::MlKem768X25519;
    let (good, _) = valid(method);
    for at in [0, 3, 600, 1149] {
        let mut bad = good.clone();
        bad[at] = 0xff;
        bad[at + 1] = 0xff;
        assert!(provider().kex_server(method, &bad).is_err(), "coefficient at {at}");
    }
}

#[test]
fn ciphertexts_that_were_changed_give_another_secret_and_no_error() {
    // Both encapsulations reject implicitly: the exchange hash's signature is what then fails.
    for method in [KexMethod::MlKem768X25519, KexMethod::Sntrup761X25519] {
        let client = provider().kex_client(method).unwrap();
        let answer = provider().kex_server(method, client.public()).unwrap();
        let mut changed = answer.public.clone();
        changed[500] ^= 1;
        let secret = client.finish(&changed).unwrap();
        assert_ne!(secret.expose(), answer.secret.expose(), "{method}");
    }
}
