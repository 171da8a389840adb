//! `internal-chat` inside `nacre serve`, and `nacre chat join`: other ways into one chat.

use crate::chats::Chat;
use crate::common::nacre;
use crate::programs::Running;
use crate::screen::Screen;
use crate::serve::{Server, finish};
use std::process::Command;

const PASSWORD: &str = "fake horse battery";

/// A server with both subsystems of a chat, that erin may log in to.
fn inside(chat: &Chat, lines: &str) -> Server {
    let socket = chat.socket();
    let subsystems = ["chat", "chat-json"].map(|name| format!("Subsystem {name} internal-chat {socket}\n")).concat();
    let server = Server::start(&format!("{lines}{subsystems}"));
    server.add("erin", PASSWORD);
    server
}

/// OpenSSH's client as erin.
fn erin(server: &Server, more: &[&str]) -> Command {
    let options = [&["-o", "PubkeyAuthentication=no"], more].concat();
    server.ssh_answering("erin", PASSWORD, "", &options)
}

#[test]
fn subsystems_of_a_server_are_in_the_same_rooms() {
    let chat = Chat::start();
    let server = inside(&chat, "");
    let mut alice = chat.comes("alice", &[]);
    let mut person = Running::start(erin(&server, &["-s"]).arg("chat"));
    person.hears("You are erin");
    alice.hears("erin joined");
    person.say("hello from inside");
    alice.hears("erin: hello from inside");
    alice.say("hello from outside");
    person.hears("alice: hello from outside");
    let mut program = Running::start(erin(&server, &["-s"]).arg("chat-json"));
    program.hears("\"event\":\"welcome\"");
    program.say("{\"do\":\"say\",\"to\":\"#lobby\",\"text\":\"beep\"}");
    alice.hears("beep");
    program.say("{\"do\":\"quit\"}");
    assert_eq!(program.ends(), 0);
    person.say("/quit");
    assert_eq!(person.ends(), 0);
    alice.hears("erin left");
    // The rest of the server is as it was.
    assert_eq!(server.run("echo a shell").out, "a shell\n");
}

#[test]
fn u06_who_is_forced_into_the_chat_has_nothing_else() {
    let chat = Chat::start();
    let server = inside(&chat, &format!("ForceCommand internal-chat {}\nAllowTcpForwarding yes\n", chat.socket()));
    let alice = chat.comes("alice", &["#rust"]);
    for words in [&["#rust"][..], &[]] {
        let mut person = Running::start(erin(&server, &[]).args(words));
        person.hears("You are erin");
        person.say("/quit");
        assert_eq!(person.ends(), 0, "{words:?}");
    }
    alice.hears("erin joined");
    let done = finish(erin(&server, &[]).arg("cat /etc/passwd"), b"");
    assert_eq!(done.code, 1);
    assert!(done.out.contains("This is a chat and nothing else") && !done.out.contains("root:"), "{done:?}");
    let done = finish(erin(&server, &["-s"]).arg("sftp"), b"");
    assert!(done.code == 1 && done.out.contains("nothing else"), "{done:?}");
    for words in [&["-W", "127.0.0.1:9"][..], &["-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:9"]] {
        let done = finish(&mut erin(&server, words), b"");
        assert_eq!(done.code, 255, "{words:?} {done:?}");
    }
    server.logs("there is nothing but the chat for this login");
}

#[test]
fn a_terminal_inside_follows_its_size() {
    let chat = Chat::start();
    let server = inside(&chat, "");
    let mut ssh = erin(&server, &["-tt", "-s"]);
    ssh.env("TERM", "xterm-256color").arg("chat");
    let mut screen = Screen::runs(&ssh, 80, 24);
    screen.sees("You are erin");
    let mut alice = chat.comes("alice", &[]);
    alice.say("can you read this?");
    screen.sees("can you read this?");
    screen.half_types("half a line");
    screen.sees("half a line");
    screen.resizes(50, 12);
    screen.shows("the draft in the last rows", |rows| {
        rows.len() == 12 && rows.iter().any(|row| row.contains("half a line"))
    });
    screen.types(" and the rest");
    alice.hears("half a line and the rest");
}

#[test]
fn a_chat_that_does_not_run_is_told_of() {
    let mut chat = Chat::start();
    let server = inside(&chat, "");
    chat.stop();
    let done = finish(erin(&server, &["-s"]).arg("chat"), b"");
    assert!(done.code == 1 && done.err.contains("The chat does not run here now"), "{done:?}");
}

/// `nacre chat join` as this person, without destination.
fn join(chat: &Chat, key: &str) -> Command {
    let mut join = nacre();
    join.args(["chat", "join", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o"]);
    join.arg(format!("UserKnownHostsFile={}", chat.place.path("known").display()));
    join.args(["-o", "IdentitiesOnly=yes", "-p"]).arg(chat.port.to_string()).arg("-i").arg(chat.place.path(key));
    join
}

#[test]
fn our_own_client_joins() {
    let chat = Chat::start();
    let alice = chat.comes("alice", &["#rust"]);
    let mut bob = Running::start(join(&chat, "bob").args(["bob@127.0.0.1", "rust"]));
    bob.hears("You are bob");
    alice.hears("bob joined");
    bob.say("plain");
    alice.hears("bob: plain");
    bob.say("/quit");
    assert_eq!(bob.ends(), 0);
    // With a terminal it is the full screen.
    let mut ssh = join(&chat, "carol");
    ssh.env("TERM", "xterm-256color").args(["carol@127.0.0.1", "#rust"]);
    let mut carol = Screen::runs(&ssh, 80, 24);
    carol.sees("You are carol");
    carol.types("with a screen");
    alice.hears("carol: with a screen");
    let program = Running::start(join(&chat, "bob").args(["-s", "bob@127.0.0.1", "chat-json"]));
    program.hears("\"event\":\"welcome\"");
}

#[test]
fn its_port_is_the_chats_unless_something_says_otherwise() {
    let place = crate::common::Scratch::new();
    let config = place.write("config", "Host named\n  Port 99\n");
    let port = |words: &[&str]| {
        let done = finish(nacre().args(["chat", "join", "-G", "-F"]).arg(&config).args(words), b"");
        done.out.lines().find(|line| line.starts_with("port ")).unwrap_or_default().to_owned()
    };
    assert_eq!(port(&["somewhere"]), "port 2223");
    assert_eq!(port(&["named"]), "port 99");
    assert_eq!(port(&["-p", "7", "named"]), "port 7");
}

#[test]
fn no_color_is_honoured() {
    let chat = Chat::start();
    let coloured = |more: &[&str]| {
        let mut ssh = chat.ssh("alice");
        ssh.env("TERM", "xterm-256color").args(["-q", "-t"]).args(more).arg("alice@127.0.0.1");
        let mut screen = Screen::runs(&ssh, 80, 24);
        screen.sees("You are alice");
        screen.types("/theme dark");
        screen.types("in colours");
        screen.sees("in colours");
        String::from_utf8_lossy(screen.raw()).contains(";38;5;")
    };
    assert!(coloured(&[]));
    assert!(!coloured(&["-o", "SetEnv=NO_COLOR=1"]));
}
