//! A chat of two nodes that NATS joins: a line's way from members of the one to members of the other.

use super::chat::{Row, crowd};
use super::memory::resident;
use super::report::{Better, Figure};
use super::servers::wait_until;
use super::{Bench, build};
use crate::cargo::release;
use crate::process::kill_family;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ROWS: &[Row] = &[
    Row { name: "1 line/s, all full-screen", full: 1000, deaf: 0, rate: 1 },
    Row { name: "20 lines/s, half full-screen, half plain", full: 500, deaf: 0, rate: 20 },
];

/// All speak on the first node; what counts is the last member of the second.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let program = program(bench)?;
    let members = if bench.quick { 50 } else { 200 };
    let mut figures = Vec::new();
    let mut joins = Figure::new("chat: members that come in on two nodes", "1/s", Better::Higher);
    for row in ROWS {
        let nats = Nats::start(bench)?;
        let node = |name| bench.serve_node(&program, name, nats.port);
        let crowd = crowd(bench, row, 2 * members, &[node("one")?, node("two")?])?;
        joins.set(if joins.values.is_empty() { "nacre" } else { row.name }, crowd.joins);
        let mut last = crowd.figure(format!("chat: two nodes with {members} each, {}", row.name));
        last.set("NATS' MiB", resident(nats.child.id()));
        println!("  {}: {:?}", last.name, last.values);
        figures.push(last);
    }
    figures.insert(0, joins);
    Ok(figures)
}

/// A program that knows the way to NATS: the one that was given, or one that is built for this.
fn program(bench: &Bench) -> Result<PathBuf, String> {
    if !bench.built {
        let mut check = Command::new(&bench.nacre);
        check.args(["chat", "serve", "-t", "-f", "/dev/null", "-o", "ChatBackplane=nats://127.0.0.1", "--state"]);
        let checked = check.arg(bench.folder.path().join("check")).output();
        let said = checked.map_err(|error| format!("{}: {error}", bench.nacre.display()))?.stderr;
        return match String::from_utf8_lossy(&said).contains("built without it") {
            true => Err(format!("{} was built without `--features nats`", bench.nacre.display())),
            false => Ok(bench.nacre.clone()),
        };
    }
    let words = ["build", "--release", "--package", "nacre"];
    build(&bench.root, &[&words[..], &["--features", "nats"]].concat())?;
    let copy = bench.folder.path().join("nacre-with-nats");
    fs::copy(release(&bench.root, "nacre"), &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    // The other measurements are about the usual one, which is in the same place.
    build(&bench.root, &words)?;
    Ok(copy)
}

/// A nats-server of its own, until this is dropped.
struct Nats {
    port: u16,
    child: Child,
}

impl Nats {
    fn start(bench: &Bench) -> Result<Self, String> {
        let problem = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => "nats-server is not there: `apt-get install nats-server`".to_owned(),
            _ => format!("nats-server: {error}"),
        };
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(problem)?;
        let port = free.port();
        let store = bench.folder.path().join(format!("nats-{port}"));
        let mut command = Command::new("nats-server");
        command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(store);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let nats = Self { port, child: command.spawn().map_err(problem)? };
        wait_until("nats-server says nothing", || nats.greets())?;
        Ok(nats)
    }

    fn greets(&self) -> bool {
        let greeting = || {
            let socket = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
            socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            let mut line = String::new();
            BufReader::new(socket).read_line(&mut line).ok()?;
            Some(line)
        };
        greeting().is_some_and(|line| line.contains("\"jetstream\":true"))
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        kill_family(self.child.id());
        let _ = self.child.wait();
    }
}
