//! Passwords that must be changed, that are empty, that come with a code; and what a stranger sees of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/accounts.rs"]
mod accounts;
mod common;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/terminal.rs"]
mod terminal;

use accounts::{Accounts, GUEST, PASSWORD, Serves, Setup, hash, possible};
use serve::{Done, Server, code_now, finish};
use terminal::Terminal;

const BY_PASSWORD: &[&str] = &["-o", "PreferredAuthentications=password"];
const BY_QUESTIONS: &[&str] = &["-o", "PreferredAuthentications=keyboard-interactive"];
const BOTH: &[&str] = &["-o", "PreferredAuthentications=password,keyboard-interactive"];

/// A server of one account with a name whose password must be changed.
fn with_expired(config: &str) -> Option<Accounts> {
    if !possible() {
        return None;
    }
    let server = Setup::new(Serves::Itself).config(config).start();
    assert_eq!(server.passwd(&["alice", "--stdin", "--expire"], "fake old one\n").code, 0);
    Some(server)
}

/// Answers OpenSSH's questions about a change of password, and ours.
fn answer(server: &Accounts, old: &str, new: &str, again: &str, more: &[&str]) -> Done {
    let answers = [("*etype*|*again*", again), ("*ew?password*", new), ("*code*", &code_now()), ("*assword*", old)];
    finish(server.answering("alice", &answers, more).arg("echo in as $USER"), b"")
}

fn is_in(done: &Done) -> bool {
    done.code == 0 && done.out.starts_with("in as ")
}

#[test]
fn a_password_that_must_be_changed_lets_in_once_it_was() {
    for way in [BY_PASSWORD, BY_QUESTIONS] {
        let Some(server) = with_expired("") else { return };
        let list = server.passwd(&["--list"], "");
        assert_eq!(list.out, "alice: password to be changed at the next login\n");
        assert!(!is_in(&answer(&server, "wrong old", "fake new one", "fake new one", way)));
        for bad in ["short", "fake old one"] {
            assert!(!is_in(&answer(&server, "fake old one", bad, bad, way)), "{bad}");
        }
        // With the method of passwords the client compares the two.
        let differ =
            way == BY_QUESTIONS && is_in(&answer(&server, "fake old one", "fake new one", "fake new two", way));
        assert!(!differ, "two that differ");
        let done = answer(&server, "fake old one", "fake new one", "fake new one", way);
        assert!(is_in(&done), "{done:?} {}", server.log());
        server.logs("password of alice changed");
        assert_eq!(server.passwd(&["--list"], "").out, "alice: password\n");
        // From here on it is a password like any other, and the old one is gone.
        let before = server.asked();
        assert!(is_in(&answer(&server, "fake new one", "", "", way)));
        assert!(!server.asked()[before.len()..].contains("ew password"));
        assert!(!is_in(&answer(&server, "fake old one", "fake new one", "fake new one", way)));
    }
}

#[test]
fn the_reason_is_told_to_whoever_chooses() {
    let Some(server) = with_expired("") else { return };
    for way in [BY_PASSWORD, BY_QUESTIONS] {
        let more = [way, &["-o", "LogLevel=INFO"]].concat();
        let done = answer(&server, "fake old one", "short", "short", &more);
        let told = done.err.clone() + &server.asked();
        assert!(told.contains("Your password must be changed. Choose one of at least 8 characters."), "{told}");
        assert!(told.contains("too short"), "{told}");
    }
}

#[test]
fn a_code_comes_before_the_new_password() {
    for way in [BY_QUESTIONS, BOTH] {
        let Some(server) = with_expired("") else { return };
        let store = || nacre::passwd::store::Store::open(server.place.path("state/passwd")).unwrap();
        let secret = nacre_proto::crypto::SecretBytes::new(serve::SECRET.to_vec());
        store().set_totp("alice", Some(secret), None).unwrap();
        let answers = [("*code*", "000000"), ("*", "fake old one")];
        assert!(!is_in(&finish(server.answering("alice", &answers, way).arg("echo in as $USER"), b"")));
        assert!(!server.asked().contains("ew password"), "{}", server.asked());
        assert!(store().lookup("alice").unwrap().unwrap().must_change);
        assert!(is_in(&answer(&server, "fake old one", "fake new one", "fake new one", way)), "{}", server.log());
        assert!(store().verify("alice", "fake new one").unwrap());
    }
}

#[test]
fn a12_a_stranger_is_asked_the_same_whoever_is_enrolled() {
    let server = Server::start("");
    server.add("alice", "fake horse");
    server.add("bob", "fake horse");
    server.enrol("alice");
    let seen = |user: &str, password: &str, more: &[&str]| {
        let more = [&["-v", "-o", "PubkeyAuthentication=no"], more].concat();
        let done = finish(server.ssh_answering(user, password, "000000", &more).arg("true"), b"");
        assert_ne!(done.code, 0);
        let told = |line: &&str| {
            line.contains("can continue") || line.contains("num_prompts") || line.contains("Permission denied")
        };
        done.err.lines().filter(told).map(|line| line.replace(user, "USER")).collect::<Vec<_>>()
    };
    for way in [BY_QUESTIONS, BY_PASSWORD, BOTH] {
        let [enrolled, plain, unknown] = ["alice", "bob", "carol"].map(|user| seen(user, "wrong", way));
        assert!(!enrolled.is_empty());
        assert_eq!(enrolled, plain);
        assert_eq!(enrolled, unknown);
    }
    // Whoever knows the password is asked for the code and gets no further without it.
    let done = finish(
        server
            .ssh_answering(
                "alice",
                "fake horse",
                &code_now(),
                &[BY_QUESTIONS, &["-o", "PubkeyAuthentication=no"]].concat(),
            )
            .arg("echo in as $USER"),
        b"",
    );
    assert!(is_in(&done), "{}", server.log());
    server.configure("KbdInteractiveAuthentication no");
    server.signal("HUP");
    server.logs("configuration reloaded");
    let [enrolled, plain] = ["alice", "bob"].map(|user| seen(user, "wrong", BOTH));
    assert_eq!(enrolled, plain, "the ways that a stranger is told");
}

#[test]
fn an_expired_password_of_the_machine_is_for_changing_it() {
    if !possible() {
        return;
    }
    let shadow = format!("{}:0:0:99999:7:::", hash(PASSWORD));
    let server = Setup::new(Serves::Machine).shadow(&shadow).start();
    for way in [BY_PASSWORD, BY_QUESTIONS] {
        let done = finish(server.answering(GUEST, &[("*", PASSWORD)], way).arg("echo in as $USER"), b"");
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
        assert!(done.err.contains("Password change required but no TTY available."), "{}", done.err);
    }
    let mut ssh = server.answering(GUEST, &[("*", PASSWORD)], &[BY_PASSWORD, &["-tt"]].concat());
    let mut terminal = Terminal::runs(ssh.arg("echo in as $USER"), 80, 24);
    terminal.sees("WARNING: Your password has expired.");
    terminal.sees("You must change your password now and login again!");
    terminal.sees("Current password: ");
    terminal.types(PASSWORD);
    terminal.sees("New password: ");
    terminal.hang_up();
    // A key proves who it is without the password (OpenSSH without PAM does the same).
    assert_eq!(server.run(GUEST, "echo in").out, "in\n");
}

#[test]
fn an_empty_password_counts_only_where_it_is_permitted() {
    if !possible() {
        return;
    }
    let none = ["-o", "PreferredAuthentications=none", "-o", "BatchMode=yes"];
    for (config, lets_in) in [
        ("", false),
        ("PermitEmptyPasswords yes", true),
        ("PermitEmptyPasswords yes\nPasswordAuthentication no", false),
        ("PermitEmptyPasswords yes\nAuthenticationMethods publickey", false),
    ] {
        let server = Setup::new(Serves::Machine).shadow(":19000:0:99999:7:::").config(config).start();
        let done = finish(server.answering(GUEST, &[], &none).arg("echo in as $USER"), b"");
        assert_eq!(is_in(&done), lets_in, "{config}: {done:?}");
        let done = finish(server.answering(GUEST, &[("*", "")], BY_PASSWORD).arg("echo in as $USER"), b"");
        assert_eq!(is_in(&done), lets_in, "{config}: {done:?}");
        // A client that begins with a key is let in by it.
        assert_eq!(server.run(GUEST, "echo in").out, "in\n");
        if lets_in {
            server.logs(&format!("Accepted none for {GUEST}"));
            let done = finish(server.answering("nobody", &[], &none).arg("echo in as $USER"), b"");
            assert!(!is_in(&done), "an account with a password field that is not empty");
        }
    }
}

#[test]
fn root_that_serves_itself_takes_the_passwords_of_its_file() {
    if !possible() {
        return;
    }
    let is_in_with = |config: &str| {
        let server = Setup::new(Serves::Itself).config(config).start();
        assert_eq!(server.passwd(&["alice", "--stdin"], "fake horse\n").code, 0);
        let log = server.log();
        (
            is_in(&finish(server.answering("alice", &[("*", "fake horse")], BY_PASSWORD).arg("echo in as $USER"), b"")),
            log,
        )
    };
    assert!(is_in_with("").0);
    assert!(is_in_with("PermitRootLogin yes").0);
    let (lets_in, log) = is_in_with("PermitRootLogin prohibit-password");
    assert!(!lets_in && log.contains("PermitRootLogin"), "{log}");
}
