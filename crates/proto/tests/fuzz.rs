//! Recorded conversations, changed at random and played to both machines: no panic, no endless
//! loop, and afterwards the machine is over or still answers (T18). The seed is fixed, so a run
//! that fails fails again; `NACRE_FUZZ_ROUNDS` and `NACRE_FUZZ_SEED` make longer and other runs.
//!
//! The cryptography is the one without arithmetic: packets in clear, every signature good. A
//! mutation is therefore not stopped by a tag but reaches the code behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)]

use nacre_proto::login::client::Attempt;
use nacre_proto::{Connection, Role, Stream};
use nacre_testkit::mutate::{Rng, mutate_message};
use nacre_testkit::provider::NoMaths;
use nacre_testkit::raw::{Raw, Setup};
use nacre_testkit::{End, Pair, sample};
use nacre_wire::session::{SessionRequest, WindowSize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Changed conversations to each machine.
const ROUNDS: u64 = 50_000;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().expect("a number"))
}

/// What the owner of an end does once it can; a function of what happened, so that a replay does
/// the same.
#[derive(Default)]
struct Script {
    opened: bool,
    used: usize,
}

impl Script {
    fn act(&mut self, end: &mut End, role: Role, now: Instant) {
        if !end.connection.is_authenticated() {
            return;
        }
        if role == Role::Client && !std::mem::replace(&mut self.opened, true) {
            for kind in ["session", "session", "direct-tcpip"] {
                let _ = end.connection.open_channel(now, kind, b"");
            }
            let _ = end.connection.global_request(now, "tcpip-forward", b"", true);
        }
        for id in end.channels.clone().into_iter().skip(self.used) {
            self.used += 1;
            if let Some(mut channel) = end.connection.channel(id) {
                use_channel(&mut channel, role, now);
                // One channel each is closed at once, so that data meets closed and open ones.
                if self.used == if role == Role::Client { 1 } else { 3 } {
                    channel.close();
                }
            }
            if self.used == 2 {
                let _ = end.connection.rekey(now);
            }
        }
    }
}

fn use_channel(channel: &mut nacre_proto::ChannelMut<'_>, role: Role, now: Instant) {
    if role == Role::Client {
        let size = WindowSize { columns: 80, rows: 24, width: 0, height: 0 };
        let modes = vec![(53, 1), (128, 38_400)];
        let _ = channel.request(now, &SessionRequest::PtyReq { term: "xterm".into(), size, modes }, true);
        let _ = channel.request(now, &SessionRequest::Env { name: b"LANG".to_vec(), value: b"C".to_vec() }, false);
        let _ = channel.request(now, &SessionRequest::Exec { command: b"cat".to_vec() }, true);
        channel.write(Stream::Main, b"some words to send");
        channel.eof();
    } else {
        channel.write(Stream::Main, b"some words back");
        channel.write(Stream::Stderr, b"and an error");
        let _ = channel.request(now, &SessionRequest::ExitStatus { status: 1 }, false);
        channel.eof();
    }
}

fn setup() -> Setup {
    let mut setup = Setup { provider: Arc::new(NoMaths::new(1)), ..Setup::default() };
    setup.policy.methods = vec![vec!["publickey".into(), "keyboard-interactive".into(), "password".into()]];
    let key = setup.policy.attempts[1].clone();
    setup.policy.attempts = vec![
        Attempt::None,
        key,
        Attempt::KeyboardInteractive(String::new()),
        Attempt::Password(nacre_proto::crypto::SecretBytes::new(b"correct horse".to_vec())),
    ];
    setup.policy.banner = Some(b"welcome".to_vec());
    setup
}

/// A conversation from the first byte to closed channels: what the client said, then the server.
fn recorded() -> [Vec<u8>; 2] {
    let mut setup_of_pair = nacre_testkit::pair::Setup {
        client_policy: setup().policy,
        server_policy: setup().policy,
        client_provider: Arc::new(NoMaths::new(1)),
        server_provider: Arc::new(NoMaths::new(2)),
        ..Default::default()
    };
    setup_of_pair.client = setup().config;
    setup_of_pair.server = setup().config;
    let mut pair = Pair::new(setup_of_pair);
    pair.to_server.recorded = Some(Vec::new());
    pair.to_client.recorded = Some(Vec::new());
    let (mut client, mut server) = (Script::default(), Script::default());
    for _ in 0..200 {
        pair.step();
        let now = pair.now;
        client.act(&mut pair.client, Role::Client, now);
        server.act(&mut pair.server, Role::Server, now);
    }
    assert_eq!((&pair.client.error, &pair.server.error), (&None, &None));
    assert!(pair.client.log.iter().any(|line| line.starts_with("closed")), "{:?}", pair.client.log);
    [pair.to_server.recorded.take().unwrap(), pair.to_client.recorded.take().unwrap()]
}

/// A conversation as its identification line and its payloads.
#[derive(Clone)]
struct Flow {
    line: Vec<u8>,
    payloads: Vec<Vec<u8>>,
}

impl Flow {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        let (line, mut rest) = bytes.split_at(end);
        let mut payloads = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let padding = usize::from(rest[4]);
            payloads.push(rest[5..4 + length - padding].to_vec());
            rest = &rest[4 + length..];
        }
        Self { line: line.to_vec(), payloads }
    }

    /// The pieces as they go over the wire, one for each packet.
    fn pieces(&self) -> Vec<Vec<u8>> {
        let packets = self.payloads.iter().map(|payload| {
            let mut padding = 8 - (5 + payload.len()) % 8;
            if padding < 4 {
                padding += 8;
            }
            let length = (1 + payload.len() + padding) as u32;
            [&length.to_be_bytes()[..], &[padding as u8], payload, &vec![0; padding]].concat()
        });
        std::iter::once(self.line.clone()).chain(packets).collect()
    }

    /// One change inside a message, or of the order of messages.
    fn mutate(&mut self, rng: &mut Rng, other: &Self) {
        if self.payloads.is_empty() || rng.below(60) == 0 {
            let at = rng.below(self.line.len());
            self.line[at] = rng.byte();
            return;
        }
        let at = rng.below(self.payloads.len());
        match rng.below(12) {
            0 => self.payloads.swap(at, rng.below(at + 1)),
            1 => {
                let copy = self.payloads[at].clone();
                self.payloads.insert(rng.below(at + 1), copy);
            }
            2 => {
                self.payloads.remove(at);
            }
            3 => {
                let message = sample::of(rng.byte());
                self.payloads.insert(at, message);
            }
            4 if !other.payloads.is_empty() => {
                let message = other.payloads[rng.below(other.payloads.len())].clone();
                self.payloads.insert(at, message);
            }
            _ => mutate_message(&mut self.payloads[at], rng),
        }
    }
}

/// What came of a replay.
struct Played {
    raw: Raw,
    authenticated: bool,
}

/// Plays pieces to a fresh machine.
fn play(machine: Role, pieces: &[Vec<u8>], rng: &mut Rng) -> Played {
    let mut raw = Raw::of(machine.peer(), setup());
    let mut script = Script::default();
    let mut authenticated = false;
    let together = 1 + rng.below(3);
    for pieces in pieces.chunks(together) {
        let bytes = pieces.concat();
        // Sometimes a packet comes in two halves.
        let cut = if rng.below(4) == 0 { rng.below(bytes.len() + 1) } else { bytes.len() };
        raw.feed(&bytes[..cut]);
        raw.feed(&bytes[cut..]);
        let now = raw.now;
        script.act(&mut raw.end, machine, now);
        authenticated |= raw.end.connection.is_authenticated();
        if raw.end.error.is_some() {
            break;
        }
    }
    raw.settle();
    Played { raw, authenticated }
}

/// However it came, the machine can be brought to its end.
fn bring_to_its_end(raw: &mut Raw) {
    let now = raw.now;
    raw.end.receive_eof(now);
    raw.settle();
    if raw.end.error.is_none() {
        raw.advance(Duration::from_secs(1_000));
    }
    let c: &Connection = &raw.end.connection;
    assert!(c.error().is_some() && c.is_finished(), "it goes on after the end of the stream: {:?}", raw.end.log);
    assert!(raw.end.error.is_some());
}

fn check(machine: Role) {
    let [client, server] = recorded();
    let (mine, theirs) = match machine {
        Role::Server => (Flow::parse(&client), Flow::parse(&server)),
        Role::Client => (Flow::parse(&server), Flow::parse(&client)),
    };
    let rounds = setting("NACRE_FUZZ_ROUNDS", ROUNDS);
    let mut rng = Rng::new(setting("NACRE_FUZZ_SEED", 0x5eed) + machine as u64);
    // As it was recorded it leads all the way: the mutations start from something deep.
    let mut whole = play(machine, &mine.pieces(), &mut rng);
    assert!(whole.authenticated, "{:?} {:?}", whole.raw.end.error, whole.raw.end.log);
    assert_eq!(whole.raw.end.error, None);
    assert!(whole.raw.end.data.len() >= 2, "data arrived");
    bring_to_its_end(&mut whole.raw);
    let (mut ended, mut logged_in) = (0, 0);
    for _ in 0..rounds {
        let mut flow = mine.clone();
        for _ in 0..=rng.below(2) {
            flow.mutate(&mut rng, &theirs);
        }
        let mut pieces = flow.pieces();
        if rng.below(8) == 0 {
            // The packet itself is wrong: its length, its padding, anything.
            let at = rng.below(pieces.len());
            mutate_message(&mut pieces[at], &mut rng);
        }
        let mut played = play(machine, &pieces, &mut rng);
        ended += u64::from(played.raw.end.error.is_some());
        logged_in += u64::from(played.authenticated);
        bring_to_its_end(&mut played.raw);
    }
    // All outcomes are common, or the changes are too wild or too tame to be worth the time.
    let usual = rounds / 10..rounds * 19 / 20;
    assert!(usual.contains(&ended) && usual.contains(&logged_in), "{ended} ended, {logged_in} logged in");
}

#[test]
fn t18_fifty_thousand_changed_conversations_to_a_server() {
    check(Role::Server);
}

#[test]
fn t18_fifty_thousand_changed_conversations_to_a_client() {
    check(Role::Client);
}
