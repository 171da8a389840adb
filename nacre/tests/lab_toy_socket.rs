//! `toy-socket`: what both ends print, foreign ends written from the wire format, and strangers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/lab.rs"]
mod lab;

use lab::{foreign_client, foreign_server, join, repeats_itself, rest, serve, socket};
use std::io::{Read, Write};

const MARKER: &str = "listening on 127.0.0.1:";
const PEER: &str = "toy_socket.py";

#[test]
fn lab_toy_socket_prints_what_its_description_shows() {
    let (server, port) = serve("toy-socket", MARKER, &["--seed", "1"]);
    let mut client = join("toy-socket", port, &["--seed", "1"]);
    client.say("hello\n\nattack at dawn\nEXIT");
    assert_eq!(client.ends(), 0);
    server.hears("left\n");
    let port_text = port.to_string();
    assert_eq!(
        client.out().replace(&port_text, "8820"),
        "\
Connecting to 127.0.0.1:8820...
Shared secret and RSA keys exchanged
Enter message (EXIT to quit): hello
Authenticated: Server received: hello
Enter message (EXIT to quit): 
Enter message (EXIT to quit): attack at dawn
Authenticated: Server received: attack at dawn
Enter message (EXIT to quit): EXIT
"
    );
    assert_eq!(
        server.out().replace(&port_text, "8820"),
        "\
Server is listening on 127.0.0.1:8820
Client connected from ('127.0.0.1', 54321)
Shared secret and RSA keys exchanged
Received and authenticated: hello
Received and authenticated: attack at dawn
Client ('127.0.0.1', 54321) left
"
    );
}

#[test]
fn lab_toy_socket_serves_two_foreign_clients() {
    let (server, port) = serve("toy-socket", MARKER, &[]);
    let mut clients = [foreign_client(PEER, port, &[]), foreign_client(PEER, port, &[])];
    for client in &clients {
        client.hears("ready");
    }
    clients[1].say("from the second");
    clients[1].hears("heard: Server received: from the second\n");
    clients[0].say("äöü");
    clients[0].hears("heard: Server received: äöü\n");
    server.hears("Received and authenticated: äöü\n");
    clients[0].say("!");
    clients[0].hears("heard: ERROR bad signature\n");
    clients[0].say("still here");
    clients[0].hears("heard: Server received: still here\n");
    clients[0].say("?");
    clients[0].hears("heard: ERROR bad message\n");
    clients[0].say("gone");
    assert_eq!(clients[0].ends(), 0);
    clients[1].say("EXIT");
    clients[1].hears("over\n");
    server.hears("left\n");
}

#[test]
fn lab_toy_socket_joins_a_foreign_server() {
    let (server, port) = foreign_server(PEER);
    let mut client = join("toy-socket", port, &[]);
    client.say("hello from Rust\nand more");
    client.end_input();
    assert_eq!(client.ends(), 0);
    server.hears("heard: hello from Rust\nheard: and more\nover\n");
    assert!(client.out().contains("Authenticated: Server received: hello from Rust\n"), "{}", client.out());
}

/// Bytes that no honest client sends: an answer and a close, and the server lives on.
#[test]
fn lab_toy_socket_outlives_strangers() {
    let (server, port) = serve("toy-socket", MARKER, &[]);
    for line in ["0\n", "65521\n", "hello\n", "\n", "GET / HTTP/1.1\r\n"] {
        let mut stranger = socket(port);
        stranger.write_all(line.as_bytes()).unwrap();
        assert_eq!(rest(stranger), b"ERROR bad message\n", "{line:?}");
    }
    server.hears_times("the public value is not as the protocol has it", 5);
    let mut stranger = socket(port);
    stranger.write_all(b"1\n4,70000\n").unwrap();
    assert!(rest(stranger).ends_with(b"\nERROR bad message\n"));
    server.hears("E,N is not as the protocol has it");
    // No line end, without end.
    let mut stranger = socket(port);
    let _ = stranger.write_all(&vec![b'1'; 70_000]);
    assert_eq!(rest(stranger), b"");
    server.hears("at most 65536 are taken");
    let mut cut = socket(port);
    cut.write_all(b"12345").unwrap();
    drop(cut);
    server.hears("disconnected");
    let mut late = join("toy-socket", port, &[]);
    late.say("the server lives");
    late.end_input();
    assert_eq!(late.ends(), 0);
    server.hears("Received and authenticated: the server lives\n");
}

/// Larger primes have to be given to both ends.
#[test]
fn lab_toy_socket_has_larger_primes() {
    let (_server, port) = serve("toy-socket", MARKER, &["--bits", "12"]);
    let mut client = join("toy-socket", port, &["--bits", "12"]);
    client.say("larger");
    client.end_input();
    assert_eq!(client.ends(), 0);
    assert!(client.out().contains("Server received: larger"));
    let mut other = join("toy-socket", port, &[]);
    assert_eq!(other.ends(), 1);
    assert!(other.out().contains("ERROR bad message"), "{}", other.out());
    let mut raw = socket(port);
    raw.write_all(b"1\r\n").unwrap();
    let mut first = [0; 1];
    raw.read_exact(&mut first).unwrap();
    assert!(first[0].is_ascii_digit());
}

#[test]
fn lab_toy_socket_repeats_itself_with_a_seed() {
    repeats_itself("toy-socket", MARKER, "said goodbye", |_, client| client.say("the same"));
}
