//! The chat on plain terminals and on none: OpenSSH's and Dropbear's clients.

use crate::chats::Chat;
use crate::programs::Running;
use crate::screen::Screen;
use crate::serve::finish;

#[test]
fn a_half_typed_line_on_a_dumb_terminal_outlives_what_comes_and_gets_no_sequence() {
    let chat = Chat::start();
    let mut ssh = chat.ssh("alice");
    ssh.env("TERM", "dumb").args(["-q", "-t", "alice@127.0.0.1"]);
    let mut alice = Screen::runs(&ssh, 80, 24);
    alice.sees("You are alice");
    alice.half_types("half a li");
    let mut bob = chat.comes("bob", &[]);
    for number in 1..=10 {
        bob.say(&format!("news {number} of 10"));
        alice.sees(&format!("bob: news {number} of 10"));
        let half = |rows: &[String]| rows.iter().rfind(|row| !row.is_empty()).is_some_and(|row| row == "half a li");
        alice.shows("the half-typed line below", half);
    }
    alice.presses(b"ne\r");
    bob.hears("alice: half a line\n");
    alice.sees("alice: half a line");
    alice.presses(b"\x04");
    let (code, rows) = alice.ends_with(|raw| assert!(!raw.contains(&0x1b), "{}", String::from_utf8_lossy(raw)));
    assert_eq!(code, 0, "{rows:?}");
}

#[test]
fn plain_goes_on_in_lines_with_the_terminal_as_it_was() {
    let chat = Chat::start();
    let mut bob = chat.comes("bob", &[]);
    let mut alice = chat.sits("alice", 80, 24);
    bob.say("said before");
    alice.sees("bob: said before");
    assert!(alice.is_full_screen());
    alice.types("/plain");
    // A paste is one message here as well.
    alice.shows("lines", |rows| rows.first().is_some_and(|row| row.contains("You are alice")));
    assert!(!alice.is_full_screen());
    alice.sees("bob: said before");
    alice.half_types("half typed");
    bob.say("said after");
    alice.sees("bob: said after");
    alice.shows("the draft below", |rows| {
        rows.iter().rfind(|row| !row.is_empty()).is_some_and(|row| row == "> half typed")
    });
    alice.types("");
    bob.hears("alice: half typed\n");
    // A paste of more than one message holds is refused as a whole, and said so.
    let lines: String = (1..=1000).map(|number| format!("line {number}\n")).collect();
    alice.presses(format!("\x1b[200~{lines}\x1b[201~\r").as_bytes());
    alice.sees("one message has at most 4096");
    alice.presses(b"\x03");
    bob.say("last");
    alice.sees("bob: last");
    assert!(!bob.out().contains("line 1"), "{}", bob.out());
}

#[test]
fn dropbear_with_a_terminal_has_the_full_screen() {
    let chat = Chat::start();
    let mut bob = chat.comes("bob", &[]);
    let mut alice = Screen::runs(chat.dropbear("alice").args(["-t", "alice@127.0.0.1"]), 80, 24);
    alice.sees("You are alice");
    assert!(alice.is_full_screen());
    bob.hears("alice joined");
    bob.say("hello dropbear");
    alice.sees("bob: hello dropbear");
    alice.types("hello openssh");
    bob.hears("alice: hello openssh");
    alice.resizes(40, 10);
    alice.shows("one column", |rows| rows.len() == 10 && rows[0] == " #lobby" && !rows.iter().any(|r| r.contains('│')));
    alice.types("/quit");
    let (code, rows) = alice.ends();
    assert_eq!(code, 0, "{rows:?}");
    bob.hears("alice left");
}

#[test]
fn dropbear_without_a_terminal_has_lines() {
    let chat = Chat::start();
    let bob = chat.comes("bob", &[]);
    let mut alice = Running::start(chat.dropbear("alice").args(["-T", "alice@127.0.0.1"]));
    alice.hears("You are alice\n");
    alice.say("hello from a pipe");
    bob.hears("alice: hello from a pipe");
    alice.say("/quit");
    assert_eq!(alice.ends(), 0, "{}", alice.err());
}

#[test]
fn a_pipe_that_ends_has_said_all_it_had_to_say() {
    let chat = Chat::start();
    let bob = chat.comes("bob", &[]);
    let done = finish(chat.ssh("alice").args(["-T", "alice@127.0.0.1"]), b"1.\n2.\n3.\n4.\n5.\n6.\n7.\n8.");
    assert_eq!(done.code, 0, "{done:?}");
    bob.hears("alice left");
    // More than may be said at once, and a last line without its end.
    for number in 1..=8 {
        let line = format!("alice: {number}.");
        assert!(bob.out().contains(&line) && done.out.contains(&line), "{done:?}");
    }
    assert!(!done.out.contains('\x1b'), "{done:?}");
}
