//! `nacre sftp` as a person has it: a prompt with history and completion, Ctrl-C and Ctrl-D.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use common::{Scratch, nacre};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use terminal::Terminal;

const OPENSSH: &str = "/usr/lib/openssh/sftp-server";

fn place() -> Scratch {
    let place = Scratch::new();
    std::fs::create_dir_all(place.path("far/a folder/deep")).unwrap();
    std::fs::create_dir(place.path("near")).unwrap();
    for name in ["far/some file", "far/other", "far/a folder/x1", "far/a folder/x2", "near/here there"] {
        place.write(name, name);
    }
    place
}

fn sftp(place: &Scratch, more: &[&str]) -> Command {
    let mut command = nacre();
    command.arg("sftp").args(more).args(["-D", OPENSSH]);
    command.env("HOME", place.root()).env("XDG_STATE_HOME", place.path("state")).env("TERM", "xterm");
    command
}

/// A session with both working folders set.
fn session(place: &Scratch, more: &[&str]) -> Terminal {
    let mut terminal = Terminal::runs(&sftp(place, more), 90, 30);
    terminal.sees(&format!("Attached to {OPENSSH}."));
    for (command, folder) in [("cd", "far"), ("lcd", "near")] {
        terminal.sees("sftp> ");
        terminal.types(&format!("{command} {}", place.path(folder).display()));
    }
    terminal.sees("\n");
    terminal.sees("sftp> ");
    terminal
}

#[test]
fn the_tab_key_completes_commands_and_names_of_both_sides() {
    let place = place();
    let mut terminal = session(&place, &[]);
    terminal.presses(b"get so\t");
    terminal.sees("get some\\ file ");
    terminal.presses(b"cop\t\r");
    terminal.sees("Fetching ");
    terminal.sees("sftp> ");
    assert_eq!(place.read("near/cop"), "far/some file", "the second word of get is a name here, and none begins so");
    terminal.presses(b"ls \"a\t");
    terminal.sees("ls \"a folder/");
    terminal.presses(b"x\t\t");
    terminal.sees("x1");
    terminal.sees("x2");
    terminal.presses(b"2\"\r");
    terminal.sees("a folder/x2\r\n");
    terminal.sees("sftp> ");
    terminal.presses(b"put he\t\r");
    terminal.sees("Uploading here there to ");
    terminal.sees("sftp> ");
    assert_eq!(place.read("far/here there"), "near/here there");
    terminal.presses(b"pr\t\r");
    terminal.sees("Progress meter disabled");
    terminal.sees("sftp> ");
    terminal.presses(b"\x04");
    assert_eq!(terminal.ends(), 0, "Ctrl-D leaves");
}

#[test]
fn lines_are_remembered_for_their_owner_alone() {
    let place = place();
    let mut terminal = session(&place, &[]);
    terminal.types("pwd");
    terminal.sees("Remote working directory: ");
    terminal.sees("sftp> ");
    terminal.types(" version");
    terminal.sees("SFTP protocol version 3");
    terminal.sees("sftp> ");
    terminal.types("bye");
    assert_eq!(terminal.ends(), 0);
    let file = place.path("state/nacre/sftp_history").metadata().unwrap();
    assert_eq!(file.mode() & 0o777, 0o600);
    assert!(!place.read("state/nacre/sftp_history").contains("version"), "a blank before it keeps a line out");
    let mut terminal = Terminal::runs(&sftp(&place, &[]), 90, 30);
    terminal.sees("sftp> ");
    terminal.presses(b"\x1b[A\x1b[A\r");
    terminal.sees("Remote working directory: ");
    terminal.sees("sftp> ");
    terminal.presses(b"quit\r");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn ctrl_c_stops_a_transfer_and_no_more() {
    let place = place();
    let whole: Vec<u8> = (0..4_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(place.path("far/big"), &whole).unwrap();
    // 1 MiB a second: 16 seconds.
    let mut terminal = session(&place, &["-l", "8192"]);
    terminal.types("get big");
    terminal.sees("Fetching ");
    terminal.sees("KiB/s");
    terminal.presses(&[3]);
    terminal.sees("are kept, reget goes on from there");
    terminal.sees("Interrupted");
    terminal.sees("sftp> ");
    assert!(!place.path("near/big").exists(), "what is cut does not look finished");
    assert!(place.path("near/.big.nacre-part").exists());
    // The next words are typed before the transfer ends: they are not lost.
    terminal.presses(b"reget big\rpwd\rversion\r");
    terminal.sees("Resuming ");
    terminal.sees("Remote working directory: ");
    terminal.sees("SFTP protocol version 3");
    terminal.sees("sftp> ");
    assert!(std::fs::read(place.path("near/big")).unwrap() == whole);
    terminal.presses(b"half a li\x03");
    terminal.sees("sftp> ");
    terminal.types("bye");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn names_stand_in_as_many_columns_as_the_terminal_has_room_for() {
    let place = place();
    std::fs::create_dir(place.path("far/many")).unwrap();
    for number in 10..30 {
        place.write(&format!("far/many/name{number}"), "");
    }
    let mut terminal = session(&place, &[]);
    terminal.types("cd many");
    terminal.sees("sftp> ");
    terminal.resize(26, 20);
    terminal.types("ls");
    // Three columns of eight.
    terminal.sees("name10  name11  name12\r\nname13  name14  name15\r\n");
    terminal.sees("sftp> ");
    terminal.presses(b"\x04");
    assert_eq!(terminal.ends(), 0);
}
