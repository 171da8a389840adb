//! The attacks: each succeeds where its card says, and fails with the fix that its card names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{nacre, text};
use serde_json::Value;
use std::io::Write as _;
use std::process::Stdio;

/// `nacre lab attack` with these words: exit code and output.
fn attack(words: &[&str]) -> (i32, String) {
    let done = nacre().args(["lab", "attack"]).args(words).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(text(done.stderr), "", "{words:?}");
    (done.status.code().unwrap(), text(done.stdout))
}

/// The attack succeeds on each of these, and fails there with the fix.
#[track_caller]
fn succeeds_until_mended(name: &str, on: &[(&str, &str)]) {
    for (protocol, fix) in on {
        let (code, out) = attack(&[name, "--on", protocol, "--json"]);
        let told: Value = serde_json::from_str(&out).unwrap();
        let runs: Vec<(&str, bool)> = told["runs"].as_array().unwrap().iter().map(run).collect();
        assert_eq!((code, runs), (0, vec![("", true), (*fix, false)]), "{name} on {protocol}:\n{out}");
        let (code, out) = attack(&[name, "--on", protocol, "--fix", fix]);
        assert_eq!(code, 1, "{name} on {protocol}:\n{out}");
        assert!(out.contains("VERDICT   the attack FAILS.") && out.contains("IN SSH    "), "{out}");
    }
}

fn run(run: &Value) -> (&str, bool) {
    (run["fixes"].as_str().unwrap(), run["succeeded"].as_bool().unwrap())
}

/// The attack fails on this protocol as it is.
#[track_caller]
fn fails(name: &str, protocol: &str, reason: &str) {
    let (code, out) = attack(&[name, "--on", protocol]);
    let words: Vec<&str> = out.split_whitespace().collect();
    assert_eq!(code, 1, "{out}");
    assert!(words.join(" ").contains(reason), "{out}");
}

const ALL: [&str; 4] = ["dh-chat", "rsa-chat", "mini-ssh", "toy-socket"];

#[test]
fn lab_a02_the_middle_reads_and_changes() {
    succeeds_until_mended("A2", &ALL.map(|name| (name, "F1")));
    let (_, out) = attack(&["A2", "--on", "mini-ssh"]);
    let (before, after) = out.split_once("THE FIX").unwrap();
    for said in ["reads what Alice says: pass123", "ran `whoami` at the server as the user, who is: user"] {
        assert!(before.contains(said) && !after.contains(said), "{said}: {out}");
    }
}

#[test]
fn lab_a03_a_fixed_secret() {
    succeeds_until_mended("A3", &[("dh-chat", "F6"), ("toy-socket", "F6")]);
    assert_eq!(attack(&["A3", "--on", "dh-chat", "--fix", "F1"]).0, 1);
    fails("A3", "mini-ssh", "mini-ssh holds as it is");
    let (_, out) = attack(&["A3", "--on", "dh-chat"]);
    let (before, after) = out.split_once("THE FIX").unwrap();
    for value in ["0", "1", "p-1", "p"] {
        assert!(before.contains(&format!("sends {value}, and the server takes it")), "{value}: {out}");
        assert!(after.contains(&format!("sends {value}, and the server refuses it")), "{value}: {out}");
    }
}

#[test]
fn lab_a04_a_message_counts_twice() {
    succeeds_until_mended("A4", &ALL.map(|name| (name, "F3")));
}

#[test]
fn lab_a05_messages_change_places() {
    succeeds_until_mended("A5", &ALL.map(|name| (name, "F3")));
}

#[test]
fn lab_a06_a_mirror() {
    succeeds_until_mended("A6", &[("dh-chat", "F4"), ("rsa-chat", "F4"), ("mini-ssh", "F4")]);
    fails("A6", "toy-socket", "each side signs with its own RSA key");
}

#[test]
fn lab_a07_turned_bytes() {
    succeeds_until_mended("A7", &[("dh-chat", "F2"), ("rsa-chat", "F2")]);
}

#[test]
fn lab_a08_an_oracle_reads_byte_by_byte() {
    succeeds_until_mended("A8", &[("dh-chat", "F2"), ("rsa-chat", "F2")]);
}

#[test]
fn lab_a01_sizes_tell() {
    for protocol in ALL.into_iter().chain(["ssh"]) {
        let (code, out) = attack(&["A1", "--on", protocol]);
        assert_eq!(code, 0, "{out}");
        let word = match protocol {
            "ssh" => None,
            "rsa-chat" => Some("/list"),
            "toy-socket" => Some("EXIT"),
            _ => Some("exit"),
        };
        let texts = 2 + usize::from(word.is_some());
        assert_eq!(out.matches("bytes, and can read none of them").count(), texts, "{out}");
        // Who speaks, and when.
        assert!(out.matches(": Alice to the server, ").count() >= texts, "{out}");
        if !["dh-chat", "ssh"].contains(&protocol) {
            assert!(out.contains(": the server to Alice, "), "{out}");
        }
        if let Some(word) = word {
            assert_eq!(out.matches(&format!("recognises `{word}`")).count(), 1, "{out}");
        }
        assert!(out.contains("There is no complete fix") && !out.contains("THE FIX"), "{out}");
    }
}

#[test]
fn lab_a09_a_seized_key_opens_the_record() {
    succeeds_until_mended("A9", &[("rsa-chat", "F5")]);
    fails("A9", "dh-chat", "there is nothing to seize");
    // A key that only signs is taken, and tried.
    let (code, out) = attack(&["A9", "--on", "dh-chat", "--fix", "F1"]);
    assert_eq!(code, 1, "{out}");
    for said in ["gets the server's private key, and takes it for", "the key that comes of it (32 bytes)"] {
        assert!(out.contains(said), "{out}");
    }
    assert!(out.contains("finds that it opens nothing in the record"), "{out}");
}

#[test]
fn lab_a10_a_table_of_all_secrets() {
    succeeds_until_mended("A10", &[("toy-socket", "F6")]);
    fails("A10", "dh-chat", "numbers of 2048 bits cannot be tried one by one");
    // What is said to have been tried was.
    assert!(attack(&["A10", "--on", "dh-chat"]).1.contains("none of 5460 powers of 2 is Alice's public value"));
    assert!(attack(&["A10", "--fix", "F6"]).1.contains("none of the first 5460 private numbers of X25519"));
    assert!(attack(&["A11", "--fix", "F6"]).1.contains("no product of two primes in Alice's public key"));
    assert!(attack(&["A13", "--fix", "F6"]).1.contains("none of 65536 keys makes the answer begin"));
}

#[test]
fn lab_a11_a_signature_by_division() {
    succeeds_until_mended("A11", &[("toy-socket", "F6")]);
}

#[test]
fn lab_a12_one_signature_for_two_texts() {
    succeeds_until_mended("A12", &[("toy-socket", "F6")]);
    let (_, out) = attack(&["A12"]);
    let words = out.split_once("THE FIX").unwrap().0.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("finds two texts of her own with one hash, ") && words.contains(" tries: `pay Bob 10"),
        "{out}"
    );
    assert!(
        words.contains("multiplies Alice's signature of ") && words.contains(", which Alice has never signed"),
        "{out}"
    );
}

#[test]
fn lab_a13_a_known_beginning() {
    succeeds_until_mended("A13", &[("toy-socket", "F6")]);
    let (_, out) = attack(&["A13"]);
    let (before, after) = out.split_once("THE FIX").unwrap();
    assert!(before.contains("sees that blocks 1 and 3 of Alice's message are equal: so is the text in them"), "{out}");
    assert!(after.contains("sees no two blocks that are equal"), "{out}");
}

#[test]
fn lab_a14_somebody_says_to_be_alice() {
    succeeds_until_mended("A14", &ALL.map(|name| (name, "F7")));
}

#[test]
fn lab_a15_strangers_cost() {
    succeeds_until_mended("A15", &[("dh-chat", "F10")]);
    let (_, out) = attack(&["A15"]);
    let (before, after) = out.split_once("THE FIX").unwrap();
    assert!(before.contains("looks into the server: 1200000 rounds of hashing for her"), "{out}");
    assert!(after.contains("rounds of hashing for her") && !after.contains("00000 rounds of hashing"), "{out}");
    assert!(after.contains("MEASURED  on this machine") && after.contains("with 100000 rounds, and"), "{out}");
    // A time is never the same twice.
    assert!(!attack(&["A15", "--seed", "1"]).1.contains("MEASURED"));
}

#[test]
fn lab_a16_a_length_that_asks_for_too_much() {
    succeeds_until_mended("A16", &[("rsa-chat", "F10")]);
}

#[test]
fn lab_a17_a_log_that_tells_too_much() {
    succeeds_until_mended("A17", &[("rsa-chat", "F10")]);
}

/// SSH of before 2024 loses the beginning of what the server says, and neither end counts wrong; with strict key
/// exchange the packet that was added ends the connection, and Alice is told why.
#[test]
fn lab_a18_a_beginning_is_cut_off() {
    succeeds_until_mended("A18", &[("ssh", "F9")]);
    let (code, out) = attack(&["A18"]);
    let (before, after) = out.split_once("THE FIX").unwrap();
    assert_eq!(code, 0, "{out}");
    let packets = |who: &str| -> Vec<&str> {
        let lines = before.lines().filter(|line| line.starts_with(&format!("  {who}")));
        lines.filter_map(|line| line.split_once("Packet ").map(|(_, packet)| packet)).collect()
    };
    let numbered = |names: &[&str]| -> Vec<String> {
        names.iter().enumerate().map(|(number, name)| format!("{number} of the server is {name}")).collect()
    };
    let sent = ["KEXINIT", "KEX_ECDH_REPLY", "NEWKEYS", "EXT_INFO", "SERVICE_ACCEPT"];
    assert_eq!(packets("server"), numbered(&sent), "{out}");
    let got = ["KEXINIT", "IGNORE", "KEX_ECDH_REPLY", "NEWKEYS", "SERVICE_ACCEPT"];
    assert_eq!(packets("Alice"), numbered(&got), "{out}");
    assert!(before.contains("The server does not say what else it can do (no EXT_INFO)"), "{out}");
    assert!(before.contains("00000000 00000004\n") && before.contains("[alice]: the meeting is at 10\n"), "{out}");
    assert!(after.contains("message IGNORE (2), which strict key exchange does not allow here\n"), "{out}");
}

/// The same proxy before `nacre serve` and before OpenSSH, which both know strict key exchange.
#[test]
fn t01_terrapin_ends_the_connection_of_todays_ssh() {
    for (on, why) in [("nacre", "which strict key exchange does not allow here"), ("openssh", "strict KEX")] {
        let (code, out) = attack(&["A18", "--on", on, "--json"]);
        let told: Value = serde_json::from_str(&out).unwrap();
        let run = &told["runs"][0];
        assert_eq!((code, &run["succeeded"], &run["exit_code"]), (1, &false.into(), &255.into()), "{out}");
        assert_eq!(run["bytes_cut_off"], 0, "{out}");
        assert!(run["said"].as_str().unwrap().contains(why), "{out}");
        let says: Vec<&str> = run["told"].as_array().unwrap().iter().filter_map(|act| act["says"].as_str()).collect();
        assert!(says.contains(&"sees that the server offers strict key exchange"), "{out}");
        assert!(says.iter().any(|text| text.starts_with("adds a packet that says nothing")), "{out}");
    }
    let (code, out) = attack(&["A18", "--on", "nacre"]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("the attack FAILS: with the packet that was added Alice's client ends, with code 255"),
        "{out}"
    );
}

/// A client that has not met Mallory says nothing about her, however it ends.
#[test]
fn t01_terrapin_is_not_judged_where_nothing_was_done() {
    for code in ["0", "255"] {
        let place = common::Scratch::new();
        let ssh = place.write("ssh", &format!("#!/bin/sh\necho ready\nexit {code}\n"));
        std::fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", place.root().display());
        let mut attack = nacre();
        attack.args(["lab", "attack", "A18", "--on", "openssh"]).env("PATH", path);
        let done = attack.stdin(Stdio::null()).output().unwrap();
        let err = text(done.stderr);
        assert_eq!((done.status.code(), text(done.stdout).as_str()), (Some(3), ""), "{err}");
        assert!(err.contains("the attack was not performed: Mallory has added no packet"), "{err}");
    }
}

/// What fells the classroom protocols does nothing to SSH: ours, and the one of the machine.
#[test]
fn lab_a19_ssh_holds() {
    for server in ["nacre", "openssh"] {
        let (code, out) = attack(&["A19", "--on", server, "--json"]);
        let told: Value = serde_json::from_str(&out).unwrap();
        let runs = told["runs"].as_array().unwrap();
        assert_eq!((code, runs.len()), (1, 3), "{out}");
        for (run, tricked) in runs.iter().zip([false, true, true]) {
            assert_eq!(run["bytes_reached"], 0, "{out}");
            assert_eq!((&run["succeeded"], &run["exit_code"]), (&false.into(), &255.into()), "{out}");
            assert_eq!(!run["told"].as_array().unwrap().is_empty(), tricked, "{out}");
        }
        assert!(runs[0]["said"].as_str().unwrap().contains("HOST IDENTIFICATION HAS CHANGED"), "{out}");
    }
    let (code, out) = attack(&["A19"]);
    assert_eq!(code, 1);
    assert_eq!(out.matches("0 bytes reach the application").count(), 3, "{out}");
    // What A18 calls ssh is another.
    let done = nacre().args(["lab", "attack", "A19", "--on", "ssh"]).output().unwrap();
    let err = text(done.stderr);
    assert_eq!(done.status.code(), Some(2), "{err}");
    assert!(
        err.contains("A19 is for SSH as people use it") && err.contains("hint: --on nacre, or --on openssh"),
        "{err}"
    );
}

/// Somebody who cannot log in at all proves nothing; and another fix than the card's is not explained by the card.
#[test]
fn lab_attacks_explain_only_what_they_have_shown() {
    let mut alone = nacre();
    alone.args(["lab", "attack", "A19", "--on", "openssh"]).env("PATH", "/nowhere");
    let done = alone.stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!((done.status.code(), text(done.stdout).as_str()), (Some(3), ""));
    let (code, out) = attack(&["A8", "--on", "rsa-chat", "--fix", "F3"]);
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, 1, "{out}");
    assert!(words.contains("With F3 this Mallory comes to nothing; the fix to learn from is F2."), "{out}");
}

#[test]
fn lab_a20_a_curious_server() {
    let (code, out) = attack(&["A20", "--on", "rsa-chat"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("No transport can mend this"), "{out}");
}

/// With a seed every attack is told the same each time, to the byte and in the same order.
#[test]
fn lab_attacks_with_a_seed_repeat_themselves() {
    let numbers = (1..=17).chain([20]);
    let all: Vec<(String, &str)> = numbers.flat_map(|a| ALL.map(|on| (format!("A{a}"), on))).collect();
    let run = |(name, on): &(String, &str)| {
        let done = nacre().args(["lab", "attack", name, "--on", on, "--seed", "7"]).output().unwrap();
        (done.status.code().unwrap(), text(done.stdout))
    };
    let mut compared = 0;
    for attack in &all {
        let first = run(attack);
        // What the attack is not for.
        if first.0 == 2 {
            continue;
        }
        // Several at once, so that the machine has more to do than this.
        std::thread::scope(|scope| {
            let again: Vec<_> = (0..3).map(|_| scope.spawn(|| run(attack))).collect();
            for again in again {
                assert_eq!(again.join().unwrap(), first, "{attack:?}");
            }
        });
        compared += 1;
    }
    assert!(compared > 30, "{compared}");
}

/// What somebody without knowledge of cryptography is shown, word for word: twice the same with a seed.
#[test]
fn lab_a02_is_told_to_its_end() {
    let (code, out) = attack(&["A2", "--on", "dh-chat", "--seed", "1"]);
    assert_eq!(code, 0, "{out}");
    let again = attack(&["A2", "--on", "dh-chat", "--seed", "1"]).1;
    assert_eq!(again, out);
    let headings =
        ["CLAIM", "IDEA", "PEOPLE", "RUN", "VERDICT", "THE FIX", "RUN with F1", "VERDICT", "IN SSH", "KNOWN AS"];
    let mut rest = out.as_str();
    for heading in headings {
        let place = rest.find(&format!("\n{heading}")).unwrap_or_else(|| panic!("{heading}:\n{out}"));
        rest = &rest[place + 1..];
    }
    for line in [
        "  Alice   > the meeting is at 10\n",
        "  Mallory * reads what Alice says: the meeting is at 10\n",
        "  Mallory * tells the server instead: the meeting is at 11\n",
        "  server    [Client]: the meeting is at 11\n",
        "  Alice     [!] Connection closed: the server's key refused: it is not the one that is trusted\n",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
    assert_eq!(out.matches("Secure connection established!").count(), 1, "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
}

/// `--ask`: a question before each run, its answer after it, and no guess is needed.
#[test]
fn lab_a02_asks_before_it_tells() {
    let asked = |typed: &str| {
        let mut asking = nacre();
        asking.args(["lab", "attack", "A2", "--on", "dh-chat", "--ask"]);
        let mut asking = asking.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        asking.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let done = asking.wait_with_output().unwrap();
        assert_eq!((done.status.code(), text(done.stderr)), (Some(0), String::new()));
        text(done.stdout)
    };
    let out = asked("z\n C \nb\n");
    let mut rest = out.as_str();
    for part in
        ["PREDICT", "c) What it always says", "for none): \nYour guess", "RUN", "VERDICT", "ANSWER    c, as you said. "]
    {
        rest = &rest[rest.find(part).unwrap_or_else(|| panic!("{part}:\n{out}"))..];
    }
    for part in ["THE FIX", "PREDICT", "RUN with F1", "VERDICT", "ANSWER    not b but a: ", "IN SSH"] {
        rest = &rest[rest.find(part).unwrap_or_else(|| panic!("{part}:\n{out}"))..];
    }
    for typed in ["", "\n\n", "\n"] {
        let out = asked(typed);
        assert_eq!((out.matches("ANSWER    ").count(), out.matches("you said").count()), (2, 0), "{out}");
    }
    assert_eq!(asked(&"x".repeat(5000)).matches("Your guess").count(), 7, "a long line is no guess");
    let told = attack(&["A2", "--on", "dh-chat"]).1;
    assert!(!told.contains("PREDICT") && !told.contains("ANSWER"), "{told}");
    let told: Value = serde_json::from_str(&attack(&["A20", "--json"]).1).unwrap();
    assert_eq!(told["questions"].as_array().unwrap().len(), 1);
}
