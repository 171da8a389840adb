//! The fixes as switches: our own ends with each of them, and the ladder of `dh-chat` climbed by a foreign client that was
//! written from docs/LAB.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/lab.rs"]
mod lab;

use common::{Scratch, text};
use lab::{Running, foreign_client, join, python, serve};

const MARKERS: [(&str, &str); 4] = [
    ("dh-chat", "listening on localhost:"),
    ("rsa-chat", "Port: "),
    ("mini-ssh", "listening on 127.0.0.1:"),
    ("toy-socket", "listening on 127.0.0.1:"),
];

/// The fingerprint in a line of a server's or a client's.
fn fingerprint(out: &str) -> String {
    let start = out.find("SHA256:").unwrap_or_else(|| panic!("no fingerprint: {out}"));
    out[start..].split([';', ',', '\n']).next().unwrap().to_owned()
}

fn enter(name: &str, port: u16, flags: &[&str]) -> Running {
    let mut client = join(name, port, flags);
    match name {
        "rsa-chat" => client.say("Alice"),
        "mini-ssh" => client.say("user\npass123"),
        _ => {}
    }
    client
}

/// Every protocol with all the fixes that it has.
#[test]
fn lab_every_protocol_runs_with_all_its_fixes() {
    for ((name, marker), fixes) in MARKERS.into_iter().zip([
        "F1,F2,F3,F4,F5,F6,F7,F8,F9,F10",
        "F1,F2,F3,F4,F5,F7,F8,F10",
        "F1,F3,F4,F7,F8",
        "F1,F3,F6,F7",
    ]) {
        let (mut server, port) = serve(name, marker, &["--fix", fixes]);
        let mut client = enter(name, port, &["--fix", fixes, "--trust", &key_of(&server)]);
        for number in 0..20 {
            client.say(&format!("{}line {number}", if name == "mini-ssh" { "echo " } else { "" }));
        }
        server.hears("line 19");
        server.hears("the user's key is SHA256:");
        client.end_input();
        assert_eq!(client.ends(), 0, "{name}: {}{}", client.out(), client.err());
        assert!(client.out().contains("as it should be"), "{name}: {}", client.out());
        server.end_input();
    }
}

/// F1 and F7 with the wrong key: a client leaves, a server refuses. A key in a file stays the same.
#[test]
fn lab_a02_a14_a_key_that_is_not_trusted_ends_the_connection() {
    let place = Scratch::new();
    let file = place.path("key");
    let file = file.to_str().unwrap();
    for (name, marker) in MARKERS {
        let (server, port) = serve(name, marker, &["--fix", "F1", "--key", file]);
        let mut client = enter(name, port, &["--fix", "F1", "--trust", "SHA256:other"]);
        assert_eq!(client.ends(), 1, "{name}: {}", client.out());
        assert!(client.out().contains("the server's key refused"), "{name}: {}", client.out());
        let again = serve(name, marker, &["--fix", "F1", "--key", file]).0;
        assert_eq!(key_of(&server), key_of(&again));
        let (server, port) = serve(name, marker, &["--fix", "F7", "--trust", "SHA256:other"]);
        let mut client = enter(name, port, &["--fix", "F7"]);
        server.hears("the user's key refused: it is not the one that is trusted");
        client.end_input();
        client.ends();
    }
    assert_eq!(place.read("key").trim().len(), 64);
}

/// One fix more on every rung; the last is a small SSH.
#[test]
fn lab_the_ladder_of_dh_chat_is_climbed_by_a_foreign_client() {
    let user = foreign_user();
    let all = ["F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10"];
    let rungs = (1..=all.len()).map(|rung| all[..rung].join(","));
    for fixes in rungs.chain(["F3".to_owned(), "F3,F4,F8".to_owned()]) {
        let (mut server, port) = serve("dh-chat", MARKERS[0].1, &with_user(&fixes, "--trust", &user));
        let proves = proves(&fixes);
        let trust = if proves { key_of(&server) } else { String::new() };
        let mut client = foreign_client("dh_chat_mended.py", port, &[&fixes, &trust]);
        client.hears("ready");
        server.hears("Secure connection established");
        for number in 0..20 {
            client.say(&format!("there {number}"));
            server.say(&format!("back {number}"));
        }
        server.hears("[Client]: there 19\n");
        client.hears("heard: back 19\n");
        assert_eq!(client.out().contains("proven"), proves, "{fixes}");
    }
}

/// The fingerprint of the foreign clients' user.
fn foreign_user() -> String {
    text(python("dh_chat_mended.py").arg("fingerprint").output().unwrap().stdout).trim().to_owned()
}

/// Flags for these fixes; what concerns the user's key goes with F7 alone.
fn with_user<'a>(fixes: &'a str, flag: &'a str, value: &'a str) -> Vec<&'a str> {
    let mut words = vec!["--fix", fixes];
    if fixes.split(',').any(|fix| fix == "F7") {
        words.extend([flag, value]);
    }
    words
}

/// Whether a server with these fixes proves itself.
fn proves(fixes: &str) -> bool {
    fixes.split(',').any(|fix| fix == "F1")
}

/// `rsa-chat` with each of its fixes, and with all of them.
#[test]
fn lab_rsa_chat_with_fixes_serves_a_foreign_client() {
    let (user, place) = (foreign_user(), Scratch::new());
    // Both are one user: the only one whom the server trusts.
    let digits: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
    let key = place.write("key", &digits);
    let all = "F1,F2,F3,F4,F5,F7,F8,F10";
    for fixes in all.split(',').chain(["F2,F5", "F3,F5,F8", all]) {
        let (server, port) = serve("rsa-chat", MARKERS[1].1, &with_user(fixes, "--trust", &user));
        let trust = if proves(fixes) { key_of(&server) } else { String::new() };
        let mut alice = foreign_client("rsa_chat_mended.py", port, &[fixes, &trust, "Alice"]);
        server.hears("[JOIN] Alice");
        let mut bob = join("rsa-chat", port, &with_user(fixes, "--key", key.to_str().unwrap()));
        bob.say("Bob");
        alice.hears("Bob joined (secure channel)");
        for number in 0..20 {
            alice.say(&format!("there {number}"));
            bob.say(&format!("back {number}"));
        }
        bob.hears("Alice: there 19\n");
        alice.hears("Bob: back 19\n");
        assert_eq!(alice.out().contains("proven"), proves(fixes), "{fixes}");
    }
}

/// `mini-ssh` with each of its fixes, and with all of them.
#[test]
fn lab_mini_ssh_with_fixes_serves_a_foreign_client() {
    let user = foreign_user();
    let all = "F1,F3,F4,F7,F8";
    for fixes in all.split(',').chain(["F3,F4", all]) {
        let (server, port) = serve("mini-ssh", MARKERS[2].1, &with_user(fixes, "--trust", &user));
        let trust = if proves(fixes) { key_of(&server) } else { String::new() };
        let mut client = foreign_client("mini_ssh_mended.py", port, &[fixes, &trust]);
        client.hears("heard: Username: \n");
        client.say("user");
        client.hears("heard: Password: \n");
        client.say("pass123");
        client.hears("heard: AUTH_OK\n");
        for number in 0..20 {
            client.say(&format!("echo line {number}"));
            client.hears(&format!("heard: line {number}\n"));
        }
        client.say("exit");
        client.hears("heard: BYE\n");
        assert_eq!(client.out().contains("proven"), proves(fixes), "{fixes}");
    }
}

/// The fingerprint that a server shows when it starts.
fn key_of(server: &Running) -> String {
    server.hears("The server's key is SHA256:");
    fingerprint(&server.out())
}

/// The table of the documentation is what all the attacks come to.
#[test]
fn lab_the_matrix_is_the_one_in_the_documentation() {
    let start = std::time::Instant::now();
    let done = common::nacre().args(["lab", "matrix"]).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(text(done.stderr), "");
    println!("nacre lab matrix took {:?}", start.elapsed());
    let table = text(done.stdout);
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/LAB.md")).unwrap();
    assert!(page.contains(&table), "docs/LAB.md has another table than this:\n{table}");
}
