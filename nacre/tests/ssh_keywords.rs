//! Keywords of `ssh_config` that have effects of their own, beside OpenSSH's client where it has them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::{Scratch, program};
use peer::{Outcome, Peer, free_port, make_key, place, run, set_mode};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const HOST: &str = "127.0.0.1";
const CLIENTS: [&str; 2] = ["nacre", "ssh"];

/// One of the clients with the key `id`; nothing is asked.
fn client(which: &str, peer: &Peer, place: &Scratch, options: &[&str]) -> Command {
    let mut command = if which == "nacre" { common::nacre() } else { program("ssh") };
    if which == "nacre" {
        command.arg("ssh");
    }
    command.args(["-F", "none", "-p", &peer.port.to_string(), "-o", "BatchMode=yes", "-i"]).arg(place.path("id"));
    for option in options.iter().chain(&["GlobalKnownHostsFile=none", "IdentitiesOnly=yes", "User=root"]) {
        command.args(["-o", option]);
    }
    command.env("HOME", place.path("home")).arg(HOST);
    command
}

fn call(which: &str, peer: &Peer, place: &Scratch, options: &[&str], command: &str) -> Outcome {
    let known = format!("UserKnownHostsFile={}", place.path("known_hosts").display());
    let options: Vec<&str> =
        options.iter().copied().chain([known.as_str(), "StrictHostKeyChecking=accept-new"]).collect();
    run(client(which, peer, place, &options).arg(command), b"")
}

#[test]
fn a_local_command_runs_where_that_is_permitted() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let note = place.path("note");
    let command = format!("LocalCommand=echo %h %p %r %T %% >> {}", note.display());
    for which in CLIENTS {
        for permits in ["PermitLocalCommand=no", "PermitLocalCommand=yes"] {
            let done = call(which, &peer, &place, &[&command, permits], "echo there");
            assert_eq!((done.code, done.text().as_str()), (0, "there\n"), "{which}: {}", done.err);
        }
        let noted = std::fs::read_to_string(&note).unwrap();
        assert_eq!(noted, format!("{HOST} {} root NONE %\n", peer.port), "{which}");
        std::fs::remove_file(&note).unwrap();
    }
    // One that fails changes nothing.
    let done = call("nacre", &peer, &place, &["LocalCommand=exit 7", "PermitLocalCommand=yes"], "exit 3");
    assert_eq!(done.code, 3);
}

#[test]
fn a_command_tells_host_keys() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    make_key(&place, "wrong", &["-t", "ed25519"]);
    let (asked, keys) = (place.path("asked"), place.path("keys"));
    let script = format!("#!/bin/sh\necho \"$@\" >> {}\ncat {}\n", asked.display(), keys.display());
    let script = place.write("tells", &script);
    set_mode(&script, 0o755);
    let line = |key: &str| {
        let public = place.read(&format!("{key}.pub"));
        let words: Vec<&str> = public.split(' ').collect();
        format!("{} {} {}\n", peer.name(), words[0], words[1].trim())
    };
    let command = format!("KnownHostsCommand={} %I %H %t %f %K %p ${{PATH}}", script.display());
    let options = [command.as_str(), "UserKnownHostsFile=none", "StrictHostKeyChecking=yes"];
    let mut questions = Vec::new();
    for which in CLIENTS {
        place.write("keys", &line("host_ed25519"));
        let done = run(client(which, &peer, &place, &options).arg("echo in"), b"");
        assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{which}: {}", done.err);
        questions.push(place.read("asked"));
        std::fs::remove_file(&asked).unwrap();
        for (told, expected) in [
            (line("wrong"), "HAS CHANGED"),
            (String::new(), "strict checking"),
            (format!("@revoked {}", line("host_ed25519")), "revoked"),
        ] {
            place.write("keys", &told);
            let done = run(client(which, &peer, &place, &options).arg("echo in"), b"");
            assert_eq!((done.code, done.text().as_str()), (255, ""), "{which} {told}");
            assert!(which == "ssh" || done.err.contains(expected), "{which}: {}", done.err);
        }
        std::fs::remove_file(&asked).unwrap();
    }
    assert_eq!(questions[0], questions[1], "both ask the same");
    // A list of one's own leaves nothing to put in order.
    let own_list = [options[0], options[1], options[2], "HostKeyAlgorithms=ssh-ed25519"];
    let asked = CLIENTS.map(|which| {
        place.write("keys", &line("host_ed25519"));
        let done = run(client(which, &peer, &place, &own_list).arg("echo in"), b"");
        assert_eq!(done.code, 0, "{which}: {}", done.err);
        let asked = place.read("asked");
        std::fs::remove_file(place.path("asked")).unwrap();
        asked
    });
    assert!(asked[0] == asked[1] && asked[0].lines().all(|line| line.starts_with("HOSTNAME ")), "{asked:?}");
    assert!(questions[0].lines().all(|line| line.ends_with(" /usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")));
    // One that fails may have had a revocation to tell of, so that it does not help to know the host otherwise.
    place.write("keys", &line("host_ed25519"));
    let failing = place.write("fails", &format!("#!/bin/sh\ncat {}\nexit 1\n", keys.display()));
    set_mode(&failing, 0o755);
    let command = format!("KnownHostsCommand={}", failing.display());
    for strict in ["StrictHostKeyChecking=yes", "StrictHostKeyChecking=no"] {
        let done = run(client("nacre", &peer, &place, &[&command, strict]).arg("echo in"), b"");
        assert!(done.code == 255 && done.err.contains("it ended with exit status: 1"), "{}", done.err);
    }
}

#[test]
fn t20_idle_channels_are_closed_by_the_client() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let known = format!("UserKnownHostsFile={}", place.path("known_hosts").display());
    let ours =
        |options: &[&str]| client("nacre", &peer, &place, &[options, &[&known, "StrictHostKeyChecking=no"]].concat());
    let done = run(ours(&["ChannelTimeout=session=1"]).arg("sleep 1000"), b"");
    assert_eq!((done.code, done.text().as_str()), (255, ""), "{}", done.err);
    let done = run(ours(&["ChannelTimeout=direct-*=1 forwarded-*=1"]).arg("sleep 2; echo out; exit 3"), b"");
    assert_eq!((done.code, done.text().as_str()), (3, "out\n"), "{}", done.err);
    // What connected here is let go, and the connection goes on.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free_port();
    let forward = format!("LocalForward={port} {}", silent.local_addr().unwrap());
    let mut ssh = ours(&["ChannelTimeout=direct-tcpip=1", "ExitOnForwardFailure=yes", &forward]);
    ssh.arg("echo up; cat");
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut up = [0; 3];
    ssh.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
    // Begun anew where the machine was so busy that the limit passed before a word was said.
    let passed = || {
        let mut near = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut far, _) = silent.accept().unwrap();
        let _ = far.write_all(b"hello");
        let mut said = String::new();
        near.read_to_string(&mut said).unwrap();
        (said.as_str(), far.read(&mut [0; 8]).unwrap()) == ("hello", 0)
    };
    assert!((0..20).any(|_| passed()), "nothing came through");
    drop(ssh.stdin.take());
    assert_eq!(ssh.wait().unwrap().code(), Some(0));
}

#[test]
fn h05_revoked_host_keys_are_never_taken() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    make_key(&place, "other", &["-t", "ed25519"]);
    let (host, other) = (place.read("host_ed25519.pub"), place.read("other.pub"));
    for which in CLIENTS {
        for (list, code) in [(other.clone(), 0), (format!("# gone\n{other}{host}"), 255)] {
            let list = place.write("revoked", &list);
            let done = call(which, &peer, &place, &[&format!("RevokedHostKeys={}", list.display())], "exit 0");
            assert_eq!(done.code, code, "{which}: {}", done.err);
            assert_eq!(done.err.contains("revoked"), code == 255, "{which}: {}", done.err);
        }
        let done = call(which, &peer, &place, &["RevokedHostKeys=/nonexistent/list"], "exit 0");
        assert_eq!(done.code, 255, "{which}: {}", done.err);
    }
}

#[test]
fn an_interface_to_connect_from() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    for which in CLIENTS {
        let done = call(which, &peer, &place, &["BindInterface=lo"], "echo $SSH_CLIENT");
        assert!(done.text().starts_with("127.0.0.1 "), "{which}: {}", done.err);
        let done = call(which, &peer, &place, &["BindInterface=no-such-one"], "exit 0");
        assert_eq!(done.code, 255, "{which}: {}", done.err);
    }
}
