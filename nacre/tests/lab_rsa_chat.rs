//! `rsa-chat`: what both ends print, the five scenarios of its description, foreign ends written from the wire format,
//! and strangers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/lab.rs"]
mod lab;

use lab::{Running, foreign_client, foreign_server, join, repeats_itself, rest, serve, socket};
use std::io::{Read, Write};

const MARKER: &str = "Port: ";
const PEER: &str = "rsa_chat.py";

/// A client of ours with this name, in the chat.
fn member(port: u16, name: &str, flags: &[&str]) -> Running {
    let mut client = join("rsa-chat", port, flags);
    client.say(name);
    client.hears(&format!("Welcome {name}!"));
    client
}

/// The session of the protocol's description. A seed stops the clock and fixes keys and ports.
#[test]
fn lab_rsa_chat_prints_what_its_description_prints() {
    let (server, port) = serve("rsa-chat", MARKER, &["--seed", "1"]);
    let mut alice = member(port, "Alice", &["--seed", "1"]);
    server.hears("[JOIN] Alice");
    let mut bob = member(port, "Bob", &["--seed", "2"]);
    alice.hears("Bob joined");
    alice.say("Hello Bob! This message is encrypted!");
    bob.hears("Hello Bob!");
    bob.say("Hi Alice! Yes, all our messages are secure!");
    alice.hears("Hi Alice!");
    alice.say("/pm Bob This is a private encrypted message");
    alice.hears("[PM to Bob]");
    bob.hears("[PM from Alice]");
    alice.say("/quit");
    assert_eq!(alice.ends(), 0);
    bob.hears("Alice left");
    bob.end_input();
    assert_eq!(bob.ends(), 0);
    server.hears("Bob left");
    let port_text = port.to_string();
    let rule = "=".repeat(70);
    let short = "=".repeat(50);
    let prefix = prefix(&alice.out());
    assert_eq!(
        alice.out().replace(&port_text, "5174").replace(&prefix, "xYz123abc"),
        format!(
            "\
ENCRYPTED CHAT CLIENT (SSL-LIKE HANDSHAKE)
{rule}
Server: 127.0.0.1:5174
Security: RSA-2048 + AES-256 encryption
{rule}

Enter your username: Alice

Connecting to server at 127.0.0.1:5174...
✓ TCP connection established

{rule}
                    INITIATING SECURE HANDSHAKE
{rule}
[1/5] Receiving server's RSA public key...
      ✓ Received RSA-2048 public key (451 bytes)
[2/5] Generating AES-256 symmetric key...
      ✓ Generated AES-256 key: xYz123abc...
[3/5] Encrypting AES key with server's RSA public key...
      ✓ Encrypted AES key (256 bytes)
[4/5] Sending encrypted AES key to server...
      ✓ Sent encrypted key
[5/5] Receiving encrypted confirmation from server...
      ✓ Handshake confirmed: HANDSHAKE_OK

{rule}
                  ✓ SECURE CHANNEL ESTABLISHED
         All communication will be encrypted with AES-256
{rule}

{short}
✓ Secure connection established!
Welcome Alice!
All messages are encrypted with AES-256
{short}

You: 
[14:30:10] [SYSTEM] Bob joined (secure channel)

You: Hello Bob! This message is encrypted!
You: 
[14:30:10] Bob: Hi Alice! Yes, all our messages are secure!

You: /pm Bob This is a private encrypted message
You: 
[14:30:10] [PM to Bob] This is a private encrypted message

You: /quit
"
        )
    );
    let bobs = self::prefix(&bob.out());
    assert_eq!(
        server.out().replace(&port_text, "5174").replace(&prefix, "xYz123abc").replace(&bobs, "zYx123abc"),
        format!(
            "\
Generating RSA key pair for server...
✓ RSA keys generated

{rule}
        ENCRYPTED CHAT SERVER (SSL-LIKE HANDSHAKE)
{rule}
Server IP: 127.0.0.1
Port: 5174
Encryption: AES-256 + RSA-2048
Status: Listening for secure connections...
{rule}
[14:30:10] [HANDSHAKE] Starting with ('127.0.0.1', 54321)
[14:30:10] [HANDSHAKE] Sent RSA public key (451 bytes)
[14:30:10] [HANDSHAKE] Received encrypted AES key (256 bytes)
[14:30:10] [HANDSHAKE] Decrypted AES-256 key: xYz123abc...
[14:30:10] [HANDSHAKE] Sent encrypted confirmation
[14:30:10] [HANDSHAKE] ✓ Secure channel established with user: Alice
[14:30:10] [HANDSHAKE] All messages will be encrypted with AES-256

[14:30:10] [JOIN] Alice joined from ('127.0.0.1', 54321)

[14:30:10] [HANDSHAKE] Starting with ('127.0.0.1', 54322)
[14:30:10] [HANDSHAKE] Sent RSA public key (451 bytes)
[14:30:10] [HANDSHAKE] Received encrypted AES key (256 bytes)
[14:30:10] [HANDSHAKE] Decrypted AES-256 key: zYx123abc...
[14:30:10] [HANDSHAKE] Sent encrypted confirmation
[14:30:10] [HANDSHAKE] ✓ Secure channel established with user: Bob
[14:30:10] [HANDSHAKE] All messages will be encrypted with AES-256

[14:30:10] [JOIN] Bob joined from ('127.0.0.1', 54322)

[14:30:10] [ENCRYPTED BROADCAST] Alice: Hello Bob! This message is encrypted!
[14:30:10] [ENCRYPTED BROADCAST] Bob: Hi Alice! Yes, all our messages are secure!
[14:30:10] [PM ENCRYPTED] Alice -> Bob
[14:30:10] [LEAVE] Alice left
[14:30:10] [LEAVE] Bob left
"
        )
    );
}

/// How the AES key begins that a client says it made: nine characters of base64.
fn prefix(out: &str) -> String {
    let (_, rest) = out.split_once("Generated AES-256 key: ").unwrap();
    let prefix = rest.split_once("...").unwrap().0.to_owned();
    assert_eq!(prefix.len(), 9);
    prefix
}

/// Scenarios 1, 3 and 5: foreign clients chat, a private message reaches one alone, each has a key of its own.
#[test]
fn lab_rsa_chat_serves_foreign_clients() {
    let (server, port) = serve("rsa-chat", MARKER, &[]);
    let mut alice = foreign_client(PEER, port, &["Alice"]);
    alice.hears("ready");
    server.hears("[JOIN] Alice");
    let mut bob = foreign_client(PEER, port, &["Bob"]);
    alice.hears("Bob joined (secure channel)");
    let carol = member(port, "Carol", &[]);
    bob.hears("Carol joined (secure channel)");
    alice.say("hello, äöü");
    bob.hears("] Alice: hello, äöü\n");
    carol.hears("] Alice: hello, äöü\n");
    bob.say("/pm Alice only for you");
    alice.hears("] [PM from Bob] only for you\n");
    bob.hears("] [PM to Alice] only for you\n");
    alice.say("/list");
    alice.hears("] [SYSTEM] Online: Alice, Bob, Carol\n");
    alice.say("/pm Dave hi");
    alice.hears("] [SYSTEM] No such user: Dave\n");
    alice.say("/what");
    alice.hears("] [SYSTEM] Unknown command: /what\n");
    bob.say("/quit");
    assert_eq!(bob.ends(), 0);
    alice.hears("] [SYSTEM] Bob left\n");
    carol.hears("] [SYSTEM] Bob left\n");
    assert!(!carol.out().contains("only for you") && !server.out().contains("only for you"));
    assert!(server.out().contains("[PM ENCRYPTED] Bob -> Alice"));
    let keys: Vec<String> =
        server.out().lines().filter(|line| line.contains("Decrypted AES")).map(str::to_owned).collect();
    assert!(keys.len() == 3 && keys[0] != keys[1] && keys[1] != keys[2], "{keys:?}");
    assert!(alice.out().starts_with("pem of 451 bytes"));
}

/// Scenario 4: a message that was changed on the way is answered, and the session goes on.
#[test]
fn lab_rsa_chat_rejects_what_was_changed_and_goes_on() {
    let (server, port) = serve("rsa-chat", MARKER, &[]);
    let mut client = foreign_client(PEER, port, &["Alice"]);
    client.hears("ready");
    client.say("!");
    client.hears("heard: [SYSTEM] Message rejected: decryption failed\n");
    client.say("still here");
    server.hears("[ENCRYPTED BROADCAST] Alice: still here\n");
}

#[test]
fn lab_rsa_chat_refuses_names_with_a_reason() {
    let (server, port) = serve("rsa-chat", MARKER, &[]);
    let _alice = member(port, "Alice", &[]);
    server.hears("[JOIN] Alice");
    let long = "x".repeat(33);
    for (name, reason) in [("Alice", "taken"), ("", "empty"), ("a b", "white space"), (&long, "too long")] {
        let mut other = foreign_client(PEER, port, &[name]);
        assert_eq!(other.ends(), 0);
        assert!(other.out().ends_with(&format!("heard: [SYSTEM] Name refused: {reason}\nover\n")), "{}", other.out());
        let mut ours = join("rsa-chat", port, &[]);
        ours.say(name);
        assert_eq!(ours.ends(), 1);
        assert!(ours.out().contains(&format!("[SYSTEM] Name refused: {reason}\n")), "{}", ours.out());
    }
    assert_eq!(server.out().matches("[JOIN]").count(), 1);
}

#[test]
fn lab_rsa_chat_joins_a_foreign_server() {
    let (mut server, port) = foreign_server(PEER);
    let mut client = member(port, "Alice", &[]);
    server.hears("name: Alice\n");
    assert!(client.out().contains("✓ Received RSA-2048 public key (450 bytes)"), "{}", client.out());
    server.say("[12:00:00] Bob: hello from Python");
    client.hears("\n[12:00:00] Bob: hello from Python\n");
    client.say("hello from Rust");
    server.hears("heard: hello from Rust\n");
    client.end_input();
    assert_eq!(client.ends(), 0);
    server.hears("heard: /quit\nover\n");
}

/// Bytes that no honest client sends: the server closes without an answer, and lives on.
#[test]
fn lab_rsa_chat_outlives_strangers() {
    let (server, port) = serve("rsa-chat", MARKER, &[]);
    let mut wrong_key = b"0000000256".to_vec();
    wrong_key.extend([1; 256]);
    let strangers: [(&[u8], &str); 4] = [
        (b"9999999999", "9999999999 bytes announced"),
        (b"GET / HTTP", "the length is no number"),
        (b"0000000003abc", "the encrypted AES key has 3 bytes and should have 256"),
        (&wrong_key, "it cannot be decrypted"),
    ];
    for (bytes, line) in strangers {
        let mut stranger = socket(port);
        stranger.write_all(bytes).unwrap();
        assert_eq!(rest(stranger).len(), 10 + 451);
        server.hears(line);
    }
    let mut cut = socket(port);
    cut.read_exact(&mut [0; 10]).unwrap();
    drop(cut);
    let mut late = member(port, "Late", &[]);
    late.say("the server lives");
    server.hears("Late: the server lives\n");
    late.end_input();
    assert_eq!(late.ends(), 0);
}

/// Two runs with one seed are the same to the byte, keys and all.
#[test]
fn lab_rsa_chat_repeats_itself_with_a_seed() {
    repeats_itself("rsa-chat", MARKER, "closes the connection", |server, client| {
        client.say("Alice");
        server.hears("[JOIN] Alice");
        client.say("the same");
    });
}
