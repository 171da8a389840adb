//! `nacre ssh` logging in: key files, passphrases, the agent, passwords and questions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/person.rs"]
mod person;

use common::Scratch;
use peer::{Outcome, PASSWORD, Peer, TESTER, make_key, place, require, run, set_mode};
use person::Person;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const HOST: &str = "127.0.0.1";
const NEW: [&str; 2] = ["-o", "StrictHostKeyChecking=accept-new"];

/// A call with these words and variables.
fn call(peer: &Peer, place: &Scratch, words: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let mut command = common::nacre();
    command.args(peer.words(place)).args(NEW).args(words).args([HOST, "echo in"]).env("HOME", place.path("home"));
    command.envs(variables.iter().copied());
    run(&mut command, b"")
}

/// A person who calls with these words.
fn person(peer: &Peer, place: &Scratch, words: &[&str]) -> Person {
    let mut all = peer.words(place);
    all.extend(NEW.iter().chain(words).chain(&[HOST, "echo in"]).map(|word| (*word).to_owned()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Person::runs(&place.path("home"), &all)
}

/// Puts a key of the place where the client looks by itself, and lets it log in.
fn install(place: &Scratch, from: &str, name: &str) {
    std::fs::copy(place.path(from), place.path("home/.ssh").join(name)).unwrap();
    set_mode(&place.path("home/.ssh").join(name), 0o600);
}

fn allow(place: &Scratch, names: &[&str]) {
    let keys: String = names.iter().map(|name| place.read(&format!("{name}.pub"))).collect();
    place.write("home/.ssh/authorized_keys", &keys);
}

#[test]
fn every_kind_of_key_file() {
    let place = place();
    let kinds: [(&str, &[&str]); 6] = [
        ("ed", &["-t", "ed25519"]),
        ("ec256", &["-t", "ecdsa", "-b", "256"]),
        ("ec384", &["-t", "ecdsa", "-b", "384"]),
        ("ec521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("pem", &["-t", "rsa", "-b", "3072", "-m", "PEM"]),
    ];
    let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    kinds.iter().for_each(|(name, more)| make_key(&place, name, more));
    allow(&place, &names);
    for peer in [Peer::sshd(&place, ""), Peer::dropbear(&place, &[])] {
        for name in &names {
            let done = call(&peer, &place, &["-i", place.path(name).to_str().unwrap()], &[]);
            assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{name}: {}", done.err);
        }
    }
}

#[test]
fn the_usual_files_are_found() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    install(&place, "id", "id_ed25519");
    let done = call(&peer, &place, &[], &[]);
    assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
}

#[test]
fn a_key_that_is_not_wanted() {
    let place = place();
    make_key(&place, "other", &["-t", "ed25519"]);
    for peer in [
        Peer::sshd(&place, "PasswordAuthentication no\nKbdInteractiveAuthentication no"),
        Peer::dropbear(&place, &["-s"]),
    ] {
        let done = call(&peer, &place, &["-i", place.path("other").to_str().unwrap()], &[]);
        assert_eq!((done.code, done.text().as_str()), (255, ""));
        assert!(done.err.ends_with("root@127.0.0.1: Permission denied (publickey).\n"), "{:?}", done.err);
        let missing = place.path("missing");
        let done = call(&peer, &place, &["-i", missing.to_str().unwrap()], &[]);
        let words = format!("no such identity: {}: No such file or directory\n", missing.display());
        assert!(done.code == 255 && done.err.contains(&words), "{:?}", done.err);
        let done = call(&peer, &place, &["-q", "-i", place.path("other").to_str().unwrap()], &[]);
        assert_eq!((done.code, done.err.as_str()), (255, ""), "-q says nothing");
    }
}

#[test]
fn k02_a_key_open_to_others_is_not_used() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    set_mode(&place.path("id"), 0o644);
    let done = call(&peer, &place, &["-o", "BatchMode=yes", "-i", place.path("id").to_str().unwrap()], &[]);
    assert_eq!((done.code, done.text().as_str()), (255, ""));
    assert!(done.err.contains("WARNING: UNPROTECTED PRIVATE KEY FILE!"), "{}", done.err);
    assert!(done.err.contains("Permissions 0644 for"), "{}", done.err);
}

#[test]
fn a_passphrase_is_asked_for_when_the_server_wants_the_key() {
    let place = place();
    make_key(&place, "locked", &["-t", "ed25519", "-N", "open sesame"]);
    make_key(&place, "stranger", &["-t", "ed25519", "-N", "open sesame"]);
    allow(&place, &["locked"]);
    let peer = Peer::sshd(&place, "PasswordAuthentication no\nKbdInteractiveAuthentication no");
    let (locked, stranger) = (place.path("locked"), place.path("stranger"));
    // The public half is inside the file: nothing beside it is needed.
    std::fs::remove_file(place.path("locked.pub")).unwrap();
    let files = ["-i", stranger.to_str().unwrap(), "-i", locked.to_str().unwrap()];

    let mut one = person(&peer, &place, &files);
    one.sees(&format!("Enter passphrase for key '{}': ", locked.display()));
    assert!(!one.screen().contains("stranger"), "{}", one.screen());
    one.types("wrong");
    one.sees(&format!("Enter passphrase for key '{}': ", locked.display()));
    one.types("open sesame");
    one.sees("in");
    let (code, screen) = one.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("sesame"), "the passphrase was shown: {screen}");

    let mut two = person(&peer, &place, &files);
    two.sees("Enter passphrase for key");
    two.types("");
    two.sees("root@127.0.0.1: Permission denied (publickey).");
    assert_eq!(two.ends().0, 255);

    let mut three = person(&peer, &place, &files);
    three.sees("Enter passphrase for key");
    three.presses(b"\x03");
    assert_eq!(three.ends().0, 130);

    let done = call(&peer, &place, &[&files[..], &["-o", "BatchMode=yes"]].concat(), &[]);
    assert_eq!(done.code, 255, "{}", done.err);
}

/// ssh-agent of OpenSSH, on a socket in the place.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn new(place: &Scratch) -> Self {
        let socket = place.path("agent");
        let mut agent = require("ssh-agent", "openssh-client");
        let child = agent.args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < end, "the agent does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, socket }
    }

    fn add(&self, place: &Scratch, name: &str) {
        let mut add = require("ssh-add", "openssh-client");
        let out = add.arg("-q").arg(place.path(name)).env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    fn variable(&self) -> [(&'static str, &str); 1] {
        [("SSH_AUTH_SOCK", self.socket.to_str().unwrap())]
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_agent_signs() {
    let place = place();
    make_key(&place, "rsa", &["-t", "rsa", "-b", "2048"]);
    make_key(&place, "other", &["-t", "ed25519"]);
    let agent = Agent::new(&place);
    agent.add(&place, "other");
    agent.add(&place, "rsa");
    allow(&place, &["rsa"]);
    for peer in [Peer::sshd(&place, ""), Peer::dropbear(&place, &[])] {
        let done = call(&peer, &place, &[], &agent.variable());
        assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
        // By option rather than by variable.
        let option = format!("IdentityAgent={}", agent.socket.display());
        assert_eq!(call(&peer, &place, &["-o", &option], &[]).code, 0);
        // Not at all.
        let batch = ["-o", "BatchMode=yes", "-o"];
        let none = [&batch[..], &["IdentityAgent=none"]].concat();
        assert_eq!(call(&peer, &place, &none, &agent.variable()).code, 255);
        // Only named keys: the agent's are those that a file, even a public one, shows.
        let only = [&batch[..], &["IdentitiesOnly=yes"]].concat();
        assert_eq!(call(&peer, &place, &only, &agent.variable()).code, 255);
        let public = place.path("rsa.pub");
        let named = [&only[..], &["-i", public.to_str().unwrap()]].concat();
        let done = call(&peer, &place, &named, &agent.variable());
        assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
    }
}

impl Agent {
    /// What `ssh-add -l` says.
    fn list(&self) -> String {
        let mut add = require("ssh-add", "openssh-client");
        let out = add.arg("-l").env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    }
}

#[test]
fn the_key_that_was_used_goes_to_the_agent_when_that_is_wished() {
    let place = place();
    for (name, kind) in [("rsa", ["-t", "rsa", "-b", "2048"]), ("ecdsa", ["-t", "ecdsa", "-b", "384"])] {
        make_key(&place, name, &kind);
    }
    make_key(&place, "refused", &["-t", "ed25519"]);
    allow(&place, &["id", "rsa", "ecdsa"]);
    let peer = Peer::sshd(&place, "");
    for name in ["id", "rsa", "ecdsa"] {
        let agent = Agent::new(&place);
        let (refused, path) = (place.path("refused"), place.path(name));
        let keys = ["-i", refused.to_str().unwrap(), "-i", path.to_str().unwrap()];
        let wish = |wish: &str| {
            let wish = format!("AddKeysToAgent={wish}");
            let done = call(&peer, &place, &[&keys[..], &["-o", &wish]].concat(), &agent.variable());
            assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
        };
        wish("no");
        assert_eq!(agent.list(), "The agent has no identities.\n");
        wish("yes");
        let held = agent.list();
        let known = require("ssh-keygen", "openssh-client").arg("-lf").arg(&path).output().unwrap();
        assert_eq!(held, String::from_utf8(known.stdout).unwrap(), "only the key that logged in is there");
        // It can be used from there: the file is not needed any more.
        let public = place.path(&format!("{name}.pub"));
        let done = call(&peer, &place, &["-i", public.to_str().unwrap()], &agent.variable());
        assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
        std::fs::remove_file(&agent.socket).unwrap();
    }
    // For a time only.
    let agent = Agent::new(&place);
    let id = place.path("id");
    let id = id.to_str().unwrap();
    let done = call(&peer, &place, &["-i", id, "-o", "AddKeysToAgent=6"], &agent.variable());
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(agent.list().contains("(ED25519)"), "{}", agent.list());
    let end = Instant::now() + Duration::from_secs(60);
    while agent.list() != "The agent has no identities.\n" {
        assert!(Instant::now() < end, "the key stays for ever");
        std::thread::sleep(Duration::from_millis(100));
    }
    // The agent asks before each use, and nobody can be asked here.
    let done = call(&peer, &place, &["-i", id, "-o", "AddKeysToAgent=confirm"], &agent.variable());
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(agent.list().contains("(ED25519)"), "{}", agent.list());
    let public = place.path("id.pub");
    let batch = ["-i", public.to_str().unwrap(), "-o", "BatchMode=yes"];
    assert_eq!(call(&peer, &place, &batch, &agent.variable()).code, 255);
}

#[test]
fn a_key_goes_to_the_agent_when_the_person_agrees() {
    let place = place();
    make_key(&place, "locked", &["-t", "ed25519", "-N", "secret words"]);
    allow(&place, &["locked"]);
    let peer = Peer::sshd(&place, "");
    let agent = Agent::new(&place);
    let locked = place.path("locked");
    for (answer, held) in [("no", false), ("yes", true)] {
        let more = ["-i", locked.to_str().unwrap(), "-o", "AddKeysToAgent=ask", "-l", "root", HOST, "true"];
        let mut words = peer.words(&place);
        words.extend(["-o", "StrictHostKeyChecking=accept-new"].iter().chain(&more).map(|word| (*word).to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_nacre"));
        let mut person = Person::starts(program, &place.path("home"), &words, &agent.variable());
        person.sees("Enter passphrase for key");
        person.types("secret words");
        person.sees("Add key ");
        person.sees(" to agent? ");
        person.types(answer);
        let (code, screen) = person.ends();
        assert_eq!(code, 0, "{screen}");
        assert_eq!(agent.list().contains("(ED25519)"), held, "{screen}{}", agent.list());
    }
}

#[test]
fn a_named_key_does_not_wait_for_a_full_agent() {
    let place = place();
    let agent = Agent::new(&place);
    for number in 0..8 {
        let name = format!("spare{number}");
        make_key(&place, &name, &["-t", "ed25519"]);
        agent.add(&place, &name);
    }
    let peer = Peer::sshd(&place, "MaxAuthTries 3");
    let done = call(&peer, &place, &["-i", place.path("id").to_str().unwrap()], &agent.variable());
    assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
    let done = call(&peer, &place, &["-o", "BatchMode=yes"], &agent.variable());
    assert_eq!(done.code, 255);
    assert!(done.err.contains("Too many authentication failures"), "{:?}", done.err);
    assert!(done.err.contains(&format!("Received disconnect from 127.0.0.1 port {}:2: ", peer.port)), "{:?}", done.err);
}

#[test]
fn an_agent_that_is_dead_or_mad_is_left_alone() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let id = place.path("id");
    let id = id.to_str().unwrap();
    assert_eq!(call(&peer, &place, &["-i", id], &[("SSH_AUTH_SOCK", "/nonexistent")]).code, 0);
    let socket = place.path("mad");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(&[0xff; 64]);
        }
    });
    let done = call(&peer, &place, &["-i", id], &[("SSH_AUTH_SOCK", socket.to_str().unwrap())]);
    assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
}

#[test]
fn a_password_is_asked_for_three_times() {
    let place = place();
    for peer in [Peer::sshd(&place, "KbdInteractiveAuthentication no"), Peer::dropbear(&place, &[])] {
        let question = format!("{TESTER}@127.0.0.1's password: ");
        let mut one = person(&peer, &place, &["-l", TESTER]);
        one.sees(&question);
        one.types("wrong");
        one.sees("Permission denied, please try again.");
        one.sees(&question);
        one.types(PASSWORD);
        one.sees("in");
        let (code, screen) = one.ends();
        assert_eq!(code, 0, "{screen}");
        assert!(!screen.contains(PASSWORD), "the password was shown: {screen}");

        let mut two = person(&peer, &place, &["-l", TESTER]);
        for _ in 0..3 {
            two.sees(&question);
            two.types("wrong");
        }
        two.sees(&format!("{TESTER}@127.0.0.1: Permission denied ("));
        assert_eq!(two.ends().0, 255);

        let mut three = person(&peer, &place, &["-l", TESTER]);
        three.sees(&question);
        three.presses(b"half\x03");
        three.awaits_cooked_terminal();
        assert_eq!(three.ends().0, 130);
    }
}

#[test]
fn h09_questions_of_the_server_are_marked_as_its_own() {
    let place = place();
    let peer = Peer::sshd(&place, "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes");
    let question = format!("({TESTER}@127.0.0.1) Password: ");
    let mut person = person(&peer, &place, &["-l", TESTER]);
    person.sees(&question);
    person.types("wrong");
    person.sees(&question);
    person.types(PASSWORD);
    person.sees("in");
    let (code, screen) = person.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(PASSWORD), "the password was shown: {screen}");
}

#[test]
fn nobody_to_ask_and_programs_that_answer() {
    let place = place();
    let peer = Peer::sshd(&place, "KbdInteractiveAuthentication no");
    let words = ["-l", TESTER, "-o", "PubkeyAuthentication=no"];
    let done = call(&peer, &place, &words, &[]);
    assert_eq!((done.code, done.text().as_str()), (255, ""));
    assert!(done.err.contains("Permission denied (publickey,password)."), "{}", done.err);

    let asked = place.path("asked");
    let script = format!("#!/bin/sh\necho \"$1\" >> '{}'\necho '{PASSWORD}'\n", asked.display());
    let program = place.write("askpass", &script);
    set_mode(&program, 0o755);
    let program = program.to_str().unwrap();
    for (variables, answered) in [
        (&[("SSH_ASKPASS", program)][..], false),
        (&[("SSH_ASKPASS", program), ("DISPLAY", ":0")][..], true),
        (&[("SSH_ASKPASS", program), ("SSH_ASKPASS_REQUIRE", "force")][..], true),
        (&[("SSH_ASKPASS", program), ("DISPLAY", ":0"), ("SSH_ASKPASS_REQUIRE", "never")][..], false),
    ] {
        let _ = std::fs::remove_file(&asked);
        // Without a controlling terminal, as started by a desktop or a daemon.
        let mut command = require("setsid", "util-linux");
        command.arg("-w").arg(env!("CARGO_BIN_EXE_nacre")).args(peer.words(&place)).args(NEW).args(words);
        command.args([HOST, "echo in"]).env("HOME", place.path("home")).envs(variables.iter().copied());
        let done = run(&mut command, b"");
        assert_eq!(done.code, if answered { 0 } else { 255 }, "{variables:?}: {}", done.err);
        let question = format!("{TESTER}@127.0.0.1's password: \n");
        assert_eq!(
            std::fs::read_to_string(&asked).unwrap_or_default(),
            if answered { question } else { String::new() }
        );
    }
}

#[test]
fn a_server_that_gives_up_does_not_leave_the_terminal_silent() {
    let place = place();
    let peer = Peer::sshd(&place, "KbdInteractiveAuthentication no\nLoginGraceTime 15");
    let mut person = person(&peer, &place, &["-l", TESTER]);
    person.sees("'s password: ");
    assert!(!person.terminal_is_cooked());
    person.sees("closed by 127.0.0.1");
    person.awaits_cooked_terminal();
    assert_eq!(person.ends().0, 255);
}

#[test]
fn h09_a_login_without_a_credential_is_announced() {
    let place = place();
    let accounts = place.path("shadow");
    let peer = Peer::sshd(&place, "PermitEmptyPasswords yes");
    // The namespace's shadow is this very file, written in place.
    let text = place.read("shadow").replace("root:*:", "root::");
    std::fs::write(&accounts, text).unwrap();
    let done = call(&peer, &place, &[], &[]);
    assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
    assert!(done.err.contains("NOTICE: 127.0.0.1 let this login in without any credential."), "{}", done.err);
}

#[test]
fn u01_a_banner_cannot_draw_on_the_terminal() {
    let place = place();
    let banner = place.write("banner", "Welcome\n\tto \u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}here\n");
    let peer = Peer::sshd(&place, &format!("Banner {}", banner.display()));
    let id = place.path("id");
    let done = call(&peer, &place, &["-i", id.to_str().unwrap()], &[]);
    assert_eq!(done.code, 0);
    assert!(done.err.contains("Welcome\n\tto "), "{:?}", done.err);
    assert!(!done.err.contains(|c: char| c.is_control() && !"\n\t".contains(c)), "{:?}", done.err);
    let done = call(&peer, &place, &["-q", "-i", id.to_str().unwrap()], &[]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
}
