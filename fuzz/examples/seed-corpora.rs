//! Seeds the corpora whose inputs are no text: `cargo run --no-default-features --example
//! seed-corpora`. Files that are there stay; those made by hand have other names.

#[path = "../../crates/net/tests/samples/mod.rs"]
mod samples;

#[path = "../../nacre/tests/samples/mod.rs"]
mod helper_samples;

use nacre_proto::algorithm::KexMethod;
use nacre_proto::{Role, TransportConfig};
use nacre_testkit::flow::{self, Entry};
use nacre_testkit::provider::NoMaths;
use nacre_testkit::{Pair, pair, sample};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn put(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), bytes).expect("a file");
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex");
    text.as_bytes().chunks(2).map(pair).collect()
}

/// The first good vector of every message, and three bad ones.
fn wire() {
    for file in ["transport", "userauth", "connection", "lists"] {
        let path = flow::folder().join("wire").join(format!("{file}.txt"));
        let text = fs::read_to_string(path).expect("vectors/wire");
        let rows = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" -> "));
        for (count, (case, expected)) in rows.enumerate() {
            let (name, hex) = case.split_once(' ').expect("a name");
            let wanted = expected.starts_with("ok") || count % 23 == 0;
            if wanted && hex.len() <= 2_000 && hex != "-" {
                put("wire_messages", &format!("{name}-{count}"), &unhex(hex));
            }
        }
    }
}

/// A conversation without arithmetic, up to a used session: what the client said, then the server.
fn conversation() -> [Vec<u8>; 2] {
    let config = || TransportConfig { kex: vec![KexMethod::Curve25519], ..TransportConfig::default() };
    let mut pair = Pair::new(pair::Setup {
        client: config(),
        server: config(),
        client_provider: Arc::new(NoMaths::new(1)),
        server_provider: Arc::new(NoMaths::new(2)),
        ..pair::Setup::default()
    });
    pair.to_server.recorded = Some(Vec::new());
    pair.to_client.recorded = Some(Vec::new());
    pair.log_in();
    let _ = pair.open_session();
    [&mut pair.to_server, &mut pair.to_client].map(|link| link.recorded.take().expect("what was said"))
}

/// Where packets end in a conversation in clear.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut at = bytes.iter().position(|b| *b == b'\n').expect("a line") + 1;
    let mut ends = vec![at];
    while let Some(head) = bytes.get(at..at + 4) {
        at += 4 + u32::from_be_bytes(head.try_into().expect("four bytes")) as usize;
        ends.push(at);
    }
    ends
}

fn streams() {
    for (target, bytes) in ["server_before_login", "client_before_login"].into_iter().zip(conversation()) {
        for (count, end) in ends(&bytes).into_iter().enumerate() {
            put(target, &format!("conversation-{count:02}"), &[&[15], &bytes[..end]].concat());
        }
        put(target, "conversation-bytes", &[&[0], &bytes[..]].concat());
    }
    for flow in flow::all() {
        let target = if flow.header.role == Role::Server { "server_before_login" } else { "client_before_login" };
        let packets = flow.entries.iter().filter_map(|entry| match entry {
            Entry::In(bytes) => Some(bytes.as_slice()),
            Entry::Out(_) => None,
        });
        let start: Vec<u8> = packets.take(4).flatten().copied().collect();
        put(target, &format!("openssh-{}", flow.header.name), &[&[40], &start[..]].concat());
    }
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let frame = |m: &Vec<u8>| [&u16::try_from(m.len()).expect("a short message").to_be_bytes()[..], m].concat();
    messages.iter().flat_map(frame).collect()
}

fn after_login() {
    for target in ["server_after_login", "client_after_login"] {
        let opening: Vec<Vec<u8>> = match target {
            "server_after_login" => vec![sample::open("session")],
            _ => vec![sample::of(91), sample::of(91)],
        };
        for number in (1..=7).chain([20, 21, 30, 31, 50, 51, 52, 60]).chain(80..=82).chain(90..=100).chain([192, 193]) {
            let messages = [opening.clone(), vec![sample::of(number), sample::of(number)]].concat();
            put(target, &format!("message-{number:03}"), &framed(&messages));
        }
        let close = [opening.clone(), vec![sample::data(0, b"x"), sample::of(96), sample::of(97), sample::of(94)]];
        put(target, "used-and-closed", &framed(&close.concat()));
        let many: Vec<Vec<u8>> = (0..40).map(|n| sample::open_with("session", n, 10, 10)).collect();
        put(target, "many-channels", &framed(&many));
        let tiny = [vec![sample::open_with("session", 0, 0, 1)], vec![sample::of(93), sample::of(93)]].concat();
        put(target, "no-window", &framed(&tiny));
        let endless = [opening, vec![sample::data(0, &vec![7; 30_000]); 3]].concat();
        put(target, "much-data", &framed(&endless));
    }
}

/// Every message between the server's own processes; those to a monitor behind what must come before.
fn privsep() {
    let to_monitor: Vec<Vec<u8>> = samples::to_monitor().iter().map(|message| message.to_bytes().to_vec()).collect();
    for (count, message) in to_monitor.iter().enumerate() {
        let messages = [to_monitor[0].clone(), to_monitor[1].clone(), message.clone()];
        put("privsep_to_monitor", &format!("message-{count:02}"), &framed(&messages));
    }
    put("privsep_to_monitor", "all", &framed(&to_monitor));
    for (count, message) in samples::from_monitor().iter().enumerate() {
        put("privsep_from_monitor", &format!("message-{count:02}"), &message.to_bytes());
    }
    for (count, message) in helper_samples::to_helper().iter().enumerate() {
        put("privsep_to_helper", &format!("message-{count:02}"), &message.to_bytes());
    }
    for (count, message) in helper_samples::from_helper().iter().enumerate() {
        put("privsep_from_helper", &format!("message-{count:02}"), &message.to_bytes());
    }
}

fn main() {
    privsep();
    wire();
    streams();
    after_login();
}
