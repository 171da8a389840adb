//! What `nacre explain` and `nacre ssh --explain` show of secrets, and where they write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::Scratch;
use peer::{Outcome, Peer};
use std::os::unix::fs::PermissionsExt;

const COMMAND: &str = "echo swordfish-said";

/// A session that runs a command, with these flags.
fn session(sshd: &Peer, place: &Scratch, flags: &[&str]) -> Outcome {
    let mut command = sshd.client(place);
    command.args(["-o", "IdentityAgent=none", "-o", "SetEnv=TEST_WORD=plover"]).args(flags);
    peer::run(command.arg("root@127.0.0.1").arg(COMMAND), b"typed-xyzzy\n")
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_session_is_told_without_its_secrets_unless_they_are_asked_for() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let page = place.path("page.html");
    let words = ["--explain", "--explain-html", page.to_str().unwrap()];
    let done = session(&sshd, &place, &words);
    assert_eq!((done.code, done.text().as_str()), (0, "swordfish-said\n"), "{}", done.err);
    let html = place.read("page.html");
    for told in [&done.err, &html] {
        assert!(told.contains("USERAUTH_SUCCESS (52)") && told.contains("wants a command to be run"), "{told}");
        for secret in ["swordfish", "plover", "xyzzy", &hex("swordfish"), &hex("plover"), "shared secret"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }

    // The page stays as it is unless it is to be replaced.
    let again = session(&sshd, &place, &words);
    assert_eq!((again.code, again.text().as_str()), (255, ""));
    assert!(again.err.contains("exists") && again.err.contains("--force"), "{}", again.err);
    let shown = session(&sshd, &place, &[&words[..], &["--force", "--show-secrets"]].concat());
    assert_eq!(shown.code, 0, "{}", shown.err);
    let html = place.read("page.html");
    for told in [&shown.err, &html] {
        for secret in [COMMAND, "TEST_WORD=plover", "shared secret"] {
            assert!(told.contains(secret), "no {secret} in {told}");
        }
    }
}

#[test]
fn a_password_is_in_no_story_unless_it_is_asked_for() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "PasswordAuthentication yes\n");
    let script = place.write("answer", &format!("#!/bin/sh\necho '{}'\n", peer::PASSWORD));
    peer::set_mode(&script, 0o700);
    let told = |flags: &[&str]| {
        let mut command = sshd.client(&place);
        command.env("SSH_ASKPASS", &script).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", ":0");
        command.args(["-o", "PreferredAuthentications=password", "-o", "IdentityAgent=none", "--explain"]).args(flags);
        let done = peer::run(command.arg(format!("{}@127.0.0.1", peer::TESTER)).arg("true"), b"");
        assert_eq!(done.code, 0, "{}", done.err);
        done.err
    };
    let hidden = told(&[]);
    assert!(hidden.contains("tries password") && !hidden.contains(peer::PASSWORD), "{hidden}");
    assert!(!hidden.contains(&hex(peer::PASSWORD)), "{hidden}");
    let shown = told(&["--show-secrets"]);
    assert!(shown.contains(peer::PASSWORD), "{shown}");
}

/// `nacre explain` for this server.
fn explain(sshd: &Peer, place: &Scratch, flags: &[&str]) -> Outcome {
    let key = place.read("host_ed25519.pub");
    place.write("known_hosts", &format!("{} {key}", sshd.name()));
    let identity = format!("IdentityFile={}", place.path("id").display());
    let mut command = common::nacre();
    command.arg("explain").args(sshd.words(place).iter().skip(1)).args(["-o", &identity, "-o", "IdentityAgent=none"]);
    peer::run(command.args(flags).arg("root@127.0.0.1").env("HOME", place.path("home")), b"")
}

/// What is written with secrets in it is for its owner alone, whatever was there.
#[test]
fn k02_secrets_replace_a_file_that_others_may_read_and_follow_no_link() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let victim = place.write("victim", "untouched");
    let page = place.write("page.html", "old");
    let log = place.path("keys.log");
    peer::set_mode(&page, 0o644);
    std::os::unix::fs::symlink(&victim, &log).unwrap();
    let (page_word, log_word) = (page.to_str().unwrap(), log.to_str().unwrap());
    let words = ["--html", page_word, "--keylog", log_word, "--show-secrets", "--force"];
    let done = explain(&sshd, &place, &words);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(place.read("page.html").contains("shared secret"));
    assert_eq!(place.read("victim"), "untouched");
    for file in [&page, &log] {
        let found = file.symlink_metadata().unwrap();
        assert!(found.is_file() && found.permissions().mode() & 0o777 == 0o600, "{found:?}");
    }
}

/// A command that reads to the end, one that never stops talking, and one that does neither.
#[test]
fn explain_leaves_whatever_command_is_forced() {
    let place = peer::place();
    for (forced, told) in [
        ("cat", "sent 0 bytes"),
        ("internal-sftp", "sent 0 bytes"),
        ("yes", "says more than"),
        ("sleep 600", "does not end by itself"),
    ] {
        let sshd = Peer::sshd(&place, &format!("ForceCommand {forced}\n"));
        let done = explain(&sshd, &place, &[]);
        assert_eq!(done.code, 0, "{forced}: {}", done.err);
        assert!(done.text().contains(told), "{forced}: {}", done.text());
    }
}

#[test]
fn a_trace_becomes_the_same_story_and_a_page() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let trace = explain(&sshd, &place, &["--json"]);
    assert_eq!(trace.code, 0, "{}", trace.err);
    let file = place.write("trace.json", &trace.text());
    let run = |words: &[&str]| {
        let mut command = common::nacre();
        peer::run(command.args(["explain", "--trace"]).arg(&file).args(words), b"")
    };
    assert_eq!(run(&["--json"]).text(), trace.text());
    let page = place.path("page.html");
    let done = run(&["--html", page.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{}", done.err);
    for row in
        ["1. connect", "2. versions", "3. key exchange", "4. server proof", "5. user proof", "6. session", "7. end"]
    {
        assert!(done.text().contains(row), "{}", done.text());
    }
    let html = place.read("page.html");
    assert!(html.len() < 300 * 1024 && html.contains("USERAUTH_PK_OK (60)"), "{} bytes", html.len());
    assert!(!html.contains("<script"));
    assert_eq!(page.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(run(&["--html", page.to_str().unwrap()]).code, 1);
    for (words, said) in [
        (&["--pcap", "x"][..], "need a host"),
        (&["host"], "cannot be used with"),
        (&["--keylog", "x"], "--show-secrets"),
    ] {
        let refused = run(words);
        assert!(refused.code != 0 && refused.err.contains(said), "{words:?}: {}", refused.err);
    }
    place.write("trace.json", "{\"row\":\"connect\"}\n");
    let refused = run(&[]);
    assert!(refused.code == 1 && refused.err.contains("line 1"), "{}", refused.err);
}
