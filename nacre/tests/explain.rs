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
    assert!(named("auth_success")["text"].as_str().unwrap().contains("lets the user in"));
    assert_eq!(named("host_key_proof")["details"]["host key"], "ED25519, 256 bits");
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
    assert!(text.contains("auth_failure") && !text.contains("auth_success"), "{text}");
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
    assert!(outcome.text().contains("All of it worked"));
    let left = std::fs::read_dir(home.root())
        .unwrap()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("nacre-try"));
    assert_eq!(left.count(), 0);
}
