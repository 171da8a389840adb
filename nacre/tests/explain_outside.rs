//! `nacre explain -- ssh ...`: OpenSSH's client and OpenSSH's server, told from between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::Scratch;
use peer::{Outcome, Peer, require};
use serde_json::Value;

/// Runs OpenSSH's client in it; `flags` are explain's, `words` ssh's last.
fn explain(peer: &Peer, place: &Scratch, flags: &[&str], more: &[&str], words: &[&str]) -> Outcome {
    let key = place.read("host_ed25519.pub");
    place.write("known_hosts", &format!("{} {key}", peer.name()));
    let mut command = common::nacre();
    command.arg("explain").args(flags).arg("--").arg(require("ssh", "openssh-client").get_program());
    command.args(peer.words(place).iter().skip(1)).arg("-i").arg(place.path("id")).args(more);
    peer::run(command.arg("root@127.0.0.1").args(words).env("HOME", place.path("home")), b"typed")
}

#[test]
fn openssh_through_us_works_as_always_and_is_told() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let done = explain(&sshd, &place, &["--json"], &[], &["cat; echo plover; exit 7"]);
    assert_eq!(done.code, 7, "{}\n{}", done.err, sshd.log());
    assert!(done.err.contains("typedplover"), "{}", done.err);
    let records: Vec<Value> = done.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| records.iter().find(|r| r["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    // What each part of the command means.
    let parts = named("command")["details"].as_object().unwrap();
    assert!(parts["root@127.0.0.1"].as_str().unwrap().contains("the user root on the machine 127.0.0.1"));
    assert!(parts[&format!("-p {}", sshd.port)].as_str().unwrap().contains("Port"));
    assert!(parts["cat; echo plover; exit 7"].as_str().unwrap().contains("runs there"));
    // Both sides, by the numbers of their messages.
    let messages: Vec<String> =
        records.iter().filter_map(|r| Some(format!("{} {}", r["who"].as_str()?, r["message"].as_str()?))).collect();
    for (who, number) in
        ["KEXINIT (20)", "NEWKEYS (21)"].iter().flat_map(|number| [("client", number), ("server", number)])
    {
        assert!(messages.contains(&format!("{who} {number}")), "{messages:?}");
    }
    assert!(messages.contains(&"client KEX_ECDH_INIT (30)".to_owned()), "{messages:?}");
    assert_eq!(messages.len(), 6, "nothing after the keys can be read: {messages:?}");
    let idents = records.iter().filter(|r| r["name"] == "ident");
    assert!(idents.clone().count() == 2 && idents.into_iter().all(|r| r["text"].as_str().unwrap().contains("OpenSSH")));
    // The same as ssh and ssh-keygen say themselves.
    let mut list = require("ssh-keygen", "openssh-client");
    let fingerprint = peer::run(list.arg("-lf").arg(place.path("host_ed25519.pub")), b"").text();
    assert!(fingerprint.contains(named("host_key")["details"]["fingerprint"].as_str().unwrap()), "{fingerprint}");
    let wished = explain(&sshd, &place, &["--json"], &["-v", "-c", "aes256-ctr", "-m", "hmac-sha2-512"], &["true"]);
    let negotiated = wished.text();
    let negotiated = negotiated.lines().find(|line| line.contains("\"negotiated\"")).unwrap();
    let negotiated: Value = serde_json::from_str(negotiated).unwrap();
    for (list, ours) in [("cipher, client to server", "aes256-ctr"), ("MAC, server to client", "hmac-sha2-512")] {
        assert!(negotiated["details"][list].as_str().unwrap().starts_with(ours), "{negotiated}");
        assert!(wished.err.contains(ours), "{}", wished.err);
    }
    let kex = wished.err.split("kex: algorithm: ").nth(1).unwrap().lines().next().unwrap().trim().to_owned();
    assert!(negotiated["details"]["key exchange"].as_str().unwrap().starts_with(&kex), "{kex}: {negotiated}");
    // What cannot be seen is said.
    let hidden: Vec<&str> =
        records.iter().filter(|r| r["name"] == "hidden").map(|r| r["text"].as_str().unwrap()).collect();
    assert!(hidden.len() == 3 && hidden[0].contains("cannot be seen from outside"), "{hidden:?}");
    assert!(!done.text().contains("userauth") && done.text().contains("ends with exit code 7"));
}

#[test]
fn a_lot_passes_through_unchanged_and_a_page_comes_of_it() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let page = place.path("page.html");
    let done =
        explain(&sshd, &place, &["--html", page.to_str().unwrap()], &[], &["head -c 3000000 /dev/zero | tr '\\0' x"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(done.err.matches('x').count(), 3_000_000);
    assert!(
        done.text().contains("says 30") && done.text().contains("bytes that only the two can read"),
        "{}",
        done.text()
    );
    let page = place.read("page.html");
    assert!(page.contains("KEXINIT (20)") && page.contains("seen from outside"), "{page}");
}

#[test]
fn what_is_no_ssh_or_does_not_connect_is_said() {
    let run = |words: &[&str]| peer::run(common::nacre().arg("explain").args(words), b"");
    for (words, said) in [
        (&["--", "ls", "-l"][..], "a command line of ssh is wanted"),
        (&["--pcap", "x", "--", "ssh", "h"], "--pcap and --keylog need a host"),
    ] {
        let done = run(words);
        assert!(done.code == 2 && done.err.contains(said), "{words:?}: {}", done.err);
    }
    // What is ssh's would be taken for ours.
    for words in [&["ssh", "-p", "2222", "h"][..], &["-l", "root", "ssh", "h"], &["-4", "--", "ssh", "h"]] {
        let done = run(words);
        assert!(done.code == 2 && done.err.contains("put the whole command behind --"), "{words:?}: {}", done.err);
    }
    let ssh = require("ssh", "openssh-client").get_program().to_str().unwrap().to_owned();
    let done = run(&["--", &ssh, "-F", "none", "-p", "1", "127.0.0.1"]);
    assert_eq!(done.code, 255);
    assert!(done.err.contains("Connection refused"), "{}", done.err);
    assert!(done.text().contains("makes no connection that can be seen"), "{}", done.text());
}

/// A folder that another run left behind is not read, though it has this process's number.
#[test]
fn another_connections_story_is_not_told() {
    let place = Scratch::new();
    let ssh = require("ssh", "openssh-client").get_program().to_str().unwrap().to_owned();
    let script = "mkdir -m 700 nacre-explain-$$ && echo 'elsewhere.example 22 192.0.2.9:22' > nacre-explain-$$/log && \
                  TMPDIR=$PWD exec \"$@\"";
    let mut shell = common::program("/bin/sh");
    shell.current_dir(place.root()).args(["-c", script, "sh"]).arg(common::nacre().get_program());
    let done = peer::run(shell.args(["explain", "--", &ssh, "-F", "none", "-p", "1", "127.0.0.1"]), b"");
    assert_eq!(done.code, 255);
    assert!(!done.text().contains("elsewhere"), "{}", done.text());
    assert!(done.text().contains("makes no connection that can be seen"), "{}", done.text());
    let left = std::fs::read_dir(place.root()).unwrap().count();
    assert_eq!(left, 1, "the folder of this run is gone");
}

/// What is in ssh's words and files about the way to the server holds for the relay.
#[test]
fn the_server_is_reached_as_ssh_was_told() {
    let place = peer::place();
    let sshd = Peer::sshd(&place, "");
    let config = place.write("config", "ProxyUseFdpass yes\nBindAddress 127.0.0.2\nConnectTimeout 59\n");
    let done = explain(&sshd, &place, &[], &["-F", config.to_str().unwrap()], &["true"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(sshd.log().contains("Accepted publickey for root from 127.0.0.2 port"), "{}", sshd.log());
    let done = explain(&sshd, &place, &[], &["-6"], &["true"]);
    assert_eq!(done.code, 255, "{}", done.text());
    assert!(done.err.contains("it has no address of the family asked for"), "{}", done.err);
    let done = explain(&sshd, &place, &[], &["-J", "gate"], &["true"]);
    assert_eq!((done.code, done.text().as_str()), (2, ""));
    assert!(done.err.contains("goes through another program (proxyjump gate)"), "{}", done.err);
}

/// A client that a signal ends has no exit code of its own: it is what a shell says.
#[test]
fn a_client_that_a_signal_ends_has_the_code_of_a_shell() {
    let place = Scratch::new();
    let ssh = place.write("ssh", "#!/bin/sh\nkill -TERM $$\n");
    peer::set_mode(&ssh, 0o700);
    let done = peer::run(common::nacre().args(["explain", "--"]).arg(ssh).arg("host"), b"");
    assert_eq!(done.code, 128 + 15, "{}", done.err);
    assert!(done.text().contains("a signal ends the command"), "{}", done.text());
}
