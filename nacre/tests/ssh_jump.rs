//! `ProxyJump`: nacre through one and two of OpenSSH's servers to a third, and what calls nacre that way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::{Scratch, nacre};
use peer::{Peer, noise, place, require, run};
use std::net::TcpListener;
use std::process::Command;

/// Three servers, and a configuration in which they are `one`, `two` and `three`, and `nowhere` is none.
struct Way {
    place: Scratch,
    peers: [Peer; 3],
}

impl Way {
    fn new() -> Self {
        let place = place();
        let peers = ["one", "two", "three"].map(|_| Peer::sshd(&place, ""));
        let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut text = String::new();
        for (name, port) in ["one", "two", "three", "nowhere"].iter().zip(peers.iter().map(|p| p.port).chain([nowhere]))
        {
            text.push_str(&format!("Host {name} by-{name}\n  Port {port}\n"));
        }
        text.push_str(&format!(
            "Host by-three\n  ProxyJump by-two\nHost by-two\n  ProxyJump one\nHost circle\n  ProxyJump circle\n\
             Host *\n  HostName 127.0.0.1\n  User root\n  IdentityFile {}\n  UserKnownHostsFile {}\n  \
             GlobalKnownHostsFile none\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n",
            place.path("id").display(),
            place.path("known_hosts").display()
        ));
        place.write("config", &text);
        Self { place, peers }
    }

    fn config(&self) -> String {
        self.place.path("config").display().to_string()
    }

    fn call(&self, subcommand: &str, words: &[&str]) -> Command {
        let mut command = nacre();
        command.args([subcommand, "-F", &self.config()]).args(words).env("HOME", self.place.path("home"));
        command
    }

    /// How often each was logged in to.
    fn logins(&self) -> [usize; 3] {
        self.peers.each_ref().map(|peer| peer.log().matches("Accepted publickey").count())
    }
}

#[test]
fn one_stop_and_two() {
    let way = Way::new();
    let data = noise(4 * 1024 * 1024);
    let done = run(&mut way.call("ssh", &["-J", "one", "three", "cat; exit 4"]), &data);
    assert_eq!((done.code, done.err.as_str()), (4, ""));
    assert!(done.out == data, "{} bytes came back", done.out.len());
    assert_eq!(way.logins(), [1, 0, 1]);
    let done = run(&mut way.call("ssh", &["-J", "one,two", "three", "cat"]), &data);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert!(done.out == data, "{} bytes came back", done.out.len());
    assert_eq!(way.logins(), [2, 1, 2]);
}

#[test]
fn stops_of_a_configuration_file() {
    let way = Way::new();
    let done = run(&mut way.call("ssh", &["by-three", "echo there"]), b"");
    assert_eq!((done.code, done.text().as_str(), done.err.as_str()), (0, "there\n", ""));
    assert_eq!(way.logins(), [1, 1, 1]);
    let done = run(&mut way.call("ssh", &["-o", "ProxyJump=none", "by-three", "echo there"]), b"");
    assert_eq!((done.code, done.text().as_str()), (0, "there\n"), "{}", done.err);
    assert_eq!(way.logins(), [1, 1, 2]);
    // Its user and port are the stop's own.
    let stop = format!("root@127.0.0.1:{}", way.peers[0].port);
    let done = run(&mut way.call("ssh", &["-J", &stop, "three", "echo there"]), b"");
    assert_eq!((done.code, done.text().as_str()), (0, "there\n"), "{}", done.err);
    assert_eq!(way.logins(), [2, 1, 3]);
}

#[test]
fn a_stop_that_cannot_be_reached_is_the_one_line() {
    let way = Way::new();
    for stops in ["nowhere", "nowhere,two", "one,nowhere"] {
        let done = run(&mut way.call("ssh", &["-T", "-J", stops, "three", "true"]), b"");
        assert_eq!(done.code, 255, "{stops}");
        assert!(done.err.contains("Connection refused"), "{stops}: {:?}", done.err);
    }
    let done = run(&mut way.call("ssh", &["-J", "nowhere", "three", "true"]), b"");
    assert!(
        done.err.starts_with("ssh: connect to host 127.0.0.1 port ") && done.err.lines().count() == 1,
        "{:?}",
        done.err
    );
    let done = run(&mut way.call("ssh", &["-J", "one", "-o", "LogLevel=INFO", "nowhere", "true"]), b"");
    assert_eq!(done.code, 255);
    assert!(done.err.contains("stdio forwarding failed"), "{:?}", done.err);
    // A stop that is its own stop would never be reached.
    let done = run(&mut way.call("ssh", &["circle", "true"]), b"");
    assert_eq!((done.code, done.err.lines().count()), (255, 1), "{:?}", done.err);
    assert!(done.err.contains("ProxyJump circle holds for circle itself"), "{:?}", done.err);
}

#[test]
fn h08_no_shell_sees_a_stop() {
    let way = Way::new();
    let canary = way.place.path("canary");
    for stop in [format!("$(touch {})", canary.display()), "x;y".to_owned(), "-oProxyCommand=x".to_owned()] {
        let done = run(&mut way.call("ssh", &["-T", "-J", &stop, "three"]), b"");
        assert_eq!(done.code, 255, "{stop}: {:?}", done.err);
        assert!(!canary.exists(), "{stop}");
    }
}

#[test]
fn scp_and_sftp_go_through_stops() {
    let way = Way::new();
    let data = noise(1024 * 1024 + 5);
    let (here, there, back) = (way.place.path("here"), way.place.path("there"), way.place.path("back"));
    std::fs::write(&here, &data).unwrap();
    let (from, to) = (here.to_str().unwrap(), format!("three:{}", there.display()));
    let done = run(&mut way.call("scp", &["-q", "-J", "one,two", from, &to]), b"");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert!(std::fs::read(&there).unwrap() == data);
    assert_eq!(way.logins(), [1, 1, 1]);
    let get = format!("get {} {}\n", there.display(), back.display());
    let done = run(&mut way.call("sftp", &["-q", "-b", "-", "-J", "two", "three"]), get.as_bytes());
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(std::fs::read(&back).unwrap() == data);
    assert_eq!(way.logins(), [1, 2, 2]);
    let done = run(&mut way.call("scp", &["-q", "-J", "nowhere", from, &to]), b"");
    assert_ne!(done.code, 0);
    assert!(done.err.contains("Connection refused"), "{:?}", done.err);
}

#[test]
fn rsync_goes_through_stops() {
    let way = Way::new();
    let (from, to) = (way.place.path("from"), way.place.path("to"));
    std::fs::create_dir_all(from.join("deep")).unwrap();
    std::fs::write(from.join("deep/file"), noise(300_000)).unwrap();
    let shell = format!("{} ssh -F {} -J one,two", env!("CARGO_BIN_EXE_nacre"), way.config());
    let mut rsync = require("rsync", "rsync");
    rsync.args(["-a", "-e", &shell, &format!("{}/", from.display()), &format!("three:{}/", to.display())]);
    let done = run(rsync.env("HOME", way.place.path("home")), b"");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert!(std::fs::read(to.join("deep/file")).unwrap() == noise(300_000));
    assert_eq!(way.logins(), [1, 1, 1]);
}

#[test]
fn openssh_jumps_with_ours_as_its_program() {
    let way = Way::new();
    let command = format!("ProxyCommand={} ssh -F {} -W [%h]:%p one", env!("CARGO_BIN_EXE_nacre"), way.config());
    let mut ssh = require("ssh", "openssh-client");
    ssh.args(["-F", &way.config(), "-o", &command, "three", "cat; exit 9"]).env("HOME", way.place.path("home"));
    let data = noise(2 * 1024 * 1024);
    let done = run(&mut ssh, &data);
    assert_eq!(done.code, 9, "{}", done.err);
    assert!(done.out == data);
    assert_eq!(way.logins(), [1, 0, 1]);
}
