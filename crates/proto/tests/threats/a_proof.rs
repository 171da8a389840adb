//! Proofs in authentication, and what a refusal tells: A6, A12, A19.

use crate::a_auth::{at_login, failure, signed};
use crate::reason;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_testkit::keys::{other_key, rsa_key};
use nacre_testkit::provider::{Counting, Counts};
use nacre_testkit::raw::{KeyRequest, Raw, Setup};
use nacre_testkit::{host_key, user_key};
use nacre_wire::{number, userauth};
use std::sync::Arc;
use std::time::Duration;

const ED25519: SignatureAlgorithm = SignatureAlgorithm::Ed25519;

fn sign(request: &KeyRequest) -> Vec<u8> {
    user_key().sign(ED25519, &request.signed_text()).unwrap()
}

#[test]
fn a06_a_signature_holds_for_its_own_request_only() {
    type Change = fn(&mut KeyRequest);
    // What was signed, as opposed to what is sent.
    let changes: [(&str, Change); 7] = [
        ("session identifier", |r| r.session_id[0] ^= 1),
        ("no session identifier", |r| r.session_id.clear()),
        ("user", |r| r.user = b"bob".to_vec()),
        ("service", |r| r.service = b"ssh-userauth".to_vec()),
        ("method", |r| r.method = b"hostbased".to_vec()),
        ("algorithm", |r| r.algorithm = b"ssh-ed25519-cert-v01@openssh.com".to_vec()),
        ("key", |r| r.blob = other_key().public_blob().to_vec()),
    ];
    for (what, change) in changes {
        let mut raw = at_login(Setup::default());
        let sent = raw.key_request(user_key(), ED25519);
        let mut other = sent.clone();
        change(&mut other);
        raw.send(&sent.with_signature(&sign(&other)));
        failure(&mut raw);
        assert!(raw.end.checked_keys.is_empty(), "{what}: the owner was asked");
        // The right one still works.
        raw.send(&sent.with_signature(&sign(&sent)));
        raw.expect(number::USERAUTH_SUCCESS);
    }
}

#[test]
fn a06_a_signature_of_another_connection_is_worth_nothing_here() {
    let mut first = at_login(Setup::default());
    let message = signed(&first, user_key());
    first.send(&message);
    first.expect(number::USERAUTH_SUCCESS);
    let mut second = at_login(Setup::default());
    second.send(&message);
    failure(&mut second);
}

#[test]
fn a06_every_byte_of_a_signature_counts() {
    let mut setup = Setup::default();
    setup.policy.max_tries = 1_000;
    let mut raw = at_login(setup);
    let request = raw.key_request(user_key(), ED25519);
    let good = sign(&request);
    let mut sent = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        raw.send(&request.with_signature(&bad));
        failure(&mut raw);
        sent += 1;
    }
    for cut in [0, 1, 4, 15, good.len() - 1] {
        raw.send(&request.with_signature(&good[..cut]));
        failure(&mut raw);
        sent += 1;
    }
    assert!(sent < 128, "within the bound of requests");
    assert!(raw.end.checked_keys.is_empty());
    raw.send(&request.with_signature(&good));
    raw.expect(number::USERAUTH_SUCCESS);
}

#[test]
fn a06_the_algorithm_that_was_declared_is_the_one_that_signed() {
    use SignatureAlgorithm::{RsaSha256, RsaSha512};
    for (declared, used, right) in [
        (RsaSha512, RsaSha256, false),
        (RsaSha256, RsaSha512, false),
        (RsaSha256, RsaSha256, true),
        (RsaSha512, RsaSha512, true),
    ] {
        let mut setup = Setup::default();
        setup.policy.keys = vec![rsa_key().public_blob().to_vec()];
        let mut raw = at_login(setup);
        let request = raw.key_request(rsa_key(), declared);
        let signature = rsa_key().sign(used, &request.signed_text()).unwrap();
        raw.send(&request.with_signature(&signature));
        raw.expect(if right { number::USERAUTH_SUCCESS } else { number::USERAUTH_FAILURE });
    }
}

#[test]
fn a06_a_host_bound_signature_is_bound_to_this_host() {
    let bound = |raw: &Raw, host: &[u8]| {
        let mut request = raw.key_request(user_key(), ED25519);
        request.method = b"publickey-hostbound-v00@openssh.com".to_vec();
        request.host_key = Some(host.to_vec());
        request
    };
    let mut raw = at_login(Setup::default());
    let ours = raw.host_key_blob().to_vec();
    assert_eq!(ours, host_key().public_blob());
    let request = bound(&raw, &ours);
    raw.send(&request.with_signature(&sign(&request)));
    raw.expect(number::USERAUTH_SUCCESS);
    // Signed for another host, and sent as that or as ours.
    let mut raw = at_login(Setup::default());
    let others = bound(&raw, other_key().public_blob());
    raw.send(&others.with_signature(&sign(&others)));
    failure(&mut raw);
    let request = bound(&raw, &ours);
    raw.send(&request.with_signature(&sign(&others)));
    failure(&mut raw);
    assert!(raw.end.checked_keys.is_empty());
}

/// What can be seen of one failed attempt: work, the owner's questions, answers, time.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    work: Counts,
    questions: Vec<String>,
    answers: Vec<Vec<u8>>,
    silent_for: Duration,
}

fn attempt(user: &str, make: fn(&Raw) -> Vec<u8>) -> Seen {
    let provider = Arc::new(Counting::default());
    let mut setup = Setup { provider: provider.clone(), user: user.into(), ..Setup::default() };
    setup.policy.passwords = [(b"alice".to_vec(), "horse".to_owned())].into();
    setup.policy.failure_delay = Duration::from_millis(50);
    let mut raw = at_login(setup);
    let before = provider.counts();
    let message = make(&raw);
    raw.send(&message);
    let mut answers: Vec<Vec<u8>> = std::iter::from_fn(|| raw.take()).collect();
    if answers.first().is_some_and(|a| a[0] == number::USERAUTH_METHOD_60) {
        raw.send(&userauth::encode_info_response(&["wrong"]));
    }
    let start = raw.now;
    while answers.last().is_none_or(|a| a[0] != number::USERAUTH_FAILURE) {
        raw.advance(Duration::from_millis(1));
        answers.extend(std::iter::from_fn(|| raw.take()));
        assert!(raw.now - start < Duration::from_secs(1), "no answer");
    }
    let after = provider.counts();
    let work = Counts {
        random: after.random - before.random,
        kex: after.kex - before.kex,
        hash: after.hash - before.hash,
        keys: after.keys - before.keys,
        verify: after.verify - before.verify,
    };
    Seen { work, questions: raw.end.log.clone(), answers, silent_for: raw.now - start }
}

#[test]
fn a12_nothing_tells_an_account_that_exists_from_one_that_does_not() {
    type Make = fn(&Raw) -> Vec<u8>;
    let cases: [(&str, Make, bool); 9] = [
        ("none", |raw| raw.request("none", b""), false),
        ("password", |raw| raw.password(&name(raw), "wrong"), true),
        ("malformed password", |raw| raw.request("password", &[0, 0xff, 0xff, 0xff, 0xff]), true),
        ("keyboard-interactive", |raw| raw.keyboard_interactive(&name(raw), ""), true),
        ("a good signature", |raw| signed(raw, other_key()), true),
        ("a bad signature", |raw| raw.key_request(user_key(), ED25519).with_signature(b"x"), true),
        ("a key probed", |raw| raw.key_request(other_key(), ED25519).probe(), false),
        (
            "a malformed key",
            |raw| {
                let mut request = raw.key_request(other_key(), ED25519);
                request.blob.truncate(20);
                request.with_signature(b"x")
            },
            true,
        ),
        ("a malformed request", |raw| raw.request("publickey", &[1, 0, 0, 0, 9, b's']), true),
    ];
    for (what, make, delayed) in cases {
        let (real, unreal) = (attempt("alice", make), attempt("mallory", make));
        assert_eq!(real, unreal, "{what}");
        let delay = if delayed { Duration::from_millis(50) } else { Duration::ZERO };
        assert_eq!(real.silent_for, delay, "{what}");
    }
}

fn name(raw: &Raw) -> String {
    String::from_utf8(raw.key_request(user_key(), ED25519).user).unwrap()
}

#[test]
fn a19_rsa_keys_below_the_bound_open_nothing_and_prove_nothing() {
    let strict = || Arc::new(AwsLc::new(3072));
    for (provider, taken) in [(Arc::new(AwsLc::default()), true), (strict(), false)] {
        // A user's.
        let mut setup = Setup { provider: provider.clone(), ..Setup::default() };
        setup.policy.keys = vec![rsa_key().public_blob().to_vec()];
        let mut raw = at_login(setup);
        let request = raw.key_request(rsa_key(), SignatureAlgorithm::RsaSha512);
        let signature = rsa_key().sign(SignatureAlgorithm::RsaSha512, &request.signed_text()).unwrap();
        raw.send(&request.with_signature(&signature));
        raw.expect(if taken { number::USERAUTH_SUCCESS } else { number::USERAUTH_FAILURE });
        // A host's.
        let mut raw = Raw::server(Setup { provider, host_key: rsa_key(), ..Setup::default() });
        raw.offer.host_keys = vec!["rsa-sha2-512".into()];
        raw.exchange_idents();
        raw.send_kexinit();
        raw.recv_kexinit();
        raw.answer_init();
        match taken {
            true => raw.assert_alive(),
            false => raw.assert_disconnected(reason::HOST_KEY_NOT_VERIFIABLE),
        }
    }
}

#[test]
fn a19_old_signature_algorithms_are_no_algorithms() {
    for name in ["ssh-rsa", "ssh-dss", "ssh-rsa-cert-v01@openssh.com", "none", ""] {
        let mut setup = Setup::default();
        setup.policy.keys = vec![rsa_key().public_blob().to_vec()];
        let mut raw = at_login(setup);
        let mut request = raw.key_request(rsa_key(), SignatureAlgorithm::RsaSha256);
        request.algorithm = name.as_bytes().to_vec();
        raw.send(&request.probe());
        failure(&mut raw);
        let signature = rsa_key().sign(SignatureAlgorithm::RsaSha256, &request.signed_text()).unwrap();
        raw.send(&request.with_signature(&signature));
        failure(&mut raw);
        assert!(raw.end.checked_keys.is_empty());
        // Nor as a host key's, from a server that offers nothing better.
        let mut raw = Raw::server(Setup::default());
        raw.offer.host_keys = vec![if name.is_empty() { "x".into() } else { name.into() }];
        raw.exchange_idents();
        raw.send_kexinit();
        raw.assert_disconnected(reason::KEY_EXCHANGE_FAILED);
    }
}
