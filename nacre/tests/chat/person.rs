//! The chat as a person sees it: OpenSSH's client on a real terminal, whose screen is looked at.

use crate::chats::Chat;
use crate::screen::Screen;

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
    // Any line from this one on: on a busy machine a frame may leave some out.
    let says = |alice: &mut Screen, least: u32| {
        alice.shows("what a says", |rows| (least..=20).any(|number| has(rows, &format!("a says {number} of 20"))));
    };
    says(&mut alice, 5);
    whole(&mut alice);
    alice.resizes(40, 10);
    let end = &text[text.len() - 30..];
    alice.shows("the end of the half-typed line", |rows| rows.len() == 10 && draft_rows(rows, 3).ends_with(end));
    says(&mut alice, 8);
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

fn has(rows: &[String], text: &str) -> bool {
    rows.iter().any(|row| row.contains(text))
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

#[test]
fn what_people_write_looks_as_they_wrote_it() {
    let chat = Chat::start();
    let plain = chat.comes("carol", &[]);
    let mut bob = chat.sits("bob", 80, 24);
    let mut alice = chat.sits("alice", 80, 24);
    // Emoji of one and of several characters, right to left, wide, composed and combining.
    let texts =
        ["party 🎉 👩\u{200d}🔬 👍🏽 🇨🇭", "שלום עולם", "مرحبا", "日本語とか", "e\u{301}te\u{301}", "q\u{323}\u{308}y"];
    for text in texts {
        alice.types(text);
        let shown = text.replace("e\u{301}", "é");
        plain.hears(&format!("alice: {shown}\n"));
        let told = format!("alice: {shown}").into_bytes();
        bob.receives(&told);
        alice.shows("an empty draft", |rows| draft(rows).is_empty());
    }
    // What follows stands where it would without them.
    alice.types("last");
    bob.shows("the last line", |rows| {
        let edge = |row: &str| row.chars().position(|c| c == '│');
        rows.iter().any(|row| row.ends_with("alice: last")) && rows[1..22].iter().all(|row| edge(row) == Some(14))
    });
}

#[test]
fn a_window_may_have_any_size() {
    let chat = Chat::start();
    let mut bob = chat.comes("bob", &[]);
    let mut alice = chat.sits("alice", 80, 24);
    let text = format!("{}the-end", "a word and another ".repeat(8));
    bob.say(&text);
    alice.sees("the-end");
    let wide = [
        "│ bob: a word and another a word and another a word and another a",
        "│       word and another a word and another a word and another a",
    ];
    alice.types("/times off");
    alice.shows("lines without times", |rows| wide.iter().all(|wanted| rows.iter().any(|row| row.contains(wanted))));
    alice.half_types("half typed");
    for (columns, rows) in [(70, 20), (60, 15), (59, 15), (50, 12), (40, 10)] {
        alice.resizes(columns, rows);
        alice.shows("all of it", |screen| {
            let list = screen.iter().any(|row| row.contains('│'));
            screen.len() == rows as usize
                && screen[0] == " #lobby"
                && screen.iter().any(|row| row.contains("the-end"))
                && draft(screen) == "half typed"
                && list == (columns >= 60)
        });
    }
    assert_eq!(alice.cursor(), (9, 12));
    let narrow = [
        "      another a word and another a word",
        "      and another a word and another a",
        "      word and another a word and",
        "      another a word and another the-end",
    ];
    let at = alice.rows().iter().position(|row| row.ends_with("the-end")).unwrap();
    assert_eq!(alice.rows()[at - 3..=at], narrow, "{}", alice.picture());
    alice.resizes(10, 3);
    alice.shows("the draft", |rows| rows.len() == 3 && rows[2].starts_with("  "));
    alice.resizes(80, 24);
    alice.shows("what was before", |rows| wide.iter().all(|wanted| rows.iter().any(|row| row.contains(wanted))));
    alice.types("");
    bob.hears("alice: half typed\n");
}

#[test]
fn ctrl_c_drops_the_draft_and_then_leaves_as_ctrl_d_does() {
    let chat = Chat::start();
    let bob = chat.comes("bob", &[]);
    for (times, key) in [(1, b"\x03"), (2, b"\x04")] {
        let mut alice = chat.sits("alice", 80, 24);
        alice.half_types("not meant");
        alice.presses(b"\x03");
        alice.shows("an empty draft", |rows| draft(rows).is_empty());
        assert!(alice.is_full_screen());
        alice.presses(key);
        assert_eq!(alice.ends().0, 0);
        bob.hears_times("alice left", times);
    }
    assert!(!bob.out().contains("not meant"), "{}", bob.out());
}

#[test]
fn a_connection_may_be_cut_at_any_stage() {
    let chat = Chat::start();
    let mut bob = chat.comes("bob", &[]);
    // Before the login is over: nobody hears of it.
    drop(std::net::TcpStream::connect(("127.0.0.1", chat.port)).unwrap());
    let mut early = std::net::TcpStream::connect(("127.0.0.1", chat.port)).unwrap();
    std::io::Write::write_all(&mut early, b"SSH-2.0-cut\r\n").unwrap();
    drop(early);
    // With a line half typed, and while much is on its way.
    for (times, history) in [(1, false), (2, true)] {
        let mut alice = chat.sits("alice", 80, 24);
        bob.hears_times("alice joined", times);
        alice.half_types("never said");
        if history {
            alice.presses(b"\x03/help\r");
        }
        alice.hangs_up();
        bob.hears_times("alice left", times);
    }
    assert!(!bob.out().contains("never said"), "{}", bob.out());
    bob.say("still here");
    bob.hears("bob: still here");
}

#[test]
fn a_server_that_is_killed_is_told_by_the_client_and_nothing_that_was_said_is_lost() {
    let mut chat = Chat::start();
    let mut alice = chat.sits("alice", 80, 24);
    alice.types("before the end");
    alice.sees("alice: before the end");
    chat.serve();
    alice.ends_cut();
    let mut alice = chat.sits("alice", 80, 24);
    alice.sees("alice: before the end");
    alice.types("/quit");
    assert_eq!(alice.ends().0, 0);
}
