//! The challenges: each is solved from outside by a program in Python, and gives nothing away to somebody who only passes
//! on what is said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/lab.rs"]
mod lab;

use common::{Scratch, nacre, program, text};
use lab::{Running, python};
use std::collections::HashSet;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// `nacre lab` with these words and this folder for state: exit code, output, complaints.
fn run(state: &Scratch, words: &[&str]) -> (i32, String, String) {
    let done = command(state, words).stdin(std::process::Stdio::null()).output().unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

fn command(state: &Scratch, words: &[&str]) -> Command {
    let mut command = nacre();
    command.env("XDG_STATE_HOME", state.root()).env("HOME", state.root()).arg("lab").args(words);
    command
}

/// An open challenge, and its ports.
fn open(state: &Scratch, number: &str, more: &[&str]) -> (Running, Vec<String>) {
    let words = [&["challenge", number, "--port", "0"], more].concat();
    let running = Running::start(&mut command(state, &words));
    running.hears("Ctrl-C ends the challenge.");
    let out = running.out();
    let ports = out.lines().filter_map(|line| line.strip_prefix("  127.0.0.1 port "));
    let ports = ports.map(|rest| rest.split_whitespace().next().unwrap().to_owned()).collect();
    (running, ports)
}

/// What the player in Python comes to.
fn played(how: &str, number: &str, ports: &[String]) -> String {
    let done = python("challenge.py").args([how, number]).args(ports).output().unwrap();
    let (out, err) = (text(done.stdout), text(done.stderr));
    assert!(done.status.success(), "{how} {number}:\n{out}{err}");
    out
}

/// It gives nothing away to who is honest, is solved by who attacks, and its flag is checked.
#[track_caller]
fn is_solved_by_attack_alone(number: &str) {
    let state = Scratch::new();
    let (mut running, ports) = open(&state, number, &[]);
    for port in &ports {
        // What no protocol has does no harm.
        let mut stranger = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
        let _ = stranger.write_all(&[0xff; 4096]);
    }
    let honest = played("honest", number, &ports);
    let heard = honest.lines().find_map(|line| line.strip_prefix("heard: ")).unwrap();
    assert!(heard.len() > 60, "{honest}");
    let solved = played("solve", number, &ports);
    let flag = solved.lines().find_map(|line| line.strip_prefix("the flag is ")).unwrap();
    let hex: String = flag.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!heard.contains(&hex), "{flag} in {heard}");
    assert!(!running.out().contains(flag) && !running.err().contains(flag), "{}", running.out());

    let (code, out, err) = run(&state, &["verify", number, "nacre{0000000000000000}"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains(&format!("this is not the flag of challenge {number}")), "{err}");
    let line =
        |out: &str| out.lines().find(|line| line.trim_start().starts_with(&format!("{number} "))).unwrap().to_owned();
    assert!(!line(&run(&state, &["challenge"]).1).ends_with("solved"));
    let folder = state.path("nacre/lab");
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(flag.len()).any(|window| window == flag.as_bytes()), "{}", path.display());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let (code, out, err) = run(&state, &["verify", number, flag]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with(&format!("Right: challenge {number}, ")) && out.contains("nacre lab attack A"), "{out}");
    assert!(line(&run(&state, &["challenge"]).1).ends_with("solved"));

    interrupt(&running);
    assert_eq!((running.ends(), running.err().as_str()), (0, ""));
}

fn interrupt(running: &Running) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn lab_challenge_1_a_name_is_a_name() {
    is_solved_by_attack_alone("1");
}

#[test]
fn lab_challenge_2_the_missing_sentence() {
    is_solved_by_attack_alone("2");
}

#[test]
fn lab_challenge_3_a_mirror() {
    is_solved_by_attack_alone("3");
}

#[test]
fn lab_challenge_4_paid_three_times() {
    is_solved_by_attack_alone("4");
}

#[test]
fn lab_challenge_5_sixteen_bits() {
    is_solved_by_attack_alone("5");
}

#[test]
fn lab_challenge_6_in_between() {
    is_solved_by_attack_alone("6");
}

#[test]
fn lab_challenge_7_three_letters() {
    is_solved_by_attack_alone("7");
}

#[test]
fn lab_challenge_8_eighteen_bits() {
    is_solved_by_attack_alone("8");
}

#[test]
fn lab_challenge_9_yes_or_no() {
    is_solved_by_attack_alone("9");
}

#[test]
fn lab_challenge_10_terrapin() {
    is_solved_by_attack_alone("10");
}

/// What is told of one session cannot be put together of several.
#[test]
fn lab_challenges_2_and_4_do_not_open_to_several_sessions() {
    for number in ["2", "4"] {
        let state = Scratch::new();
        let (running, ports) = open(&state, number, &[]);
        let said = played("several", number, &ports);
        assert!(said.starts_with("at the door: ") && !said.contains("flag"), "{said}");
        assert!(!running.out().contains("The door is open"), "{}", running.out());
    }
}

/// Two games of one challenge that begin at once both have their flags kept.
#[test]
fn lab_challenges_keep_the_flags_of_games_that_begin_at_once() {
    let state = Scratch::new();
    let words = ["challenge", "6", "--port", "0"];
    let games: Vec<Running> = (0..8).map(|_| Running::start(&mut command(&state, &words))).collect();
    games.iter().for_each(|game| game.hears("Ctrl-C ends the challenge."));
    assert_eq!(state.read("nacre/lab/challenge-6").lines().count(), games.len());
}

/// OpenSSH's client at the challenge's server, which does not offer strict key exchange: what it says of EXT_INFO and of
/// its end.
fn openssh(port: u16) -> (bool, String) {
    let words = ["-v", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o"];
    let files = ["UserKnownHostsFile=/dev/null", "-o", "IdentityFile=/nonexistent", "-o", "IdentityAgent=none", "-p"];
    let mut ssh = program("ssh");
    let done = ssh.args(words).args(files).args([&port.to_string(), "alice@127.0.0.1", "true"]).output().unwrap();
    let said = text(done.stderr);
    (said.contains("kex_input_ext_info: server-sig-algs="), said)
}

/// The attack is no matter of our own two ends: OpenSSH's client loses EXT_INFO to it, does not notice, and goes on to
/// the login, where the server of the laboratory does not want it.
#[test]
fn t01_terrapin_fools_openssh_where_the_server_lacks_strict_exchange() {
    let state = Scratch::new();
    let (_running, ports) = open(&state, "10", &[]);
    let (seen, said) = openssh(ports[0].parse().unwrap());
    assert!(seen && said.contains("Permission denied (publickey)"), "{said}");
    let mallory = Running::start(python("challenge.py").args(["cut", &ports[0]]));
    let (seen, said) = openssh(mallory.number_after("port "));
    assert!(!seen && said.contains("Permission denied (publickey)"), "{said}");
    assert!(said.contains("chacha20-poly1305@openssh.com"), "{said}");
}

/// The first is solved without a program of one's own.
#[test]
fn lab_challenge_1_with_what_is_there() {
    let state = Scratch::new();
    let (_running, ports) = open(&state, "1", &[]);
    let mut alice = Running::start(nacre().args(["lab", "join", "rsa-chat", "localhost", &ports[0]]));
    alice.say("Alice");
    alice.hears("[PM from Bob] The flag is nacre{");
    alice.end_input();
    assert_eq!(alice.ends(), 0);
}

#[test]
fn lab_challenges_are_listed_with_three_hints_each() {
    let state = Scratch::new();
    let (code, out, err) = run(&state, &["challenge"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out.lines().count(), 12, "{out}");
    for number in 1..=10 {
        let mut hints = HashSet::new();
        for hint in 1..=3 {
            let (code, out, err) = run(&state, &["challenge", &number.to_string(), "--hint", &hint.to_string()]);
            assert_eq!((code, err.as_str()), (0, ""));
            // The headings differ in any case.
            let text = out.strip_prefix(&format!("HINT {number}.{hint} ")).unwrap_or_else(|| panic!("{out}"));
            assert!(text.len() > 40, "{out}");
            assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
            hints.insert(text.trim().to_owned());
        }
        assert_eq!(hints.len(), 3, "{hints:?}");
    }
    assert!(!state.path("nacre").exists(), "looking leaves nothing behind");
}

#[test]
fn lab_challenges_refuse_what_there_is_not() {
    let state = Scratch::new();
    for words in [
        &["challenge", "0"][..],
        &["challenge", "11"],
        &["challenge", "x"],
        &["challenge", "1", "--hint", "4"],
        &["verify", "1"],
        &["verify", "11", "x"],
    ] {
        assert_eq!(run(&state, words).0, 2, "{words:?}");
    }
    let (code, _, err) = run(&state, &["verify", "3", "nacre{0000000000000000}"]);
    assert_eq!(code, 3);
    assert!(err.contains("challenge 3 was not opened here yet") && err.contains("nacre lab challenge 3"), "{err}");
    let nowhere = Scratch::new();
    nowhere.write("nacre", "a file where a folder should be");
    let (code, _, err) = run(&nowhere, &["verify", "3", "nacre{0000000000000000}"]);
    assert_eq!(code, 3);
    assert!(err.contains("nacre/lab/challenge-3: "), "{err}");
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let (code, _, err) = run(&state, &["challenge", "1", "--port", &port]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("cannot listen on 127.0.0.1 port {port}")) && err.contains("--port PORT"), "{err}");
}

/// A seed gives the same flag again; without one no two games have the same. Flags of earlier games stay right, and a
/// flag is that of one challenge, with a seed too.
#[test]
fn lab_challenges_have_a_fresh_flag_each_time() {
    let state = Scratch::new();
    let flag = |more: &[&str]| {
        let (_running, ports) = open(&state, "6", more);
        played("solve", "6", &ports)
    };
    let others = ["1", "5"];
    for number in others {
        drop(open(&state, number, &["--seed", "7"]));
    }
    let (seeded, first, second) = (flag(&["--seed", "7"]), flag(&[]), flag(&[]));
    assert_eq!(seeded, flag(&["--seed", "7"]));
    assert!(seeded != first && first != second, "{first}");
    for told in [seeded, first, second] {
        let flag = told.trim().strip_prefix("the flag is ").unwrap();
        assert_eq!(run(&state, &["verify", "6", flag]).0, 0, "{flag}");
        for number in others {
            let (code, _, err) = run(&state, &["verify", number, flag]);
            assert_eq!(code, 1, "{flag}");
            assert!(err.contains(&format!("this is not the flag of challenge {number}")), "{err}");
        }
    }
}
