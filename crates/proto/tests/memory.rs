//! What a peer can make a machine keep, in bytes, counted by the allocator: T4, T6, T17, T18, C4,
//! H10. One test at a time, because the count is of the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)]

use flate2::{Compress, Compression, FlushCompress};
use nacre_proto::algorithm::{CipherAlgorithm, CompressionMethod, MacAlgorithm};
use nacre_proto::{Role, Stream};
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::sample;
use nacre_wire::message::{
    ChannelOpen, ChannelOpenConfirmation, ChannelOpenFailure, ChannelRequest, Debug, Disconnect, GlobalRequest,
    KexEcdhInit, KexEcdhReply, KexInit, Message, Ping, ServiceAccept, ServiceRequest, UserauthBanner, UserauthFailure,
    UserauthPasswdChangereq, UserauthPkOk, UserauthRequest,
};
use nacre_wire::session::{SessionRequest, decode_modes};
use nacre_wire::userauth::{self, InfoRequest, PasswordRequest, PublicKeyRequest};
use nacre_wire::{Reader, WriteExt, ext_info, number};
use peak_alloc::PeakAlloc;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most bytes alive at once during `work`, beyond those before it.
fn peak<R>(work: impl FnOnce() -> R) -> (usize, R) {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = work();
    (HEAP.peak_usage().saturating_sub(before), result)
}

fn quiet() -> Setup {
    let mut setup = Setup::default();
    setup.policy.logs = false;
    setup
}

fn logged_in(role: Role, setup: Setup) -> Raw {
    let mut raw = Raw::of(role, setup);
    raw.log_in();
    raw
}

#[test]
fn t06_an_impossible_length_costs_nothing() {
    let _alone = alone();
    for cipher in CipherAlgorithm::ALL {
        for mac in MacAlgorithm::ALL {
            for length in [0u32, 1, 5, 256 * 1024 + 1025, 1 << 24, 1 << 31, u32::MAX - 1, u32::MAX] {
                let mut setup = quiet();
                setup.config.macs = vec![*mac];
                let mut raw = Raw::client(setup);
                raw.offer.ciphers = vec![cipher.name().into()];
                raw.offer.macs = vec![mac.name().into()];
                raw.log_in();
                let shape = raw.shape();
                let body = vec![0; shape.block_len * 4 - 1 - if shape.length_in_block { 4 } else { 0 }];
                let packet = raw.forge(length, 4, &body);
                let (bytes, ()) = peak(|| raw.feed(&packet));
                assert!(raw.end.error.is_some(), "{cipher} {mac} {length}");
                assert!(bytes < 16 * 1024, "{cipher} {mac} {length}: {bytes} bytes");
            }
        }
    }
    for role in ROLES {
        for length in [0u32, 1 << 24, 1 << 31, u32::MAX] {
            let mut raw = Raw::of(role, quiet());
            raw.exchange_idents();
            let packet = raw.forge(length, 4, &[0; 27]);
            let (bytes, ()) = peak(|| raw.feed(&packet));
            assert!(raw.end.error.is_some() && bytes < 16 * 1024, "{bytes} bytes");
        }
    }
}

#[test]
fn t06_half_a_packet_costs_what_was_sent_of_it() {
    let _alone = alone();
    let mut raw = logged_in(Role::Client, quiet());
    let mut ignore = vec![number::IGNORE];
    ignore.put_string(vec![0; 250 * 1024]);
    let packet = raw.seal(&ignore);
    let (bytes, ()) = peak(|| raw.feed(&packet[..1000]));
    assert!(bytes < 16 * 1024, "{bytes} bytes");
    raw.feed(&packet[1000..]);
    raw.assert_alive();
}

#[test]
fn t04_a_rekey_that_never_ends_keeps_what_the_application_wrote_within_its_bound() {
    let _alone = alone();
    for role in ROLES {
        let mut raw = logged_in(role, quiet());
        let channel = raw.open_session_with(u32::MAX, 32 * 1024);
        raw.send_kexinit();
        let piece = vec![7; 64 * 1024];
        let (bytes, taken) = peak(|| {
            let mut taken = 0;
            // A gigabyte is offered.
            for _ in 0..16 * 1024 {
                let now = raw.now;
                let mut c = raw.end.connection.channel(channel.local).unwrap();
                taken += c.write(Stream::Main, &piece);
                let mut out = nacre_proto::TransmitBuffer::new();
                raw.end.connection.poll_transmit(now, &mut out, 1 << 20).unwrap();
            }
            taken
        });
        assert!(taken <= 256 * 1024, "{taken} bytes were taken");
        assert!(bytes < 1 << 20, "{bytes} bytes");
    }
}

#[test]
fn t17_pings_before_login_are_never_answered() {
    let _alone = alone();
    let ping = sample::of(number::PING);
    for role in ROLES {
        for sealed in [false, true] {
            let mut raw = Raw::of(role, quiet());
            raw.offer.strict = false;
            if sealed {
                raw.handshake()
            } else {
                raw.exchange_idents()
            }
            let _ = if sealed { raw.numbers() } else { Vec::new() };
            let flood: Vec<u8> = (0..10_000).flat_map(|_| raw.seal(&ping)).collect();
            let (bytes, ()) = peak(|| raw.feed(&flood));
            assert!(raw.end.error.is_some());
            assert!(bytes < flood.len() * 2 + 16 * 1024, "{bytes} bytes");
        }
    }
}

#[test]
fn t17_pings_while_keys_are_exchanged_have_an_end() {
    let _alone = alone();
    for role in ROLES {
        for data in [&b""[..], &[7; 10_000]] {
            let mut raw = logged_in(role, quiet());
            let now = raw.now;
            raw.end.connection.rekey(now).unwrap();
            raw.settle();
            let ping = Ping { data }.to_bytes();
            let batch: Vec<&[u8]> = vec![&ping; 100];
            let (bytes, sent) = peak(|| {
                let mut sent = 0;
                while raw.end.error.is_none() && sent < 1_000_000 {
                    raw.send_all(batch.iter().copied());
                    sent += batch.len();
                }
                sent
            });
            assert!(sent < 1_000_000, "there is no end");
            // The answers are bounded in bytes; the smallest weigh a few words more each.
            assert!(bytes < 24 << 20, "{bytes} bytes");
        }
    }
}

#[test]
fn t17_a_million_pings_after_login_are_answered_and_kept_by_nobody() {
    let _alone = alone();
    let ping = sample::of(number::PING);
    let batch: Vec<&[u8]> = vec![&ping; 1_000];
    let mut raw = logged_in(Role::Client, quiet());
    let (bytes, ()) = peak(|| {
        for _ in 0..1_000 {
            raw.send_all(batch.iter().copied());
            let answers = raw.numbers();
            assert!(answers.len() == 1_000 && answers.iter().all(|n| *n == number::PONG));
        }
    });
    raw.assert_alive();
    assert!(bytes < 2 << 20, "{bytes} bytes");
}

#[test]
fn c04_a_million_refused_channels_leave_nothing_behind() {
    let _alone = alone();
    let mut setup = quiet();
    setup.policy.grants = false;
    let mut raw = logged_in(Role::Client, setup);
    let open = sample::open("session");
    let batch: Vec<&[u8]> = vec![&open; 1_000];
    let (bytes, ()) = peak(|| {
        for _ in 0..1_000 {
            raw.send_all(batch.iter().copied());
            assert_eq!(raw.numbers(), [number::CHANNEL_OPEN_FAILURE; 1_000]);
        }
    });
    raw.assert_alive();
    assert_eq!(raw.end.connection.channel_count(), 0);
    // A thousand undecided ones stand at once in this flight; nothing of them stays.
    assert!(bytes < 8 << 20, "{bytes} bytes");
}

#[test]
fn h10_a_million_replies_nobody_asked_for_leave_nothing_behind() {
    let _alone = alone();
    let mut raw = logged_in(Role::Server, quiet());
    raw.open_session();
    let success = sample::of(number::CHANNEL_SUCCESS);
    let batch: Vec<&[u8]> = vec![&success; 1_000];
    let (bytes, ()) = peak(|| {
        for _ in 0..1_000 {
            raw.send_all(batch.iter().copied());
        }
    });
    raw.assert_alive();
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

#[test]
fn p03_a_connection_before_its_key_exchange_is_small() {
    let _alone = alone();
    let before = HEAP.current_usage();
    let idle: Vec<Raw> = (0..2_000).map(|_| Raw::client(quiet())).collect();
    let each = (HEAP.current_usage() - before) / idle.len();
    // That includes the raw peer and what the tests remember of it.
    assert!(each < 16 * 1024, "{each} bytes each");
}

/// Reads something and says whether it could.
type Decoder = (&'static str, Box<dyn Fn(&[u8]) -> bool>);

fn decoder(name: &'static str, decode: impl Fn(&[u8]) -> bool + 'static) -> Decoder {
    (name, Box::new(decode))
}

macro_rules! message_decoders {
    ($($message:ident),+ $(,)?) => { [$(decoder(stringify!($message), |b| $message::decode(b).is_ok())),+] };
}

/// Every decoder that reads a length or a count, and a good input for it.
fn decoders() -> Vec<(Decoder, Vec<u8>)> {
    let messages = message_decoders![
        Disconnect,
        Debug,
        ServiceRequest,
        ServiceAccept,
        KexInit,
        KexEcdhInit,
        KexEcdhReply,
        UserauthRequest,
        UserauthFailure,
        UserauthBanner,
        UserauthPasswdChangereq,
        UserauthPkOk,
        GlobalRequest,
        ChannelOpen,
        ChannelOpenConfirmation,
        ChannelOpenFailure,
        ChannelRequest,
        Ping,
    ];
    let numbers = [1, 4, 5, 6, 20, 30, 31, 50, 51, 53, 60, 60, 80, 90, 91, 92, 98, 192];
    let mut all: Vec<(Decoder, Vec<u8>)> = messages.into_iter().zip(numbers.map(sample::of)).collect();
    let mut key = Vec::new();
    PublicKeyRequest { algorithm: b"ssh-ed25519", public_key: &[7; 51], host_key: Some(&[8; 51]), signature: None }
        .encode_unsigned(false, &mut key);
    let mut password = Vec::new();
    PasswordRequest { password: b"old", new_password: Some(b"new") }.encode(&mut password);
    let prompt = userauth::Prompt { text: b"Code: ".to_vec(), echo: false };
    let prompts = InfoRequest { prompts: vec![prompt; 3], ..Default::default() };
    let mut text = Vec::new();
    text.put_string("xterm");
    (0..4).for_each(|_| text.put_u32(80));
    text.put_string([53, 0, 0, 0, 1, 0]);
    let mut mpint = Vec::new();
    mpint.put_mpint(&[0x80; 40]);
    let exts = ext_info::encode(&[("a", b"b"), ("c", b"d")]);
    all.extend([
        (decoder("publickey", |b| PublicKeyRequest::decode(b, true).is_ok()), key),
        (decoder("password", |b| PasswordRequest::decode(b).is_ok()), password),
        (decoder("keyboard-interactive", |b| userauth::decode_keyboard_interactive(b).is_ok()), vec![0; 8]),
        (decoder("INFO_REQUEST", |b| InfoRequest::decode(b).is_ok()), prompts.to_bytes()),
        (decoder("INFO_RESPONSE", |b| userauth::decode_info_response(b, 1).is_ok()), sample::of(61)),
        (decoder("EXT_INFO", |b| ext_info::decode(b).is_ok()), exts),
        (decoder("pty-req", |b| SessionRequest::decode(b"pty-req", b).is_ok()), text),
        (decoder("modes", |b| !decode_modes(b).is_empty()), vec![53, 0, 0, 0, 1, 54, 0, 0, 0, 2]),
        (decoder("mpint", |b| Reader::new(b).mpint("m").is_ok()), mpint),
    ]);
    for kind in ["env", "exec", "subsystem", "signal", "exit-signal", "break", "exit-status", "window-change"] {
        let mut input = Vec::new();
        match kind {
            "env" => {
                input.put_string("LANG");
                input.put_string("C");
            }
            "exit-signal" => {
                input.put_string("TERM");
                input.put_bool(false);
                input.put_string("text");
                input.put_string("");
            }
            "break" | "exit-status" => input.put_u32(1),
            "window-change" => (0..4).for_each(|_| input.put_u32(80)),
            _ => input.put_string("TERM"),
        }
        all.push((decoder(kind, |b| SessionRequest::decode(kind.as_bytes(), b).is_ok()), input));
    }
    all
}

#[test]
fn t18_no_length_or_count_makes_a_decoder_allocate_more_than_the_message() {
    let _alone = alone();
    for ((name, decode), good) in decoders() {
        assert!(decode(&good), "{name}: the good input is good");
        let mut refused = 0;
        for at in 0..good.len().saturating_sub(3) {
            for value in [u32::MAX, u32::MAX - 1, 1 << 31, (1 << 31) - 1, 1 << 24, 1025] {
                let mut bad = good.clone();
                bad[at..at + 4].copy_from_slice(&value.to_be_bytes());
                let (bytes, ok) = peak(|| decode(&bad));
                refused += usize::from(!ok);
                // A list of small items weighs a few words an item more than on the wire.
                assert!(bytes <= 8 * good.len() + 64, "{name}: {bytes} bytes for {} at {at}", good.len());
            }
        }
        let numbers_only = ["modes", "break", "exit-status", "window-change"].contains(&name);
        assert!(refused > 0 || numbers_only, "{name}: lengths are checked");
        for cut in 0..good.len() {
            let (bytes, _) = peak(|| decode(&good[..cut]));
            assert!(bytes <= 8 * good.len() + 64, "{name}: {bytes} bytes for a message cut at {cut}");
        }
    }
}

#[test]
fn t18_messages_with_lying_lengths_cost_a_machine_nothing() {
    let _alone = alone();
    for role in ROLES {
        for number in 0..=255u8 {
            let good = sample::of(number);
            for at in 1..good.len().saturating_sub(3) {
                if at > 40 {
                    break;
                }
                let mut bad = good.clone();
                bad[at..at + 4].copy_from_slice(&[0xff; 4]);
                let mut raw = logged_in(role, quiet());
                raw.open_session();
                let packet = raw.seal(&bad);
                let (bytes, ()) = peak(|| raw.feed(&packet));
                assert!(bytes < 32 * 1024, "message {number} at {at}: {bytes} bytes");
            }
        }
    }
}

/// A machine that inflates what it is sent.
fn inflating() -> Raw {
    let mut setup = quiet();
    setup.config.compression = CompressionMethod::ALL.to_vec();
    let mut raw = Raw::client(setup);
    raw.offer.compression[0] = "zlib@openssh.com".into();
    raw.log_in();
    raw
}

#[test]
fn t15_a_bomb_costs_less_than_a_megabyte() {
    let _alone = alone();
    let mut raw = inflating();
    let mut stream = Compress::new(Compression::best(), true);
    let mut bomb = vec![0; 257 * 1024];
    stream.compress(&vec![0; 250 << 20], &mut bomb, FlushCompress::Sync).unwrap();
    bomb.truncate(stream.total_out() as usize);
    let packet = raw.seal(&bomb);
    drop(bomb);
    let (bytes, ()) = peak(|| raw.feed(&packet));
    assert!(raw.end.error.is_some());
    // The packet itself, what is inflated of it until it is too large, and a copy of either in the test's own end.
    assert!(bytes < packet.len() + (1 << 20), "{bytes} bytes");
}

#[test]
fn t15_streams_of_a_compressed_connection_are_bounded_and_those_of_others_are_not_there() {
    let _alone = alone();
    let cost = |compression: [&str; 2]| {
        let mut setup = quiet();
        setup.config.compression = CompressionMethod::ALL.to_vec();
        peak(|| {
            let mut raw = Raw::client(setup);
            raw.offer.compression = compression.map(str::to_owned);
            raw.log_in();
            raw
        })
        .0
    };
    let plain = cost(["none", "none"]);
    let compressed = cost(["zlib@openssh.com", "none"]);
    assert!(compressed <= plain + 64 * 1024, "inflating costs {}", compressed - plain);
    let both = cost(["zlib@openssh.com", "zlib@openssh.com"]);
    println!("inflating costs {}, both ways {}", compressed - plain, both - plain);
    assert!(both <= plain + 512 * 1024, "both ways cost {}", both - plain);
    let mut raw = inflating();
    let mut stream = Compress::new(Compression::best(), true);
    raw.deflate_with(move |payload| {
        let before = stream.total_out() as usize;
        let mut out = vec![0; payload.len() + 1024];
        stream.compress(payload, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(stream.total_out() as usize - before);
        out
    });
    let mut ignore = vec![number::IGNORE];
    ignore.put_string(vec![0; 256 * 1024]);
    let (bytes, ()) = peak(|| (0..1_000).for_each(|_| raw.send(&ignore)));
    raw.assert_alive();
    assert!(bytes < 2 << 20, "{bytes} bytes after 256 MB");
    // All at once, as one read may bring them, of a kind that waits for whoever takes events.
    let mut request = vec![number::GLOBAL_REQUEST];
    request.put_string(b"nothing that is known");
    request.put_bool(false);
    request.extend_from_slice(&[0; 200 * 1024]);
    let packets: Vec<u8> = (0..500).flat_map(|_| raw.seal(&request)).collect();
    assert!(packets.len() < 256 * 1024, "{} bytes", packets.len());
    let (bytes, ()) = peak(|| raw.feed(&packets));
    raw.assert_alive();
    assert!(bytes < 4 << 20, "{bytes} bytes for requests of 100 MB");
}
