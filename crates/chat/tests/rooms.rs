//! Rooms as people use them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;

#[test]
fn two_people_talk_and_the_documents_commands_work() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    assert!(chat.screen(alice).contains("You are Alice"));
    let bob = chat.join("Bob");
    assert_eq!(chat.read(alice), ["[SYSTEM] Bob joined (secure channel)"]);
    chat.hush();

    chat.type_(alice, "Hello Bob!");
    assert_eq!(chat.read(bob), ["Alice: Hello Bob!"]);
    assert_eq!(chat.read(alice), ["Alice: Hello Bob!"], "confirmed, and only once");

    let carol = chat.join("Carol");
    chat.hush();
    chat.type_(alice, "/pm Bob a secret");
    assert_eq!(chat.read(bob), ["[PM from Alice] a secret"]);
    assert_eq!(chat.read(carol), [""; 0]);

    chat.type_(carol, "/list");
    assert_eq!(chat.read(carol), ["[SYSTEM] Online: Alice, Bob, Carol"]);
    chat.hush();
    chat.type_(carol, "/pm Nobody x");
    assert_eq!(chat.read(carol), ["[SYSTEM] No such user: Nobody"]);
    chat.type_(carol, "/lsit");
    assert_eq!(chat.read(carol), ["[SYSTEM] Unknown command: /lsit (did you mean /list?)"]);
    chat.type_(carol, "/quit");
    assert!(chat.closed.contains_key(&carol));
    assert_eq!(chat.read(bob), ["[SYSTEM] Carol left"]);
    assert!(chat.lines.iter().any(|line| &*line.body == "Hello Bob!"));
}

#[test]
fn names_complete() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    chat.join("Bob");
    let words = |before: &str| chat.engine.complete(alice, before).words;
    assert_eq!(words("/pm b"), ["Bob "]);
    assert_eq!(words("/join l"), ["#lobby "]);
    assert_eq!(words("bo"), ["Bob: "]);
}
