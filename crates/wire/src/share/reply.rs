//! What a master says to its clients.

use super::{HELLO, VERSION, frame, hello};
use crate::{DecodeError, DecodeErrorKind, Reader, WriteExt};

const OK: u32 = 0x8000_0001;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const EXIT_MESSAGE: u32 = 0x8000_0004;
const ALIVE: u32 = 0x8000_0005;
const SESSION_OPENED: u32 = 0x8000_0006;
const REMOTE_PORT: u32 = 0x8000_0007;
const TTY_ALLOC_FAIL: u32 = 0x8000_0008;

/// An answer, with the number of its request, or news of a session, with the session's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The first words.
    Hello {
        /// [`VERSION`], or it cannot be understood.
        version: u32,
    },
    /// It was done.
    Ok {
        /// The request.
        id: u32,
    },
    /// Somebody said no.
    PermissionDenied {
        /// The request.
        id: u32,
        /// Text for people; clean it before showing.
        reason: Vec<u8>,
    },
    /// It cannot be done.
    Failure {
        /// The request.
        id: u32,
        /// Text for people; clean it before showing.
        reason: Vec<u8>,
    },
    /// The remote process has ended.
    ExitMessage {
        /// The session.
        session: u32,
        /// What it returned.
        status: u32,
    },
    /// The master is there.
    Alive {
        /// The request.
        id: u32,
        /// Its process.
        pid: u32,
    },
    /// The session stands.
    SessionOpened {
        /// The request.
        id: u32,
        /// The session.
        session: u32,
    },
    /// The server listens, and chose the port.
    RemotePort {
        /// The request.
        id: u32,
        /// The port.
        port: u32,
    },
    /// The server gave no terminal.
    TtyAllocFail {
        /// The session.
        session: u32,
    },
}

impl Reply {
    /// Reads a frame that has come.
    ///
    /// # Errors
    /// It is not one of these, or malformed.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(frame);
        let kind = r.u32("type")?;
        if kind == HELLO {
            return Ok(Self::Hello { version: hello(&mut r)? });
        }
        let id = r.u32("id")?;
        let reply = match kind {
            OK => Self::Ok { id },
            PERMISSION_DENIED => Self::PermissionDenied { id, reason: r.string("reason")?.to_vec() },
            FAILURE => Self::Failure { id, reason: r.string("reason")?.to_vec() },
            EXIT_MESSAGE => Self::ExitMessage { session: id, status: r.u32("exit value")? },
            ALIVE => Self::Alive { id, pid: r.u32("server pid")? },
            SESSION_OPENED => Self::SessionOpened { id, session: r.u32("session id")? },
            REMOTE_PORT => Self::RemotePort { id, port: r.u32("allocated port")? },
            TTY_ALLOC_FAIL => Self::TtyAllocFail { session: id },
            _ => return Err(DecodeError { kind: DecodeErrorKind::BadValue, field: "type" }),
        };
        r.finish()?;
        Ok(reply)
    }

    /// The frame, with its length.
    pub fn encode(&self) -> Vec<u8> {
        let two = |number: u32, one: u32, other: u32| {
            frame(number, |out| {
                out.put_u32(one);
                out.put_u32(other);
            })
        };
        let said = |number: u32, id: u32, reason: &[u8]| {
            frame(number, |out| {
                out.put_u32(id);
                out.put_string(reason);
            })
        };
        match self {
            Self::Hello { version } => frame(HELLO, |out| out.put_u32(*version)),
            Self::Ok { id } => frame(OK, |out| out.put_u32(*id)),
            Self::PermissionDenied { id, reason } => said(PERMISSION_DENIED, *id, reason),
            Self::Failure { id, reason } => said(FAILURE, *id, reason),
            Self::ExitMessage { session, status } => two(EXIT_MESSAGE, *session, *status),
            Self::Alive { id, pid } => two(ALIVE, *id, *pid),
            Self::SessionOpened { id, session } => two(SESSION_OPENED, *id, *session),
            Self::RemotePort { id, port } => two(REMOTE_PORT, *id, *port),
            Self::TtyAllocFail { session } => frame(TTY_ALLOC_FAIL, |out| out.put_u32(*session)),
        }
    }

    /// The first words of a master.
    pub const fn hello() -> Self {
        Self::Hello { version: VERSION }
    }
}
