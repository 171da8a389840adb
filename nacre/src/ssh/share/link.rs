//! A connection to a master, from this process's side. Blocking: nothing else runs meanwhile.

use super::listening;
use nacre_config::client::ClientOptions;
use nacre_sys::handover;
use nacre_wire::share::{Reply, Request, VERSION, next_frame};
use nacre_wire::text::clean_line;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

/// Bytes read at once.
const READ_SIZE: usize = 4096;
/// The longest text of a master that is shown, in bytes.
const MAX_TEXT: usize = 1024;

/// Why there is no connection to a master.
#[derive(Debug)]
pub enum NoLink {
    /// The system's error.
    System(io::Error),
    /// Another line to show.
    Other(String),
}

/// What a master says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was done, or begun.
    Done(Reply),
    /// Somebody said no; in whose words.
    Denied(String),
    /// It could not be done; in whose words.
    Failed(String),
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    stream: UnixStream,
    inbound: Vec<u8>,
    next: u32,
}

impl Link {
    /// Connects and exchanges greetings. A master of another user than this one or root is none.
    ///
    /// # Errors
    /// See [`NoLink`].
    pub fn connect(options: &ClientOptions, path: &str) -> Result<Self, NoLink> {
        if let Some(line) = listening::too_long(path, 0) {
            return Err(NoLink::Other(line));
        }
        let stream = UnixStream::connect(path).map_err(NoLink::System)?;
        let (own, uid) = (rustix::process::geteuid().as_raw(), handover::peer_uid(&stream).map_err(NoLink::System)?);
        if uid != own && uid != 0 {
            return Err(NoLink::Other(format!("Control socket {path} belongs to user {uid}: it is not used")));
        }
        // A master that was stopped would never answer.
        stream.set_read_timeout(options.connect_timeout).map_err(NoLink::System)?;
        let mut link = Self { stream, inbound: Vec::new(), next: 0 };
        let greeting = link.greet().map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => NoLink::Other(format!("Control socket {path}: the master does not answer")),
            _ => NoLink::Other(format!("Control socket {path}: master hello exchange failed: {error}")),
        })?;
        if greeting != Reply::hello() {
            return Err(NoLink::Other(format!(
                "Control socket {path}: the master speaks another version (expected {VERSION})"
            )));
        }
        link.stream.set_read_timeout(None).map_err(NoLink::System)?;
        Ok(link)
    }

    fn greet(&mut self) -> io::Result<Reply> {
        self.stream.write_all(&Request::hello().encode())?;
        self.hear()
    }

    /// The number for the next request.
    pub fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Asks for something, with the descriptors that belong to it, and waits for the answer.
    ///
    /// # Errors
    /// The master is gone, or does not speak the protocol.
    pub fn ask(&mut self, request: &Request, fds: &[BorrowedFd<'_>]) -> io::Result<Answer> {
        self.stream.write_all(&request.encode())?;
        for fd in fds {
            handover::send(&self.stream, *fd)?;
        }
        let reply = self.hear()?;
        let number = match &reply {
            Reply::Ok { id }
            | Reply::PermissionDenied { id, .. }
            | Reply::Failure { id, .. }
            | Reply::Alive { id, .. }
            | Reply::SessionOpened { id, .. }
            | Reply::RemotePort { id, .. } => *id,
            Reply::Hello { .. } | Reply::ExitMessage { .. } | Reply::TtyAllocFail { .. } => return Err(unexpected()),
        };
        if number != request.id() {
            return Err(unexpected());
        }
        Ok(match reply {
            Reply::PermissionDenied { reason, .. } => Answer::Denied(clean_line(&reason, MAX_TEXT)),
            Reply::Failure { reason, .. } => Answer::Failed(clean_line(&reason, MAX_TEXT)),
            done => Answer::Done(done),
        })
    }

    /// Waits for the next words.
    fn hear(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(frame) = next_frame(&mut self.inbound).map_err(io::Error::other)? {
                return Reply::decode(&frame).map_err(io::Error::other);
            }
            let mut chunk = [0; READ_SIZE];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.inbound.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The socket, and what came on it and was not heard yet.
    pub fn into_parts(self) -> (UnixStream, Vec<u8>) {
        (self.stream, self.inbound)
    }
}

fn unexpected() -> io::Error {
    io::Error::other("unexpected response from master")
}
