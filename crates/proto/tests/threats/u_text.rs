//! Peer text on its way to a terminal or a log: U1.

use crate::{ROLES, logged_in};
use nacre_proto::Role;
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::sample;
use nacre_wire::message::{ChannelOpenFailure, Message};
use nacre_wire::{WriteExt, number};

/// Text with every byte and every control character in it.
fn evil() -> Vec<u8> {
    let mut text: Vec<u8> = (0..=255).collect();
    text.extend((0x80..=0x9f).filter_map(char::from_u32).collect::<String>().into_bytes());
    text.extend("\u{202e}\u{2066}\x1b]0;title\x07\x1b[2J\r\n".as_bytes());
    text.push(0x1b);
    text
}

#[track_caller]
fn assert_clean(text: &str) {
    let bad = text.chars().find(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(bad, None, "{text:?}");
}

#[test]
fn u01_peer_text_in_errors_and_events_is_clean_and_bounded() {
    for long in [false, true] {
        let mut text = evil();
        if long {
            text.extend(vec![b'x'; 100_000]);
        }
        // DISCONNECT, in clear, before login and after.
        for step in 0..3 {
            let mut raw = Raw::server(Setup::default());
            match step {
                0 => raw.exchange_idents(),
                1 => raw.handshake(),
                _ => raw.log_in(),
            }
            raw.send(&sample::disconnect(&text));
            let error = raw.end.error.clone().expect("the end").to_string();
            assert_clean(&error);
            assert!(error.len() < 2_000);
        }
        // CHANNEL_OPEN_FAILURE.
        let mut raw = logged_in(Role::Server);
        let now = raw.now;
        raw.end.connection.open_channel(now, "session", b"").unwrap();
        raw.settle();
        let refusal = ChannelOpenFailure { recipient: 0, reason: 1, description: &text, language: b"" };
        raw.send(&refusal.to_bytes());
        let line = raw.end.log.iter().find(|line| line.starts_with("open failed")).unwrap();
        assert_clean(line);
        assert!(line.len() < 2_000);
    }
}

#[test]
fn u01_a_peers_version_and_offers_are_clean_in_errors() {
    for role in ROLES {
        let mut raw = Raw::of(role, Setup::default());
        raw.feed(&[&b"SSH-1.5-"[..], "\u{9b}2J\u{202e}".as_bytes(), &[0x9b, b'2', b'J'], b"\r\n"].concat());
        assert_clean(&raw.end.error.clone().expect("the end").to_string());
        // Name-lists with anything but printable ASCII are not read at all.
        let mut raw = Raw::of(role, Setup::default());
        raw.offer.kex = vec!["\u{1b}[2J".into(), "curve25519-sha256".into()];
        raw.exchange_idents();
        raw.send_kexinit();
        let error = raw.end.error.clone().expect("the end").to_string();
        assert_clean(&error);
        let mut raw = Raw::of(role, Setup::default());
        raw.offer.kex = vec!["x".repeat(10_000)];
        raw.exchange_idents();
        raw.send_kexinit();
        let error = raw.end.error.clone().expect("the end").to_string();
        assert_clean(&error);
        assert!(error.len() < 2_000);
    }
}

#[test]
fn u01_names_of_channels_and_requests_are_clean_in_events() {
    let text = evil();
    let mut raw = logged_in(Role::Client);
    let mut open = vec![number::CHANNEL_OPEN];
    open.put_string(&text);
    for value in [0, 1000, 1000] {
        open.put_u32(value);
    }
    raw.send(&open);
    let mut global = vec![number::GLOBAL_REQUEST];
    global.put_string(&text);
    global.put_bool(true);
    raw.send(&global);
    raw.assert_alive();
    assert!(raw.end.log.iter().any(|line| line.starts_with("open ")));
    assert!(raw.end.log.iter().any(|line| line.starts_with("global ")));
    raw.end.log.iter().for_each(|line| assert_clean(line));
}
