//! `nacre explain` between a client and its server: passes everything on, and writes down what passes.
//!
//! The client starts this as its ProxyCommand. What is written down is read by whoever started the client, when it has
//! ended: one line for the connection (host, port, the server's address), one for each side with what is only counted
//! (bytes, and microseconds from the start to the last of them; in place, as the sums grow), and one for each piece (who
//! spoke, microseconds since the start, how many bytes, the first of them in hexadecimal).

use crate::cli::setting::{Setting, client_lines};
use crate::failure::{Failure, SSH};
use crate::ssh::connect::{Link, connect};
use crate::ssh::log::Log as Messages;
use crate::ssh::options::effective_for;
use data_encoding::HEXLOWER;
use nacre_config::client::LogLevel;
use nacre_wire::Role;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that are passed on at once.
const PIECE: usize = 64 * 1024;
/// Bytes of a direction that are written down: more than all that is not encrypted.
const KEPT: usize = 256 * 1024;
/// The longest log that is read, bytes: more than is ever written, be every piece a single byte.
const MAX_LOG: u64 = 64 * 1024 * 1024;
/// Digits of a number that is written in place.
const DIGITS: usize = 20;

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
pub fn run(log: &Path, host: &str, port: u16, settings: &[Setting]) -> Result<ExitCode, Failure> {
    let failed = |error| Failure::with_code(SSH, format!("connect to host {host} port {port}: {error}"));
    let socket = connected(host, port, settings)?;
    let address = socket.peer_addr().map_err(failed)?;
    // A second connection of the same command is passed on and not told.
    let file = OpenOptions::new().write(true).create_new(true).open(log).ok();
    let writer = Arc::new(Mutex::new(Writer::new(file, &format!("{host} {port} {address}"))));

    let (from_server, to_server) = (socket.try_clone().map_err(failed)?, socket);
    let client = writer.clone();
    std::thread::spawn(move || {
        pass(std::io::stdin().lock(), &to_server, Role::Client, &client);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    pass(&from_server, std::io::stdout().lock(), Role::Server, &writer);
    Ok(ExitCode::SUCCESS)
}

/// A socket to the server, reached as the client was told to.
fn connected(host: &str, port: u16, settings: &[Setting]) -> Result<TcpStream, Failure> {
    let failed = |problem: String| Failure::with_code(SSH, problem);
    let lines = [vec![format!("Port {port}")], client_lines(settings)].concat();
    let options = effective_for(host.to_owned(), lines, String::new(), Some(Path::new("none")));
    let options = options.map_err(|errors| failed(errors.to_string()))?;
    let messages = Messages::new(LogLevel::Error, None, None).map_err(|error| failed(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(format!("cannot start the runtime: {error}")))?;
    let reached = runtime.block_on(connect(&options, None, None, &messages)).map_err(|error| failed(error.0))?;
    let Link::Socket(stream) = reached.stream else { return Err(failed("there is no socket to relay".to_owned())) };
    let blocking = |stream: TcpStream| stream.set_nonblocking(false).map(|()| stream);
    stream.into_std().and_then(blocking).map_err(|error| failed(error.to_string()))
}

struct Writer {
    file: Option<File>,
    start: Instant,
    /// Where the sums stand in the file.
    sums_at: u64,
    /// Of each side, bytes that were only counted.
    sums: [u64; 2],
}

impl Writer {
    fn new(file: Option<File>, connection: &str) -> Self {
        let mut writer = Self { file, start: Instant::now(), sums_at: 0, sums: [0; 2] };
        writer.line(connection);
        writer.sums_at = u64::try_from(connection.len() + 1).unwrap_or(u64::MAX);
        for by in SIDES {
            writer.line(&sum(by, 0, 0));
        }
        writer
    }

    /// In one piece: the client may end this program at any time.
    fn line(&mut self, line: &str) {
        self.write(|file| file.write_all(format!("{line}\n").as_bytes()));
    }

    fn write(&mut self, write: impl FnOnce(&mut File) -> std::io::Result<()>) {
        if self.file.as_mut().is_some_and(|file| write(file).is_err()) {
            self.file = None;
        }
    }

    /// A piece passed, of which this is written down.
    fn piece(&mut self, by: Role, count: usize, first: &[u8]) {
        let at = self.start.elapsed().as_micros();
        self.line(&format!("{} {at} {count} {}", word(by), HEXLOWER.encode(first)));
    }

    /// A piece passed of which nothing is written down but that it did: the file grows no more.
    fn count(&mut self, by: Role, count: usize) {
        let at = self.start.elapsed().as_micros();
        let mut place = self.sums_at;
        for (side, kept) in SIDES.into_iter().zip(&mut self.sums) {
            if side == by {
                *kept += u64::try_from(count).unwrap_or(u64::MAX);
                let line = sum(by, at, *kept);
                return self.write(|file| file.write_all_at(line.as_bytes(), place));
            }
            place += u64::try_from(sum(side, 0, 0).len() + 1).unwrap_or(u64::MAX);
        }
    }
}

/// The sides in the order of their sums.
const SIDES: [Role; 2] = [Role::Client, Role::Server];

/// The line of what is only counted, as long for any numbers.
fn sum(by: Role, at: u128, count: u64) -> String {
    format!("{} {at:0DIGITS$} {count:0DIGITS$} ", word(by))
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
            match first.is_empty() {
                true => writer.count(by, count),
                false => writer.piece(by, count, first),
            }
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
    let mut sums: Vec<Passed> = lines.by_ref().take(SIDES.len()).filter_map(passed).collect();
    sums.retain(|sum| sum.count > 0);
    sums.sort_by_key(|sum| sum.at);
    // What is only counted comes after all that is written down of its side.
    let passed = lines.map_while(passed).chain(sums).collect();
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Many bytes, one at a time.
    struct Drops(usize);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let some = self.0.min(1);
            self.0 -= some;
            buffer.get_mut(..some).unwrap().fill(7);
            Ok(some)
        }
    }

    #[test]
    fn what_is_written_down_has_an_end_and_all_is_counted() {
        let folder = crate::state::temporary("nacre-relay-test").unwrap();
        let path = folder.join("log");
        let writer = Mutex::new(Writer::new(File::create_new(&path).ok(), "host 22 192.0.2.1:22"));
        pass(Drops(KEPT + 10), std::io::sink(), Role::Server, &writer);
        pass(Drops(3), std::io::sink(), Role::Client, &writer);
        let size = std::fs::metadata(&path).unwrap().len();
        writer.lock().unwrap().count(Role::Server, 2_000_000);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
        assert!(size < MAX_LOG / 2, "{size}");
        let log = read(&path).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!((log.host.as_str(), log.port, log.address.as_str()), ("host", 22, "192.0.2.1:22"));
        let of = |role| log.passed.iter().filter(move |passed| passed.by == role);
        assert_eq!(of(Role::Client).map(|passed| passed.count).sum::<usize>(), 3);
        assert_eq!(of(Role::Server).map(|passed| passed.count).sum::<usize>(), KEPT + 2_000_010);
        assert_eq!(of(Role::Server).map(|passed| passed.first.len()).sum::<usize>(), KEPT);
        assert!(log.passed.last().is_some_and(|last| last.count == 2_000_010 && last.first.is_empty()));
    }
}
