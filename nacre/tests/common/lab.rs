//! Programs of the laboratory for tests: ours and foreign ones, with what they print gathered as it comes.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{nacre, program};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// Longest wait for anything, for the sake of busy machines.
const PATIENCE: Duration = Duration::from_secs(180);
const TICK: Duration = Duration::from_millis(10);

type Gathered = Arc<Mutex<Vec<u8>>>;

/// A running program.
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    out: Gathered,
    err: Gathered,
    readers: Vec<std::thread::JoinHandle<()>>,
}

fn gather(mut stream: impl Read + Send + 'static, to: &Gathered) -> std::thread::JoinHandle<()> {
    let to = to.clone();
    spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            to.lock().unwrap().extend_from_slice(buffer.get(..count).unwrap());
        }
    })
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (Gathered::default(), Gathered::default());
        let readers = vec![gather(child.stdout.take().unwrap(), &out), gather(child.stderr.take().unwrap(), &err)];
        Self { input: child.stdin.take(), child, out, err, readers }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types lines.
    pub fn say(&mut self, lines: &str) {
        self.input.as_mut().unwrap().write_all(format!("{lines}\n").as_bytes()).unwrap();
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// What it has printed.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.out.lock().unwrap()).into_owned()
    }

    /// What it has complained of.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().unwrap()).into_owned()
    }

    /// Waits until it has printed `text`.
    #[track_caller]
    pub fn hears(&self, text: &str) {
        self.hears_times(text, 1);
    }

    /// Waits until it has complained of `text`.
    #[track_caller]
    pub fn complains(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.err().contains(text) {
            assert!(Instant::now() < end, "no {text:?} in:\n{}\n{}", self.err(), self.out());
            sleep(TICK);
        }
    }

    /// Waits until it has printed `text` so often.
    #[track_caller]
    pub fn hears_times(&self, text: &str, times: usize) {
        let end = Instant::now() + PATIENCE;
        while self.out().matches(text).count() < times {
            assert!(Instant::now() < end, "no {text:?} in:\n{}\n{}", self.out(), self.err());
            sleep(TICK);
        }
    }

    /// Waits for its end: the exit code.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "does not end:\n{}\n{}", self.out(), self.err());
            sleep(TICK);
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        status.code().unwrap_or(-1)
    }

    /// The number that it printed after `marker`.
    #[track_caller]
    pub fn number_after(&self, marker: &str) -> u16 {
        let end = Instant::now() + PATIENCE;
        loop {
            let out = self.out();
            if let Some((digits, _)) =
                out.split_once(marker).and_then(|(_, rest)| rest.split_once(|c: char| !c.is_ascii_digit()))
            {
                return digits.parse().unwrap();
            }
            assert!(Instant::now() < end, "no number after {marker:?}:\n{out}\n{}", self.err());
            sleep(TICK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `nacre lab serve NAME` on any port, which stands after `marker` in what it prints.
pub fn serve(name: &str, marker: &str, flags: &[&str]) -> (Running, u16) {
    let running = Running::start(nacre().args(["lab", "serve", name, "--port", "0"]).args(flags));
    let port = running.number_after(marker);
    (running, port)
}

/// `nacre lab join NAME` on 127.0.0.1.
pub fn join(name: &str, port: u16, flags: &[&str]) -> Running {
    Running::start(nacre().args(["lab", "join", name, "localhost", &port.to_string()]).args(flags))
}

/// A foreign program, in Python, from the folder beside these tests.
pub fn python(name: &str) -> Command {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab_peers").join(name);
    let mut command = program("/usr/bin/python3");
    // Nothing is written beside the sources.
    command.arg("-B").arg(file);
    command
}

/// A foreign server, and its port.
pub fn foreign_server(name: &str) -> (Running, u16) {
    let running = Running::start(python(name).arg("serve"));
    let port = running.number_after("port ");
    (running, port)
}

/// A foreign client.
pub fn foreign_client(name: &str, port: u16, more: &[&str]) -> Running {
    Running::start(python(name).args(["join", &port.to_string()]).args(more))
}

/// A socket to a server, for what no honest client sends.
pub fn socket(port: u16) -> std::net::TcpStream {
    let socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// All that still comes until the server closes.
pub fn rest(mut socket: std::net::TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = socket.read_to_end(&mut bytes);
    bytes
}

/// Runs a server and a client that `talk` types at, with one seed twice and with another: two runs with one seed are
/// the same to the byte. `last` is the last that the server tells; gives what both told.
#[track_caller]
pub fn repeats_itself(name: &str, marker: &str, last: &str, talk: impl Fn(&Running, &mut Running)) -> (String, String) {
    let run = |seed: &str| {
        let flags = ["--seed", seed, "--steps", "--show-secrets"];
        let (server, port) = serve(name, marker, &flags);
        let mut client = join(name, port, &flags);
        talk(&server, &mut client);
        client.end_input();
        assert_eq!(client.ends(), 0);
        server.complains(last);
        (server.err(), client.err())
    };
    let first = run("7");
    assert_eq!(first, run("7"));
    assert_ne!(first, run("8"));
    first
}
