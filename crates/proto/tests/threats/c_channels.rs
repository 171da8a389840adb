//! The life of channels: C1, C4, C6, C10, H10's replies.

use crate::{ROLES, logged_in, reason};
use nacre_proto::{Role, Stream};
use nacre_testkit::raw::{Numbers, Raw, Setup};
use nacre_testkit::sample;
use nacre_wire::message::{
    ChannelClose, ChannelEof, ChannelExtendedData, ChannelOpenConfirmation, ChannelOpenFailure, ChannelRequest,
    ChannelWindowAdjust, Message, Rest,
};
use nacre_wire::session::{SessionRequest, WindowSize, encode_modes};
use nacre_wire::{WriteExt, number};

/// The messages that name a channel.
const CHANNEL_MESSAGES: [u8; 10] = [91, 92, 93, 94, 95, 96, 97, 98, 99, 100];

/// A sample that names another channel than 0.
fn naming(channel: u32, number: u8) -> Vec<u8> {
    let mut message = sample::of(number);
    message[1..5].copy_from_slice(&channel.to_be_bytes());
    message
}

fn close(recipient: u32) -> Vec<u8> {
    ChannelClose { recipient }.to_bytes()
}

pub fn adjust(recipient: u32, bytes: u32) -> Vec<u8> {
    ChannelWindowAdjust { recipient, bytes }.to_bytes()
}

pub fn write(raw: &mut Raw, channel: Numbers, data: &[u8]) -> usize {
    let n = raw.end.connection.channel(channel.local).unwrap().write(Stream::Main, data);
    raw.settle();
    n
}

#[test]
fn c01_messages_for_channels_that_never_were() {
    for role in ROLES {
        for number in CHANNEL_MESSAGES {
            for channel in [0, 1, 7, 4096, u32::MAX] {
                let mut raw = logged_in(role);
                raw.send(&naming(channel, number));
                raw.assert_disconnected(reason::PROTOCOL_ERROR);
            }
        }
    }
}

#[test]
fn c01_messages_for_a_channel_that_the_machine_has_only_asked_for() {
    for role in ROLES {
        for number in CHANNEL_MESSAGES {
            let mut raw = logged_in(role);
            let now = raw.now;
            raw.end.connection.open_channel(now, "x@example.com", b"").unwrap();
            raw.settle();
            raw.expect(number::CHANNEL_OPEN);
            raw.send(&naming(0, number));
            match number {
                91 | 92 => raw.assert_alive(),
                _ => raw.assert_disconnected(reason::PROTOCOL_ERROR),
            }
            assert!(raw.end.data.is_empty() && raw.end.requests.is_empty());
        }
    }
}

#[test]
fn c01_messages_for_a_channel_that_is_closed_on_both_sides() {
    for role in ROLES {
        for number in CHANNEL_MESSAGES {
            let mut raw = logged_in(role);
            let channel = raw.open_session();
            raw.send(&close(channel.theirs));
            raw.expect(number::CHANNEL_CLOSE);
            raw.send(&naming(channel.theirs, number));
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
            assert!(raw.end.data.is_empty() && raw.end.requests.is_empty());
        }
    }
}

#[test]
fn c01_messages_that_crossed_our_close_are_dropped() {
    for role in ROLES {
        for number in CHANNEL_MESSAGES {
            let mut raw = logged_in(role);
            let channel = raw.open_session();
            raw.end.connection.channel(channel.local).unwrap().close();
            raw.settle();
            raw.expect(number::CHANNEL_CLOSE);
            raw.send(&naming(channel.theirs, number));
            match number {
                91 | 92 => raw.assert_disconnected(reason::PROTOCOL_ERROR),
                _ => raw.assert_alive(),
            }
            assert!(raw.end.data.is_empty() && raw.end.requests.is_empty(), "message {number}");
            raw.expect_silence();
        }
    }
}

#[test]
fn c01_a_second_answer_to_an_open_is_the_end() {
    for role in ROLES {
        for number in [91, 92] {
            let mut raw = logged_in(role);
            let channel = raw.open_session();
            raw.send(&naming(channel.theirs, number));
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
        }
    }
}

/// Fills the machine's window with one kind of data but for `less` bytes.
pub fn fill_window(raw: &mut Raw, channel: Numbers, less: usize, extended: bool) {
    let mut left = channel.window as usize - less;
    while left > 0 {
        let n = left.min(32 * 1024);
        let data = vec![7; n];
        let message = match extended {
            true => ChannelExtendedData { recipient: channel.theirs, code: 1, data: &data }.to_bytes(),
            false => sample::data(channel.theirs, &data),
        };
        raw.send(&message);
        left -= n;
    }
}

#[test]
fn c04_channels_are_counted_and_their_windows_are_bounded() {
    let mut raw = logged_in(Role::Client);
    let mut granted = 0u64;
    let mut open = 0;
    loop {
        raw.send(&sample::open_with("session", open, 1, 1));
        let message = raw.take().unwrap();
        if message[0] == number::CHANNEL_OPEN_FAILURE {
            assert_eq!(ChannelOpenFailure::decode(&message).unwrap().reason, 4);
            break;
        }
        granted += u64::from(ChannelOpenConfirmation::decode(&message).unwrap().initial_window);
        open += 1;
    }
    assert!((1_000..=4_096).contains(&open), "{open} channels");
    assert!(granted <= 64 << 20, "{granted} bytes of window");
    // One goes, one may come.
    raw.send(&close(17));
    raw.expect(number::CHANNEL_CLOSE);
    raw.send(&sample::open_with("session", 17, 1, 1));
    raw.expect(number::CHANNEL_OPEN_CONFIRMATION);
    raw.assert_alive();
}

#[test]
fn c04_a_stuck_channel_stops_nobody_else() {
    for role in ROLES {
        let mut setup = Setup::default();
        setup.policy.consumes = false;
        let mut raw = Raw::of(role, setup);
        raw.log_in();
        let stuck = raw.open_session_with(0, 32 * 1024);
        // Inbound it is full, outbound its window is shut with data waiting.
        fill_window(&mut raw, stuck, 0, false);
        write(&mut raw, stuck, &[7; 300_000]);
        raw.expect_silence();
        let other = raw.open_session();
        write(&mut raw, other, b"moves");
        raw.expect(number::CHANNEL_DATA);
        raw.send(&sample::data(other.theirs, b"moves"));
        raw.send(&sample::of(number::PING));
        raw.expect(number::PONG);
        assert_eq!(raw.end.data[&(other.theirs, Stream::Main)], b"moves");
    }
}

#[test]
fn c06_data_eof_and_close_keep_their_order() {
    for role in ROLES {
        let mut raw = logged_in(role);
        let channel = raw.open_session();
        let mut c = raw.end.connection.channel(channel.local).unwrap();
        c.write(Stream::Main, b"last words");
        c.eof();
        c.close();
        raw.settle();
        assert_eq!(raw.numbers(), [94, 96, 97]);
        raw.send(&close(channel.theirs));
        raw.expect_silence();
        assert_eq!(raw.end.connection.channel_count(), 0);
    }
}

#[test]
fn c06_what_waits_for_window_is_sent_before_close() {
    let mut raw = logged_in(Role::Client);
    let channel = raw.open_session_with(0, 100);
    let mut c = raw.end.connection.channel(channel.local).unwrap();
    c.write(Stream::Main, &[7; 250]);
    c.eof();
    c.close();
    raw.settle();
    raw.expect_silence();
    raw.send(&adjust(channel.theirs, 1000));
    assert_eq!(raw.numbers(), [94, 94, 94, 96, 97]);
}

#[test]
fn c06_every_close_is_answered_once() {
    for role in ROLES {
        // The peer's first, with data of ours still waiting.
        let mut raw = logged_in(role);
        let channel = raw.open_session_with(0, 100);
        write(&mut raw, channel, &[7; 1000]);
        raw.send(&close(channel.theirs));
        assert_eq!(raw.numbers(), [97]);
        assert_eq!(raw.end.connection.channel_count(), 0);
        // Ours first.
        let channel = raw.open_session();
        raw.end.connection.channel(channel.local).unwrap().close();
        raw.settle();
        assert_eq!(raw.numbers(), [97]);
        raw.send(&close(channel.theirs));
        raw.expect_silence();
        assert_eq!(raw.end.connection.channel_count(), 0);
    }
}

#[test]
fn c06_nothing_follows_eof() {
    for role in ROLES {
        let mut raw = logged_in(role);
        let channel = raw.open_session();
        raw.send(&ChannelEof { recipient: channel.theirs }.to_bytes());
        // Requests may follow, for example exit-status; data may not.
        raw.send(&naming(channel.theirs, number::CHANNEL_REQUEST));
        raw.assert_alive();
        raw.send(&sample::data(channel.theirs, b"x"));
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
        assert!(raw.end.data.is_empty());
    }
}

#[test]
fn c06_a_close_during_a_rekey_is_not_lost() {
    for role in ROLES {
        let mut raw = logged_in(role);
        for i in 0..500 {
            let channel = raw.open_session();
            let now = raw.now;
            raw.end.connection.rekey(now).unwrap();
            if i % 2 == 0 {
                // Ours is said in the middle of the exchange.
                raw.settle();
                let mut c = raw.end.connection.channel(channel.local).unwrap();
                c.write(Stream::Main, b"bye");
                c.close();
                raw.settle();
                raw.answer_rekey();
                assert_eq!(raw.numbers(), [94, 97]);
                raw.send(&close(channel.theirs));
            } else {
                // The peer's was on its way when our KEXINIT went out.
                raw.settle();
                raw.send(&close(channel.theirs));
                raw.answer_rekey();
                assert_eq!(raw.numbers(), [97]);
            }
            assert_eq!(raw.end.connection.channel_count(), 0);
        }
        raw.assert_alive();
    }
}

#[test]
fn c10_terminal_modes_cut_anywhere() {
    let modes = [(1, 3), (53, 1), (128, 38_400), (129, 38_400)];
    let whole = encode_modes(&modes);
    let mut raw = logged_in(Role::Client);
    let channel = raw.open_session();
    for cut in 0..=whole.len() {
        raw.send(&pty(channel.theirs, "xterm", [80, 24, 0, 0], &whole[..cut]));
        let (_, SessionRequest::PtyReq { modes: read, .. }) = raw.end.requests.last().unwrap() else {
            panic!("not a pty-req")
        };
        assert_eq!(read, &modes[..(cut / 5).min(4)], "cut at {cut}");
    }
    // What is unknown from 160 on ends the list (RFC 4254 §8).
    raw.send(&pty(channel.theirs, "xterm", [80, 24, 0, 0], &[53, 0, 0, 0, 1, 160, 54, 0, 0, 0, 1]));
    let (_, SessionRequest::PtyReq { modes: read, .. }) = raw.end.requests.last().unwrap() else { panic!() };
    assert_eq!(read, &[(53, 1)]);
    // No end and no bound.
    raw.send(&pty(channel.theirs, "xterm", [80, 24, 0, 0], &[53, 0, 0, 0, 1].repeat(10_000)));
    let (_, SessionRequest::PtyReq { modes: read, .. }) = raw.end.requests.last().unwrap() else { panic!() };
    assert!(read.len() <= 256);
    raw.assert_alive();
}

fn pty(recipient: u32, term: &str, size: [u32; 4], modes: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    rest.put_string(term);
    size.iter().for_each(|value| rest.put_u32(*value));
    rest.put_string(modes);
    ChannelRequest { recipient, kind: b"pty-req", want_reply: false, rest: Rest(&rest) }.to_bytes()
}

#[test]
fn c10_sizes_of_every_kind_are_handed_on_and_names_are_bounded() {
    let mut raw = logged_in(Role::Client);
    let channel = raw.open_session();
    for size in [[0; 4], [u32::MAX; 4], [1, 0, u32::MAX, 0]] {
        raw.send(&pty(channel.theirs, "xterm", size, &[0]));
        let mut rest = Vec::new();
        size.iter().for_each(|value| rest.put_u32(*value));
        let change =
            ChannelRequest { recipient: channel.theirs, kind: b"window-change", want_reply: false, rest: Rest(&rest) };
        raw.send(&change.to_bytes());
        let want = WindowSize { columns: size[0], rows: size[1], width: size[2], height: size[3] };
        let got = raw.end.requests.iter().rev().take(2).map(|(_, request)| match request {
            SessionRequest::PtyReq { size, .. } | SessionRequest::WindowChange { size } => *size,
            other => panic!("{other:?}"),
        });
        assert!(got.into_iter().all(|size| size == want));
    }
    raw.send(&pty(channel.theirs, &"x".repeat(257), [80, 24, 0, 0], &[0]));
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
}

#[test]
fn h10_replies_that_nobody_asked_for_mean_nothing() {
    for role in ROLES {
        let mut raw = logged_in(role);
        let channel = raw.open_session();
        for number in [81, 82, 99, 100] {
            for _ in 0..1_000 {
                raw.send(&if number < 90 { sample::of(number) } else { naming(channel.theirs, number) });
            }
        }
        raw.expect_silence();
        assert!(!raw.end.log.iter().any(|line| line.contains("reply")), "{:?}", raw.end.log);
        let now = raw.now;
        let request = SessionRequest::Exec { command: b"true".to_vec() };
        raw.end.connection.channel(channel.local).unwrap().request(now, &request, true).unwrap();
        raw.settle();
        raw.expect(number::CHANNEL_REQUEST);
        raw.send(&naming(channel.theirs, number::CHANNEL_SUCCESS));
        assert!(raw.end.log.contains(&"reply exec true".to_owned()));
    }
}
