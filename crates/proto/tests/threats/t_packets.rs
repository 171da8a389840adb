//! Packets that lie about themselves or were changed on their way: T6, T7.

use crate::{logged_in, reason};
use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm};
use nacre_proto::{Keepalive, Role};
use nacre_testkit::link::Fault;
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::{Pair, sample};
use nacre_wire::{WriteExt, number};
use std::collections::BTreeSet;
use std::time::Duration;

/// Every way to protect packets; a MAC beside an AEAD means nothing.
pub fn modes() -> Vec<(CipherAlgorithm, MacAlgorithm)> {
    let mut modes = Vec::new();
    for cipher in CipherAlgorithm::ALL {
        let macs = if cipher.is_aead() { &MacAlgorithm::ALL[..1] } else { MacAlgorithm::ALL };
        modes.extend(macs.iter().map(|mac| (*cipher, *mac)));
    }
    modes
}

/// A raw peer, logged in under that mode, the machine taking messages of `max_packet`.
pub fn logged_in_under(mode: (CipherAlgorithm, MacAlgorithm), role: Role, max_packet: u32) -> Raw {
    let mut setup = Setup::default();
    setup.config.macs = MacAlgorithm::ALL.to_vec();
    setup.config.max_packet = max_packet;
    let mut raw = Raw::of(role, setup);
    raw.offer.ciphers = vec![mode.0.name().into()];
    raw.offer.macs = vec![mode.1.name().into()];
    raw.log_in();
    raw
}

/// The lengths of the table, then the paddings.
pub const LENGTHS: [u32; 16] =
    [0, 1, 4, 5, 6, 8, 11, 12, 15, 16, 255, 35_000, 256 * 1024, 256 * 1024 + 1, 1 << 31, u32::MAX];

/// A length that may stand in a packet of that mode.
fn is_possible(raw: &Raw, length: u32) -> bool {
    let shape = raw.shape();
    let counted = length as usize + if shape.length_in_block { 4 } else { 0 };
    (6..=257 * 1024).contains(&length) && counted.is_multiple_of(shape.block_len)
}

/// Bytes for a packet whose length field says something impossible.
fn filling(raw: &Raw) -> Vec<u8> {
    let shape = raw.shape();
    vec![0; shape.block_len * 64 - 1 - if shape.length_in_block { 4 } else { 0 }]
}

#[test]
fn t06_sealed_lengths_and_paddings() {
    for mode in modes() {
        let mut passed = 0;
        for length in LENGTHS {
            for padding in [0, 3, 4, 255, length.min(255)].map(|p| p as u8) {
                let mut raw = logged_in_under(mode, Role::Client, 32 * 1024);
                let possible = is_possible(&raw, length);
                let body = if possible { vec![0; length as usize - 1] } else { filling(&raw) };
                let packet = raw.forge(length, padding, &body);
                raw.feed(&packet);
                let case = format!("{mode:?}: length {length}, padding {padding}");
                if !possible {
                    assert!(raw.end.error.is_some(), "{case}");
                    raw.assert_disconnected(reason::MAC_ERROR);
                } else if padding < 4 || u32::from(padding) + 2 > length {
                    assert!(raw.end.error.is_some(), "{case}");
                    raw.assert_disconnected(reason::PROTOCOL_ERROR);
                } else {
                    // The payload is zeros: message 0, which means nothing.
                    raw.assert_alive();
                    raw.expect(number::UNIMPLEMENTED);
                    passed += 1;
                }
            }
        }
        assert!(passed >= 1, "{mode:?}: legal ones pass");
    }
}

#[test]
fn t06_plain_lengths_and_paddings() {
    for role in crate::ROLES {
        for length in LENGTHS {
            for padding in [0, 3, 4, 255, length.min(255)].map(|p| p as u8) {
                let mut raw = Raw::of(role, Setup::default());
                raw.exchange_idents();
                let possible = is_possible(&raw, length);
                let body = if possible { vec![0; length as usize - 1] } else { filling(&raw) };
                let packet = raw.forge(length, padding, &body);
                raw.feed(&packet);
                if possible && padding >= 4 && u32::from(padding) + 2 <= length {
                    raw.assert_alive();
                } else {
                    raw.assert_disconnected(reason::PROTOCOL_ERROR);
                }
            }
        }
    }
}

#[test]
fn t06_large_legal_packets_pass_in_every_mode() {
    for mode in modes() {
        for role in crate::ROLES {
            let mut raw = logged_in_under(mode, role, 256 * 1024);
            let channel = raw.open_session();
            let mut ignore = vec![number::IGNORE];
            ignore.put_string(vec![0; 35_000 - 5]);
            assert_eq!(ignore.len(), 35_000);
            raw.send(&ignore);
            let data: Vec<u8> = (0..=255u8).cycle().take(256 * 1024).collect();
            raw.send(&sample::data(channel.theirs, &data));
            raw.assert_alive();
            assert_eq!(raw.end.data.values().next(), Some(&data));
        }
    }
}

#[test]
fn t07_one_bit_anywhere_ends_with_one_reason_and_delivers_nothing() {
    for mode in modes() {
        let len = packet_of_data(&mut fresh(mode)).len();
        for at in 0..len {
            let mut raw = fresh(mode);
            let mut packet = packet_of_data(&mut raw);
            packet[at] ^= 1 << (at % 8);
            assert_refused(&mut raw, &packet, &format!("{mode:?}: byte {at} of {len}"));
        }
    }
}

#[test]
fn t07_every_bit_of_every_tag() {
    for mode in modes() {
        let tag = fresh(mode).shape().tag_len;
        for bit in 0..tag * 8 {
            let mut raw = fresh(mode);
            let mut packet = packet_of_data(&mut raw);
            let at = packet.len() - tag + bit / 8;
            packet[at] ^= 1 << (bit % 8);
            assert_refused(&mut raw, &packet, &format!("{mode:?}: bit {bit} of the tag"));
        }
    }
}

fn fresh(mode: (CipherAlgorithm, MacAlgorithm)) -> Raw {
    let mut raw = logged_in_under(mode, Role::Client, 32 * 1024);
    raw.open_session();
    raw
}

fn packet_of_data(raw: &mut Raw) -> Vec<u8> {
    raw.seal(&sample::data(sample::CHANNEL, b"transfer 1 to bob"))
}

#[track_caller]
fn assert_refused(raw: &mut Raw, packet: &[u8], case: &str) {
    raw.feed(packet);
    if raw.end.error.is_none() {
        // The length grew: the machine waits for the rest of what it takes for one packet.
        raw.feed(&vec![0xa5; 300 * 1024]);
    }
    assert!(raw.end.data.is_empty(), "{case}: something was delivered");
    assert!(raw.end.error.is_some(), "{case}: the machine goes on");
    raw.assert_disconnected(reason::MAC_ERROR);
}

#[test]
fn t07_a_replayed_or_reordered_or_missing_packet_is_a_changed_one() {
    for mode in modes() {
        let case = |raw: &mut Raw| {
            let one = raw.seal(&sample::of(number::PING));
            let two = raw.seal(&sample::data(sample::CHANNEL, b"x"));
            (one, two)
        };
        // Missing.
        let mut raw = fresh(mode);
        let (_, two) = case(&mut raw);
        assert_refused(&mut raw, &two, "missing");
        // Out of order.
        let mut raw = fresh(mode);
        let (one, two) = case(&mut raw);
        assert_refused(&mut raw, &[two, one].concat(), "out of order");
        // Twice.
        let mut raw = fresh(mode);
        let (one, _) = case(&mut raw);
        raw.feed(&one);
        raw.expect(number::PONG);
        assert_refused(&mut raw, &one, "twice");
    }
}

fn pair() -> Pair {
    let mut setup = nacre_testkit::pair::Setup::default();
    for config in [&mut setup.client, &mut setup.server] {
        config.kex = vec![KexMethod::Curve25519];
        config.keepalive = Some(Keepalive { interval: Duration::from_secs(60), count_max: 3 });
    }
    Pair::new(setup)
}

/// Offsets of the bytes that nothing protects: padding before the first NEWKEYS.
fn plain_padding(stream: &[u8]) -> BTreeSet<usize> {
    let mut at = stream.iter().position(|b| *b == b'\n').unwrap() + 1;
    let mut offsets = BTreeSet::new();
    loop {
        let length = u32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
        let padding = usize::from(stream[at + 4]);
        offsets.extend(at + 4 + length - padding..at + 4 + length);
        if stream[at + 5] == number::NEWKEYS {
            return offsets;
        }
        at += 4 + length;
    }
}

/// One bit of every byte of one side's whole login is changed, a run for each byte.
fn tamper_with_every_byte(link: fn(&mut Pair) -> &mut nacre_testkit::link::Link, receiver_is_server: bool) {
    let mut honest = pair();
    link(&mut honest).recorded = Some(Vec::new());
    honest.log_in();
    assert!(honest.client.connection.is_authenticated());
    let stream = link(&mut honest).recorded.take().unwrap();
    let unprotected = plain_padding(&stream);
    for at in 0..stream.len() {
        let mut pair = pair();
        link(&mut pair).add(Fault::Flip { at, mask: 1 << (at % 7) });
        if unprotected.contains(&at) {
            pair.log_in();
            assert!(pair.server.connection.is_authenticated(), "padding byte {at} means nothing");
            continue;
        }
        assert!(pair.run_out(Duration::from_secs(600)), "byte {at} of {}: somebody still waits", stream.len());
        let receiver = if receiver_is_server { &pair.server } else { &pair.client };
        assert!(!receiver.connection.is_authenticated(), "byte {at} of {}: logged in", stream.len());
        assert!(pair.server.channels.is_empty() && pair.client.channels.is_empty());
    }
}

#[test]
fn t07_every_byte_of_a_clients_login_changed_in_turn() {
    tamper_with_every_byte(|pair| &mut pair.to_server, true);
}

#[test]
fn t07_every_byte_of_a_servers_login_changed_in_turn() {
    tamper_with_every_byte(|pair| &mut pair.to_client, false);
}

#[test]
fn t06_a_message_holds_its_number_at_least() {
    let mut raw = logged_in(Role::Client);
    // 16 bytes of which 15 are padding: a packet without a payload.
    let packet = raw.forge(16, 15, &[0; 15]);
    raw.feed(&packet);
    raw.assert_disconnected(reason::PROTOCOL_ERROR);
}
