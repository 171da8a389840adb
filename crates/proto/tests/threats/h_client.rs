//! What a client does not let a server do to it: H1 to H4, H9 to H11.

use crate::{logged_in, reason};
use nacre_crypto::PrivateKey;
use nacre_proto::algorithm::{KexMethod, SignatureAlgorithm};
use nacre_proto::crypto::SecretBytes;
use nacre_proto::error::Limit;
use nacre_proto::login::client::Attempt;
use nacre_proto::{Error, HostKeyDecision, Role};
use nacre_testkit::keys::{other_key, p256_key, p384_key, rsa_key};
use nacre_testkit::pair;
use nacre_testkit::provider::{Call, Failing};
use nacre_testkit::raw::{Raw, Reply, Setup};
use nacre_testkit::{Pair, host_key, sample};
use nacre_wire::message::{ChannelOpenFailure, ChannelRequest, Message, Rest, UserauthBanner, UserauthFailure};
use nacre_wire::userauth::{InfoRequest, Prompt};
use nacre_wire::{NameList, WriteExt, number};
use std::sync::Arc;
use std::time::Duration;

/// The client's secret, which it would send at once if it were careless.
fn careless() -> Setup {
    let mut setup = Setup::default();
    setup.policy.attempts = vec![Attempt::Password(SecretBytes::new(b"correct horse".to_vec()))];
    setup
}

/// Everything the machine ever sent, in clear or sealed.
fn all_bytes(raw: &mut Raw) -> Vec<u8> {
    std::iter::from_fn(|| raw.take()).flatten().collect()
}

#[test]
fn h01_nothing_leaves_while_nobody_has_decided_about_the_host_key() {
    let mut setup = careless();
    setup.policy.answers_host_key = false;
    let mut raw = Raw::server(setup);
    raw.exchange_idents();
    raw.send_kexinit();
    raw.recv_kexinit();
    raw.answer_init();
    assert!(raw.end.log.contains(&"host key".to_owned()), "somebody was asked");
    raw.expect_silence();
    // Whatever the server says meanwhile waits too.
    raw.send(&[number::NEWKEYS]);
    raw.expect_silence();
    // A person may take as long as it needs to compare a fingerprint.
    raw.advance(Duration::from_secs(3600));
    raw.assert_alive();
    raw.expect_silence();
    assert!(raw.end.connection.host_key().is_none());
}

#[test]
fn h01_a_refused_host_key_sees_no_login() {
    let mut setup = careless();
    setup.policy.host_key = HostKeyDecision::Refuse;
    let mut raw = Raw::server(setup);
    raw.exchange_idents();
    raw.send_kexinit();
    raw.recv_kexinit();
    raw.answer_init();
    assert_eq!(raw.end.error, Some(Error::HostKeyRefused));
    assert_eq!(raw.numbers(), [number::DISCONNECT]);
    raw.feed(&[0; 64]);
    raw.expect_silence();
}

#[test]
fn h02_a_failure_at_any_step_of_the_check_is_not_a_yes() {
    for call in Call::ALL {
        for at in 0.. {
            let provider = Arc::new(Failing::new(call, at));
            let mut setup = pair::Setup { client_provider: provider.clone(), ..pair::Setup::default() };
            setup.client.kex = vec![KexMethod::Curve25519];
            setup.client_policy.attempts = careless().policy.attempts;
            let Some(mut pair) = Pair::try_new(setup) else { continue };
            pair.log_in();
            if !provider.has_failed() {
                assert!(at > 0 && pair.client.connection.is_authenticated(), "{call:?} is used");
                break;
            }
            // A failed check of the peer's value or signature is blamed on the peer.
            let error = pair.client.error.clone().expect("the end");
            assert!(matches!(error, Error::Crypto | Error::PeerMisbehaved(_)), "{call:?} {at}: {error}");
            assert!(!pair.client.connection.is_authenticated() && !pair.server.connection.is_authenticated());
            assert!(pair.server.users.is_empty(), "{call:?} {at}: the login began");
        }
    }
}

/// A client that accepts only `name`, and a server that answers with that key and signature.
fn shown(name: SignatureAlgorithm, key: &PrivateKey, sign: &dyn Fn(&[u8]) -> Vec<u8>) -> Raw {
    let mut setup = careless();
    setup.config.host_key_algorithms = vec![name];
    let mut raw = Raw::server(setup);
    raw.offer.host_keys = vec![name.name().into()];
    raw.exchange_idents();
    raw.send_kexinit();
    raw.recv_kexinit();
    let sign = |_, hash: &[u8]| sign(hash);
    raw.answer_init_with(&Reply { host_key: key.public_blob().to_vec(), public: None, sign: &sign });
    raw
}

/// A signature under another name.
fn renamed(signature: &[u8], name: &str) -> Vec<u8> {
    let mut reader = nacre_wire::Reader::new(signature);
    reader.string("format").unwrap();
    let value = reader.string("value").unwrap();
    let mut out = Vec::new();
    out.put_string(name);
    out.put_string(value);
    out
}

#[test]
fn h03_key_curve_name_and_signature_format_must_be_the_negotiated_ones() {
    use SignatureAlgorithm as A;
    let refused = |mut raw: Raw, case: &str| {
        assert!(raw.end.error.is_some(), "{case}");
        raw.assert_disconnected(reason::HOST_KEY_NOT_VERIFIABLE);
        assert!(!raw.end.log.contains(&"host key".to_owned()), "{case}: somebody was asked");
    };
    let by = |key: &'static PrivateKey, algorithm| move |hash: &[u8]| key.sign(algorithm, hash).unwrap();
    // Keys of another type or curve than was negotiated.
    let (p256, p384) = (p256_key(), p384_key());
    refused(shown(A::EcdsaNistp256, p384, &by(p384, A::EcdsaNistp384)), "p384 under p256's name");
    refused(shown(A::EcdsaNistp384, p256, &by(p256, A::EcdsaNistp256)), "p256 under p384's name");
    refused(shown(A::Ed25519, p256, &by(p256, A::EcdsaNistp256)), "ecdsa under ed25519's name");
    refused(shown(A::RsaSha512, host_key(), &by(host_key(), A::Ed25519)), "ed25519 under rsa's name");
    let renaming = |key: &'static PrivateKey, algorithm, name: &'static str| {
        move |hash: &[u8]| renamed(&key.sign(algorithm, hash).unwrap(), name)
    };
    let claim = renaming(p384, A::EcdsaNistp384, "ecdsa-sha2-nistp256");
    refused(shown(A::EcdsaNistp256, p384, &claim), "p384 whose signature claims p256");
    // Signatures under another name.
    for name in ["ssh-rsa", "rsa-sha2-256", "ssh-dss", "", "rsa-sha2-512\0"] {
        refused(shown(A::RsaSha512, rsa_key(), &renaming(rsa_key(), A::RsaSha512, name)), name);
    }
    for name in ["ssh-ed448", "ecdsa-sha2-nistp256", "ssh-ed25519-cert-v01@openssh.com", ""] {
        refused(shown(A::Ed25519, host_key(), &renaming(host_key(), A::Ed25519, name)), name);
    }
    // RSA with the other hash than was negotiated, under its right name.
    refused(shown(A::RsaSha512, rsa_key(), &by(rsa_key(), A::RsaSha256)), "sha2-256 for sha2-512");
    // Somebody else's signature, none, and half of one.
    refused(shown(A::Ed25519, host_key(), &by(other_key(), A::Ed25519)), "another key's");
    refused(shown(A::Ed25519, host_key(), &|_| Vec::new()), "none");
    let half = |hash: &[u8]| host_key().sign(A::Ed25519, hash).unwrap()[..40].to_vec();
    refused(shown(A::Ed25519, host_key(), &half), "half");
    refused(shown(A::Ed25519, host_key(), &|_| host_key().sign(A::Ed25519, b"else").unwrap()), "of something else");
    // What is right is taken, for every type.
    for (algorithm, key) in [
        (A::Ed25519, host_key()),
        (A::EcdsaNistp256, p256),
        (A::EcdsaNistp384, p384),
        (A::RsaSha256, rsa_key()),
        (A::RsaSha512, rsa_key()),
    ] {
        let raw = shown(algorithm, key, &by(key, algorithm));
        raw.assert_alive();
        assert!(raw.end.log.contains(&"host key".to_owned()));
    }
}

#[test]
fn h04_a_servers_early_messages_draw_no_secret() {
    let change = sample::of(number::USERAUTH_METHOD_60);
    let early = [
        sample::of(number::SERVICE_ACCEPT),
        sample::of(number::USERAUTH_SUCCESS),
        sample::of(number::USERAUTH_BANNER),
        sample::of(number::USERAUTH_FAILURE),
        change,
    ];
    for message in &early {
        for step in 0..4 {
            let mut raw = Raw::server(careless());
            raw.offer.strict = false;
            raw.exchange_idents();
            if step >= 1 {
                raw.send_kexinit();
                raw.recv_kexinit();
            }
            if step == 2 {
                raw.answer_init();
            }
            if step == 3 {
                // NEWKEYS skipped altogether: the machine has its keys, we go on in clear.
                raw.answer_init();
                raw.recv_newkeys();
            }
            raw.send(message);
            assert!(raw.end.error.is_some(), "message {} at step {step}", message[0]);
            assert!(!raw.end.connection.is_authenticated());
            let said = if step < 2 { all_bytes(&mut raw) } else { Vec::new() };
            assert!(!said.windows(7).any(|w| w == b"correct"));
        }
    }
}

#[test]
fn h04_the_password_goes_out_after_the_service_was_accepted_and_not_before() {
    let mut raw = Raw::server(careless());
    raw.handshake();
    raw.expect(number::SERVICE_REQUEST);
    raw.send(&sample::of(number::USERAUTH_BANNER));
    raw.expect_silence();
    raw.send(&sample::of(number::SERVICE_ACCEPT));
    let request = raw.expect(number::USERAUTH_REQUEST);
    assert!(request.windows(13).any(|w| w == b"correct horse"));
}

#[test]
fn h09_the_owner_learns_by_which_method_the_login_went() {
    // Nothing was asked.
    let raw = logged_in(Role::Server);
    assert!(raw.end.log.contains(&"authenticated by none".to_owned()));
    // A question without a prompt is no credential, but the owner sees what it was.
    let mut setup = Setup::default();
    setup.policy.attempts = vec![Attempt::KeyboardInteractive(String::new())];
    let mut raw = Raw::server(setup);
    raw.handshake();
    raw.service();
    raw.expect(number::USERAUTH_REQUEST);
    raw.send(&InfoRequest::default().to_bytes());
    raw.expect(number::USERAUTH_INFO_RESPONSE);
    raw.send(&sample::of(number::USERAUTH_SUCCESS));
    assert!(raw.end.log.contains(&"authenticated by keyboard-interactive".to_owned()));
}

#[test]
fn h09_asking_whether_a_key_would_do_is_not_logging_in_with_it() {
    let mut setup = Setup::default();
    setup.policy.attempts.remove(0);
    let mut raw = Raw::server(setup);
    raw.handshake();
    raw.service();
    raw.expect(number::USERAUTH_REQUEST);
    raw.send(&sample::of(number::USERAUTH_SUCCESS));
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    assert!(!raw.end.connection.is_authenticated());
}

/// A client in the middle of keyboard-interactive, with many more attempts to make.
fn asking() -> Raw {
    let mut setup = Setup::default();
    setup.policy.attempts = vec![Attempt::KeyboardInteractive(String::new()); 1000];
    let mut raw = Raw::server(setup);
    raw.handshake();
    raw.service();
    raw.expect(number::USERAUTH_REQUEST);
    raw
}

#[test]
fn h10_prompts_are_counted_and_rounds_end() {
    let prompts =
        |n| InfoRequest { prompts: vec![Prompt { text: b"? ".to_vec(), echo: true }; n], ..Default::default() };
    let mut raw = asking();
    raw.send(&prompts(64).to_bytes());
    raw.expect(number::USERAUTH_INFO_RESPONSE);
    let mut raw = asking();
    raw.send(&prompts(65).to_bytes());
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    // A count beyond what is there.
    let mut lie = prompts(1).to_bytes();
    let at = 1 + 4 + 4 + 4;
    lie[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut raw = asking();
    raw.send(&lie);
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    // Endless questions, and endless refusals.
    for answer in [prompts(1).to_bytes(), sample::of(number::USERAUTH_FAILURE), {
        let methods = NameList::parse(b"keyboard-interactive", "methods").unwrap();
        UserauthFailure { methods, partial_success: true }.to_bytes()
    }] {
        let mut raw = asking();
        let mut rounds = 0;
        while raw.end.error.is_none() && rounds < 900 {
            raw.send(&answer);
            rounds += 1;
        }
        assert_eq!(rounds, 65);
        assert_eq!(raw.end.error, Some(Error::Limit(Limit::AuthRounds)));
    }
}

#[test]
fn h10_banners_are_bounded() {
    let banner = |len| UserauthBanner { message: &vec![b'b'; len], language: b"" }.to_bytes();
    let mut raw = asking();
    raw.send(&banner(200_000));
    let line = raw.end.log.iter().find(|line| line.starts_with("banner ")).unwrap();
    assert!(line.len() <= "banner ".len() + 128 * 1024);
    let mut raw = asking();
    let mut banners = 0;
    while raw.end.error.is_none() && banners < 1_000 {
        raw.send(&banner(1));
        banners += 1;
    }
    assert!(banners <= 65);
}

#[test]
fn h10_short_fields_are_malformed() {
    let mut raw = logged_in(Role::Server);
    let channel = raw.open_session();
    let request = |kind: &[u8], rest: &[u8]| {
        ChannelRequest { recipient: channel.theirs, kind, want_reply: false, rest: Rest(rest) }.to_bytes()
    };
    let mut signal = Vec::new();
    signal.put_string("TERM");
    let failure = ChannelOpenFailure { recipient: channel.theirs, reason: 1, description: b"no", language: b"" };
    let mut cases = vec![
        request(b"exit-status", &[0, 0, 1]),
        request(b"exit-status", &[]),
        request(b"exit-signal", &signal),
        request(b"exit-signal", &[0xff; 4]),
    ];
    let whole = failure.to_bytes();
    cases.extend((1..whole.len()).map(|cut| whole[..cut].to_vec()));
    for message in cases {
        let mut raw = logged_in(Role::Server);
        raw.open_session();
        raw.send(&message);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
}

#[test]
fn h11_a_server_opens_no_session_and_nothing_that_its_client_does_not_take() {
    let mut setup = Setup::default();
    setup.policy.grants = false;
    let kinds = ["session", "forwarded-tcpip", "direct-tcpip", "x11", "auth-agent@openssh.com", "tun@openssh.com", ""];
    let mut raw = Raw::server(setup);
    raw.log_in();
    for kind in kinds {
        raw.send(&sample::open(kind));
        let message = raw.expect(number::CHANNEL_OPEN_FAILURE);
        assert_eq!(ChannelOpenFailure::decode(&message).unwrap().reason, 1, "{kind}");
    }
    assert_eq!(raw.end.connection.channel_count(), 0);
    // Even an owner who grants everything is not asked about a session.
    let mut raw = logged_in(Role::Server);
    raw.send(&sample::open("session"));
    raw.expect(number::CHANNEL_OPEN_FAILURE);
    assert!(raw.end.channels.is_empty() && !raw.end.log.contains(&"open session".to_owned()));
}
