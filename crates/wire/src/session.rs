//! The requests of a session channel, RFC 4254 §6 and OpenSSH's, as one owned type.

use crate::{DecodeError, DecodeErrorKind, Reader, WriteExt, names};

/// The longest terminal name taken, in bytes.
pub const MAX_TERM_BYTES: usize = 256;
/// The most terminal modes read (threat C10).
pub const MAX_MODES: usize = 256;

/// A terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowSize {
    /// Columns of characters.
    pub columns: u32,
    /// Rows of characters.
    pub rows: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A request on a session channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionRequest {
    /// RFC 4254 §6.2.
    PtyReq {
        /// The TERM variable.
        term: String,
        /// Size at start.
        size: WindowSize,
        /// Terminal modes of §8 as (opcode, value).
        modes: Vec<(u8, u32)>,
    },
    /// RFC 4254 §6.4.
    Env {
        /// Variable.
        name: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// RFC 4254 §6.5.
    Shell,
    /// RFC 4254 §6.5.
    Exec {
        /// The command line, as bytes for the account's shell.
        command: Vec<u8>,
    },
    /// RFC 4254 §6.5.
    Subsystem {
        /// Its name.
        name: String,
    },
    /// RFC 4254 §6.7.
    WindowChange {
        /// The new size.
        size: WindowSize,
    },
    /// RFC 4254 §6.8.
    XonXoff {
        /// The client may do flow control by itself.
        client_can_do: bool,
    },
    /// RFC 4254 §6.9.
    Signal {
        /// Without `SIG`.
        name: String,
    },
    /// RFC 4335.
    Break {
        /// Milliseconds.
        length: u32,
    },
    /// RFC 4254 §6.10.
    ExitStatus {
        /// What the process returned.
        status: u32,
    },
    /// RFC 4254 §6.10.
    ExitSignal {
        /// Without `SIG`.
        name: String,
        /// A core file was written.
        core_dumped: bool,
        /// Text for people; clean it before showing.
        message: Vec<u8>,
    },
    /// `auth-agent-req@openssh.com`: take connections for the client's agent.
    AuthAgentReq,
    /// OpenSSH PROTOCOL §2.1: the peer will read no more.
    Eow,
    /// OpenSSH's liveness probe; it always wants a reply and any reply will do.
    Keepalive,
    /// Anything else, kept by name so that it can be refused by name.
    Unknown {
        /// The request type.
        kind: Vec<u8>,
    },
}

fn text(bytes: &[u8], field: &'static str, max: usize) -> Result<String, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError { kind: DecodeErrorKind::NotUtf8, field })?;
    Ok(text.to_owned())
}

fn read_size(reader: &mut Reader<'_>) -> Result<WindowSize, DecodeError> {
    Ok(WindowSize {
        columns: reader.u32("terminal width, characters")?,
        rows: reader.u32("terminal height, rows")?,
        width: reader.u32("terminal width, pixels")?,
        height: reader.u32("terminal height, pixels")?,
    })
}

fn put_size(out: &mut Vec<u8>, size: &WindowSize) {
    for value in [size.columns, size.rows, size.width, size.height] {
        out.put_u32(value);
    }
}

/// Reads encoded terminal modes, RFC 4254 §8: opcode 0 ends them, 1 to 159 carry a value, and
/// from 160 on nothing further can be understood. A list that is cut short ends where it is cut.
pub fn decode_modes(bytes: &[u8]) -> Vec<(u8, u32)> {
    let mut reader = Reader::new(bytes);
    let mut modes = Vec::new();
    while let Ok(opcode @ 1..=159) = reader.u8("opcode") {
        match reader.u32("argument") {
            Ok(value) if modes.len() < MAX_MODES => modes.push((opcode, value)),
            _ => break,
        }
    }
    modes
}

/// Writes terminal modes with their end mark.
pub fn encode_modes(modes: &[(u8, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (opcode, value) in modes {
        out.put_u8(*opcode);
        out.put_u32(*value);
    }
    out.put_u8(0);
    out
}

impl SessionRequest {
    /// Reads the part after `want reply`.
    ///
    /// # Errors
    /// A known type with malformed fields.
    pub fn decode(kind: &[u8], rest: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(rest);
        let request = match kind {
            b"pty-req" => Self::PtyReq {
                term: text(r.string("TERM")?, "TERM", MAX_TERM_BYTES)?,
                size: read_size(&mut r)?,
                modes: decode_modes(r.string("encoded terminal modes")?),
            },
            b"env" => {
                Self::Env { name: r.string("variable name")?.to_vec(), value: r.string("variable value")?.to_vec() }
            }
            b"shell" => Self::Shell,
            b"exec" => Self::Exec { command: r.string("command")?.to_vec() },
            b"subsystem" => Self::Subsystem { name: text(r.string("subsystem name")?, "subsystem name", 256)? },
            b"window-change" => Self::WindowChange { size: read_size(&mut r)? },
            b"xon-xoff" => Self::XonXoff { client_can_do: r.bool("client can do")? },
            b"signal" => Self::Signal { name: text(r.string("signal name")?, "signal name", 64)? },
            b"break" => Self::Break { length: r.u32("break-length")? },
            b"exit-status" => Self::ExitStatus { status: r.u32("exit_status")? },
            b"exit-signal" => {
                let name = text(r.string("signal name")?, "signal name", 64)?;
                let core_dumped = r.bool("core dumped")?;
                let message = r.string("error message")?.to_vec();
                r.string("language tag")?;
                Self::ExitSignal { name, core_dumped, message }
            }
            b"eow@openssh.com" => Self::Eow,
            _ if kind == names::AUTH_AGENT_REQ.as_bytes() => Self::AuthAgentReq,
            b"keepalive@openssh.com" => Self::Keepalive,
            _ => {
                r.rest();
                Self::Unknown { kind: kind.to_vec() }
            }
        };
        r.finish()?;
        Ok(request)
    }

    /// The request type on the wire.
    pub fn kind(&self) -> &[u8] {
        match self {
            Self::PtyReq { .. } => b"pty-req",
            Self::Env { .. } => b"env",
            Self::Shell => b"shell",
            Self::Exec { .. } => b"exec",
            Self::Subsystem { .. } => b"subsystem",
            Self::WindowChange { .. } => b"window-change",
            Self::XonXoff { .. } => b"xon-xoff",
            Self::Signal { .. } => b"signal",
            Self::Break { .. } => b"break",
            Self::ExitStatus { .. } => b"exit-status",
            Self::ExitSignal { .. } => b"exit-signal",
            Self::AuthAgentReq => names::AUTH_AGENT_REQ.as_bytes(),
            Self::Eow => b"eow@openssh.com",
            Self::Keepalive => b"keepalive@openssh.com",
            Self::Unknown { kind } => kind,
        }
    }

    /// Appends the part after `want reply`.
    pub fn encode_rest(&self, out: &mut Vec<u8>) {
        match self {
            Self::PtyReq { term, size, modes } => {
                out.put_string(term);
                put_size(out, size);
                out.put_string(encode_modes(modes));
            }
            Self::Env { name, value } => {
                out.put_string(name);
                out.put_string(value);
            }
            Self::Exec { command } => out.put_string(command),
            Self::Subsystem { name } | Self::Signal { name } => out.put_string(name),
            Self::WindowChange { size } => put_size(out, size),
            Self::XonXoff { client_can_do } => out.put_bool(*client_can_do),
            Self::Break { length: value } | Self::ExitStatus { status: value } => out.put_u32(*value),
            Self::ExitSignal { name, core_dumped, message } => {
                out.put_string(name);
                out.put_bool(*core_dumped);
                out.put_string(message);
                out.put_string("");
            }
            Self::Shell | Self::AuthAgentReq | Self::Eow | Self::Keepalive | Self::Unknown { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn samples() -> Vec<SessionRequest> {
        let size = WindowSize { columns: 80, rows: 24, width: 0, height: u32::MAX };
        vec![
            SessionRequest::PtyReq { term: "xterm".into(), size, modes: vec![(53, 1), (128, 38400)] },
            SessionRequest::Env { name: b"LANG".to_vec(), value: b"C".to_vec() },
            SessionRequest::Shell,
            SessionRequest::Exec { command: b"echo \xff".to_vec() },
            SessionRequest::Subsystem { name: "sftp".into() },
            SessionRequest::WindowChange { size },
            SessionRequest::XonXoff { client_can_do: true },
            SessionRequest::Signal { name: "TERM".into() },
            SessionRequest::Break { length: 500 },
            SessionRequest::ExitStatus { status: 255 },
            SessionRequest::ExitSignal { name: "KILL".into(), core_dumped: false, message: b"gone".to_vec() },
            SessionRequest::AuthAgentReq,
            SessionRequest::Eow,
            SessionRequest::Keepalive,
        ]
    }

    #[test]
    fn h10_requests_survive_the_round_trip_and_refuse_every_cut() {
        for request in samples() {
            let mut rest = Vec::new();
            request.encode_rest(&mut rest);
            assert_eq!(SessionRequest::decode(request.kind(), &rest).unwrap(), request);
            for cut in 0..rest.len() {
                assert!(SessionRequest::decode(request.kind(), &rest[..cut]).is_err(), "{request:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn c10_modes_stop_at_the_end_at_a_cut_and_at_unknown_opcodes() {
        let bytes = encode_modes(&[(1, 3), (53, 0), (159, u32::MAX)]);
        assert_eq!(decode_modes(&bytes).len(), 3);
        for cut in 0..bytes.len() {
            assert!(decode_modes(&bytes[..cut]).len() <= cut / 5);
        }
        assert_eq!(decode_modes(&[1, 0, 0, 0, 3, 160, 0, 0, 0, 1]), vec![(1, 3)]);
        let endless: Vec<u8> = std::iter::repeat_n([9u8, 0, 0, 0, 1], 10_000).flatten().collect();
        assert_eq!(decode_modes(&endless).len(), MAX_MODES);
    }
}
