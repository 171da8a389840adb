//! What could not be said comes back to be mended, and never as something that would be said elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;
use nacre_chat::command::Command;
use nacre_chat::{Event, Input, SessionId};
use std::time::Duration;

/// The draft that came back after the last text.
fn draft(chat: &mut Chat, session: SessionId) -> Option<String> {
    let events = chat.events(session);
    events.iter().rev().find_map(|event| match &**event {
        Event::Problem { draft, .. } => Some(draft.as_deref().map(str::to_owned)),
        _ => None,
    })?
}

#[test]
fn a_private_text_comes_back_with_whom_it_was_for() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let root = chat.join("Bob+r");
    let long = "x".repeat(5_000);
    for (typed, expected) in [
        ("/pm bbo my secret", "/pm bbo my secret"),
        ("/msg bbo my secret\nand more", "/pm bbo my secret\nand more"),
        ("/pm #typo my secret", "/pm #typo my secret"),
        ("/pm #r my secret", "/pm #r my secret"),
        (&format!("/pm bob {long}"), &format!("/pm Bob {long}")),
    ] {
        chat.hush();
        chat.type_(alice, typed);
        assert_eq!(draft(&mut chat, alice).as_deref(), Some(expected));
    }
    chat.type_(alice, "/join #r");
    chat.type_(root, "/mode +m");
    chat.hush();
    chat.type_(alice, "said here");
    assert_eq!(
        draft(&mut chat, alice).as_deref(),
        Some("said here"),
        "what was for this place needs no word before it"
    );
    chat.type_(alice, "/me waves");
    assert_eq!(draft(&mut chat, alice).as_deref(), Some("/me waves"));
    assert!(chat.lines.is_empty());
}

#[test]
fn what_a_face_says_somewhere_else_comes_back_with_the_place() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob+r");
    chat.type_(alice, "/join #r");
    chat.type_(alice, "/go #lobby");
    chat.type_(bob, "/mode +m");
    chat.wait(Duration::from_secs(10));
    for (to, expected) in [("#r", "/pm #r hello"), ("bbo", "/pm bbo hello")] {
        chat.hush();
        chat.input(Input::Command { session: alice, command: Command::SayIn { to: to.into(), text: "hello".into() } });
        assert_eq!(draft(&mut chat, alice).as_deref(), Some(expected));
    }
}
