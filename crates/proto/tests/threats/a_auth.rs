//! What a server does not let a client do before, or by way of, logging in: A1 to A5, A9, A16.

use crate::{logged_in, reason};
use nacre_proto::Error;
use nacre_proto::Role;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::error::{Limit, Misbehaviour};
use nacre_testkit::keys::other_key;
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::{sample, user_key};
use nacre_wire::message::{Message, Rest, ServiceRequest, UserauthFailure, UserauthRequest};
use nacre_wire::number;

const ED25519: SignatureAlgorithm = SignatureAlgorithm::Ed25519;

/// A raw client whose service was accepted.
pub fn at_login(setup: Setup) -> Raw {
    let mut raw = Raw::client(setup);
    raw.handshake();
    raw.service();
    raw
}

/// A server that wants these ways.
pub fn wanting(ways: &[&[&str]]) -> Setup {
    let mut setup = Setup::default();
    setup.policy.methods = ways.iter().map(|way| way.iter().map(|m| (*m).to_owned()).collect()).collect();
    setup
}

/// A signed request of a key for the user of the set-up.
pub fn signed(raw: &Raw, key: &nacre_crypto::PrivateKey) -> Vec<u8> {
    let request = raw.key_request(key, ED25519);
    request.with_signature(&key.sign(ED25519, &request.signed_text()).unwrap())
}

/// What a refusal says.
#[track_caller]
pub fn failure(raw: &mut Raw) -> (String, bool) {
    let message = raw.expect(number::USERAUTH_FAILURE);
    let m = UserauthFailure::decode(&message).unwrap();
    (m.methods.as_str().to_owned(), m.partial_success)
}

/// The places before login where a client can stand.
const PLACES: [fn() -> Raw; 6] = [
    || {
        let mut raw = Raw::client(Setup::default());
        raw.offer.strict = false;
        raw.exchange_idents();
        raw
    },
    || {
        let mut raw = Raw::client(Setup::default());
        raw.offer.strict = false;
        raw.exchange_idents();
        raw.send_kexinit();
        raw.recv_kexinit();
        raw
    },
    || {
        let mut raw = Raw::client(Setup::default());
        raw.handshake();
        raw
    },
    || at_login(Setup::default()),
    || {
        let mut raw = at_login(Setup::default());
        let message = raw.keyboard_interactive("alice", "");
        raw.send(&message);
        raw.expect(number::USERAUTH_METHOD_60);
        raw
    },
    || {
        let mut raw = at_login(wanting(&[&["password", "publickey"]]));
        let message = raw.password("alice", "correct horse");
        raw.send(&message);
        assert_eq!(failure(&mut raw), ("publickey".into(), true));
        raw
    },
];

fn nothing_was_opened(raw: &Raw) {
    assert!(raw.end.channels.is_empty() && raw.end.requests.is_empty() && raw.end.data.is_empty());
    assert!(!raw.end.connection.is_authenticated());
}

#[test]
fn a01_no_message_of_the_connection_layer_before_login() {
    for place in PLACES {
        for number in (80..=100).chain([192, 193]) {
            let mut raw = place();
            raw.send(&sample::of(number));
            nothing_was_opened(&raw);
            // 83 to 89 mean nothing anywhere, so they are not understood rather than forbidden.
            assert_eq!(raw.end.error.is_none(), (83..=89).contains(&number), "message {number}");
        }
    }
}

#[test]
fn a01_opening_a_channel_and_a_command_in_one_flight_runs_nothing() {
    for place in PLACES {
        let mut raw = place();
        raw.send_all([&sample::open("session")[..], &sample::exec(0, "touch canary", true)]);
        nothing_was_opened(&raw);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
}

#[test]
fn a02_a_server_takes_no_word_of_a_server() {
    for place in PLACES {
        for number in [6, 31, 51, 52, 53, 60] {
            let mut raw = place();
            raw.send(&sample::of(number));
            nothing_was_opened(&raw);
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
        }
    }
    // Nor afterwards.
    for number in [6, 31, 51, 52, 53, 60] {
        let mut raw = logged_in(Role::Client);
        raw.send(&sample::of(number));
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
}

#[test]
fn a03_a_request_slipped_in_around_the_key_exchange_is_the_end() {
    let attackers = Raw::client(Setup::default()).password("mallory", "correct horse");
    for strict in [false, true] {
        for step in 0..3 {
            let mut raw = Raw::client(Setup::default());
            raw.offer.strict = strict;
            raw.exchange_idents();
            if step > 0 {
                raw.send_kexinit();
                raw.recv_kexinit();
            }
            if step > 1 {
                raw.send_init();
                raw.recv_reply();
            }
            raw.send(&attackers);
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
            assert!(raw.end.users.is_empty());
        }
    }
}

#[test]
fn a03_of_two_requests_in_one_flight_the_first_decides_who_it_is() {
    // The first is right: the second is not even looked at.
    let mut raw = at_login(Setup::default());
    let (alice, mallory) = (raw.password("alice", "correct horse"), raw.password("mallory", "correct horse"));
    raw.send_all([&alice[..], &mallory]);
    raw.expect(number::USERAUTH_SUCCESS);
    raw.expect_silence();
    assert_eq!(raw.end.users, [b"alice".to_vec()]);
    assert_eq!(raw.end.connection.user(), Some(&b"alice"[..]));
    // The first is wrong: the second is the end.
    let mut raw = at_login(Setup::default());
    let wrong = raw.password("alice", "wrong");
    raw.send_all([&wrong[..], &mallory]);
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    assert_eq!(raw.end.users, [b"alice".to_vec()]);
}

#[test]
fn a03_requests_after_success_are_dropped_without_a_word() {
    let mut raw = logged_in(Role::Client);
    for message in [raw.password("mallory", "correct horse"), sample::auth_none(), vec![50], vec![50, 0xff, 0xff]] {
        raw.send(&message);
        raw.expect_silence();
    }
    raw.assert_alive();
    assert_eq!(raw.end.connection.user(), Some(&b"alice"[..]));
    raw.open_session();
}

#[test]
fn a04_user_and_service_do_not_change() {
    let changed = Some(Error::PeerMisbehaved(Misbehaviour::UserChanged));
    let first: [fn(&Raw) -> Vec<u8>; 4] = [
        |raw| raw.request("none", b""),
        |raw| raw.password("alice", "wrong"),
        |raw| raw.keyboard_interactive("alice", ""),
        |raw| raw.key_request(user_key(), ED25519).probe(),
    ];
    for first in first {
        let mut raw = at_login(Setup::default());
        let message = first(&raw);
        raw.send(&message);
        let message = raw.password("bob", "correct horse");
        raw.send(&message);
        assert_eq!(raw.end.error, changed);
        raw.skip_to(number::DISCONNECT);
        assert_eq!(raw.end.users, [b"alice".to_vec()]);
    }
    // After one of two factors.
    let mut raw = at_login(wanting(&[&["publickey", "password"]]));
    let message = signed(&raw, user_key());
    raw.send(&message);
    assert_eq!(failure(&mut raw), ("password".into(), true));
    let message = raw.password("bob", "correct horse");
    raw.send(&message);
    assert_eq!(raw.end.error, changed);
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    // Another service, first or later.
    for before in [false, true] {
        let mut raw = at_login(Setup::default());
        if before {
            let message = raw.password("alice", "wrong");
            raw.send(&message);
        }
        for_service(&mut raw, b"ssh-userauth");
        assert_eq!(raw.end.error, Some(Error::PeerMisbehaved(Misbehaviour::UnknownService)));
    }
}

fn for_service(raw: &mut Raw, service: &[u8]) {
    let message = UserauthRequest { user: b"alice", service, method: b"none", rest: Rest(b"") };
    raw.send(&message.to_bytes());
}

#[test]
fn a05_the_key_that_signed_is_the_one_that_counts() {
    let (admin, guest) = (user_key(), other_key());
    let blob = |key: &nacre_crypto::PrivateKey| key.public_blob().to_vec();
    let setup = || {
        let mut setup = Setup::default();
        setup.policy.keys = vec![blob(admin), blob(guest)];
        setup
    };
    // Asks about the admin's key, signs with the guest's.
    let mut raw = at_login(setup());
    let probe = raw.key_request(admin, ED25519).probe();
    raw.send(&probe);
    raw.expect(number::USERAUTH_METHOD_60);
    let message = signed(&raw, guest);
    raw.send(&message);
    raw.expect(number::USERAUTH_SUCCESS);
    assert_eq!(raw.end.checked_keys, [(blob(admin), false), (blob(guest), true)]);
    // Asks about the admin's key, and stops.
    let mut raw = at_login(setup());
    raw.send(&probe);
    raw.expect(number::USERAUTH_METHOD_60);
    raw.send(&sample::open("session"));
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    assert!(!raw.end.connection.is_authenticated());
    // Names the admin's key and signs with the guest's: the owner is not asked.
    let mut raw = at_login(setup());
    let request = raw.key_request(admin, ED25519);
    let signature = guest.sign(ED25519, &request.signed_text()).unwrap();
    raw.send(&request.with_signature(&signature));
    failure(&mut raw);
    assert!(raw.end.checked_keys.is_empty());
    // A key nobody was asked about works, as itself.
    let mut raw = at_login(setup());
    let message = signed(&raw, guest);
    raw.send(&message);
    raw.expect(number::USERAUTH_SUCCESS);
    assert_eq!(raw.end.checked_keys, [(blob(guest), true)]);
    // A good signature of a key that is not on the list.
    let mut raw = at_login(Setup::default());
    let message = signed(&raw, guest);
    raw.send(&message);
    failure(&mut raw);
    assert_eq!(raw.end.checked_keys, [(blob(guest), true)]);
}

#[test]
fn a09_every_factor_is_wanted_and_in_order() {
    // The second first.
    let mut raw = at_login(wanting(&[&["publickey", "password"]]));
    let password = raw.password("alice", "correct horse");
    raw.send(&password);
    assert_eq!(failure(&mut raw), ("publickey".into(), false));
    assert!(!raw.end.log.iter().any(|line| line.starts_with("password")), "the owner was not asked");
    let message = signed(&raw, user_key());
    raw.send(&message);
    assert_eq!(failure(&mut raw), ("password".into(), true));
    // The first again does not do for the second, and neither does a blank.
    raw.send(&message);
    assert_eq!(failure(&mut raw), ("password".into(), false));
    for wrong in ["", "wrong"] {
        let message = raw.password("alice", wrong);
        raw.send(&message);
        assert_eq!(failure(&mut raw), ("password".into(), false));
    }
    let none = raw.request("none", b"");
    raw.send(&none);
    assert_eq!(failure(&mut raw), ("password".into(), false));
    raw.send(&password);
    raw.expect(number::USERAUTH_SUCCESS);
    assert!(raw.end.log.contains(&"authenticated by publickey+password".to_owned()));
}

#[test]
fn a09_two_keys_are_two_keys() {
    let mut setup = wanting(&[&["publickey", "publickey"]]);
    setup.policy.keys.push(other_key().public_blob().to_vec());
    let mut raw = at_login(setup);
    let message = signed(&raw, user_key());
    raw.send(&message);
    assert_eq!(failure(&mut raw), ("publickey".into(), true));
    raw.send(&message);
    assert_eq!(failure(&mut raw), ("publickey".into(), false));
    let message = signed(&raw, other_key());
    raw.send(&message);
    raw.expect(number::USERAUTH_SUCCESS);
}

#[test]
fn a09_a_way_is_finished_by_its_own_factors_only() {
    let ways: &[&[&str]] = &[&["publickey", "password"], &["keyboard-interactive", "publickey"]];
    let mut raw = at_login(wanting(ways));
    let message = signed(&raw, user_key());
    raw.send(&message);
    assert_eq!(failure(&mut raw), ("password,keyboard-interactive".into(), true));
    // The key once more, although one way begins with something else and then a key.
    raw.send(&message);
    assert_eq!(failure(&mut raw), ("password,keyboard-interactive".into(), false));
    let message = raw.keyboard_interactive("alice", "");
    raw.send(&message);
    raw.expect(number::USERAUTH_METHOD_60);
    raw.send(&sample::of(number::USERAUTH_INFO_RESPONSE));
    // That way wants a key now, and the one that was used is used up.
    assert_eq!(failure(&mut raw), ("password,publickey".into(), true));
    let message = signed(&raw, user_key());
    raw.send(&message);
    assert_eq!(failure(&mut raw), ("password,publickey".into(), false));
    let message = raw.password("alice", "correct horse");
    raw.send(&message);
    raw.expect(number::USERAUTH_SUCCESS);
}

#[test]
fn a16_two_hundred_logins_at_once_never_mix_two_users() {
    let users = [("alice", "horse"), ("bob", "battery")];
    let mut raws: Vec<Raw> = (0..200)
        .map(|_| {
            let mut setup = Setup::default();
            setup.policy.passwords =
                users.iter().map(|(user, password)| (user.as_bytes().to_vec(), (*password).to_owned())).collect();
            setup.policy.max_tries = 1;
            Raw::client(setup)
        })
        .collect();
    raws.iter_mut().for_each(Raw::handshake);
    raws.iter_mut().for_each(Raw::service);
    for (i, raw) in raws.iter_mut().enumerate() {
        let (user, _) = users[i % 2];
        // Half of them with the other's password.
        let (_, password) = users[(i + i / 2) % 2];
        let message = raw.password(user, password);
        raw.send(&message);
    }
    for (i, raw) in raws.iter_mut().enumerate() {
        let (user, right) = (users[i % 2].0, (i / 2) % 2 == 0);
        assert_eq!(raw.end.connection.is_authenticated(), right, "login {i}");
        assert_eq!(raw.end.connection.user(), Some(user.as_bytes()));
        match right {
            true => assert_eq!(raw.numbers(), [number::USERAUTH_SUCCESS]),
            false => assert_eq!(raw.end.error, Some(Error::Limit(Limit::AuthTries))),
        }
    }
}

#[test]
fn a04_there_is_one_service_to_ask_for_and_it_is_asked_for_once() {
    for service in ["ssh-connection", "ssh-userauth2", "", "shell"] {
        let mut raw = Raw::client(Setup::default());
        raw.handshake();
        raw.send(&ServiceRequest { service: service.as_bytes() }.to_bytes());
        raw.assert_disconnected(reason::SERVICE_NOT_AVAILABLE);
    }
    let mut raw = at_login(Setup::default());
    raw.send(&sample::of(number::SERVICE_REQUEST));
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
}
