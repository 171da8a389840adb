//! As root: the system calls that the confined net process really makes, against the table of what
//! it may (promise P19).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/terminal.rs"]
mod terminal;

use common::program;
use nacre_sys::sandbox::TABLE;
use root::{Root, argv0, possible};
use serve::{eventually, finish, send};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use terminal::Terminal;

/// A tracer that is attached to the listener and follows every process of its connections.
struct Tracer(Child);

impl Tracer {
    fn attach(server: &Root) -> Option<Self> {
        let mut strace = program("strace");
        strace.args(["-ff", "-qq", "-s", "0", "-o"]).arg(server.place.path("trace"));
        strace.args(["-p", &server.pid().to_string()]).stdin(Stdio::null()).stderr(Stdio::null());
        let child = strace.spawn().ok()?;
        eventually("a tracer", || root::status(server.pid(), "TracerPid") == child.id().to_string());
        Some(Self(child))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The calls of every net process from the moment it was confined.
fn calls(server: &Root) -> (usize, BTreeSet<String>) {
    let (mut processes, mut calls) = (0, BTreeSet::new());
    for file in std::fs::read_dir(server.place.root()).unwrap().flatten() {
        if !file.file_name().to_string_lossy().starts_with("trace.") {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
        // Only the net process sets a filter; from the last on it is confined.
        let Some((_, confined)) =
            text.rsplit_once("SECCOMP_SET_MODE_FILTER").and_then(|(_, rest)| rest.split_once('\n'))
        else {
            continue;
        };
        processes += 1;
        assert!(!confined.contains("killed by SIGSYS"), "{}", &confined[confined.len().saturating_sub(2000)..]);
        for line in confined.lines() {
            let line = line.strip_prefix("<... ").unwrap_or(line);
            let name: String =
                line.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_').collect();
            if !name.is_empty() {
                calls.insert(name);
            }
        }
    }
    (processes, calls)
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Everything that a connection does, by stock clients.
fn every_kind_of_connection(server: &Root) {
    let both_ways = vec![7; 64 << 20];
    let mut ssh = server.ssh("carol", &["-o", "RekeyLimit=8M"]);
    let done = finish(ssh.arg("cat"), &both_ways);
    assert_eq!((done.code, done.out.len()), (0, both_ways.len()), "{}", server.log());
    for method in ["password", "keyboard-interactive"] {
        let method = format!("PreferredAuthentications={method}");
        for password in [root::PASSWORD, "fake and wrong"] {
            finish(server.ssh_with_password("carol", password, &["-o", &method]).arg("sleep 1.5; exit 3"), b"");
        }
    }
    let mut screen = Terminal::runs(server.ssh("carol", &["-tt"]).arg("exec sh"), 80, 24);
    screen.types("echo ready-$((1+1))");
    screen.sees("ready-2");
    screen.resize(100, 30);
    screen.presses(b"\r~B");
    screen.types("sleep 1.5; stty size");
    screen.sees("30 100");
    screen.types("exit");
    screen.ends();
    assert_eq!(server.run("carol", "kill -9 $$").code, 255);
    // Many channels in one connection.
    let path = format!("ControlPath={}", server.place.path("master").display());
    let mut ssh = server.ssh("carol", &["-M", "-N", "-o", &path]);
    let mut master = quiet(&mut ssh).spawn().unwrap();
    eventually("a master", || server.place.path("master").exists());
    let start = || quiet(server.ssh("carol", &["-o", &path]).arg("head -c 1000000 /dev/zero")).spawn().unwrap();
    let mut clients: Vec<Child> = (0..8).map(|_| start()).collect();
    for client in &mut clients {
        assert!(client.wait().unwrap().success());
    }
    let _ = master.kill();
    let _ = master.wait();
    // Errors, silence, and clients that just go.
    for text in ["", "GET / HTTP/1.0\r\n\r\n", "SSH-2.0-x\r\njunkjunkjunkjunkjunkjunkjunk", "SSH-2.0-x\r\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        sleep(Duration::from_millis(1300));
    }
    let mut leaving = quiet(server.ssh("carol", &[]).arg("sleep 600")).spawn().unwrap();
    server.new_family(&[]);
    sleep(Duration::from_millis(500));
    let _ = leaving.kill();
    let _ = leaving.wait();
}

#[test]
fn p19_the_calls_of_the_net_process_are_those_of_the_table() {
    if !possible() {
        return;
    }
    let server =
        Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), "PerSourcePenalties no\nMaxStartups 300\nLogLevel DEBUG3");
    let Some(tracer) = Tracer::attach(&server) else {
        eprintln!("NOT RUN: this test needs strace");
        return;
    };
    every_kind_of_connection(&server);
    server.settles(0);
    // The server stops while a session runs.
    let mut last = quiet(server.ssh("carol", &[]).arg("sleep 2")).spawn().unwrap();
    let family = server.new_family(&[]);
    sleep(Duration::from_millis(500));
    send(server.pid(), "TERM");
    assert!(last.wait().unwrap().code().is_some());
    eventually("the last connection's end", || argv0(family.net.unwrap()).is_empty());
    drop(tracer);
    let (processes, calls) = calls(&server);
    assert!(processes >= 12, "only {processes} net processes were seen");
    let listed: BTreeSet<String> = TABLE.iter().map(|line| line.name.to_owned()).collect();
    let beyond: Vec<&String> = calls.difference(&listed).collect();
    assert!(beyond.is_empty(), "not in the table, and yet made: {beyond:?}");
    for needed in ["recvfrom", "recvmsg", "sendmsg", "read", "epoll_ctl", "close", "madvise", "ioctl"] {
        assert!(calls.contains(needed), "{needed} was not seen: {calls:?}");
    }
    println!("{processes} processes made {calls:?}");
    println!("listed and not seen: {:?}", listed.difference(&calls).collect::<Vec<_>>());
}
