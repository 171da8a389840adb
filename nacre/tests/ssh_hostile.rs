//! `nacre ssh` against servers that lie, nag and reach out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/person.rs"]
mod person;
#[path = "common/scripted.rs"]
mod scripted;

use common::{Scratch, nacre};
use nacre_wire::session::SessionRequest;
use nacre_wire::userauth::{InfoRequest, Prompt};
use peer::{make_key, run};
use person::Person;
use scripted::{Script, Scripted};

const HOST: &str = "127.0.0.1";

/// A home with a key.
fn home() -> Scratch {
    let home = Scratch::new();
    make_key(&home, "id", &["-t", "ed25519"]);
    home
}

fn words(port: u16, more: &[&str]) -> Vec<String> {
    let words = ["ssh", "-F", "none", "-p", &port.to_string(), "-o", "StrictHostKeyChecking=accept-new"];
    words
        .into_iter()
        .chain(["-o", "GlobalKnownHostsFile=none"])
        .chain(more.iter().copied())
        .map(str::to_owned)
        .collect()
}

fn person(home: &Scratch, server: &Scripted, more: &[&str]) -> Person {
    let words = words(server.port, more);
    Person::runs(home.root(), &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn prompt(text: &[u8], echo: bool) -> Prompt {
    Prompt { text: text.to_vec(), echo }
}

/// No control character but line ends: nothing that moves the cursor or colours.
#[track_caller]
fn harmless(screen: &str) {
    assert!(!screen.contains(|c: char| c.is_control() && !"\r\n\t".contains(c)), "{screen:?}");
    assert!(!screen.contains(['\u{202e}', '\u{2066}']), "{screen:?}");
}

#[test]
fn h11_channels_that_nobody_asked_for_are_refused() {
    let home = home();
    let opens = [
        "session",
        "x11",
        "auth-agent@openssh.com",
        "forwarded-tcpip",
        "forwarded-streamlocal@openssh.com",
        "direct-tcpip",
        "tun@openssh.com",
        "no-such-type",
    ];
    let server = Scripted::new(Script { opens: opens.to_vec(), ..Script::default() });
    let words = words(server.port, &["-i", home.path("id").to_str().unwrap(), HOST, "true"]);
    let done = run(nacre().args(words).env("HOME", home.root()), b"");
    assert_eq!((done.code, done.out.len()), (0, 0), "{}", done.err);
    let notes = server.notes();
    assert_eq!(notes.iter().filter(|note| note.starts_with("open refused: 1")).count(), opens.len(), "{notes:?}");
    assert!(!notes.contains(&"open granted".to_owned()), "{notes:?}");
    assert!(done.err.contains("Warning: ssh server tried agent forwarding.\n"), "{}", done.err);
}

#[test]
fn c07_c13_h11_a_server_sends_back_only_what_it_was_asked_to_listen_for() {
    let home = home();
    let listener = std::net::TcpListener::bind((HOST, 0)).unwrap();
    let to = format!("{HOST}:{}", listener.local_addr().unwrap().port());
    let script = Script {
        listens: true,
        opens: vec!["forwarded-streamlocal@openssh.com", "forwarded-tcpip", "direct-tcpip"],
        // Another port, an address that two have; then what was asked for, with the address as asked and otherwise.
        arrivals: vec![("localhost", 2201), ("192.0.2.1", 2300), ("localhost", 2200), ("elsewhere", 2200), ("", 2300)],
        ..Script::default()
    };
    let server = Scripted::new(script);
    let (one, two, three) = (format!("2200:{to}"), format!("*:2300:{to}"), format!("127.0.0.1:2300:{to}"));
    let socket = format!("/nowhere/socket:{to}");
    let forwards = ["-R", &one, "-R", &two, "-R", &three, "-R", &socket, HOST, "true"];
    let words = words(server.port, &[&["-i", home.path("id").to_str().unwrap()], &forwards[..]].concat());
    let done = run(nacre().args(words).env("HOME", home.root()), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    let mut notes: Vec<String> = server.notes().into_iter().filter(|note| note.starts_with("open ")).collect();
    notes.sort();
    assert_eq!(notes, [vec!["open granted"; 3], vec!["open refused: 1"; 5]].concat());
}

#[test]
fn u01_h09_questions_cannot_draw_and_cannot_pass_for_ours() {
    let home = home();
    let evil = b"Enter passphrase for key '/root/.ssh/id_ed25519': \x1b[2J\x9b1m\nroot@other's password: ";
    let question = InfoRequest {
        name: b"\x1b]0;title\x07Name".to_vec(),
        instruction: b"line one\r\nroot@other's password: \xe2\x80\xaex".to_vec(),
        prompts: vec![prompt(evil, false), prompt(b"shown? ", true)],
    };
    let script = Script { questions: vec![question], methods: vec![vec!["keyboard-interactive"]], ..Script::default() };
    let server = Scripted::new(script);
    let mut person = person(&home, &server, &["-l", "me", HOST, "true"]);
    person.sees("(me@127.0.0.1) ");
    person.sees("root@other's password: ");
    person.sees("(me@127.0.0.1) root@other's password: ");
    person.types("hidden answer");
    person.sees("(me@127.0.0.1) shown? ");
    person.types("shown answer");
    let (code, screen) = person.ends();
    assert_eq!(code, 0, "{screen}");
    harmless(&screen);
    assert!(screen.contains("shown answer") && !screen.contains("hidden answer"), "{screen:?}");
    for line in screen.lines().filter(|line| line.contains("password: ") || line.contains("Enter passphrase")) {
        assert!(line.starts_with("(me@127.0.0.1) "), "{line:?}");
    }
    assert!(server.notes().contains(&"answers: [\"hidden answer\", \"shown answer\"]".to_owned()));
}

#[test]
fn h10_rounds_without_end_are_given_up() {
    let home = home();
    let empty = InfoRequest { name: b"again".to_vec(), ..InfoRequest::default() };
    let script = Script {
        questions: vec![empty],
        for_ever: true,
        methods: vec![vec!["keyboard-interactive"]],
        ..Script::default()
    };
    let server = Scripted::new(script);
    let words = words(server.port, &[HOST, "true"]);
    let done = run(nacre().args(words).env("HOME", home.root()), b"");
    assert_eq!(done.code, 255);
    assert!(done.err.matches("again").count() <= 64, "{}", done.err.len());
    assert!(server.notes().iter().filter(|note| note.starts_with("answers")).count() <= 65);
}

#[test]
fn h09_none_is_announced_before_anything_the_server_says() {
    let home = home();
    let script = Script { none: true, output: b"me@127.0.0.1's password: ", ..Script::default() };
    let server = Scripted::new(script);
    let person = person(&home, &server, &["-l", "me", HOST, "true"]);
    let (code, screen) = person.ends();
    assert_eq!(code, 0, "{screen}");
    let notice = screen.find("let this login in without any credential").expect("no notice");
    assert!(notice < screen.find("'s password: ").unwrap(), "{screen}");
}

#[test]
fn h09_a_login_that_used_no_credential_can_be_refused() {
    let home = home();
    let trivial = InfoRequest { name: b"hello".to_vec(), instruction: Vec::new(), prompts: Vec::new() };
    let kbd = || vec![vec!["keyboard-interactive"]];
    let asked = |prompts| InfoRequest { prompts, ..trivial.clone() };
    // `none`, and keyboard-interactive that asks nothing.
    for script in [
        Script { none: true, output: b"me@127.0.0.1's password: ", ..Script::default() },
        Script { questions: vec![asked(Vec::new())], methods: kbd(), output: b"password: ", ..Script::default() },
    ] {
        let server = Scripted::new(script.clone());
        let person = person(&home, &server, &["-o", "RefuseNoneAuth=yes", "-l", "me", HOST, "true"]);
        let (code, screen) = person.ends();
        assert_eq!(code, 255, "{screen}");
        assert!(screen.contains("without any credential, and RefuseNoneAuth is set"), "{screen}");
        assert!(!screen.contains("password: "), "{screen}");
        assert!(!server.notes().iter().any(|note| note.contains("true")), "a command was asked for");
        // Without the option it is told.
        let server = Scripted::new(script);
        let (code, screen) = self::person(&home, &server, &["-l", "me", HOST, "true"]).ends();
        assert_eq!(code, 0, "{screen}");
        assert!(screen.contains("NOTICE: 127.0.0.1 let this login in without any credential"), "{screen}");
    }
    // An answer is a credential.
    let script = Script { questions: vec![asked(vec![prompt(b"Code: ", false)])], methods: kbd(), ..Script::default() };
    let server = Scripted::new(script);
    let mut person = person(&home, &server, &["-o", "RefuseNoneAuth=yes", "-l", "me", HOST, "true"]);
    person.sees("Code: ");
    person.types("123");
    let (code, screen) = person.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("NOTICE"), "{screen}");
}

#[test]
fn a_password_that_must_be_changed() {
    let home = home();
    let words = "Your password has expired\x1b[2J.\nroot@other's password: ";
    let script = Script { methods: vec![vec!["password"]], change: Some(words), ..Script::default() };
    let server = Scripted::new(script);
    let mut person = person(&home, &server, &["-l", "me", HOST, "true"]);
    person.sees("me@127.0.0.1's password: ");
    person.types("first");
    person.sees("(me@127.0.0.1) Your password has expired");
    person.sees("(me@127.0.0.1) root@other's password: ");
    person.sees("Enter me@127.0.0.1's old password: ");
    person.types("first");
    person.sees("Enter me@127.0.0.1's new password: ");
    person.types("second");
    person.sees("Retype me@127.0.0.1's new password: ");
    person.types("other");
    person.sees("Mismatch; try again, EOF to quit.");
    person.sees("Enter me@127.0.0.1's new password: ");
    person.types("second");
    person.sees("Retype me@127.0.0.1's new password: ");
    person.types("second");
    let (code, screen) = person.ends();
    assert_eq!(code, 0, "{screen}");
    harmless(&screen);
    let notes = server.notes();
    assert_eq!(notes[..2], ["password: first None", "password: first Some(\"second\")"]);
}

#[test]
fn two_factors_one_after_the_other() {
    let home = home();
    let question = InfoRequest { prompts: vec![prompt(b"Code: ", false)], ..InfoRequest::default() };
    let script = Script {
        methods: vec![vec!["publickey", "keyboard-interactive"]],
        questions: vec![question],
        ..Script::default()
    };
    let server = Scripted::new(script);
    let id = home.path("id");
    let mut person = person(&home, &server, &["-v", "-l", "me", "-i", id.to_str().unwrap(), HOST, "true"]);
    person.sees("(me@127.0.0.1) Code: ");
    person.types("123456");
    person.sees("Authenticated to 127.0.0.1 using \"publickey,keyboard-interactive\".");
    assert_eq!(person.ends().0, 0);
    assert_eq!(server.notes()[..3], ["key, signed: true", "answers: []", "answers: [\"123456\"]"]);
}

#[test]
fn u01_an_exit_signal_cannot_draw_on_the_terminal() {
    let home = home();
    let end = SessionRequest::ExitSignal {
        name: "X\u{1b}[31m".to_owned(),
        core_dumped: true,
        message: b"bye\x1b]0;t\x07\nme@127.0.0.1's password: ".to_vec(),
    };
    let server = Scripted::new(Script { end, ..Script::default() });
    let words = words(server.port, &["-i", home.path("id").to_str().unwrap(), HOST, "true"]);
    let done = run(nacre().args(words).env("HOME", home.root()), b"");
    assert_eq!(done.code, 255);
    assert!(done.err.contains("(core dumped): bye"), "{:?}", done.err);
    harmless(&done.err);
    assert_eq!(done.err.lines().count(), 2, "{:?}", done.err);
}

#[test]
fn output_that_was_not_read_yet_is_written_before_the_end() {
    use std::io::Read;
    let home = home();
    // More than a pipe holds, and the server has said good-bye long before it is read.
    const OUTPUT: &[u8] = &[b'x'; 200_000];
    let server = Scripted::new(Script { output: OUTPUT, ..Script::default() });
    let words = words(server.port, &["-i", home.path("id").to_str().unwrap(), HOST, "true"]);
    let mut command = nacre();
    command.args(words).env("HOME", home.root()).stdin(std::process::Stdio::null());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let mut all = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), OUTPUT.len());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
