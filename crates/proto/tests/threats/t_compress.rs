//! T15: compression that a peer abuses. The raw peer deflates by itself; what the machine sends back is plain.

use crate::{ROLES, reason};
use flate2::{Compress, Compression, FlushCompress};
use nacre_proto::algorithm::CompressionMethod;
use nacre_proto::error::{Limit, Misbehaviour};
use nacre_proto::{Error, Role, Stream};
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::sample;
use nacre_wire::message::{ChannelData, Message};
use nacre_wire::{WriteExt, number};

/// A peer that has logged in; what it sends from now on has to be deflated.
fn logged_in_deflating(role: Role) -> Raw {
    let mut setup = Setup::default();
    setup.config.compression = CompressionMethod::ALL.to_vec();
    if role == Role::Server {
        // The machine is the client, whose wish comes first.
        setup.config.compression.reverse();
    }
    let mut raw = Raw::of(role, setup);
    let place = if role == Role::Client { 0 } else { 1 };
    raw.offer.compression[place] = "zlib@openssh.com".into();
    raw.log_in();
    raw
}

struct Zip(Compress);

impl Zip {
    fn new() -> Self {
        Self(Compress::new(Compression::best(), true))
    }

    fn with(&mut self, payload: &[u8], flush: FlushCompress) -> Vec<u8> {
        let before = self.0.total_out() as usize;
        let mut out = vec![0; payload.len() + 1024];
        self.0.compress(payload, &mut out, flush).unwrap();
        out.truncate(self.0.total_out() as usize - before);
        out
    }

    fn of(&mut self, payload: &[u8]) -> Vec<u8> {
        self.with(payload, FlushCompress::Sync)
    }
}

#[test]
fn t15_a_bomb_ends_the_connection() {
    for role in ROLES {
        let mut raw = logged_in_deflating(role);
        let bomb = Zip::new().of(&vec![0; 250 << 20]);
        assert!((240 * 1024..256 * 1024).contains(&bomb.len()), "{} bytes", bomb.len());
        raw.send(&bomb);
        assert_eq!(raw.end.error, Some(Error::Limit(Limit::Inflated)));
        raw.assert_disconnected(reason::PROTOCOL_ERROR);
    }
}

#[test]
fn t15_legal_packets_of_any_ratio_come_whole() {
    for role in ROLES {
        let mut raw = logged_in_deflating(role);
        let mut zip = Zip::new();
        let mut ignore = vec![number::IGNORE];
        ignore.put_string(b"before the channel");
        raw.send(&zip.of(&ignore));
        raw.assert_alive();
        if role == Role::Server {
            continue;
        }
        raw.send(&zip.of(&sample::open_with("session", 100, 1 << 20, 32 * 1024)));
        raw.expect(number::CHANNEL_OPEN_CONFIRMATION);
        let local = *raw.end.channels.last().unwrap();
        let text: Vec<u8> = (0..=255u8).cycle().take(200_000).map(|b| b.wrapping_mul(31) ^ (b >> 3)).collect();
        let mut sent = Vec::new();
        // A flush of zlib's other kinds ends a packet as well.
        for flush in [FlushCompress::Sync, FlushCompress::Partial, FlushCompress::Full] {
            for data in [&vec![0; 200_000][..], &text, b"x", &[7; 3]] {
                let message = ChannelData { recipient: local.number(), data };
                let packed = zip.with(&message.to_bytes(), flush);
                raw.send(&packed);
                sent.extend_from_slice(data);
                raw.assert_alive();
            }
        }
        assert!(raw.end.data[&(local.number(), Stream::Main)] == sent);
    }
}

#[test]
fn t15_packets_that_hold_nothing_end_the_connection() {
    let marker: &[u8] = &[0, 0, 0, 0xff, 0xff];
    for role in ROLES {
        for packed in [marker, b"\x78\x9c", b"garbage and more of it", b"\x02\0\0\0\0", b"\x5e\0\0\0\0\0\0\0\x01x"] {
            let mut raw = logged_in_deflating(role);
            raw.send(packed);
            assert_eq!(raw.end.error, Some(Error::PeerMisbehaved(Misbehaviour::BadCompression)), "{packed:?}");
            raw.assert_disconnected(reason::PROTOCOL_ERROR);
        }
        let mut raw = logged_in_deflating(role);
        let packet = raw.forge(16, 15, &[0; 15]);
        raw.feed(&packet);
        assert_eq!(raw.end.error, Some(Error::PeerMisbehaved(Misbehaviour::BadPacketLength)));
    }
}

#[test]
fn t15_each_set_of_keys_begins_a_stream() {
    for fresh in [true, false] {
        let mut raw = logged_in_deflating(Role::Client);
        let mut zip = Zip::new();
        let mut ignore = vec![number::IGNORE];
        ignore.put_string([b'a'; 100]);
        raw.send(&zip.of(&ignore));
        raw.deflate_with(move |payload| zip.of(payload));
        raw.rekey();
        if fresh {
            let mut zip = Zip::new();
            raw.deflate_with(move |payload| zip.of(payload));
        }
        raw.send(&ignore);
        let wanted = (!fresh).then_some(Error::PeerMisbehaved(Misbehaviour::BadCompression));
        assert_eq!(raw.end.error, wanted);
    }
}

#[test]
fn t15_plain_zlib_is_refused_by_either_role() {
    for role in ROLES {
        let mut setup = Setup::default();
        setup.config.compression = CompressionMethod::ALL.to_vec();
        let mut raw = Raw::of(role, setup);
        raw.offer.compression = ["zlib".into(), "zlib".into()];
        raw.exchange_idents();
        let theirs = raw.recv_kexinit();
        let offer = String::from_utf8_lossy(&theirs).into_owned();
        assert!(offer.contains("none,zlib@openssh.com") && !offer.contains("zlib,"), "{offer}");
        raw.send_kexinit();
        assert!(matches!(raw.end.error, Some(Error::PeerIncompatible(_))));
    }
}
