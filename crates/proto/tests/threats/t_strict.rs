//! Order during key exchanges: T1 to T5, T10.

use crate::{ROLES, logged_in, reason};
use nacre_proto::Role;
use nacre_testkit::link::Fault;
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::{Pair, sample};
use nacre_wire::message::{KexInit, Message};
use nacre_wire::number;

/// The raw peer's steps of a first key exchange, in order.
const STEPS: [fn(&mut Raw); 3] = [
    |raw| raw.send_kexinit(),
    |raw| {
        raw.recv_kexinit();
        match raw.role {
            Role::Client => {
                raw.send_init();
                raw.recv_reply();
            }
            Role::Server => raw.answer_init(),
        }
    },
    |raw| {
        raw.recv_newkeys();
        raw.send_newkeys();
    },
];

/// A raw peer whose first exchange is interrupted by `message` before step `before`.
fn interrupted(role: Role, strict: bool, before: usize, message: &[u8]) -> Raw {
    let mut raw = Raw::of(role, Setup::default());
    raw.offer.strict = strict;
    raw.exchange_idents();
    for (i, step) in STEPS.iter().enumerate() {
        if i == before {
            raw.send(message);
        }
        if raw.end.error.is_some() {
            break;
        }
        step(&mut raw);
    }
    raw
}

#[test]
fn t01_under_strict_exchange_nothing_may_come_between_at_any_step() {
    for role in ROLES {
        for message in [sample::ignore(), sample::debug(), sample::unimplemented(), sample::ext_info()] {
            for before in 0..STEPS.len() {
                interrupted(role, true, before, &message).assert_disconnected(reason::PROTOCOL_ERROR);
            }
        }
    }
}

/// Somebody on the way may be behind it, so the reason is named.
#[test]
fn t01_the_error_names_strict_exchange() {
    for role in ROLES {
        for message in [sample::ignore(), sample::debug(), sample::unimplemented()] {
            for before in 0..STEPS.len() {
                let error = interrupted(role, true, before, &message).end.error.unwrap().to_string();
                assert!(error.contains("strict key exchange"), "{role:?} {before}: {error}");
            }
        }
        let error = interrupted(role, true, 1, &sample::ext_info()).end.error.unwrap().to_string();
        assert!(error.contains("EXT_INFO") && !error.contains("strict"), "{error}");
    }
}

#[test]
fn t01_without_the_marker_the_harmless_three_may_come_between() {
    for role in ROLES {
        for message in [sample::ignore(), sample::debug(), sample::unimplemented()] {
            for before in 0..STEPS.len() {
                let mut raw = interrupted(role, false, before, &message);
                raw.assert_alive();
                raw.take_ext_info();
                raw.service();
                raw.authenticate();
            }
        }
    }
}

#[test]
fn t01_the_marker_counts_in_the_first_kexinit_only_and_numbers_start_anew_for_life() {
    for role in ROLES {
        for (first, later) in [(true, false), (false, true), (true, true), (false, false)] {
            let mut raw = Raw::of(role, Setup::default());
            raw.offer.strict = first;
            raw.log_in();
            // The raw peer counts by the first offer alone; one packet out of step fails its tag.
            raw.offer.strict = later;
            for _ in 0..3 {
                raw.rekey();
                raw.send(&sample::ignore());
                raw.send(&sample::of(number::PING));
                raw.expect(number::PONG);
            }
            raw.assert_alive();
        }
    }
}

#[test]
fn t01_our_own_marker_and_ext_info_stand_in_the_first_kexinit_only() {
    for role in ROLES {
        let mut raw = Raw::of(role, Setup::default());
        raw.exchange_idents();
        raw.send_kexinit();
        let markers = |message: &[u8]| {
            let kex = KexInit::decode(message).unwrap().kex_algorithms;
            kex.iter().filter(|name| name.starts_with("kex-strict-") || name.starts_with("ext-info-")).count()
        };
        assert_eq!(markers(&raw.recv_kexinit()), 2);
        raw.finish_exchange();
        raw.take_ext_info();
        raw.service();
        raw.authenticate();
        raw.send_kexinit();
        assert_eq!(markers(&raw.recv_kexinit()), 0);
    }
}

/// A man in the middle puts an IGNORE into the server's first flight and takes the server's first
/// sealed packet (its EXT_INFO) out: the prefix truncation of CVE-2023-48795.
fn truncated(strict: bool) -> Pair {
    use nacre_proto::algorithm::CipherAlgorithm;
    let setup = || {
        let mut setup = nacre_testkit::pair::Setup::default();
        for config in [&mut setup.client, &mut setup.server] {
            config.ciphers = vec![CipherAlgorithm::ChaCha20Poly1305];
            if !strict {
                *config = std::mem::take(config).dangerous_without_strict_kex();
                config.ciphers = vec![CipherAlgorithm::ChaCha20Poly1305];
            }
        }
        setup
    };
    // Where things stand in the server's stream is learned from a run without faults.
    let mut honest = Pair::new(setup());
    honest.to_client.recorded = Some(Vec::new());
    honest.log_in();
    assert!(honest.client.connection.is_authenticated());
    let stream = honest.to_client.recorded.unwrap();
    let packets = plain_packets(&stream);
    let newkeys_end = packets.iter().find(|p| stream[p.0 + 5] == number::NEWKEYS).unwrap().1;
    let ext_info_len = ext_info_packet_len();
    let mut pair = Pair::new(setup());
    let payload = [&[2, 0, 0, 0, 18][..], &[0; 18]].concat();
    let mut packet = vec![0, 0, 0, 28, 4];
    packet.extend(&payload);
    packet.extend([0; 4]);
    assert_eq!(packet.len() % 8, 0);
    pair.to_client.add(Fault::Inject { at: packets[1].0, bytes: packet });
    pair.to_client.add(Fault::Drop { at: newkeys_end, len: ext_info_len });
    pair.log_in();
    pair
}

/// Start and end of every packet of a stream up to NEWKEYS.
fn plain_packets(stream: &[u8]) -> Vec<(usize, usize)> {
    let mut at = stream.iter().position(|b| *b == b'\n').unwrap() + 1;
    let mut packets = Vec::new();
    loop {
        let length = u32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
        packets.push((at, at + 4 + length));
        if stream[at + 5] == number::NEWKEYS {
            return packets;
        }
        at += 4 + length;
    }
}

/// How long a server's EXT_INFO is under chacha20-poly1305.
fn ext_info_packet_len() -> usize {
    let mut raw = Raw::client(Setup::default());
    raw.handshake();
    let payload = raw.ext_info.unwrap().len();
    let padding = 8 - (1 + payload) % 8;
    4 + 1 + payload + if padding < 4 { padding + 8 } else { padding } + 16
}

#[test]
fn t01_terrapin_works_without_strict_exchange_and_not_with_it() {
    let pair = truncated(false);
    assert_eq!(pair.client.error, None, "the attack is well made");
    assert!(pair.client.connection.is_authenticated());
    let pair = truncated(true);
    assert!(pair.client.error.is_some());
    assert!(!pair.client.connection.is_authenticated());
}

#[test]
fn t02_nothing_is_taken_after_the_reply_and_before_newkeys() {
    // Role, then whether the message is the peer's own kind of kex message once more.
    for role in ROLES {
        for number in 0..=255u8 {
            if [number::DISCONNECT, number::NEWKEYS].contains(&number) {
                continue;
            }
            let mut raw = Raw::of(role, Setup::default());
            raw.exchange_idents();
            STEPS[0](&mut raw);
            STEPS[1](&mut raw);
            raw.send(&sample::of(number));
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
        }
    }
}

#[test]
fn t03_keys_are_not_renewed_before_login() {
    for role in ROLES {
        for after_failure in [false, true] {
            let mut raw = Raw::of(role, Setup::default());
            raw.handshake();
            raw.service();
            if after_failure {
                fail_once(&mut raw);
            }
            raw.send_kexinit();
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
            assert!(!raw.end.connection.is_authenticated());
        }
    }
}

fn fail_once(raw: &mut Raw) {
    match raw.role {
        Role::Client => {
            let message = raw.password("alice", "wrong");
            raw.send(&message);
            raw.expect(number::USERAUTH_FAILURE);
        }
        Role::Server => {
            raw.expect(number::USERAUTH_REQUEST);
            raw.send(&sample::of(number::USERAUTH_FAILURE));
            raw.expect(number::USERAUTH_REQUEST);
        }
    }
}

#[test]
fn t03_a_channel_cannot_be_opened_around_a_rekey_before_login() {
    let mut raw = Raw::client(Setup::default());
    raw.handshake();
    let kexinit = raw.offer.kexinit();
    raw.send_all([&kexinit[..], &sample::open("session"), &sample::exec(0, "touch canary", true)]);
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
    assert!(raw.end.channels.is_empty() && raw.end.requests.is_empty());
}

#[test]
fn t04_after_its_kexinit_the_peer_may_send_nothing_else() {
    for role in ROLES {
        for message in [sample::data(0, b"x"), sample::of(number::PING), sample::of(number::GLOBAL_REQUEST)] {
            let mut raw = logged_in(role);
            raw.open_session();
            raw.send_kexinit();
            raw.send(&message);
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
            assert!(raw.end.data.is_empty(), "nothing was delivered");
        }
    }
}

#[test]
fn t04_what_was_in_flight_before_its_kexinit_is_taken() {
    for role in ROLES {
        let mut raw = logged_in(role);
        let channel = raw.open_session();
        let now = raw.now;
        raw.end.connection.rekey(now).unwrap();
        raw.settle();
        // Our KEXINIT is out; the peer has not seen it yet.
        raw.send(&sample::data(channel.theirs, b"in flight"));
        raw.send(&sample::of(number::PING));
        raw.answer_rekey();
        raw.assert_alive();
        assert_eq!(raw.expect(number::PONG)[0], number::PONG, "answered after the exchange");
        let data: Vec<u8> = raw.end.data.values().flatten().copied().collect();
        assert_eq!(data, b"in flight");
    }
}

#[test]
fn t05_a_second_kexinit_ends_the_connection_in_every_exchange() {
    for role in ROLES {
        let mut raw = Raw::of(role, Setup::default());
        raw.exchange_idents();
        let kexinit = raw.offer.kexinit();
        let flood: Vec<&[u8]> = std::iter::repeat_n(&kexinit[..], 10_000).collect();
        raw.send_all(flood);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);

        let mut raw = logged_in(role);
        raw.send_kexinit();
        raw.send_kexinit();
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
}

#[test]
fn t05_newkeys_has_one_place() {
    for role in ROLES {
        // First of all.
        let mut raw = Raw::of(role, Setup::default());
        raw.exchange_idents();
        raw.send(&[number::NEWKEYS]);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
        // Right after KEXINIT.
        let mut raw = Raw::of(role, Setup::default());
        raw.exchange_idents();
        raw.send_kexinit();
        raw.send(&[number::NEWKEYS]);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
        // A second time.
        let mut raw = Raw::of(role, Setup::default());
        raw.handshake();
        raw.send(&[number::NEWKEYS]);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
        // Later, without an exchange, and while only the machine has sent KEXINIT.
        let mut raw = logged_in(role);
        raw.send(&[number::NEWKEYS]);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
        let mut raw = logged_in(role);
        let now = raw.now;
        raw.end.connection.rekey(now).unwrap();
        raw.send(&[number::NEWKEYS]);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
        // With something in it.
        let mut raw = Raw::of(role, Setup::default());
        raw.exchange_idents();
        STEPS[0](&mut raw);
        STEPS[1](&mut raw);
        raw.send(&[number::NEWKEYS, 0]);
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
}

#[test]
fn t10_group_exchange_is_answered_by_the_table_and_never_happens() {
    for role in ROLES {
        for number in 32..=34u8 {
            // In a strict first exchange: the end.
            let mut raw = Raw::of(role, Setup::default());
            raw.exchange_idents();
            raw.send_kexinit();
            raw.send(&sample::of(number));
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
            // Before and after login: unknown messages.
            let mut raw = Raw::of(role, Setup::default());
            raw.handshake();
            raw.send(&sample::of(number));
            raw.skip_to(number::UNIMPLEMENTED);
            raw.service_after_unknown();
            raw.authenticate();
            raw.send(&sample::of(number));
            raw.expect(number::UNIMPLEMENTED);
            raw.assert_alive();
            // In a rekey: the end.
            raw.send_kexinit();
            raw.send(&sample::of(number));
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
        }
    }
}

#[test]
fn t10_no_group_exchange_name_is_ever_offered() {
    for role in ROLES {
        let mut setup = Setup::default();
        setup.config.kex = nacre_proto::algorithm::KexMethod::ALL.to_vec();
        let mut raw = Raw::of(role, setup);
        raw.exchange_idents();
        raw.send_kexinit();
        let message = raw.recv_kexinit();
        assert!(!KexInit::decode(&message).unwrap().kex_algorithms.as_str().contains("group-exchange"));
    }
}

/// The service step for a test that has already taken the client's SERVICE_REQUEST away.
trait AfterUnknown {
    fn service_after_unknown(&mut self);
}

impl AfterUnknown for Raw {
    fn service_after_unknown(&mut self) {
        match self.role {
            Role::Client => self.service(),
            Role::Server => self.send(&sample::of(number::SERVICE_ACCEPT)),
        }
    }
}
