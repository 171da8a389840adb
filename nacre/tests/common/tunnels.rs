//! Servers to forward to, and what tests of forwards ask of them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::serve::{PATIENCE, eventually};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::spawn;

/// A stream of either family.
pub trait Both: Read + Write + Send + 'static {
    fn end_writing(&self);
}

impl Both for TcpStream {
    fn end_writing(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

impl Both for UnixStream {
    fn end_writing(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

/// Answers each connection, once it has sent everything, with the same bytes and how many they were.
fn answer(mut stream: impl Both) {
    let mut got = Vec::new();
    if stream.read_to_end(&mut got).is_ok() {
        let _ = stream.write_all(&got);
        let _ = stream.write_all(format!("<{}>", got.len()).as_bytes());
    }
}

/// A TCP server that answers after the end of what it is sent; its port.
pub fn tcp_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            spawn(move || answer(stream));
        }
    });
    port
}

/// The same on a Unix socket.
pub fn unix_server(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            spawn(move || answer(stream));
        }
    });
}

/// Sends so many bytes, ends its half, and takes what comes back: true when that is the server's answer. A forward
/// that is refused ends the connection without one.
pub fn answers(mut stream: impl Both, bytes: usize) -> bool {
    let sent: Vec<u8> = (0..bytes).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let mut got = Vec::new();
    if stream.write_all(&sent).is_err() {
        return false;
    }
    stream.end_writing();
    stream.read_to_end(&mut got).is_ok() && got == [sent, format!("<{bytes}>").into_bytes()].concat()
}

/// As [`answers`], over a port of this machine; false when nobody listens there.
pub fn port_answers(port: u16, bytes: usize) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    answers(stream, bytes)
}

/// A client that runs until it is dropped.
pub struct Tunnel(pub Child);

impl Tunnel {
    /// Starts it and waits until the port can be connected to.
    pub fn to_port(command: &mut Command, port: u16) -> Self {
        let mut tunnel = Self::start(command);
        eventually("the forward", || {
            assert!(tunnel.0.try_wait().unwrap().is_none(), "the client ended");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        tunnel
    }

    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    pub fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
