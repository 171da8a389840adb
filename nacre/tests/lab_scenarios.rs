//! The five scenarios by which the description of `rsa-chat` says it is to be tested, with a wire between that is looked at.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/lab.rs"]
mod lab;

use data_encoding::BASE64;
use lab::{Running, join, serve};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

/// Bytes of a message's header: its length in digits.
const HEADER: usize = 10;
/// Messages of a client before it chats: its key and its name.
const HANDSHAKE: usize = 2;

type Messages = Arc<Mutex<Vec<Vec<u8>>>>;

/// A wire to a server: what passed in each direction, message by message, and where one is to be damaged.
#[derive(Clone, Default)]
struct Wire {
    port: u16,
    up: Messages,
    down: Messages,
}

impl Wire {
    /// For one client. The message with number `damaged` that it sends has one bit turned on the way.
    fn to(server: u16, damaged: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let (up, down) = (wire.up.clone(), wire.down.clone());
        spawn(move || {
            let client = listener.accept().unwrap().0;
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            spawn(move || pass(from, to, damaged, &up));
            pass(server, client, None, &down);
        });
        wire
    }

    /// Everything that passed, one message a line.
    fn seen(&self) -> Vec<Vec<u8>> {
        [&self.up, &self.down].map(|messages| messages.lock().unwrap().clone()).concat()
    }

    /// The messages to the client after the handshake, as ciphertext.
    fn ciphertexts(&self) -> Vec<Vec<u8>> {
        // The server's key and its confirmation come first.
        self.down.lock().unwrap().iter().skip(2).map(|body| BASE64.decode(body).unwrap()).collect()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, damaged: Option<usize>, seen: &Messages) {
    let mut header = [0; HEADER];
    for number in 0.. {
        if from.read_exact(&mut header).is_err() {
            break;
        }
        let length: usize = std::str::from_utf8(&header).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        from.read_exact(&mut body).unwrap();
        if damaged == Some(number) {
            let mut bytes = BASE64.decode(&body).unwrap();
            // What is turned in a block is turned in the text of the next: here its last byte.
            let place = bytes.len() - 17;
            bytes[place] ^= 1;
            body = BASE64.encode(&bytes).into_bytes();
        }
        seen.lock().unwrap().push(body.clone());
        if to.write_all(&[&header[..], &body].concat()).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn server() -> (Running, u16) {
    serve("rsa-chat", "Port: ", &[])
}

fn member(wire: &Wire, name: &str) -> Running {
    let mut client = join("rsa-chat", wire.port, &[]);
    client.say(name);
    client.hears(&format!("Welcome {name}!"));
    client
}

/// Who is in the chat, each on a wire of its own, having heard of the others.
fn members<const N: usize>(server: &Running, port: u16, names: [&str; N]) -> [(Running, Wire); N] {
    names.map(|name| {
        let wire = Wire::to(port, None);
        let client = member(&wire, name);
        server.hears(&format!("[JOIN] {name}"));
        (client, wire)
    })
}

fn contains(message: &[u8], text: &str) -> bool {
    message.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn lab_rsa_chat_scenario_1_two_clients_chat_and_the_wire_shows_no_word() {
    let (server, port) = server();
    let [(mut alice, one), (mut bob, two)] = members(&server, port, ["Alice", "Bob"]);
    alice.say("Hello Bob! This message is encrypted!");
    bob.hears("] Alice: Hello Bob! This message is encrypted!\n");
    bob.say("Hi Alice! Yes, all our messages are secure!");
    alice.hears("] Bob: Hi Alice! Yes, all our messages are secure!\n");
    let seen = [one.seen(), two.seen()].concat();
    assert!(seen.len() >= 10, "{}", seen.len());
    for message in &seen {
        let opened = BASE64.decode(message).unwrap_or_default();
        for text in ["Hello", "Alice", "Bob", "secure", "HANDSHAKE_OK"] {
            assert!(!contains(message, text) && !contains(&opened, text), "{text} is to be read on the wire");
        }
    }
}

#[test]
fn lab_rsa_chat_scenario_2_the_handshake_is_told_and_is_what_passes() {
    let (server, port) = server();
    let [(alice, wire)] = members(&server, port, ["Alice"]);
    let told = alice.out();
    let mut rest = told.as_str();
    for line in [
        "[1/5] Receiving server's RSA public key...",
        "Received RSA-2048 public key (451 bytes)",
        "[2/5] Generating AES-256 symmetric key...",
        "[3/5] Encrypting AES key with server's RSA public key...",
        "Encrypted AES key (256 bytes)",
        "[4/5] Sending encrypted AES key to server...",
        "[5/5] Receiving encrypted confirmation from server...",
        "Handshake confirmed: HANDSHAKE_OK",
    ] {
        let place = rest.find(line).unwrap_or_else(|| panic!("{line}:\n{told}"));
        rest = &rest[place..];
    }
    for line in
        ["Sent RSA public key (451 bytes)", "Received encrypted AES key (256 bytes)", "Sent encrypted confirmation"]
    {
        server.hears(line);
    }
    let (up, down) = (wire.up.lock().unwrap().clone(), wire.down.lock().unwrap().clone());
    assert!(down[0].starts_with(b"-----BEGIN PUBLIC KEY-----\n") && down[0].len() == 451, "{} bytes", down[0].len());
    assert_eq!((up[0].len(), up.len()), (256, HANDSHAKE));
}

#[test]
fn lab_rsa_chat_scenario_3_a_private_message_reaches_its_recipient_alone() {
    let (server, port) = server();
    let [(mut alice, _), (bob, _), (carol, wire)] = members(&server, port, ["Alice", "Bob", "Carol"]);
    bob.hears("Carol joined");
    let before = wire.ciphertexts().len();
    alice.say("/pm Bob This is a private encrypted message");
    bob.hears("] [PM from Alice] This is a private encrypted message\n");
    alice.hears("] [PM to Bob] This is a private encrypted message\n");
    // What comes next shows that nothing came before it.
    alice.say("for all");
    carol.hears("] Alice: for all\n");
    assert_eq!(wire.ciphertexts().len(), before + 1, "to Carol's wire came one message, which is for all");
    assert!(!carol.out().contains("private"), "{}", carol.out());
    server.hears("[PM ENCRYPTED] Alice -> Bob");
    assert!(!server.out().contains("private encrypted"), "{}", server.out());
}

#[test]
fn lab_rsa_chat_scenario_4_a_damaged_message_is_detected_and_the_session_goes_on() {
    let (server, port) = server();
    let [(bob, _)] = members(&server, port, ["Bob"]);
    let mut alice = member(&Wire::to(port, Some(HANDSHAKE)), "Alice");
    bob.hears("Alice joined");
    // 15 blocks and 15 bytes long: the last byte is padding and 1; the turned bit makes it 0, which no padding has.
    alice.say(&"x".repeat(255));
    alice.hears("[SYSTEM] Message rejected: decryption failed");
    alice.say("still here");
    bob.hears("] Alice: still here\n");
    assert!(!bob.out().contains("xx"), "{}", bob.out());
    server.hears("[ENCRYPTED BROADCAST] Alice: still here");
}

#[test]
fn lab_rsa_chat_scenario_5_each_session_has_a_key_of_its_own_and_nothing_crosses() {
    let (server, port) = server();
    let clients = members(&server, port, ["Anna", "Bela", "Cora", "Dora", "Edda"]);
    let mut keys: Vec<String> =
        server.out().lines().filter(|line| line.contains("Decrypted AES-256 key")).map(str::to_owned).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), clients.len(), "{keys:?}");
    let [mut speaker, mut others @ ..] = clients;
    let before: Vec<usize> = others.iter().map(|(_, wire)| wire.ciphertexts().len()).collect();
    speaker.0.say("one text for everybody");
    others.iter().for_each(|(client, _)| client.hears("] Anna: one text for everybody\n"));
    let mut ciphertexts: Vec<Vec<u8>> =
        others.iter().zip(before).map(|((_, wire), before)| wire.ciphertexts()[before].clone()).collect();
    ciphertexts.sort();
    ciphertexts.dedup();
    assert_eq!(ciphertexts.len(), others.len(), "the same text looks different on each wire");
    // One that goes takes nobody along.
    let [leaving, staying, ..] = &mut others;
    leaving.0.say("/quit");
    assert_eq!(leaving.0.ends(), 0);
    staying.0.hears("Bela left");
    staying.0.say("we go on");
    speaker.0.hears("] Cora: we go on\n");
}
