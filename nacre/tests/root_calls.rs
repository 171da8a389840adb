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
use nacre_sys::sandbox::{Allowed, Answer, Made, TABLE, When};
use root::{Root, argv0, possible};
use serve::{eventually, finish, send};
use std::collections::BTreeSet;
use std::io::{Read, Write};
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
        strace.args(["-ff", "-qq", "-s", "0", "-X", "raw", "-o"]).arg(server.place.path("trace"));
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

/// A call, with the argument that the table is particular about.
type Call = (String, Option<u64>);

/// Which argument of a call the table names values of, and under which mask.
fn named_argument(line: &Allowed) -> Option<(u8, u64, &'static [u64])> {
    match line.when? {
        When::OneOf(argument, values) => Some((argument, u64::MAX, values)),
        When::Masked(argument, mask, values) => Some((argument, mask, values)),
        _ => None,
    }
}

/// The calls of the lines with such an answer, one for each value.
fn listed(wanted: impl Fn(Answer) -> bool) -> BTreeSet<Call> {
    let mut calls = BTreeSet::new();
    for line in TABLE.iter().filter(|line| wanted(line.answer)) {
        match named_argument(line) {
            Some((_, _, values)) => calls.extend(values.iter().map(|value| (line.name.to_owned(), Some(*value)))),
            None => drop(calls.insert((line.name.to_owned(), None))),
        }
    }
    calls
}

/// The call of a line that strace wrote with raw constants; `None` for what is none: a signal, an exit.
fn call_of(line: &str) -> Option<Call> {
    let line = line.strip_prefix("<... ").unwrap_or(line);
    let is_name = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_';
    let name: String = line.chars().take_while(is_name).collect();
    if name.is_empty() {
        return None;
    }
    let allowed = |line: &&Allowed| line.name == name && line.answer != Answer::Refuse;
    let Some((place, mask, _)) = TABLE.iter().filter(allowed).find_map(named_argument) else {
        return Some((name, None));
    };
    let arguments = line[name.len()..].trim_start_matches('(');
    let argument = arguments.split([',', ')']).nth(place.into()).unwrap_or_default().trim();
    let value = match argument.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => argument.parse(),
    };
    let value = value.unwrap_or_else(|_| panic!("no argument {place} in {line}"));
    Some((name, Some(value & mask)))
}

/// The calls of every net process from the moment it was confined, but those that the kernel refused.
fn calls(server: &Root) -> (usize, BTreeSet<Call>) {
    let refused = listed(|answer| answer == Answer::Refuse);
    let (mut processes, mut calls) = (0, BTreeSet::new());
    for file in std::fs::read_dir(server.place.root()).unwrap().flatten() {
        if !file.file_name().to_string_lossy().starts_with("trace.") {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
        // Only the net process sets a filter; from the last on it is confined.
        let Some((_, confined)) = text.rsplit_once("\nseccomp(").and_then(|(_, rest)| rest.split_once('\n')) else {
            continue;
        };
        processes += 1;
        let end = &confined[confined.len().saturating_sub(2000)..];
        assert!(!confined.contains("killed by SIGSYS"), "{end}");
        for line in confined.lines() {
            let Some(call) = call_of(line) else { continue };
            let is_refused = refused.contains(&(call.0.clone(), None)) || refused.contains(&call);
            if !(is_refused && line.contains("= -1 EACCES")) {
                calls.insert(call);
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
    let both_ways = vec![7; 16 << 20];
    let mut ssh = server.ssh("carol", &["-o", "RekeyLimit=4M"]);
    let done = finish(ssh.arg("cat"), &both_ways);
    assert_eq!((done.code, done.out.len()), (0, both_ways.len()), "{}", server.log());
    let done = finish(server.ssh("carol", &["-C", "-o", "RekeyLimit=1M"]).arg("cat"), &both_ways);
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
    let start = || {
        let mut ssh = server.ssh("carol", &["-o", &path]);
        quiet(ssh.arg("head -c 1000000 /dev/zero")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let clients: Vec<Child> = (0..8).map(|_| start()).collect();
    for client in clients {
        let done = client.wait_with_output().unwrap();
        let said = (done.status.code(), done.stdout.len(), String::from_utf8_lossy(&done.stderr));
        assert_eq!(said, (Some(0), 1_000_000, "".into()), "{}", server.log());
    }
    let _ = master.kill();
    let _ = master.wait();
    // Forwards, which the helper makes and this process only carries.
    let port = serve::free_port();
    let targets = [format!("{port}:127.0.0.1:{}", server.port), format!("127.0.0.1:{}", server.port)];
    let mut ssh = server.ssh("carol", &["-N", "-R", &targets[0]]);
    let mut remote = quiet(&mut ssh).spawn().unwrap();
    eventually("a listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let done = finish(&mut server.ssh("carol", &["-W", &targets[1]]), b"SSH-2.0-x\r\n");
    assert!(done.out.starts_with("SSH-2.0-"), "{done:?}");
    let _ = remote.kill();
    let _ = remote.wait();
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
    let server = Root::start(
        Path::new(env!("CARGO_BIN_EXE_nacre")),
        "PerSourcePenalties no\nMaxStartups 300\nCompression yes\nLogLevel DEBUG3",
    );
    let Some(tracer) = Tracer::attach(&server) else {
        eprintln!("NOT RUN: this test needs strace");
        return;
    };
    every_kind_of_connection(&server);
    server.settles(0);
    // The server stops while a session runs.
    let mut last = server.ssh("carol", &[]);
    last.arg("echo in; cat").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut last = last.spawn().unwrap();
    last.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    let family = server.new_family(&[]);
    let _input = last.stdin.take();
    send(server.pid(), "TERM");
    // It does not end by itself: the server ends it.
    assert!(last.wait().unwrap().code().is_some());
    eventually("the last connection's end", || argv0(family.net.unwrap()).is_empty());
    drop(tracer);
    let (processes, calls) = calls(&server);
    assert!(processes >= 12, "only {processes} net processes were seen");
    let always = listed(|answer| answer == Answer::Allow(Made::Always));
    let seldom = listed(|answer| matches!(answer, Answer::Allow(Made::Seldom { .. })));
    let difference = |one: &BTreeSet<Call>, other: &BTreeSet<Call>| -> Vec<Call> {
        one.difference(other).filter(|call| !seldom.contains(call)).cloned().collect()
    };
    let (beyond, unused) = (difference(&calls, &always), difference(&always, &calls));
    assert!(beyond.is_empty(), "made, and not in the table: {beyond:?}");
    assert!(unused.is_empty(), "in the table, and not made by {processes} processes: {unused:?}");
    println!("{processes} processes made {} of the listed kinds of calls and no others", always.len());
}
