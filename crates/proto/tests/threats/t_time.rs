//! Identification, volumes and timers, all in virtual time: T14, T19, T20.

use crate::{ROLES, logged_in, reason};
use nacre_proto::error::{Limit, Misbehaviour, Timer};
use nacre_proto::{Error, HostKeyDecision, RekeyPolicy, Role, Stream};
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::{Pair, sample};
use nacre_wire::{WriteExt, number};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn t14_no_line_end_for_ever() {
    let mut raw = Raw::client(Setup::default());
    raw.feed(&vec![b'a'; 1 << 20]);
    assert_eq!(raw.end.error, Some(Error::PeerMisbehaved(Misbehaviour::NotSsh)));
    let mut raw = Raw::client(Setup::default());
    raw.feed(&[&b"SSH-2.0-"[..], &vec![b'a'; 1 << 20]].concat());
    assert_eq!(raw.end.error, Some(Error::Limit(Limit::Ident)));
    let mut raw = Raw::server(Setup::default());
    raw.feed(&vec![b'a'; 1 << 20]);
    assert_eq!(raw.end.error, Some(Error::Limit(Limit::Ident)));
}

#[test]
fn t14_lines_before_the_identification() {
    // A client takes 1,024 of them, a server none.
    let mut raw = Raw::server(Setup::default());
    raw.feed(&b"welcome\r\n".repeat(1024));
    raw.handshake();
    let mut raw = Raw::server(Setup::default());
    raw.feed(&b"welcome\r\n".repeat(1025));
    assert_eq!(raw.end.error, Some(Error::Limit(Limit::Ident)));
    // Fewer, but too much together.
    let mut raw = Raw::server(Setup::default());
    raw.feed(&[&vec![b'x'; 8000][..], b"\n"].concat().repeat(9));
    assert_eq!(raw.end.error, Some(Error::Limit(Limit::Ident)));
    let mut raw = Raw::client(Setup::default());
    raw.feed(b"welcome\r\nSSH-2.0-x\r\n");
    assert_eq!(raw.end.error, Some(Error::PeerMisbehaved(Misbehaviour::NotSsh)));
}

#[test]
fn t14_a_stranger_is_told_in_a_line_of_text() {
    let invalid = "Invalid SSH identification string.\r\n";
    let too_long = [&b"SSH-2.0-"[..], &[b'a'; 300], b"\r\n"].concat();
    for (line, words) in [
        (&b"\n"[..], invalid),
        (b"GET / HTTP/1.0\r\n\r\n", invalid),
        (&too_long, invalid),
        (b"SSH-1.5-old\r\n", "Protocol major versions differ.\r\n"),
    ] {
        let mut raw = Raw::client(Setup::default());
        raw.feed(line);
        assert!(raw.end.connection.is_finished());
        let said = String::from_utf8_lossy(raw.unread_bytes()).into_owned();
        let (ident, last) = said.split_once("\r\n").unwrap();
        assert!(ident.starts_with("SSH-2.0-"), "{said}");
        assert_eq!(last, words);
    }
    // One that has shown an identification gets a packet, and a client owes a server nothing.
    let mut raw = Raw::client(Setup::default());
    raw.exchange_idents();
    raw.feed(&[0xff; 64]);
    assert!(!raw.unread_bytes().ends_with(b"\r\n"));
    let mut raw = Raw::server(Setup::default());
    raw.feed(b"SSH-9.9-x\r\n");
    assert!(!raw.unread_bytes().ends_with(b"differ.\r\n"));
}

#[test]
fn t14_identifications_that_are_none() {
    for role in ROLES {
        for line in [&b"SSH-2.0-\0\r\n"[..], b"SSH-2.0-a\rb\r\n", b"SSH-2.0-\x1b[2J\r\n", b"SSH-1.5-x\r\n", b"SSH-9\n"]
        {
            let mut raw = Raw::of(role, Setup::default());
            raw.feed(line);
            assert!(raw.end.error.is_some(), "{line:?}");
        }
        let longest = [&b"SSH-2.0-"[..], &[b'x'; 255 - 8 - 2]].concat();
        let mut raw = Raw::of(role, Setup::default());
        raw.feed(&[&longest[..], b"\r\n"].concat());
        raw.assert_alive();
        let mut raw = Raw::of(role, Setup::default());
        raw.feed(&[&longest[..], b"x\r\n"].concat());
        assert_eq!(raw.end.error, Some(Error::Limit(Limit::Ident)));
    }
}

#[test]
fn t14_one_byte_a_second_wins_no_time() {
    for role in ROLES {
        let mut raw = Raw::of(role, Setup::default());
        let mut seconds = 0;
        while raw.end.error.is_none() {
            raw.feed(&b"SSH-2.0-slow_and_steady"[seconds..=seconds]);
            raw.advance(SECOND);
            seconds += 1;
        }
        assert_eq!(seconds, 10);
        assert_eq!(raw.end.error, Some(Error::TimedOut(Timer::FirstKex)));
    }
}

/// A place where a peer can stop talking: its name, how to get there, the seconds after which it is over.
type Place = (&'static str, fn(&mut Raw), u64);

/// A server that has shown its key waits for the client's person as long as the login may take.
const AT_NEWKEYS: &str = "NEWKEYS";

const PLACES: [Place; 7] = [
    ("the identification", |_| {}, 10),
    ("KEXINIT", |raw| raw.exchange_idents(), 10),
    (
        "the public value",
        |raw| {
            raw.exchange_idents();
            raw.send_kexinit();
        },
        10,
    ),
    (
        AT_NEWKEYS,
        |raw| {
            raw.exchange_idents();
            raw.send_kexinit();
            raw.recv_kexinit();
            match raw.role {
                Role::Client => raw.send_init(),
                Role::Server => raw.answer_init(),
            }
        },
        10,
    ),
    ("the service", |raw| raw.handshake(), 120),
    (
        "the first request, or its outcome",
        |raw| {
            raw.handshake();
            raw.service();
        },
        120,
    ),
    (
        "the second",
        |raw| {
            raw.handshake();
            raw.service();
            match raw.role {
                Role::Client => raw.send(&sample::auth_none()),
                Role::Server => raw.send(&sample::of(number::USERAUTH_FAILURE)),
            }
        },
        120,
    ),
];

#[test]
fn t20_a_silent_peer_is_closed_at_every_place() {
    for role in ROLES {
        for (place, go, seconds) in PLACES {
            let mut raw = Raw::of(role, Setup::default());
            go(&mut raw);
            let seconds = if role == Role::Client && place == AT_NEWKEYS { 120 } else { seconds };
            raw.advance(Duration::from_secs(seconds) - Duration::from_millis(1));
            assert_eq!(raw.end.error, None, "before {place}: too early");
            raw.advance(Duration::from_millis(1));
            let timer = if seconds == 10 { Timer::FirstKex } else { Timer::Login };
            assert_eq!(raw.end.error, Some(Error::TimedOut(timer)), "before {place}");
        }
    }
}

#[test]
fn t20_a_talking_peer_wins_no_time_either() {
    for role in ROLES {
        for (place, go, seconds) in &PLACES[4..] {
            let mut raw = Raw::of(role, Setup::default());
            go(&mut raw);
            for _ in 0..*seconds {
                raw.assert_alive();
                raw.send(&sample::ignore());
                raw.advance(SECOND);
            }
            assert_eq!(raw.end.error, Some(Error::TimedOut(Timer::Login)), "before {place}");
            raw.assert_disconnected(reason::CONNECTION_LOST);
        }
    }
}

/// A pair whose client's person was asked about the host key.
fn asked() -> Pair {
    let mut setup = nacre_testkit::pair::Setup::default();
    setup.client_policy.answers_host_key = false;
    let mut pair = Pair::new(setup);
    pair.drive();
    assert!(pair.client.host_key_question.is_some(), "somebody is asked");
    pair
}

#[test]
fn t20_a_person_may_compare_the_fingerprint_for_longer_than_a_key_exchange_takes() {
    let mut pair = asked();
    pair.advance(110 * SECOND);
    assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
    let question = pair.client.host_key_question.take().unwrap();
    pair.client.connection.answer(pair.now, question, HostKeyDecision::Accept).unwrap();
    pair.log_in();
    assert!(pair.client.connection.is_authenticated() && pair.server.connection.is_authenticated());
}

#[test]
fn t20_the_servers_time_for_a_login_goes_on_while_the_clients_person_thinks() {
    let mut pair = asked();
    pair.advance(119 * SECOND);
    assert_eq!(pair.server.error, None);
    pair.advance(SECOND);
    assert_eq!(pair.server.error, Some(Error::TimedOut(Timer::Login)));
}

#[test]
fn t20_the_clients_times_go_on_with_what_was_left_once_the_question_is_answered() {
    let mut setup = Setup::default();
    setup.policy.answers_host_key = false;
    let mut raw = Raw::server(setup);
    raw.exchange_idents();
    raw.send_kexinit();
    raw.recv_kexinit();
    raw.advance(4 * SECOND);
    raw.answer_init();
    assert_eq!(raw.end.connection.poll_timeout(), None, "no time runs while a person thinks");
    raw.advance(5000 * SECOND);
    raw.assert_alive();
    let question = raw.end.host_key_question.take().unwrap();
    raw.end.connection.answer(raw.now, question, HostKeyDecision::Accept).unwrap();
    // Of the ten seconds for the key exchange four were used up before, and NEWKEYS does not come.
    raw.advance(6 * SECOND - Duration::from_millis(1));
    raw.assert_alive();
    raw.advance(Duration::from_millis(1));
    assert_eq!(raw.end.error, Some(Error::TimedOut(Timer::FirstKex)));
}

#[test]
fn t20_the_login_time_ends_with_the_login() {
    for role in ROLES {
        let mut raw = logged_in(role);
        raw.advance(Duration::from_secs(3000));
        raw.assert_alive();
    }
}

#[test]
fn t20_nobody_is_probed_before_login() {
    for role in ROLES {
        let mut raw = Raw::of(role, Setup::default().keepalive(5 * SECOND, 3));
        raw.handshake();
        raw.service();
        let _ = raw.numbers();
        raw.advance(60 * SECOND);
        raw.assert_alive();
        raw.expect_silence();
    }
}

#[test]
fn t20_a_peer_that_answers_probes_in_any_way_lives_and_a_silent_one_does_not() {
    let answers = [sample::of(number::REQUEST_FAILURE), sample::of(number::REQUEST_SUCCESS), sample::unimplemented()];
    for role in ROLES {
        for answer in &answers {
            let mut raw = Raw::of(role, Setup::default().keepalive(5 * SECOND, 3));
            raw.log_in();
            for _ in 0..100 {
                raw.advance(SECOND);
                for number in raw.numbers() {
                    assert_eq!(number, number::GLOBAL_REQUEST);
                    raw.send(answer);
                }
                raw.assert_alive();
            }
        }
        let mut raw = Raw::of(role, Setup::default().keepalive(5 * SECOND, 3));
        raw.log_in();
        let mut probes = 0;
        let mut seconds = 0;
        while raw.end.error.is_none() && seconds < 1_000 {
            raw.advance(SECOND);
            seconds += 1;
            probes += raw.numbers().iter().filter(|n| **n == number::GLOBAL_REQUEST).count();
        }
        assert_eq!((probes, seconds), (3, 20));
        assert_eq!(raw.end.error, Some(Error::TimedOut(Timer::Keepalive)));
    }
}

#[test]
fn t20_a_connection_without_channels_is_closed_when_its_time_is_over() {
    let setup = || Setup { unused_timeout: Some(600 * SECOND), ..Setup::default() };
    let mut raw = Raw::client(setup());
    raw.log_in();
    raw.advance(600 * SECOND);
    assert_eq!(raw.end.error, Some(Error::TimedOut(Timer::Unused)));
    let mut raw = Raw::client(setup());
    raw.log_in();
    let channel = raw.open_session();
    raw.advance(3000 * SECOND);
    raw.assert_alive();
    let mut close = vec![number::CHANNEL_CLOSE];
    close.put_u32(channel.theirs);
    raw.send(&close);
    raw.advance(599 * SECOND);
    raw.assert_alive();
    raw.advance(SECOND);
    assert_eq!(raw.end.error, Some(Error::TimedOut(Timer::Unused)));
}

#[test]
fn t20_a_channel_that_carries_nothing_is_closed_and_the_connection_goes_on() {
    let mut pair = Pair::logged_in(nacre_testkit::pair::Setup::default());
    let (client, server) = pair.open_session();
    let (other, _) = pair.open_session();
    pair.server.connection.channel(server).unwrap().limit_idling(pair.now, Some(60 * SECOND));
    let closed = format!("closed {}", client.number());
    // Either direction counts.
    for turn in 0..4 {
        pair.advance(59 * SECOND);
        match turn % 2 {
            0 => pair.client.connection.channel(client).unwrap().write(Stream::Main, b"up"),
            _ => pair.server.connection.channel(server).unwrap().write(Stream::Main, b"down"),
        };
        pair.drive();
        assert!(!pair.client.log.contains(&closed), "{turn}");
    }
    pair.advance(60 * SECOND);
    assert!(pair.client.log.contains(&closed), "{:?}", pair.client.log);
    assert!(pair.server.log.contains(&format!("expired {}", server.number())), "{:?}", pair.server.log);
    // The other one has no limit, and the connection stands.
    pair.advance(600 * SECOND);
    assert_eq!(pair.client.connection.channel(other).unwrap().write(Stream::Main, b"still here"), 10);
    pair.drive();
    assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
}

#[test]
fn t20_a_peer_that_takes_nothing_does_not_keep_an_idle_channel_open() {
    let mut raw = Raw::client(Setup::default());
    raw.log_in();
    let channel = raw.open_session();
    let now = raw.now;
    let mut ours = raw.end.connection.channel(channel.local).unwrap();
    ours.limit_idling(now, Some(60 * SECOND));
    // More than the window holds.
    while ours.write(Stream::Main, &[0; 1 << 16]) > 0 {}
    ours.eof();
    raw.advance(61 * SECOND);
    let numbers = raw.numbers();
    assert!(numbers.contains(&number::CHANNEL_CLOSE) && !numbers.contains(&number::CHANNEL_EOF), "{numbers:?}");
    raw.assert_alive();
}

#[test]
fn t19_volume_before_login_is_a_hard_stop() {
    let mut ignore = vec![number::IGNORE];
    ignore.put_string(vec![0; 256 * 1024]);
    for role in ROLES {
        // In clear, without the marker, and sealed.
        for sealed in [false, true] {
            let mut raw = Raw::of(role, Setup::default());
            raw.offer.strict = false;
            if sealed {
                raw.handshake()
            } else {
                raw.exchange_idents()
            }
            let mut sent = 0;
            while raw.end.error.is_none() && sent < 32 << 20 {
                raw.send(&ignore);
                sent += ignore.len();
            }
            assert!(sent <= 17 << 20, "{sent} bytes were taken");
            assert_eq!(raw.end.error, Some(Error::Limit(Limit::PreAuthBytes)));
        }
        // Afterwards there is no such bound.
        let mut raw = logged_in(role);
        for _ in 0..100 {
            raw.send(&ignore);
        }
        raw.assert_alive();
    }
}

#[test]
fn t19_tiny_limits_renew_keys_all_the_time_and_lose_nothing() {
    for bytes in [16, 1024] {
        for (client, server) in [(Some(bytes), None), (None, Some(bytes)), (Some(bytes), Some(bytes))] {
            let mut setup = nacre_testkit::pair::Setup::default();
            for (config, bytes) in [(&mut setup.client, client), (&mut setup.server, server)] {
                config.kex = vec![nacre_proto::algorithm::KexMethod::Curve25519];
                config.rekey = RekeyPolicy { bytes, time: None };
            }
            setup.server_policy.echoes = true;
            let mut pair = Pair::logged_in(setup);
            let (client, _) = pair.open_session();
            let data: Vec<u8> = (0..=255u8).cycle().take(100_000).collect();
            for piece in data.chunks(1000) {
                pair.client.connection.channel(client).unwrap().write(Stream::Main, piece);
                pair.drive();
            }
            assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
            assert!(pair.client.data[&(client.number(), Stream::Main)] == data);
            // Each KEXINIT alone is 300 bytes or more.
            assert!(pair.to_server.sent() > data.len() + 90 * 300, "keys were renewed again and again");
        }
    }
}

#[test]
fn t19_nothing_is_sent_while_the_peer_ignores_our_kexinit_and_it_gets_two_minutes() {
    for role in ROLES {
        let mut setup = Setup::default();
        setup.config.rekey = RekeyPolicy { bytes: Some(10_000), time: None };
        let mut raw = Raw::of(role, setup);
        raw.log_in();
        let channel = raw.open_session_with(u32::MAX, 1000);
        let write = |raw: &mut Raw| {
            let n = raw.end.connection.channel(channel.local).unwrap().write(Stream::Main, &[7; 20_000]);
            raw.settle();
            n
        };
        write(&mut raw);
        write(&mut raw);
        let numbers = raw.numbers();
        let at = numbers.iter().position(|n| *n == number::KEXINIT).expect("keys are due");
        assert_eq!(at + 1, numbers.len(), "nothing follows KEXINIT: {numbers:?}");
        // What the application writes stays within its bound, and then nothing more is taken.
        let mut taken = 0;
        for _ in 0..100 {
            taken += write(&mut raw);
        }
        assert!(taken <= 256 * 1024, "{taken} bytes were taken");
        assert_eq!(write(&mut raw), 0);
        raw.send(&sample::of(number::PING));
        raw.expect_silence();
        raw.advance(119 * SECOND);
        raw.assert_alive();
        raw.advance(SECOND);
        assert_eq!(raw.end.error, Some(Error::TimedOut(Timer::Rekey)));
    }
}

#[test]
fn t19_keys_are_renewed_by_time() {
    for role in ROLES {
        let mut setup = Setup::default();
        setup.config.rekey = RekeyPolicy { bytes: None, time: Some(3600 * SECOND) };
        let mut raw = Raw::of(role, setup);
        raw.log_in();
        for _ in 0..3 {
            raw.advance(3599 * SECOND);
            raw.expect_silence();
            raw.advance(SECOND);
            raw.answer_rekey();
        }
        raw.assert_alive();
    }
}
