//! `nacre add` beside ssh-add: the same agents, the same words, the same exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;
#[path = "common/person.rs"]
mod person;

use agents::{Agent, Whose, askpass, certify, done, eventually, key, set_mode};
use common::{Scratch, nacre, program};
use person::Person;
use std::path::Path;

fn both(place: &Scratch) -> [Agent; 2] {
    [Whose::OpenSsh, Whose::Ours].map(|whose| Agent::start(whose, place, &[], &[]))
}

#[test]
fn what_ssh_add_does_is_done_in_the_same_words() {
    let place = Scratch::new();
    let kinds: [(&str, &[&str]); 4] = [
        ("ed", &["-t", "ed25519"]),
        ("ec256", &["-t", "ecdsa", "-b", "256"]),
        ("ec521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ];
    key(&place, "ca", &["-t", "ed25519"]);
    let paths: Vec<String> = kinds.iter().map(|(name, more)| key(&place, name, more)).collect();
    let certified = key(&place, "certified", &["-t", "ed25519"]);
    certify(&place, "ca", &certified, &["-I", "the id", "-n", "root"]);
    let public = |path: &str| format!("{path}.pub");
    let lines: Vec<Vec<&str>> = vec![
        vec!["-l"],
        vec![&paths[0]],
        vec!["-t", "1h", "-c", &paths[1], &paths[2]],
        vec!["-q", &paths[3]],
        vec![&certified],
        vec!["-l"],
        vec!["-l", "-E", "md5"],
        vec!["-L"],
        vec!["-d", &certified],
        vec!["-d", &paths[0]],
        vec!["-d", &paths[0]],
        vec!["-l"],
        vec!["/nonexistent"],
        vec!["-k", &certified],
        vec!["-l"],
        vec!["-D"],
        vec!["-l"],
    ];
    for agent in both(&place) {
        for line in &lines {
            // ssh-add changes the agent first, then it is put back for nacre: both see the same state.
            let before = agent.ssh_add(&["-L"]).out;
            let theirs = agent.ssh_add(line);
            let after = agent.ssh_add(&["-L"]).out;
            if before != after {
                assert_eq!(agent.ssh_add(&["-D"]).code, 0);
                restore(&place, &agent, &before, &paths, &certified);
            }
            let ours = agent.nacre_add(line);
            assert_eq!((ours.code, &ours.out, &ours.err), (theirs.code, &theirs.out, &theirs.err), "{line:?}");
            assert_eq!(agent.ssh_add(&["-L"]).out, after, "{line:?}");
        }
        assert_eq!(agent.nacre_add(&[&paths[0], &paths[1], &paths[3]]).code, 0);
        for path in [&paths[0], &paths[1], &paths[3]] {
            let tested = agent.nacre_add(&["-T", &public(path)]);
            let rsa_by_sha1 = tested.err.contains("asked for");
            assert!(tested.code == 0 && !rsa_by_sha1, "{}", tested.err);
        }
        let tested = agent.nacre_add(&["-T", &public(&paths[2])]);
        assert_eq!(tested.err, "Agent signature failed for ec521 of the test: agent refused operation\n");
        assert_eq!(tested.code, 1);
    }
}

/// Adds what `held` lists again, in its order.
fn restore(place: &Scratch, agent: &Agent, held: &str, paths: &[String], certified: &str) {
    for line in held.lines().filter(|line| line.starts_with("ssh-") || line.starts_with("ecdsa-")) {
        let blob = line.split(' ').nth(1).unwrap();
        let name = |path: &str| Path::new(path).file_name().unwrap().to_str().unwrap().to_owned();
        let file = paths
            .iter()
            .map(String::as_str)
            .chain([certified])
            .find(|path| place.read(&format!("{}.pub", name(path))).contains(blob));
        match file {
            Some(path) => assert_eq!(agent.ssh_add(&["-q", "-k", path]).code, 0),
            // The certificate comes with its key.
            None => assert_eq!(agent.ssh_add(&["-q", certified]).code, 0),
        }
    }
}

#[test]
fn public_halves_from_standard_input_take_keys_away() {
    let place = Scratch::new();
    key(&place, "ca", &["-t", "ed25519"]);
    let paths = ["one", "two", "three"].map(|name| key(&place, name, &["-t", "ed25519"]));
    certify(&place, "ca", &paths[0], &["-I", "the id", "-n", "root"]);
    let public = |name: &str| place.read(&format!("{name}.pub"));
    let lists = [
        format!("# mine\n\nno key\n \t{}{}", public("one"), public("two").trim_end()),
        public("one-cert"),
        public("ca"),
        "no key\n".to_owned(),
        String::new(),
    ];
    for agent in both(&place) {
        for list in &lists {
            for quiet in [false, true] {
                let list_file = || std::fs::File::open(place.write("list", list)).unwrap();
                let words: &[&str] = if quiet { &["-q", "-d", "-"] } else { &["-d", "-"] };
                let told = ["ssh-add", "nacre"].map(|which| {
                    assert_eq!(agent.ssh_add(&["-D"]).code, 0);
                    assert_eq!(agent.ssh_add(&[&paths[0], &paths[1], &paths[2]]).code, 0);
                    let mut command = agent.client(which);
                    command.args((which == "nacre").then_some("add")).args(words);
                    let told = done(command.stdin(list_file()));
                    (told.code, told.out, told.err.replace("\r", ""), agent.ssh_add(&["-L"]).out)
                });
                assert_eq!(told[0], told[1], "{list}");
            }
        }
    }
}

#[test]
fn without_an_agent_the_code_is_2() {
    let place = Scratch::new();
    for variables in [vec![], vec![("SSH_AUTH_SOCK", "/nonexistent")]] {
        let theirs = done(program("ssh-add").arg("-l").envs(variables.clone()));
        let ours = done(nacre().args(["add", "-l"]).envs(variables));
        assert_eq!((ours.code, &ours.err), (2, &theirs.err));
        assert_eq!(theirs.code, 2);
    }
    let agent = Agent::start(Whose::OpenSsh, &place, &[], &[]);
    for flag in ["-s", "-e", "-S"] {
        let told = agent.nacre_add(&[flag, "x"]);
        assert!(told.code == 1 && told.err.contains("not supported"), "{}", told.err);
    }
    assert!(agent.nacre_add(&["-K"]).err.contains("not supported"));
}

#[test]
fn the_usual_files_are_taken_when_none_is_named() {
    let place = Scratch::new();
    std::fs::create_dir_all(place.path("home/.ssh")).unwrap();
    let agent = Agent::start(Whose::OpenSsh, &place, &[], &[]);
    let add = |words: &[&str]| done(agent.client("nacre").arg("add").args(words).env("HOME", place.path("home")));
    assert_eq!(add(&[]).code, 1, "there is none");
    for (name, kind) in [("home/.ssh/id_ed25519", "ed25519"), ("home/.ssh/id_ecdsa", "ecdsa")] {
        key(&place, name, &["-t", kind]);
    }
    assert_eq!(add(&[]).code, 0);
    assert_eq!(agent.ssh_add(&["-l"]).out.lines().count(), 2);
    assert_eq!(add(&["-d"]).code, 0);
    assert_eq!(agent.ssh_add(&["-l"]).code, 1);
}

#[test]
fn a_key_that_others_may_read_is_not_taken() {
    let place = Scratch::new();
    let agent = Agent::start(Whose::Ours, &place, &[], &[]);
    let path = key(&place, "ed", &["-t", "ed25519"]);
    set_mode(Path::new(&path), 0o644);
    let told = agent.nacre_add(&[&path]);
    assert!(told.code == 1 && told.err.contains("UNPROTECTED PRIVATE KEY FILE"), "{}", told.err);
    // From standard input it has no mode.
    let file = std::fs::File::open(&path).unwrap();
    let told = done(agent.client("nacre").args(["add", "-"]).stdin(file));
    assert_eq!((told.code, told.err.as_str()), (0, "Identity added: (stdin) (ed of the test)\n"));
    assert_eq!(agent.ssh_add(&["-T", &format!("{path}.pub")]).code, 0);
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal() {
    let place = Scratch::new();
    let agent = Agent::start(Whose::OpenSsh, &place, &[], &[]);
    let (one, two) = (
        key(&place, "one", &["-t", "ed25519", "-N", "secret"]),
        key(&place, "two", &["-t", "ed25519", "-N", "secret"]),
    );
    let at_terminal = |words: &[&str]| {
        let socket = [("SSH_AUTH_SOCK", agent.socket.to_str().unwrap())];
        Person::starts(Path::new(env!("CARGO_BIN_EXE_nacre")), place.root(), words, &socket)
    };
    let mut person = at_terminal(&["add", &one, &two]);
    person.sees(&format!("Enter passphrase for {one}: "));
    person.types("wrong");
    person.sees(&format!("Bad passphrase, try again for {one}: "));
    person.types("secret");
    person.sees(&format!("Identity added: {two}"));
    let (code, screen) = person.ends();
    assert!(code == 0 && !screen.contains("secret"), "{screen}");
    assert_eq!(agent.ssh_add(&["-l"]).out.lines().count(), 2);
    agent.ssh_add(&["-D"]);
    let mut person = at_terminal(&["add", "-c", &one]);
    person.sees(&format!("Enter passphrase for {one} (will confirm each use): "));
    person.types("");
    assert_eq!(person.ends().0, 1);
    assert_eq!(agent.ssh_add(&["-l"]).code, 1);
    let mut person = at_terminal(&["add", "-x"]);
    person.sees("Enter lock password: ");
    person.types("a");
    person.sees("Again: ");
    person.types("b");
    person.sees("Passwords do not match.");
    assert_eq!(person.ends().0, 1);
}

#[test]
fn a_passphrase_comes_from_askpass_or_standard_input() {
    let place = Scratch::new();
    for agent in both(&place) {
        let path = key(&place, "locked", &["-t", "ed25519", "-N", "secret"]);
        let ask = askpass(&place);
        let asking = [("SSH_ASKPASS", ask.as_str()), ("SSH_ASKPASS_REQUIRE", "force")];
        place.write("answer", "secret\n");
        let told = done(agent.client("nacre").args(["add", &path]).envs(asking));
        assert_eq!(told.code, 0, "{}", told.err);
        assert!(place.read("asked").contains(&format!("|Enter passphrase for {path}: ")));
        // As `ssh-add < /dev/null` at a desk.
        agent.ssh_add(&["-D"]);
        let desk = [("SSH_ASKPASS", ask.as_str()), ("DISPLAY", ":0")];
        assert_eq!(done(agent.client("nacre").args(["add", &path]).envs(desk)).code, 0);
        for (flag, words) in [("-x", "Agent locked.\n"), ("-X", "Agent unlocked.\n")] {
            let told = done(agent.client("nacre").args(["add", flag]).envs(asking));
            assert_eq!((told.code, told.err.as_str()), (0, words));
        }
        place.write("answer", "other\n");
        let told = done(agent.client("nacre").args(["add", "-X"]).envs(asking));
        assert_eq!((told.code, told.err.as_str()), (1, "Failed to unlock agent: agent refused operation\n"));
        // Without a terminal and without a display: the line on standard input.
        agent.ssh_add(&["-D"]);
        let line = std::fs::File::open(place.write("line", "secret\n")).unwrap();
        let told = done(
            program("setsid")
                .args(["-w", env!("CARGO_BIN_EXE_nacre"), "add", &path])
                .env("SSH_AUTH_SOCK", &agent.socket)
                .stdin(line),
        );
        assert_eq!(told.code, 0, "{}", told.err);
        assert_eq!(agent.ssh_add(&["-l"]).out.lines().count(), 1);
        for file in ["locked", "locked.pub", "asked"] {
            std::fs::remove_file(place.path(file)).unwrap();
        }
    }
}

#[test]
fn keys_given_for_a_time_go() {
    let place = Scratch::new();
    for agent in both(&place) {
        let path = key(&place, &format!("ed{}", agent.child.id()), &["-t", "ed25519"]);
        let told = agent.nacre_add(&["-t", "1", &path]);
        assert!(told.err.ends_with("Lifetime set to 1 seconds\n"), "{}", told.err);
        eventually("the end of the key's time", || agent.ssh_add(&["-l"]).code == 1);
        assert!(agent.nacre_add(&["-t", "soon", &path]).err.contains("Invalid lifetime"));
    }
}
