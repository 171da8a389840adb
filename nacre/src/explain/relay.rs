//! `nacre explain` between a client and its server: passes everything on, and writes down what passes.
//!
//! The client starts this as its ProxyCommand. What is written down is read by whoever started the client, when it has
//! ended: one line for the connection (host, port, the server's address), and one for each piece (who spoke, microseconds
//! since the start, how many bytes, the first of them in hexadecimal).

use crate::failure::{Failure, SSH};
use data_encoding::HEXLOWER;
use nacre_wire::Role;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that are passed on at once.
const PIECE: usize = 64 * 1024;
/// Bytes of a direction that are written down: more than all that is not encrypted.
const KEPT: usize = 256 * 1024;
/// The longest log that is read, bytes.
const MAX_LOG: u64 = 64 * 1024 * 1024;

/// What passed at once.
pub struct Passed {
    /// Who sent it.
    pub by: Role,
    /// When, since the connection stood.
    pub at: Duration,
    /// How many bytes.
    pub count: usize,
    /// The first of them.
    pub first: Vec<u8>,
}

/// What was written down.
pub struct Log {
    /// The host and the port, as the client has them.
    pub host: String,
    /// See `host`.
    pub port: u16,
    /// The server's address.
    pub address: String,
    /// All that passed.
    pub passed: Vec<Passed>,
}

/// Relays between standard input and output and a server, until one of them ends.
///
/// # Errors
/// There is no connection.
pub fn run(log: &Path, host: &str, port: u16) -> Result<ExitCode, Failure> {
    let failed = |error| Failure::with_code(SSH, format!("connect to host {host} port {port}: {error}"));
    let socket = TcpStream::connect((host, port)).map_err(failed)?;
    let address = socket.peer_addr().map_err(failed)?;
    let _ = socket.set_nodelay(true);
    // A second connection of the same command is passed on and not told.
    let file = OpenOptions::new().write(true).create_new(true).open(log).ok();
    let writer = Arc::new(Mutex::new(Writer { file, start: Instant::now() }));
    writer.lock().unwrap_or_else(PoisonError::into_inner).line(&format!("{host} {port} {address}"));

    let (from_server, to_server) = (socket.try_clone().map_err(failed)?, socket);
    let client = writer.clone();
    std::thread::spawn(move || {
        pass(std::io::stdin().lock(), &to_server, Role::Client, &client);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    pass(&from_server, std::io::stdout().lock(), Role::Server, &writer);
    Ok(ExitCode::SUCCESS)
}

struct Writer {
    file: Option<File>,
    start: Instant,
}

impl Writer {
    /// In one piece: the client may end this program at any time.
    fn line(&mut self, line: &str) {
        if self.file.as_mut().is_some_and(|file| file.write_all(format!("{line}\n").as_bytes()).is_err()) {
            self.file = None;
        }
    }
}

/// One direction, to its end.
fn pass(mut from: impl Read, mut to: impl Write, by: Role, writer: &Mutex<Writer>) {
    let (mut buffer, mut left) = (vec![0; PIECE], KEPT);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let piece = buffer.get(..count).unwrap_or_default();
        {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let first = piece.get(..left.min(count)).unwrap_or_default();
            left -= first.len();
            let at = writer.start.elapsed().as_micros();
            writer.line(&format!("{} {at} {count} {}", word(by), HEXLOWER.encode(first)));
        }
        if to.write_all(piece).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

const fn word(by: Role) -> &'static str {
    match by {
        Role::Client => "client",
        Role::Server => "server",
    }
}

/// Reads what was written down; none when nothing was.
pub fn read(path: &Path) -> Option<Log> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_LOG).read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    let [host, port, address] = *lines.next()?.split(' ').collect::<Vec<_>>() else { return None };
    let passed = lines.map_while(passed).collect();
    Some(Log { host: host.to_owned(), port: port.parse().ok()?, address: address.to_owned(), passed })
}

fn passed(line: &str) -> Option<Passed> {
    let [by, at, count, first] = *line.split(' ').collect::<Vec<_>>() else { return None };
    Some(Passed {
        by: [Role::Client, Role::Server].into_iter().find(|role| word(*role) == by)?,
        at: Duration::from_micros(at.parse().ok()?),
        count: count.parse().ok()?,
        first: HEXLOWER.decode(first.as_bytes()).ok()?,
    })
}
