//! ChannelTimeout: `nacre serve` closes what OpenSSH's client leaves idle, and nothing else (threat T20).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use root::{ACCOUNTS, Root, possible};
use serve::{Server, eventually, finish, free_port, own_name};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// What runs far longer than any test may take.
const LONG: &str = "sleep 1000; exit 23";

#[track_caller]
fn ends(mut command: Command, code: i32, out: &str) {
    let done = finish(&mut command, b"");
    assert_eq!((done.code, done.out.as_str()), (code, out), "{}", done.err);
}

#[test]
fn t20_idle_sessions_end_by_what_they_run() {
    let server = Server::start("ChannelTimeout session:command=1\nSubsystem slow /bin/sleep 1000\n");
    ends(with(server.ssh(&[]), LONG), 255, "");
    server.logs("closed, idle (ChannelTimeout)");
    // What has run to its end by itself says how (on a busy machine it may be idle too long as well).
    eventually("an end by itself", || {
        let done = finish(server.ssh(&[]).arg("echo out; exit 23"), b"");
        (done.code, done.out.as_str()) == (23, "out\n")
    });
    let server =
        Server::start("ChannelTimeout session:shell=0 session:subsystem:sl*=1\nSubsystem slow /bin/sleep 1000\n");
    ends(with(server.ssh(&["-s"]), "slow"), 255, "");
}

#[test]
fn t20_idle_forwards_end_and_what_they_led_to_is_let_go() {
    let lines = "ChannelTimeout direct-tcpip=1 forwarded-*=1\n";
    let server = Server::start(lines);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap();
    // Begun anew where the machine was so busy that the limit passed before a word was said.
    eventually("what was said", || {
        let mut ssh = server.ssh(&["-W", &target.to_string()]);
        let mut client = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut reached, _) = silent.accept().unwrap();
        let _ = client.stdin.as_mut().unwrap().write_all(b"hello");
        let mut said = Vec::new();
        reached.read_to_end(&mut said).unwrap();
        client.wait().unwrap();
        said == b"hello"
    });
    // The other way round, beside a session that has no limit.
    let there = free_port();
    let forward = format!("{there}:{target}");
    let mut ssh = server.ssh(&["-R", &forward, "-o", "ExitOnForwardFailure=yes"]);
    ssh.arg("echo up; cat").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = ssh.spawn().unwrap();
    let mut up = [0; 3];
    client.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
    eventually("what was said back", || {
        let mut near = TcpStream::connect(("127.0.0.1", there)).unwrap();
        let (mut far, _) = silent.accept().unwrap();
        let _ = far.write_all(b"and back");
        let mut said = Vec::new();
        near.read_to_end(&mut said).unwrap();
        said == b"and back" && far.read(&mut [0; 8]).unwrap() == 0
    });
    drop(client.stdin.take());
    assert_eq!(client.wait().unwrap().code(), Some(0), "the connection goes on");
}

#[test]
fn a_match_block_sets_it_and_another_kind_is_left_alone() {
    let server = Server::start(&format!("Match User {}\nChannelTimeout session:command=1\n", own_name()));
    ends(with(server.ssh(&[]), LONG), 255, "");
    let server = Server::start("ChannelTimeout session:shell=1 direct-*=1\n");
    // It says when it has waited for longer than the limit.
    ends(with(server.ssh(&[]), "sleep 2; echo out; exit 23"), 23, "out\n");
}

#[test]
fn t20_as_root_too() {
    if !possible() {
        return;
    }
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), "ChannelTimeout session:command=1\n");
    let done = server.run(ACCOUNTS[0].0, LONG);
    assert_eq!((done.code, done.out.as_str()), (255, ""), "{}", server.log());
    server.settles(0);
}

fn with(mut command: Command, argument: &str) -> Command {
    command.arg(argument);
    command
}
