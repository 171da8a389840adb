//! The chat as a person sees it: OpenSSH's client on a real terminal, whose screen is looked at.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/chat.rs"]
mod chats;
mod common;
#[path = "common/lab.rs"]
mod programs;
#[path = "common/screen.rs"]
mod screen;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/terminal.rs"]
mod terminal;

use chats::Chat;
use screen::Screen;

/// What is being typed, from the rows at the bottom of the full screen.
fn draft(rows: &[String]) -> String {
    let Some(first) = rows.iter().rposition(|row| row.starts_with('>')) else { return String::new() };
    rows[first..].iter().map(|row| row.get(2..).unwrap_or_default()).collect()
}

/// A text in brackets, as terminals send it from the clipboard.
fn paste(text: &str) -> Vec<u8> {
    format!("\x1b[200~{text}\x1b[201~").into_bytes()
}

fn lines(count: usize) -> String {
    (1..=count).map(|number| format!("line {number}\n")).collect()
}

#[test]
fn a_half_typed_line_of_three_rows_outlives_a_hundred_lines_and_resizes() {
    let chat = Chat::start();
    let mut alice = chat.sits("alice", 80, 24);
    let text: String = (1..=22).map(|number| format!("half-{number:02}-")).collect();
    alice.half_types(&text);
    let whole = |alice: &mut Screen| alice.shows("the half-typed line", |rows| draft(rows) == text);
    whole(&mut alice);
    assert_eq!(alice.rows().iter().filter(|row| row.contains("half-")).count(), 3, "{}", alice.picture());
    let mut people: Vec<_> = (0..5).map(|_| chat.comes("bob", &[])).collect();
    for (person, speaker) in people.iter_mut().zip('a'..) {
        let said: Vec<String> = (1..=20).map(|number| format!("{speaker} says {number} of 20")).collect();
        person.say(&said.join("\n"));
    }
    alice.sees("a says 5 of 20");
    whole(&mut alice);
    alice.resizes(40, 10);
    let end = &text[text.len() - 30..];
    alice.shows("the end of the half-typed line", |rows| rows.len() == 10 && draft_rows(rows, 3).ends_with(end));
    alice.sees("a says 8 of 20");
    alice.presses(b"x");
    alice.resizes(80, 24);
    alice.presses(b"\x7f");
    for speaker in 'a'..='e' {
        alice.sees(&format!("{speaker} says 20 of 20"));
    }
    whole(&mut alice);
    alice.presses(b"\r");
    people[0].hears(&format!("alice: {text}\n"));
    alice.shows("an empty draft", |rows| draft(rows).is_empty());
}

/// The last rows of a screen that is too small for all of the draft.
fn draft_rows(rows: &[String], count: usize) -> String {
    rows[rows.len() - count..].iter().map(|row| row.get(2..).unwrap_or_default()).collect()
}

#[test]
fn a_paste_of_a_thousand_lines_is_refused_and_one_of_sixty_is_one_message() {
    let chat = Chat::start();
    let bob = chat.comes("bob", &[]);
    let mut alice = chat.sits("alice", 80, 24);
    alice.half_types("half typed");
    alice.presses(&paste(&lines(1000)));
    alice.sees("Not taken: 1000 lines");
    alice.sees("at most 100 lines, 4096 bytes");
    assert_eq!(draft(&alice.rows()), "half typed");
    alice.presses(b"\x03");
    alice.shows("an empty draft", |rows| draft(rows).is_empty());
    alice.presses(&paste(&lines(60)));
    alice.sees("60 lines pasted: Enter sends them as one message");
    alice.presses(b"\r");
    alice.sees("60 lines: Enter once more");
    assert!(!bob.out().contains("line 1"), "{}", bob.out());
    alice.presses(b"\r");
    bob.hears("line 60");
    let out = bob.out();
    assert_eq!((out.matches("alice:").count(), out.matches("    | ").count()), (1, 59), "{out}");
}
