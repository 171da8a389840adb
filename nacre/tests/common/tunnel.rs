//! Both ends of a tunnel's test: servers to reach, and a running client that carries connections.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub use crate::common::free_port;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Says back what it hears until there is no more, then `end`, and closes.
fn echo(mut from: impl Read, mut to: impl Write) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.write_all(b"end");
}

/// A server that says everything back, and `end` once its client has said all.
pub fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream.try_clone().unwrap(), stream));
        }
    });
    port
}

/// The same on a socket of the file system.
pub fn unix_echo_server(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream.try_clone().unwrap(), stream));
        }
    });
}

/// A web server that answers every request with `page`.
pub fn web_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\npage");
            });
        }
    });
    port
}

/// Sends everything, ends this half, and reads the other.
pub fn exchange(mut stream: TcpStream, data: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut out = Vec::new();
    std::thread::scope(|scope| {
        let mut to = stream.try_clone().unwrap();
        scope.spawn(move || {
            let _ = to.write_all(data);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = stream.read_to_end(&mut out);
    });
    out
}

/// As [`exchange`].
pub fn unix_exchange(path: &Path, data: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(data).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut out = Vec::new();
    stream.read_to_end(&mut out).unwrap();
    out
}

/// A client at work; its lines on standard error are kept.
pub struct Carrier {
    pub child: Child,
    pub input: Option<ChildStdin>,
    lines: Receiver<String>,
    pub said: String,
}

impl Carrier {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = channel();
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, said: String::new() }
    }

    /// Waits for a line with this text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push_str(&line);
                    self.said.push('\n');
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with {text:?}: {}", self.said),
            }
        }
    }

    /// Waits until somebody listens on the port.
    #[track_caller]
    pub fn connect(&mut self, port: u16) -> TcpStream {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                return stream;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "nobody listens on {port} ({ended:?}): {}", self.rest());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What was said until now.
    pub fn rest(&mut self) -> String {
        // What has ended has said all that it says.
        let over = self.child.try_wait().unwrap().is_some();
        let patience = if over { PATIENCE } else { Duration::from_millis(50) };
        while let Ok(line) = self.lines.recv_timeout(patience) {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        self.said.clone()
    }

    /// Waits for the end.
    #[track_caller]
    pub fn code(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("ended by a signal");
            }
            assert!(Instant::now() < end, "it does not end: {}", self.rest());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
