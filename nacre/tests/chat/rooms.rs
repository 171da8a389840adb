//! `nacre chat serve` with OpenSSH's clients.

use crate::chats::Chat;
use crate::programs::Running;
use crate::serve::finish;

#[test]
fn stock_clients_chat() {
    let chat = Chat::start();
    let mut alice = chat.comes("alice", &[]);
    let mut bob = chat.comes("bob", &[]);
    alice.hears("[SYSTEM] bob joined (secure channel)");
    let mut carol = chat.comes("carol", &[]);
    bob.say("hello all");
    alice.hears("bob: hello all");
    carol.hears("bob: hello all");
    bob.say("/pm alice only for you");
    alice.hears("[PM from bob] only for you");
    bob.hears("[PM to alice] only for you");
    bob.say("for all again");
    carol.hears("bob: for all again");
    assert!(!carol.out().contains("only for you"), "{}", carol.out());
    carol.say("/list");
    carol.hears("alice");
    carol.say("/quit");
    assert_eq!(carol.ends(), 0);
    alice.hears("[SYSTEM] carol left");
    // What was said while somebody was away is there on coming back.
    bob.say("while carol was away");
    alice.hears("bob: while carol was away");
    let carol = chat.comes("carol", &[]);
    carol.hears("bob: hello all");
    carol.hears("bob: while carol was away");
    alice.say("bye");
    bob.hears("alice: bye");
}

#[test]
fn rooms_are_named_in_the_command_or_the_login() {
    let chat = Chat::start();
    let mut alice = chat.comes("alice", &["#rust"]);
    let bob = Running::start(chat.ssh("bob").args(["-T", "bob+rust@127.0.0.1"]));
    alice.hears("bob joined");
    let carol = chat.comes("carol", &[]);
    alice.say("crabs");
    bob.hears("alice: crabs");
    alice.say("/join #lobby");
    alice.say("hello lobby");
    carol.hears("alice: hello lobby");
    assert!(!carol.out().contains("crabs"), "{}", carol.out());
}

#[test]
fn a_nick_belongs_to_its_first_key() {
    let chat = Chat::start();
    let alice = chat.comes("alice", &[]);
    let liar = Running::start(chat.ssh("bob").args(["-T", "alice@127.0.0.1"]));
    liar.hears("You are ");
    assert!(!liar.out().contains("You are alice\n"), "{}", liar.out());
    drop(alice);
}

#[test]
fn what_was_said_outlives_a_killed_server_and_is_there_once() {
    let mut chat = Chat::start();
    let mut alice = chat.comes("alice", &[]);
    for number in 0..20 {
        alice.say(&format!("line {number} ends"));
        // One's own line comes back when it is kept.
        alice.hears(&format!("alice: line {number} ends"));
    }
    chat.serve();
    let alice = chat.comes("alice", &[]);
    alice.hears("alice: line 19 ends");
    for number in 0..20 {
        assert_eq!(alice.out().matches(&format!("line {number} ends")).count(), 1, "{}", alice.out());
    }
}

#[test]
fn programs_speak_json() {
    let chat = Chat::start();
    let alice = chat.comes("alice", &["#rust"]);
    let mut program = Running::start(chat.ssh("bob").args(["-s", "bob@127.0.0.1", "chat-json"]));
    program.hears("\"event\":\"welcome\"");
    program.say("{\"do\":\"type\",\"text\":\"/join #rust\"}\n{\"do\":\"say\",\"to\":\"#rust\",\"text\":\"beep\"}");
    alice.hears("bob: beep");
    program.hears("\"body\":\"beep\"");
    program.say("beep");
    program.hears("\"event\":\"problem\"");
    program.say("{\"do\":\"quit\"}");
    assert_eq!(program.ends(), 0);
}

#[test]
fn u06_there_is_nothing_but_the_chat() {
    let chat = Chat::start();
    let done = chat.runs(&["alice@127.0.0.1", "cat /etc/passwd"]);
    assert_eq!(done.code, 1);
    assert!(done.out.contains("This is a chat and nothing else"), "{done:?}");
    for words in [&["-s", "alice@127.0.0.1", "sftp"][..], &["-W", "127.0.0.1:9", "alice@127.0.0.1"]] {
        let done = chat.runs(words);
        assert_eq!((done.code, done.out.as_str()), (255, ""), "{words:?} {done:?}");
    }
    let done = chat.runs(&["-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:9", "alice@127.0.0.1"]);
    assert_eq!(done.code, 255, "{done:?}");
}

#[test]
fn who_has_no_key_is_told_how_to_make_one() {
    let chat = Chat::start();
    let mut ssh = chat.ssh("alice");
    ssh.args(["-o", "PubkeyAuthentication=no", "alice@127.0.0.1"]);
    let done = finish(&mut ssh, b"");
    assert_eq!(done.code, 255);
    assert!(done.err.contains("ssh-keygen -t ed25519"), "{done:?}");
}
