//! `nacre explain` against a server we did not write, and `nacre try` whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use peer::Peer;
use serde_json::Value;
use std::process::Command;

const ROWS: [&str; 7] = ["connect", "versions", "key exchange", "server proof", "user proof", "session", "end"];

/// `nacre explain` for this server, with its key on record or not.
fn explain(peer: &Peer, place: &common::Scratch, known: bool, more: &[&str]) -> Command {
    if known {
        let key = place.read("host_ed25519.pub");
        place.write("known_hosts", &format!("{} {key}", peer.name()));
    }
    let identity = format!("IdentityFile={}", place.path("id").display());
    let mut command = common::nacre();
    command.arg("explain").args(peer.words(place).iter().skip(1)).args(["-o", &identity, "-o", "IdentityAgent=none"]);
    command.args(more).arg("root@127.0.0.1").env("HOME", place.path("home"));
    command
}

fn records(peer: &Peer, place: &common::Scratch) -> Vec<Value> {
    let outcome = peer::run(&mut explain(peer, place, true, &["--json"]), b"");
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.text(), peer.log());
    outcome.text().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn a_handshake_with_openssh_is_told_in_seven_rows() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let records = records(&sshd, &place);
    let mut rows: Vec<&str> = Vec::new();
    for record in &records {
        let row = record["row"].as_str().unwrap();
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    for row in ROWS {
        assert!(rows.contains(&row), "no {row} in {rows:?}");
    }
    let named = |name: &str| records.iter().find(|r| r["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    assert!(named("ident")["text"].as_str().unwrap().starts_with("SSH-2.0-Nacre"));
    let won = named("negotiated")["details"]["cipher, client to server"].as_str().unwrap();
    assert!(won.starts_with("aes256-gcm@openssh.com: the client's first choice"), "{won}");
    assert!(named("userauth_success")["text"].as_str().unwrap().contains("lets the user in"));
    assert_eq!(named("host_key_proof")["details"]["host key"], "ED25519, 256 bits");
    let messages: Vec<String> =
        records.iter().filter_map(|r| Some(format!("{} {}", r["who"].as_str()?, r["message"].as_str()?))).collect();
    // What a server of this age says between the login and the answer may stand in another order.
    for message in [
        "client KEXINIT (20)",
        "server KEXINIT (20)",
        "client KEX_ECDH_INIT (30)",
        "server KEX_ECDH_REPLY (31)",
        "client NEWKEYS (21)",
        "server NEWKEYS (21)",
        "server EXT_INFO (7)",
        "client SERVICE_REQUEST (5)",
        "server SERVICE_ACCEPT (6)",
        "client USERAUTH_REQUEST (50)",
        "server USERAUTH_FAILURE (51)",
        "server USERAUTH_PK_OK (60)",
        "server USERAUTH_SUCCESS (52)",
        "server GLOBAL_REQUEST (80)",
        "client CHANNEL_OPEN (90)",
        "server CHANNEL_OPEN_CONFIRMATION (91)",
        "client CHANNEL_REQUEST (98)",
        "server CHANNEL_SUCCESS (99)",
        "server CHANNEL_REQUEST (98)",
        "server CHANNEL_EOF (96)",
        "server CHANNEL_CLOSE (97)",
        "client DISCONNECT (1)",
    ] {
        assert!(messages.iter().any(|said| said == message), "no {message} in {messages:#?}");
    }
    // Every negotiation has a winner or says why there is none.
    for list in [
        "key exchange",
        "host key",
        "cipher, server to client",
        "MAC, client to server",
        "compression, server to client",
    ] {
        let why = named("negotiated")["details"][list].as_str().unwrap_or_else(|| panic!("nothing about {list}"));
        assert!(why.contains(": "), "{list}: {why}");
    }
}

/// The command that verifies the host's signature, run by a shell.
#[test]
fn openssl_verifies_the_signature_by_the_command_that_is_told() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let records = records(&sshd, &place);
    let hash = records.iter().find(|record| record["name"] == "exchange_hash").unwrap();
    let check = hash["check"].as_str().unwrap();
    let outcome = peer::run(common::program("bash").args(["-c", check]).current_dir(place.root()), b"");
    assert_eq!(outcome.code, 0, "{check}: {}", outcome.err);
    assert!(outcome.text().contains("Verified Successfully"), "{}", outcome.text());
    // With one digit of the hash changed it is refused.
    let digit = check.find("<<<").unwrap() + 3;
    let other = if check.as_bytes()[digit] == b'0' { "1" } else { "0" };
    let wrong = format!("{}{other}{}", &check[..digit], &check[digit + 1..]);
    let outcome = peer::run(common::program("bash").args(["-c", &wrong]).current_dir(place.root()), b"");
    assert_ne!(outcome.code, 0, "{}", outcome.text());
}

#[test]
fn the_story_is_text_and_holds_no_secret_and_no_control_character() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let outcome = peer::run(&mut explain(&sshd, &place, true, &[]), b"");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    for (row, place) in ROWS.iter().zip(1..) {
        assert!(outcome.text().contains(&format!("{place}. {row}")), "{}", outcome.text());
    }
    assert!(outcome.text().chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn nobody_logs_in_to_a_host_that_is_not_on_record() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let text = peer::run(&mut explain(&sshd, &place, false, &["--json"]), b"").text();
    assert!(text.contains("finds no record of this host"), "{text}");
    assert!(text.contains("userauth_failure") && !text.contains("userauth_success"), "{text}");
}

#[test]
fn no_server_is_one_clear_line() {
    let mut command = common::nacre();
    command.args(["explain", "-F", "none", "-p", "1", "127.0.0.1"]);
    let outcome = peer::run(&mut command, b"");
    assert_eq!(outcome.code, 255);
    assert!(outcome.text().is_empty());
}

#[test]
fn the_tour_ends_well_and_leaves_nothing_behind() {
    let home = peer::place();
    let mut command = common::nacre();
    command.arg("try").env("TMPDIR", home.root());
    let outcome = peer::run(&mut command, b"");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    assert!(outcome.text().contains("8388608 bytes came back"), "{}", outcome.text());
    assert!(outcome.text().contains("| [") && outcome.text().contains("bob: Hello from the ssh that everybody has!"));
    assert!(outcome.text().contains("[PM from ann] And hello from nacre, for you alone."), "{}", outcome.text());
    assert!(outcome.text().contains("All of it worked"));
    let left = std::fs::read_dir(home.root())
        .unwrap()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("nacre-try"));
    assert_eq!(left.count(), 0);
}
