//! `dh-chat`: what both ends print, foreign ends written from the wire format, and strangers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/lab.rs"]
mod lab;

use lab::{foreign_client, foreign_server, join, repeats_itself, rest, serve, socket};
use std::io::{Read, Write};

const MARKER: &str = "listening on localhost:";
const PEER: &str = "dh_chat.py";

/// The session of the protocol's description, with the blank lines it has.
#[test]
fn lab_dh_chat_prints_what_its_description_prints() {
    let (mut server, port) = serve("dh-chat", MARKER, &["--seed", "1"]);
    let mut client = join("dh-chat", port, &["--seed", "1"]);
    server.hears("Type 'exit' to quit.");
    server.say("Hello, client!");
    client.hears("Hello, client!");
    client.say("Hi, server! This is encrypted.");
    server.hears("This is encrypted.");
    client.say("exit");
    assert_eq!(client.ends(), 0);
    server.hears("left");
    let port_text = port.to_string();
    assert_eq!(
        client.out().replace(&port_text, "12345"),
        "[*] Connecting to localhost:12345...\n\
         [*] Connected to server\n\
         [*] Secure connection established!\n\
         [*] You can now send encrypted messages. Type 'exit' to quit.\n\
         \n\
         [Server]: Hello, client!\n"
    );
    assert_eq!(
        server.out().replace(&port_text, "12345"),
        "[*] Server listening on localhost:12345\n\
         [*] Waiting for client connection...\n\
         [*] New connection from ('127.0.0.1', 54321)\n\
         [*] Secure connection established with ('127.0.0.1', 54321)\n\
         [*] You can now send encrypted messages. Type 'exit' to quit.\n\
         \n\
         [Client]: Hi, server! This is encrypted.\n\
         [*] ('127.0.0.1', 54321) left\n"
    );
}

#[test]
fn lab_dh_chat_serves_two_foreign_clients() {
    let (mut server, port) = serve("dh-chat", MARKER, &[]);
    let mut clients = [foreign_client(PEER, port, &[]), foreign_client(PEER, port, &[])];
    for client in &clients {
        client.hears("ready");
    }
    server.hears_times("Secure connection established with", 2);
    clients[0].say("from the first");
    clients[1].say("von der zweiten: äöü");
    server.hears("[Client]: from the first\n");
    server.hears("[Client]: von der zweiten: äöü\n");
    server.say("to both");
    for client in &clients {
        client.hears("heard: to both\n");
    }
    clients[0].say("!");
    clients[0].hears("heard: [!] decryption failed\n");
    clients[0].say("still here");
    server.hears("[Client]: still here\n");
    clients[0].say("exit");
    assert_eq!(clients[0].ends(), 0);
    server.say("exit");
    assert_eq!(clients[1].ends(), 0);
    assert!(clients[1].out().ends_with("heard: exit\nover\n"), "{}", clients[1].out());
    assert_eq!(server.ends(), 0);
}

#[test]
fn lab_dh_chat_joins_a_foreign_server() {
    let (mut server, port) = foreign_server(PEER);
    let mut client = join("dh-chat", port, &[]);
    server.hears("ready");
    server.say("hello from Python");
    client.hears("[Server]: hello from Python\n");
    client.say("hello from Rust");
    server.hears("heard: hello from Rust\n");
    server.say("!");
    server.hears("heard: [!] decryption failed\n");
    server.say("exit");
    assert_eq!(client.ends(), 0);
    assert!(client.out().ends_with("[*] The server left\n"), "{}", client.out());
}

#[test]
fn lab_dh_chat_reads_lines_from_a_file_and_says_goodbye() {
    let (mut server, port) = serve("dh-chat", MARKER, &[]);
    server.end_input();
    let mut client = join("dh-chat", port, &[]);
    // All of it before anybody has a key.
    client.say("one\n\ntwo");
    client.end_input();
    assert_eq!(client.ends(), 0);
    server.hears("[Client]: one\n[Client]: two\n");
    server.hears("left\n");
}

/// Bytes that no honest client sends, each to a connection of its own: the server closes or answers, and lives on.
#[test]
fn lab_dh_chat_outlives_strangers() {
    let (server, port) = serve("dh-chat", MARKER, &["--iterations", "1"]);
    let honest = join("dh-chat", port, &["--iterations", "1"]);
    honest.hears("Secure connection established!");
    let mut one = vec![0, 0, 1, 0];
    one.extend([0; 255]);
    one.push(1);
    let huge = [255; 4].to_vec();
    let short = vec![0, 0, 0, 1, 7];
    for bytes in [huge, short, one] {
        let mut stranger = socket(port);
        stranger.write_all(&bytes).unwrap();
        // The server's three frames, and then no answer.
        assert_eq!(rest(stranger).len(), 4 + 256 + 4 + 1 + 4 + 256);
    }
    server.hears("[!] ('127.0.0.1', ");
    server.hears("4294967295 bytes announced");
    server.hears("the public value has 1 bytes and should have 256");
    server.hears("the secret would be known to all");
    // Cut in the middle of a frame.
    let mut cut = socket(port);
    cut.write_all(&[0, 0, 1, 0, 9, 9]).unwrap();
    drop(cut);
    server.hears("disconnected");
    let mut late = join("dh-chat", port, &["--iterations", "1"]);
    late.say("the server lives");
    late.end_input();
    assert_eq!(late.ends(), 0);
    server.hears("[Client]: the server lives\n");
    assert_eq!(honest.err(), "");
}

/// A server that is cut off or says nonsense ends its client with a line and exit code 1.
#[test]
fn lab_dh_chat_clients_end_with_their_servers() {
    for (nonsense, line) in
        [(&b""[..], "the server closed the connection"), (&[0, 0, 0, 1, 23, 0, 0, 0, 1, 2], "p refused")]
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = join("dh-chat", listener.local_addr().unwrap().port(), &[]);
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(nonsense).unwrap();
        if nonsense.is_empty() {
            drop(stream);
        } else {
            assert_eq!(rest(stream), b"");
        }
        assert_eq!(client.ends(), 1);
        assert!(client.out().to_lowercase().contains(line), "{}", client.out());
    }
}

#[test]
fn lab_dh_chat_closes_without_a_word_when_told_to() {
    let (server, port) = serve("dh-chat", MARKER, &["--quiet-errors"]);
    let mut client = foreign_client(PEER, port, &[]);
    client.hears("ready");
    client.say("!");
    assert_eq!(client.ends(), 0);
    assert!(client.out().ends_with("ready\nover\n"));
    server.hears("closed: a message cannot be decrypted");
}

/// Two runs with one seed are the same to the byte: steps, wire and time.
#[test]
fn lab_dh_chat_repeats_itself_with_a_seed() {
    let told =
        repeats_itself("dh-chat", MARKER, "said goodbye with the word `exit`\n", |_, client| client.say("the same"));
    assert!(told.0.contains("0.0 ms") && told.1.contains("exponent"));
}

#[test]
fn lab_dh_chat_hides_secrets_from_its_steps() {
    let (_server, port) = serve("dh-chat", MARKER, &[]);
    let mut client = join("dh-chat", port, &["--steps"]);
    client.say("a word");
    client.end_input();
    assert_eq!(client.ends(), 0);
    let steps = client.err();
    for told in ["names the group", "sends a public value", "rounds of PBKDF2", "sends a message", "says goodbye"] {
        assert!(steps.contains(told), "{told}: {steps}");
    }
    assert!(!steps.contains("a word"));
    assert_eq!(steps.matches("(secret; --show-secrets").count(), 5, "{steps}");
}

/// The server speaks first: what a raw socket sees.
#[test]
fn lab_dh_chat_speaks_as_written() {
    let (_server, port) = serve("dh-chat", MARKER, &["--bits", "4096"]);
    let mut raw = socket(port);
    let mut bytes = vec![0; 4 + 512 + 5 + 4 + 512];
    raw.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes[..12], [0, 0, 2, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(bytes[516..525], [0, 0, 0, 1, 2, 0, 0, 2, 0]);
}
