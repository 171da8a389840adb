//! Randomness and signatures: T21, T22.

use crate::{ROLES, reason};
use nacre_proto::Role;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::login::client::Attempt;
use nacre_testkit::keys::rsa_key;
use nacre_testkit::raw::{Raw, Setup};
use nacre_wire::message::{KexEcdhInit, KexEcdhReply, Message};
use nacre_wire::{Reader, WriteExt, number};
use std::collections::HashSet;

#[test]
fn t21_a_thousand_connections_share_neither_cookie_nor_ephemeral_key() {
    let mut cookies = HashSet::new();
    let mut values = HashSet::new();
    for i in 0..1_000 {
        let mut raw = Raw::of(ROLES[i % 2], Setup::default());
        raw.exchange_idents();
        raw.send_kexinit();
        let kexinit = raw.recv_kexinit();
        assert!(cookies.insert(kexinit[1..17].to_vec()), "a cookie came twice");
        let value = match raw.role {
            Role::Server => KexEcdhInit::decode(&raw.expect(number::KEX_ECDH_INIT)).unwrap().public.to_vec(),
            Role::Client => {
                raw.send_init();
                KexEcdhReply::decode(&raw.expect(number::KEX_ECDH_REPLY)).unwrap().public.to_vec()
            }
        };
        assert!(values.insert(value), "an ephemeral key came twice");
    }
}

#[test]
fn t21_keys_are_fresh_in_every_rekey_too() {
    for role in ROLES {
        let mut raw = crate::logged_in(role);
        let mut cookies = HashSet::new();
        for _ in 0..20 {
            raw.send_kexinit();
            let kexinit = raw.recv_kexinit();
            assert!(cookies.insert(kexinit[1..17].to_vec()));
            raw.finish_exchange();
        }
    }
}

/// One bit of an RSA signature is wrong, as after a fault in the machine.
fn faulty(mut signature: Vec<u8>) -> Option<Vec<u8>> {
    *signature.last_mut().unwrap() ^= 1;
    Some(signature)
}

#[test]
fn t21_a_hosts_faulty_rsa_signature_never_leaves() {
    for algorithm in [SignatureAlgorithm::RsaSha256, SignatureAlgorithm::RsaSha512] {
        let mut setup = Setup { host_key: rsa_key(), ..Setup::default() };
        setup.policy.signature = faulty;
        let mut raw = Raw::client(setup);
        raw.offer.host_keys = vec![algorithm.name().into()];
        raw.exchange_idents();
        raw.send_kexinit();
        raw.recv_kexinit();
        raw.send_init();
        assert_eq!(raw.numbers(), [number::DISCONNECT]);
        assert_eq!(raw.end.error, Some(nacre_proto::Error::Crypto));
    }
    // Without the fault the same set-up works.
    let mut raw = Raw::client(Setup { host_key: rsa_key(), ..Setup::default() });
    raw.offer.host_keys = vec!["rsa-sha2-512".into()];
    raw.handshake();
    raw.service();
}

#[test]
fn t21_a_users_faulty_rsa_signature_never_leaves() {
    let attempt =
        |algorithm| Attempt::PublicKey { algorithm, public_key: rsa_key().public_blob().to_vec(), probe: false };
    let mut setup = Setup { user_key: rsa_key(), ..Setup::default() };
    setup.policy.signature = faulty;
    setup.policy.attempts = vec![attempt(SignatureAlgorithm::RsaSha256), attempt(SignatureAlgorithm::RsaSha512)];
    let mut raw = Raw::server(setup);
    raw.handshake();
    raw.service();
    assert_eq!(raw.numbers(), [number::DISCONNECT], "nothing but the end, when nothing is left to try");
    raw.assert_ended_silently();
}

#[test]
fn t21_no_signature_at_all_ends_the_exchange() {
    let mut setup = Setup::default();
    setup.policy.signature = |_| None;
    let mut raw = Raw::client(setup);
    raw.exchange_idents();
    raw.send_kexinit();
    raw.recv_kexinit();
    raw.send_init();
    raw.assert_disconnected(reason::BY_APPLICATION);
}

/// The fields of an RSA blob.
fn rsa_numbers() -> (Vec<u8>, Vec<u8>) {
    let mut reader = Reader::new(rsa_key().public_blob());
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

/// PKCS #1 v1.5 padding of a SHA-256 digest: the signature itself when e is 1.
fn forged(text: &[u8], len: usize) -> Vec<u8> {
    use nacre_proto::algorithm::HashAlgorithm;
    use nacre_proto::crypto::Provider;
    let digest = nacre_crypto::AwsLc::default().hash(HashAlgorithm::Sha256, &[text]);
    let info =
        [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 5, 0, 4, 0x20];
    let filling = vec![0xff; len - 3 - info.len() - digest.len()];
    let block = [&[0, 1][..], &filling, &[0], &info, &digest].concat();
    let mut out = Vec::new();
    out.put_string("rsa-sha2-256");
    out.put_string(block);
    out
}

#[test]
fn t22_the_owners_modulus_with_exponent_one_opens_nothing() {
    let (_, n) = rsa_numbers();
    let blob = rsa_blob(&[1], &n);
    // Even an owner who compares badly and would let that key in.
    for keys in [vec![rsa_key().public_blob().to_vec()], vec![blob.clone()]] {
        let mut setup = Setup::default();
        setup.policy.keys = keys;
        let mut raw = Raw::client(setup);
        raw.handshake();
        raw.service();
        let mut request = raw.key_request(rsa_key(), SignatureAlgorithm::RsaSha256);
        request.blob.clone_from(&blob);
        let signature = forged(&request.signed_text(), n.len());
        raw.send(&request.with_signature(&signature));
        raw.expect(number::USERAUTH_FAILURE);
        assert!(raw.end.checked_keys.is_empty(), "the owner was not even asked");
    }
}

#[test]
fn t22_a_giant_modulus_is_refused_and_the_login_goes_on() {
    let (e, _) = rsa_numbers();
    for bits in [8_200, 16_384, 65_536, 1 << 20] {
        let mut raw = Raw::client(Setup::default());
        raw.handshake();
        raw.service();
        let mut request = raw.key_request(rsa_key(), SignatureAlgorithm::RsaSha256);
        request.blob = rsa_blob(&e, &vec![0xff; bits / 8]);
        let signature = forged(b"", 256);
        raw.send(&request.with_signature(&signature));
        raw.expect(number::USERAUTH_FAILURE);
        raw.authenticate();
    }
}
