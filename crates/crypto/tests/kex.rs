//! Key exchange through the provider: agreement, shapes, and every bad public value (threat T9).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

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
