//! What clients ask of a master.

use super::{HELLO, MAX_VARIABLES, VERSION, frame, hello, text};
use crate::{DecodeError, DecodeErrorKind, Reader, WriteExt};

const NEW_SESSION: u32 = 0x1000_0002;
const ALIVE_CHECK: u32 = 0x1000_0004;
const TERMINATE: u32 = 0x1000_0005;
const OPEN_FORWARD: u32 = 0x1000_0006;
const CLOSE_FORWARD: u32 = 0x1000_0007;
const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
const STOP_LISTENING: u32 = 0x1000_0009;
/// The port of an end that is a socket in the file system.
const IS_PATH: u32 = u32::MAX - 1;
/// No escape character.
const NO_ESCAPE: u32 = u32::MAX;

/// A request with its number, which its answer carries again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The first words.
    Hello {
        /// [`VERSION`], or it cannot be understood.
        version: u32,
    },
    /// A session. Standard input, output and error follow it.
    NewSession {
        /// Its number.
        id: u32,
        /// What it is to be.
        session: NewSession,
    },
    /// Is anybody there?
    AliveCheck {
        /// Its number.
        id: u32,
    },
    /// The master is to end.
    Terminate {
        /// Its number.
        id: u32,
    },
    /// Something is to be forwarded.
    OpenForward {
        /// Its number.
        id: u32,
        /// What.
        forward: Forward,
    },
    /// A forwarding is to end.
    CloseForward {
        /// Its number.
        id: u32,
        /// Which.
        forward: Forward,
    },
    /// `-W`. Standard input and output follow it.
    NewStdioForward {
        /// Its number.
        id: u32,
        /// Where they lead.
        to: End,
    },
    /// No more clients are to be taken.
    StopListening {
        /// Its number.
        id: u32,
    },
    /// One that is not known here.
    Unknown {
        /// Its number.
        id: u32,
        /// What it is.
        kind: u32,
    },
}

/// What a session is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewSession {
    /// With a terminal.
    pub tty: bool,
    /// X11 is to be forwarded.
    pub x11: bool,
    /// The agent is to be forwarded.
    pub agent: bool,
    /// The command is the name of a subsystem.
    pub subsystem: bool,
    /// The escape character of a terminal.
    pub escape: Option<u8>,
    /// The type of the terminal.
    pub term: String,
    /// What to run; empty for a shell.
    pub command: Vec<u8>,
    /// `NAME=VALUE`, at most [`MAX_VARIABLES`].
    pub variables: Vec<Vec<u8>>,
}

/// Which way connections are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardKind {
    /// `-L`
    Local,
    /// `-R`
    Remote,
    /// `-D`
    Dynamic,
}

/// One end of a forwarding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Of TCP. An empty host is the usual one, `*` is every one.
    Tcp {
        /// Name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(String),
}

/// A forwarding. Where SOCKS clients say where they want to go, `connect` is port 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Which way.
    pub kind: ForwardKind,
    /// Where to listen.
    pub listen: End,
    /// Where to connect to.
    pub connect: End,
}

impl Request {
    /// Reads a frame that has come.
    ///
    /// # Errors
    /// A field is malformed. What is not known is [`Request::Unknown`] and no error.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(frame);
        let kind = r.u32("type")?;
        if kind == HELLO {
            return Ok(Self::Hello { version: hello(&mut r)? });
        }
        let id = r.u32("request id")?;
        let request = match kind {
            NEW_SESSION => Self::NewSession { id, session: NewSession::read(&mut r)? },
            ALIVE_CHECK => Self::AliveCheck { id },
            TERMINATE => Self::Terminate { id },
            OPEN_FORWARD => Self::OpenForward { id, forward: Forward::read(&mut r)? },
            CLOSE_FORWARD => Self::CloseForward { id, forward: Forward::read(&mut r)? },
            NEW_STDIO_FORWARD => {
                r.string("reserved")?;
                Self::NewStdioForward { id, to: End::read(&mut r)? }
            }
            STOP_LISTENING => Self::StopListening { id },
            _ => {
                r.rest();
                Self::Unknown { id, kind }
            }
        };
        r.finish()?;
        Ok(request)
    }

    /// The frame, with its length.
    pub fn encode(&self) -> Vec<u8> {
        let bare = |number: u32, id: u32| frame(number, |out| out.put_u32(id));
        match self {
            Self::Hello { version } => frame(HELLO, |out| out.put_u32(*version)),
            Self::NewSession { id, session } => frame(NEW_SESSION, |out| {
                out.put_u32(*id);
                session.write(out);
            }),
            Self::AliveCheck { id } => bare(ALIVE_CHECK, *id),
            Self::Terminate { id } => bare(TERMINATE, *id),
            Self::OpenForward { id, forward } => frame(OPEN_FORWARD, |out| {
                out.put_u32(*id);
                forward.write(out);
            }),
            Self::CloseForward { id, forward } => frame(CLOSE_FORWARD, |out| {
                out.put_u32(*id);
                forward.write(out);
            }),
            Self::NewStdioForward { id, to } => frame(NEW_STDIO_FORWARD, |out| {
                out.put_u32(*id);
                out.put_string("");
                to.write(out);
            }),
            Self::StopListening { id } => bare(STOP_LISTENING, *id),
            Self::Unknown { id, kind } => bare(*kind, *id),
        }
    }

    /// Its number; HELLO has none.
    pub const fn id(&self) -> u32 {
        match self {
            Self::Hello { .. } => 0,
            Self::NewSession { id, .. }
            | Self::AliveCheck { id }
            | Self::Terminate { id }
            | Self::OpenForward { id, .. }
            | Self::CloseForward { id, .. }
            | Self::NewStdioForward { id, .. }
            | Self::StopListening { id }
            | Self::Unknown { id, .. } => *id,
        }
    }

    /// How many descriptors follow it, each with one byte of its own.
    pub const fn descriptors(&self) -> usize {
        match self {
            Self::NewSession { .. } => 3,
            Self::NewStdioForward { .. } => 2,
            _ => 0,
        }
    }

    /// The first words of a client.
    pub const fn hello() -> Self {
        Self::Hello { version: VERSION }
    }
}

impl NewSession {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.string("reserved")?;
        let mut flag = |field| r.u32(field).map(|value| value != 0);
        let (tty, x11) = (flag("want tty")?, flag("want X11 forwarding")?);
        let (agent, subsystem) = (flag("want agent")?, flag("subsystem")?);
        // Whatever is no byte is none.
        let escape = u8::try_from(r.u32("escape char")?).ok();
        let term = text(r, "terminal type")?;
        let command = r.string("command")?.to_vec();
        let mut variables = Vec::new();
        while r.remaining() > 0 {
            if variables.len() >= MAX_VARIABLES {
                return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "environment" });
            }
            variables.push(r.string("environment string")?.to_vec());
        }
        Ok(Self { tty, x11, agent, subsystem, escape, term, command, variables })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_string("");
        for flag in [self.tty, self.x11, self.agent, self.subsystem] {
            out.put_u32(u32::from(flag));
        }
        out.put_u32(self.escape.map_or(NO_ESCAPE, u32::from));
        out.put_string(&self.term);
        out.put_string(&self.command);
        for variable in &self.variables {
            out.put_string(variable);
        }
    }
}

impl End {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let host = text(r, "host")?;
        match r.u32("port")? {
            IS_PATH => Ok(Self::Unix(host)),
            port => match u16::try_from(port) {
                Ok(port) => Ok(Self::Tcp { host, port }),
                Err(_) => Err(DecodeError { kind: DecodeErrorKind::BadValue, field: "port" }),
            },
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (host, port) = match self {
            Self::Tcp { host, port } => (host, u32::from(*port)),
            Self::Unix(path) => (path, IS_PATH),
        };
        out.put_string(host);
        out.put_u32(port);
    }
}

impl Forward {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = match r.u32("forwarding type")? {
            1 => ForwardKind::Local,
            2 => ForwardKind::Remote,
            3 => ForwardKind::Dynamic,
            _ => return Err(DecodeError { kind: DecodeErrorKind::BadValue, field: "forwarding type" }),
        };
        Ok(Self { kind, listen: End::read(r)?, connect: End::read(r)? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(match self.kind {
            ForwardKind::Local => 1,
            ForwardKind::Remote => 2,
            ForwardKind::Dynamic => 3,
        });
        self.listen.write(out);
        self.connect.write(out);
    }
}
