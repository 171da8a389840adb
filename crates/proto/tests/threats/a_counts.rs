//! What is counted and bounded in authentication: A11, A13 to A15.

use crate::a_auth::{at_login, failure, wanting};
use crate::reason;
use nacre_proto::Error;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::error::Limit;
use nacre_testkit::keys::other_key;
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::{sample, user_key};
use nacre_wire::{WriteExt, number, userauth};

const ED25519: SignatureAlgorithm = SignatureAlgorithm::Ed25519;

/// Sends the same message until the end; returns how often that was.
fn until_the_end(raw: &mut Raw, message: &[u8]) -> usize {
    for sent in 1..=10_000 {
        raw.send(message);
        if raw.end.error.is_some() {
            return sent;
        }
    }
    panic!("it never ends");
}

fn patient() -> Setup {
    let mut setup = Setup::default();
    setup.policy.max_tries = 1_000_000;
    setup
}

#[test]
fn a13_every_kind_of_request_has_an_end() {
    // Keys asked about.
    for key in [user_key(), other_key()] {
        let mut raw = at_login(patient());
        let probe = raw.key_request(key, ED25519).probe();
        assert_eq!(until_the_end(&mut raw, &probe), 21);
        assert_eq!(raw.end.error, Some(Error::Limit(Limit::KeyProbes)));
        assert!(raw.end.checked_keys.len() <= 20);
        raw.skip_to(number::DISCONNECT);
    }
    // Keys of kinds nobody knows count as well.
    let mut raw = at_login(patient());
    let mut request = raw.key_request(other_key(), ED25519);
    request.algorithm = b"ssh-unheard-of".to_vec();
    assert_eq!(until_the_end(&mut raw, &request.probe()), 21);
    // Everything else, whatever it is, and although nothing of it counts as a failure.
    let requests: [fn(&Raw) -> Vec<u8>; 5] = [
        |raw| raw.request("none", b""),
        |raw| raw.request("hostbased", b""),
        |raw| raw.password("alice", "wrong"),
        |raw| raw.keyboard_interactive("alice", ""),
        |raw| raw.request("publickey", b""),
    ];
    for request in requests {
        let mut raw = at_login(patient());
        let message = request(&raw);
        assert_eq!(until_the_end(&mut raw, &message), 129);
        assert_eq!(raw.end.error, Some(Error::Limit(Limit::AuthRequests)));
        raw.skip_to(number::DISCONNECT);
    }
}

#[test]
fn a13_answers_to_endless_questions_count_as_requests() {
    let mut setup = patient();
    setup.policy.asks_for_ever = true;
    let mut raw = at_login(setup);
    let message = raw.keyboard_interactive("alice", "");
    raw.send(&message);
    assert_eq!(until_the_end(&mut raw, &sample::of(number::USERAUTH_INFO_RESPONSE)), 128);
    assert_eq!(raw.end.error, Some(Error::Limit(Limit::AuthRequests)));
}

#[test]
fn a13_failures_have_their_own_end() {
    for (method, ways) in [("password", 6), ("hostbased", 6)] {
        let mut raw = at_login(Setup::default());
        let message = match method {
            "password" => raw.password("alice", "wrong"),
            other => raw.request(other, b""),
        };
        assert_eq!(until_the_end(&mut raw, &message), ways);
        for _ in 1..ways {
            failure(&mut raw);
        }
        raw.assert_disconnected(reason::NO_MORE_AUTH_METHODS_AVAILABLE);
    }
}

#[test]
fn a13_devices_bring_no_further_attempts() {
    let mut raw = at_login(Setup::default());
    let devices = vec!["pam"; 10_000].join(",");
    for attempt in 1..=6 {
        let message = raw.keyboard_interactive("alice", &devices);
        raw.send(&message);
        raw.expect(number::USERAUTH_METHOD_60);
        raw.send(&userauth::encode_info_response(&["wrong"]));
        if attempt < 6 {
            failure(&mut raw);
        }
    }
    raw.assert_disconnected(reason::NO_MORE_AUTH_METHODS_AVAILABLE);
}

#[test]
fn a14_what_cannot_be_read_fails_its_attempt_and_nothing_else() {
    let bad: [fn(&Raw) -> Vec<u8>; 7] = [
        |raw| {
            let mut request = raw.key_request(other_key(), ED25519);
            request.algorithm = b"ssh-unheard-of".to_vec();
            request.blob = b"????".to_vec();
            request.probe()
        },
        |raw| {
            let mut request = raw.key_request(other_key(), ED25519);
            request.blob.clear();
            request.with_signature(b"")
        },
        |raw| {
            let mut request = raw.key_request(other_key(), ED25519);
            request.algorithm = vec![0xff, 0xfe];
            request.with_signature(b"")
        },
        |raw| raw.request("publickey", &[]),
        |raw| raw.request("publickey", &[1, 0xff, 0xff, 0xff, 0xff]),
        |raw| raw.request("password", &[]),
        |raw| raw.request("keyboard-interactive", &[0, 0, 0, 0, 0, 0, 0, 9]),
    ];
    for bad in bad {
        let mut raw = at_login(Setup::default());
        let message = bad(&raw);
        raw.send(&message);
        failure(&mut raw);
        raw.authenticate();
    }
}

#[test]
fn a14_the_number_of_answers_is_the_number_of_prompts() {
    let count = |count: u32| {
        let mut message = vec![number::USERAUTH_INFO_RESPONSE];
        message.put_u32(count);
        message.put_string("123456");
        message
    };
    let short = vec![number::USERAUTH_INFO_RESPONSE, 0, 0];
    let none = userauth::encode_info_response(&[""; 0]);
    let two = userauth::encode_info_response(&["123456", "123456"]);
    for message in [none, two, short, count(0), count(2), count(u32::MAX), count(1 << 31)] {
        let mut raw = at_login(Setup::default());
        let request = raw.keyboard_interactive("alice", "");
        raw.send(&request);
        raw.expect(number::USERAUTH_METHOD_60);
        raw.send(&message);
        failure(&mut raw);
        assert!(!raw.end.log.iter().any(|line| line.ends_with("answers")), "the owner saw {message:?}");
        // An answer more is one that nobody asked for.
        raw.send(&sample::of(number::USERAUTH_INFO_RESPONSE));
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
        assert!(!raw.end.connection.is_authenticated());
    }
}

#[test]
fn a15_names_reach_the_owner_as_they_came_and_never_too_long() {
    let longest = "x".repeat(255);
    for user in ["-2", "-froot", "../x", "a\nb", "*)(uid=*", "", "\u{202e}toor", "a\0b", &longest] {
        let mut raw = at_login(Setup::default());
        let message = raw.request_as(user, "none", b"");
        raw.send(&message);
        failure(&mut raw);
        assert_eq!(raw.end.users, [user.as_bytes().to_vec()]);
        assert_eq!(raw.end.connection.user(), Some(user.as_bytes()));
    }
    for len in [256, 64 * 1024, 250 * 1024] {
        let mut raw = at_login(Setup::default());
        let message = raw.request_as(&"x".repeat(len), "none", b"");
        raw.send(&message);
        raw.assert_disconnected(reason::ILLEGAL_USER_NAME);
        assert!(raw.end.users.is_empty());
    }
}

#[test]
fn a11_a_password_that_is_too_long_is_refused_unread() {
    let right = "p".repeat(1024);
    let too_long = "p".repeat(1025);
    for (password, asked) in [(right.as_str(), true), (&too_long, false), (&"p".repeat(90 * 1024), false)] {
        let mut setup = wanting(&[&["password"]]);
        setup.policy.password = right.clone();
        let mut raw = at_login(setup);
        let message = raw.password("alice", password);
        raw.send(&message);
        let answer = if asked { number::USERAUTH_SUCCESS } else { number::USERAUTH_FAILURE };
        raw.expect(answer);
        assert_eq!(raw.end.log.iter().any(|line| line.starts_with("password")), asked);
    }
}
