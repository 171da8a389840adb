//! ObscureKeystrokeTiming, seen from the line (threat H12): what one sees who counts and times the client's packets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/person.rs"]
mod person;
#[path = "common/serve.rs"]
mod serve;

use common::Scratch;
use person::Person;
use serve::{Server, make_key};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// When the client sent something, and how many bytes.
type Seen = Arc<Mutex<Vec<(Instant, usize)>>>;

/// Passes one connection on and notes what the client sends.
fn watch(to: u16) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Seen::default());
    let notes = seen.clone();
    spawn(move || {
        let mut client = listener.accept().unwrap().0;
        let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        for end in [&client, &server] {
            end.set_nodelay(true).unwrap();
        }
        let (mut from, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        spawn(move || std::io::copy(&mut from, &mut back));
        let mut bytes = [0; 65536];
        while let Ok(n @ 1..) = client.read(&mut bytes) {
            notes.lock().unwrap().push((Instant::now(), n));
            if server.write_all(&bytes[..n]).is_err() {
                break;
            }
        }
    });
    (port, seen)
}

struct Typing {
    keys: usize,
    packets: Vec<(Instant, usize)>,
}

/// Types a word at a pace of its own, waits until its echo is there, and says what the line saw of it.
fn type_a_word(server: &Server, place: &Scratch, option: &str) -> Typing {
    let (port, seen) = watch(server.port);
    let id = place.path("id").display().to_string();
    let known = format!("UserKnownHostsFile={}", place.path("known").display());
    let port = port.to_string();
    let words = [
        "ssh",
        "-F",
        "none",
        "-p",
        &port,
        "-i",
        &id,
        "-o",
        option,
        "-o",
        &known,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "GlobalKnownHostsFile=none",
        "-tt",
        "127.0.0.1",
        "cat",
    ];
    let mut person = Person::runs(place.root(), &words);
    // The first line is the end of all that a login sends.
    person.types("ready");
    person.sees("ready\r\nready\r\n");
    sleep(Duration::from_millis(100));
    seen.lock().unwrap().clear();
    let word = "obscured";
    for (place, pause) in [33, 71, 12, 57, 5, 91, 38, 64].into_iter().enumerate() {
        person.presses(&word.as_bytes()[place..=place]);
        sleep(Duration::from_millis(pause));
    }
    person.sees(word);
    // Chaff goes on for a second at the least.
    sleep(Duration::from_millis(700));
    let packets = seen.lock().unwrap().clone();
    person.presses(b"\x04\x04");
    Typing { keys: word.len(), packets }
}

/// Types a word with ticks 50 ms apart: within how many microseconds of one place of the tick most packets left. None:
/// there were too few, for the machine did something else.
fn spread_of_a_word(server: &Server) -> Option<u128> {
    let tick = 50_000;
    let hidden = type_a_word(server, &server.place, "ObscureKeystrokeTiming=interval:50");
    // Each packet is as long as each other, and there are many that are no key.
    if hidden.packets.len() <= hidden.keys + 4 {
        return None;
    }
    let lengths: std::collections::BTreeSet<usize> = hidden.packets.iter().map(|(_, length)| *length).collect();
    let one = *lengths.first().unwrap();
    // One that is late meets the next: together they are twice as long.
    assert!(lengths.iter().all(|length| length % one == 0), "{lengths:?}");
    let first = hidden.packets[0].0;
    let mut late: Vec<u128> =
        hidden.packets.iter().map(|(at, _)| at.duration_since(first).as_micros() % tick).collect();
    late.sort_unstable();
    let width = late.len() * 6 / 10;
    let spreads = (0..late.len()).map(|from| {
        let to = from + width;
        let end = if to < late.len() { late[to] } else { late[to - late.len()] + tick };
        end - late[from]
    });
    spreads.min()
}

#[test]
fn h12_typing_looks_like_a_clock() {
    let place = Scratch::new();
    for key in ["host", "id"] {
        make_key(&place, key);
    }
    std::fs::copy(place.path("id.pub"), place.path("keys")).unwrap();
    let server = Server::start_in(place, "PerSourcePenalties no");
    // A machine that is busy may be late for most of a word, and hardly for thirty.
    let clocklike = (0..30).filter_map(|_| spread_of_a_word(&server)).any(|spread| spread < 15_000);
    assert!(clocklike, "packets do not leave at ticks");

    let open = type_a_word(&server, &server.place, "ObscureKeystrokeTiming=no");
    assert!(open.packets.len() <= open.keys, "a packet for each key, and no other: {}", open.packets.len());
}
