//! Windows and sizes of channels: C2, C3, C5.

use crate::c_channels::{adjust, fill_window, write};
use crate::{ROLES, logged_in, reason};
use nacre_proto::Role;
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::sample;
use nacre_wire::message::{ChannelExtendedData, ChannelOpenConfirmation, ChannelWindowAdjust, Message, Rest};
use nacre_wire::number;

#[test]
fn c02_the_peers_window_cannot_pass_its_32_bits() {
    for role in ROLES {
        for (initial, more, legal) in [
            (0, u32::MAX, true),
            (1, u32::MAX, false),
            (u32::MAX, 1, false),
            (u32::MAX, 0, true),
            (5, u32::MAX - 5, true),
        ] {
            let mut raw = logged_in(role);
            let channel = raw.open_session_with(initial, 32 * 1024);
            raw.send(&adjust(channel.theirs, more));
            match legal {
                true => raw.assert_alive(),
                false => raw.assert_disconnected(reason::PROTOCOL_ERROR),
            }
        }
    }
}

#[test]
fn c02_our_window_is_what_it_says_to_the_byte() {
    for role in ROLES {
        for extended in [false, true] {
            let unread = || {
                let mut setup = Setup::default();
                setup.policy.consumes = false;
                let mut raw = Raw::of(role, setup);
                raw.log_in();
                let channel = raw.open_session();
                (raw, channel)
            };
            // A server has no use for extended data: it gives the room back by itself.
            if extended && role == Role::Client {
                continue;
            }
            let (mut raw, channel) = unread();
            fill_window(&mut raw, channel, 0, extended);
            raw.assert_alive();
            raw.expect_silence();
            raw.send(&sample::data(channel.theirs, b"x"));
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
            // The last byte and one more in one message.
            let (mut raw, channel) = unread();
            fill_window(&mut raw, channel, 1, extended);
            raw.send(&sample::data(channel.theirs, b"xy"));
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
        }
    }
}

#[test]
fn c02_more_in_one_message_than_was_agreed_is_the_end() {
    const MOST: usize = nacre_proto::limits::MAX_CHANNEL_DATA as usize;
    for role in ROLES {
        let mut raw = logged_in(role);
        let channel = raw.open_session();
        raw.send(&sample::data(channel.theirs, &[0; MOST]));
        raw.assert_alive();
        let mut raw = logged_in(role);
        let channel = raw.open_session();
        raw.send(&sample::data(channel.theirs, &[0; MOST + 1]));
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
}

#[test]
fn c02_one_huge_window_that_never_grows_is_enough() {
    for role in ROLES {
        let mut raw = logged_in(role);
        let channel = raw.open_session_with(u32::MAX, u32::MAX);
        let mut sent = 0;
        while sent < 5_000_000 {
            sent += write(&mut raw, channel, &[7; 100_000]);
            let said = raw.numbers();
            assert!(said.iter().all(|n| *n == number::CHANNEL_DATA), "{said:?}");
        }
        raw.assert_alive();
    }
}

#[test]
fn c02_nothing_is_sent_beyond_the_peers_window_or_in_larger_pieces() {
    for role in ROLES {
        let mut raw = logged_in(role);
        let channel = raw.open_session_with(10, 4);
        write(&mut raw, channel, b"0123456789abcdef");
        let pieces = |raw: &mut Raw| -> Vec<usize> {
            std::iter::from_fn(|| raw.take()).filter(|m| m[0] == number::CHANNEL_DATA).map(|m| m.len() - 9).collect()
        };
        assert_eq!(pieces(&mut raw), [4, 4, 2]);
        raw.send(&adjust(channel.theirs, 1));
        assert_eq!(pieces(&mut raw), [1]);
        raw.send(&adjust(channel.theirs, 100));
        assert_eq!(pieces(&mut raw), [4, 1]);
    }
}

#[test]
fn c03_a_peer_that_takes_nothing_in_a_message_gets_no_channel() {
    let mut raw = logged_in(Role::Client);
    raw.send(&sample::open_with("session", 1, 1 << 20, 0));
    raw.expect(number::CHANNEL_OPEN_FAILURE);
    assert_eq!(raw.end.connection.channel_count(), 0);
    raw.open_session();
    // In the answer to our own open it is the end.
    for role in ROLES {
        let mut raw = logged_in(role);
        let now = raw.now;
        raw.end.connection.open_channel(now, "x@example.com", b"").unwrap();
        raw.settle();
        let answer =
            ChannelOpenConfirmation { recipient: 0, sender: 0, initial_window: 9, max_packet: 0, rest: Rest(b"") };
        raw.send(&answer.to_bytes());
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
}

#[test]
fn c03_one_byte_in_a_message_is_slow_and_correct() {
    for role in ROLES {
        let mut raw = logged_in(role);
        let channel = raw.open_session_with(1 << 20, 1);
        write(&mut raw, channel, &[7; 5_000]);
        let said = raw.numbers();
        assert_eq!(said, [number::CHANNEL_DATA; 5_000]);
    }
}

#[test]
fn c05_extended_data_that_nobody_reads_gives_its_room_back() {
    for role in ROLES {
        for code in [0, 1, 7, u32::MAX] {
            let mut raw = logged_in(role);
            let channel = raw.open_session();
            let total = if code == 7 { 100 << 20 } else { 4 << 20 };
            let data = vec![7; 32 * 1024];
            let message = ChannelExtendedData { recipient: channel.theirs, code, data: &data }.to_bytes();
            let mut window = channel.window as usize;
            let mut sent = 0;
            while sent < total {
                if window < data.len() {
                    let m = raw.expect(number::CHANNEL_WINDOW_ADJUST);
                    window += ChannelWindowAdjust::decode(&m).unwrap().bytes as usize;
                    continue;
                }
                raw.send(&message);
                window -= data.len();
                sent += data.len();
            }
            raw.assert_alive();
            let kept: usize = raw.end.data.values().map(Vec::len).sum();
            assert_eq!(kept, if code == 1 && role == Role::Server { sent } else { 0 });
        }
    }
}
