//! `nacre ssh` with a person at a terminal: a shell there, its size, escapes, and the terminal given
//! back at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/person.rs"]
mod person;

use common::Scratch;
use peer::{Peer, place, run};
use person::Person;

const HOST: &str = "127.0.0.1";

/// Runs a test against both servers.
fn each(test: impl Fn(&Scratch, &Peer)) {
    let place = place();
    for peer in [Peer::sshd(&place, ""), Peer::dropbear(&place, &[])] {
        test(&place, &peer);
    }
}

/// A person who calls with these words.
fn person(peer: &Peer, place: &Scratch, words: &[&str]) -> Person {
    let mut all = peer.words(place);
    let id = place.path("id");
    all.extend(["-i", id.to_str().unwrap(), "-o", "StrictHostKeyChecking=accept-new"].map(str::to_owned));
    all.extend(words.iter().map(|word| (*word).to_owned()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Person::runs(&place.path("home"), &all)
}

#[test]
fn a_shell_with_its_size_and_type() {
    each(|place, peer| {
        let mut person = person(peer, place, &[HOST]);
        person.sees("# ");
        person.types("echo a$((1+1))b; tty; echo $TERM; stty size");
        person.sees("a2b\r\n");
        person.sees("/dev/pts/");
        person.sees("xterm-256color");
        person.sees("24 80\r\n");
        person.resizes(100, 30);
        // The change travels by itself; the shell is asked until it has come.
        person.types("while [ \"$(stty size)\" != '30 100' ]; do sleep 0.05; done; echo re''sized");
        person.sees("resized\r\n");
        assert!(!person.terminal_is_cooked());
        person.types("exit 3");
        person.sees("Connection to 127.0.0.1 closed.");
        person.awaits_cooked_terminal();
        assert_eq!(person.ends().0, 3);
    });
}

#[test]
fn keys_go_to_the_other_side() {
    each(|place, peer| {
        let mut person = person(peer, place, &[HOST]);
        person.sees("# ");
        // Ctrl-C ends what runs there and not the client.
        person.types("cat");
        person.types("round trip");
        person.sees("round trip\r\nround trip\r\n");
        person.presses(b"\x03");
        person.sees("# ");
        person.types("echo still he''re");
        person.sees("still here");
        // The modes of this terminal are those of that one: erase is what it is here.
        person.presses(b"echo wrong\x7f\x7f\x7f\x7f\x7frig''ht\r");
        person.sees("rig''ht\r\n");
        person.sees("right\r\n");
        person.presses(b"\x04");
        person.sees("Connection to 127.0.0.1 closed.");
        assert_eq!(person.ends().0, 0);
    });
}

#[test]
fn escapes() {
    each(|place, peer| {
        let mut person = person(peer, place, &[HOST]);
        person.sees("# ");
        person.presses(b"\r~?");
        person.sees("Supported escape sequences:");
        person.presses(b"\r~#");
        person.sees("#0 client-session");
        person.presses(b"\r~I");
        person.sees("key exchange    ");
        person.sees("compression none");
        person.presses(b"\r~R");
        person.types("\recho after re''keying");
        person.sees("after rekeying");
        person.types("echo a ~~. b");
        person.sees("a ~~. b");
        person.presses(b"\r~v\r~V");
        person.sees("[LogLevel VERBOSE]");
        person.sees("[LogLevel INFO]");
        person.presses(b"\r~.");
        person.sees("Connection to 127.0.0.1 closed.");
        person.awaits_cooked_terminal();
        assert_eq!(person.ends().0, 255);
    });
}

#[test]
fn the_list_of_connections_has_the_tunnels() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let port = common::free_port();
    let (local, remote) = (format!("{port}:{HOST}:{}", peer.port), format!("0:{HOST}:{}", peer.port));
    let mut person = person(&peer, &place, &["-L", &local, "-R", &remote, HOST]);
    person.sees("Allocated port ");
    person.sees("# ");
    let through = std::net::TcpStream::connect((HOST, port)).unwrap();
    let mut word = [0; 4];
    std::io::Read::read_exact(&mut &through, &mut word).unwrap();
    assert_eq!(&word, b"SSH-");
    person.presses(b"\r~#");
    person.sees("#0 client-session\r\n");
    person.sees(&format!("#1 port {port} -> {HOST}:{}\r\n", peer.port));
    person.sees(&format!("listening here on port {port} for {HOST}:{}\r\n", peer.port));
    person.sees("the server listens on port ");
    person.presses(b"\r~.");
    assert_eq!(person.ends().0, 255);
}

#[test]
fn tunnels_come_and_go_by_the_command_line() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let free = common::free_port;
    let answers = |port: u16| {
        let mut word = [0; 4];
        let stream = std::net::TcpStream::connect((HOST, port));
        stream.is_ok_and(|stream| std::io::Read::read_exact(&mut &stream, &mut word).is_ok() && &word == b"SSH-")
    };
    let mut person = person(&peer, &place, &["-o", "EnableEscapeCommandline=yes", HOST]);
    person.sees("# ");
    let to = format!("{HOST}:{}", peer.port);
    for kind in ["L", "R"] {
        let port = free();
        person.presses(b"\r~C");
        person.sees("ssh> ");
        person.presses(format!("-{kind} {port}:{to}xx\x7f\x7f\r").as_bytes());
        person.sees("Forwarding port.");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(360);
        while !answers(port) {
            assert!(std::time::Instant::now() < end, "-{kind} does not lead there");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        person.presses(b"\r~C");
        person.sees("ssh> ");
        person.presses(format!("-K{kind} {port}\r").as_bytes());
        person.sees("Canceled forwarding.");
        while std::net::TcpStream::connect((HOST, port)).is_ok() {
            assert!(std::time::Instant::now() < end, "-K{kind} does not end it");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        person.presses(b"\r~C");
        person.sees("ssh> ");
        person.presses(format!("-K{kind} {port}\r").as_bytes());
        person.sees("Unknown port forwarding.");
    }
    for (command, answer) in
        [("-L nonsense", "Bad forwarding specification."), ("-x", "Invalid command."), ("?", "Commands:")]
    {
        person.presses(b"\r~C");
        person.sees("ssh> ");
        person.types(command);
        person.sees(answer);
    }
    // What was typed there did not go to the shell.
    person.presses(b"\r~C");
    person.sees("ssh> ");
    person.presses(b"exit 9\x03");
    person.types("echo still he''re");
    person.sees("still here");
    person.types("exit 5");
    assert_eq!(person.ends().0, 5);
    // A command on this side, where that is permitted.
    let note = place.path("note");
    let command = format!("!echo run h''ere; echo noted > {}\r", note.display());
    for permits in ["yes", "no"] {
        let permit = format!("PermitLocalCommand={permits}");
        let mut person = self::person(&peer, &place, &["-o", "EnableEscapeCommandline=yes", "-o", &permit, HOST]);
        person.sees("# ");
        person.presses(b"\r~C");
        person.sees("ssh> ");
        person.presses(command.as_bytes());
        person.sees(if permits == "yes" { "run here" } else { "Invalid command." });
        person.types("exit 4");
        assert_eq!(person.ends().0, 4);
        assert_eq!(std::fs::remove_file(&note).is_ok(), permits == "yes");
    }
    let mut person = self::person(&peer, &place, &[HOST]);
    person.sees("# ");
    person.presses(b"\r~C");
    person.sees("commandline disabled");
    person.presses(b"\r~.");
    assert_eq!(person.ends().0, 255);
}

#[test]
fn another_escape_character_and_none() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut one = person(&peer, &place, &["-e", "^B", HOST]);
    one.sees("# ");
    one.presses(b"\r~.\x15echo no es''cape\r");
    one.sees("no escape");
    one.presses(b"\r\x02.");
    one.sees("closed.");
    assert_eq!(one.ends().0, 255);
    let mut two = person(&peer, &place, &["-e", "none", HOST]);
    two.sees("# ");
    two.presses(b"\r~.\x15exit 6\r");
    assert_eq!(two.ends().0, 6);
}

#[test]
fn suspended_and_brought_back() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut words = peer.words(&place);
    words.extend(
        ["-i", place.path("id").to_str().unwrap(), "-o", "StrictHostKeyChecking=accept-new"].map(str::to_owned),
    );
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    // A shell with job control, as a person has it.
    let mut person = Person::starts(std::path::Path::new("/bin/bash"), &place.path("home"), &["--norc", "-i"], &[]);
    person.sees("# ");
    person.types("PS1='he''re> '");
    person.sees("here> ");
    person.types(&format!("'{}' {} {HOST}", env!("CARGO_BIN_EXE_nacre"), quoted.join(" ")));
    person.sees("# ");
    person.presses(b"\r~\x1a");
    person.sees("Stopped");
    person.sees("here> ");
    person.types("echo at ho''me");
    person.sees("at home");
    person.types("fg");
    person.types("echo a$((2+3))b");
    person.sees("a5b");
    person.types("exit 9");
    person.sees("closed.");
    person.types("echo code $?");
    person.sees("code 9");
    person.types("exit");
    assert_eq!(person.ends().0, 0);
}

#[test]
fn a_terminal_on_demand() {
    each(|place, peer| {
        let mut one = person(peer, place, &["-t", HOST, "tty && exit 4"]);
        one.sees("/dev/pts/");
        one.sees("Connection to 127.0.0.1 closed.");
        assert_eq!(one.ends().0, 4);
        let two = person(peer, place, &["-T", HOST, "tty"]);
        let (code, screen) = two.ends();
        assert_eq!(code, 1);
        assert!(screen.contains("not a tty") && !screen.contains("Connection to"), "{screen}");
        // Twice asked for, there is one even without one here; escapes do their work in what is piped in.
        let done = run(peer.client(place).args(["-tt", HOST, "tty; exit 5"]), b"");
        assert_eq!(done.code, 5, "{}", done.err);
        assert!(done.text().contains("/dev/pts/"), "{}", done.text());
        let done = run(peer.client(place).args(["-tt", HOST, "sleep 60"]), b"~.");
        assert_eq!(done.code, 255);
    });
}

#[test]
fn a_flood_of_output_can_be_stopped() {
    each(|place, peer| {
        let mut person = person(peer, place, &[HOST]);
        person.sees("# ");
        person.types("yes flood");
        person.sees("flood\r\nflood");
        person.presses(b"\x03");
        person.types("echo the en''d");
        person.sees("the end");
        person.types("exit");
        assert_eq!(person.ends().0, 0);
    });
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut person = person(&peer, &place, &[HOST]);
    person.sees("# ");
    assert!(!person.terminal_is_cooked());
    let pid = rustix::process::Pid::from_raw(person.pid()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    person.awaits_cooked_terminal();
    assert_eq!(person.ends().0, 255);
}

#[test]
fn a_server_that_vanishes_gives_the_terminal_back() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut person = person(&peer, &place, &[HOST]);
    person.sees("# ");
    person.types("kill -9 $PPID");
    person.sees("Connection to 127.0.0.1 closed by remote host.");
    person.awaits_cooked_terminal();
    assert_eq!(person.ends().0, 255);
}

#[test]
fn a_terminal_that_is_refused() {
    let place = place();
    let peer = Peer::sshd(&place, "PermitTTY no");
    let mut person = person(&peer, &place, &["-t", HOST, "tty; exit 2"]);
    person.sees("PTY allocation request failed on channel 0");
    person.sees("not a tty");
    assert_eq!(person.ends().0, 2);
}
