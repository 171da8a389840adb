//! A server's side of a stream: INIT first and once, then requests.

use crate::{Extensions, Request, packet};
use nacre_wire::{DecodeError, DecodeErrorKind, Reader};

/// What a packet asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// INIT, whose answer has been appended.
    Init,
    /// A request, to be answered under its id.
    Request { id: u32, request: Request<'a> },
    /// A request that could not be read, to be answered BAD_MESSAGE under its id.
    Malformed { id: u32, error: DecodeError },
}

/// What ends a connection: nothing after it can be made sense of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A request came before INIT.
    NoInit,
    /// A second INIT (threat F4).
    SecondInit,
    /// INIT asks for a version below 3.
    OldVersion(u32),
    /// It has no request id that could be answered, or is no request at all.
    Malformed(DecodeError),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoInit => f.write_str("the client sent a request before SSH_FXP_INIT"),
            Self::SecondInit => f.write_str("the client sent SSH_FXP_INIT a second time"),
            Self::OldVersion(version) => write!(f, "the client speaks SFTP version {version}, this server 3"),
            Self::Malformed(error) => write!(f, "the client sent a malformed SFTP packet: {error}"),
        }
    }
}

impl std::error::Error for Fault {}

/// The state of one client.
#[derive(Debug)]
pub struct Session {
    announced: Extensions,
    begun: bool,
}

impl Session {
    /// Will announce these extensions.
    pub fn new(announced: Extensions) -> Self {
        Self { announced, begun: false }
    }

    /// Reads a packet that [`packet::split`] found; the answer to INIT is appended to `out`.
    ///
    /// # Errors
    /// The client must be left.
    pub fn receive<'a>(&mut self, packet: &'a [u8], out: &mut Vec<u8>) -> Result<Incoming<'a>, Fault> {
        if packet.first() == Some(&packet::INIT) {
            self.init(packet)?;
            self.announced.encode(out);
            return Ok(Incoming::Init);
        }
        if !self.begun {
            return Err(Fault::NoInit);
        }
        match Request::decode(packet) {
            Ok((id, request)) => Ok(Incoming::Request { id, request }),
            Err((Some(id), error)) if error.kind != DecodeErrorKind::WrongMessage => {
                Ok(Incoming::Malformed { id, error })
            }
            Err((_, error)) => Err(Fault::Malformed(error)),
        }
    }

    /// A later version is answered with 3, which the client may take or leave (draft §4).
    fn init(&mut self, packet: &[u8]) -> Result<(), Fault> {
        let mut reader = Reader::new(packet);
        let version = reader.u8("type").and_then(|_| reader.u32("version")).map_err(Fault::Malformed)?;
        if self.begun {
            return Err(Fault::SecondInit);
        }
        if version < crate::VERSION {
            return Err(Fault::OldVersion(version));
        }
        self.begun = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn receive(session: &mut Session, packet: &[u8]) -> Result<(), Fault> {
        session.receive(packet, &mut Vec::new()).map(|_| ())
    }

    #[test]
    fn f04_init_comes_first_and_once() {
        let mut session = Session::new(Extensions::ours());
        assert_eq!(receive(&mut session, &[packet::STAT, 0, 0, 0, 1, 0, 0, 0, 0]), Err(Fault::NoInit));
        assert_eq!(receive(&mut session, &[packet::INIT, 0, 0, 0, 2]), Err(Fault::OldVersion(2)));
        assert!(matches!(receive(&mut session, &[packet::INIT, 0, 0]), Err(Fault::Malformed(_))));
        let mut out = Vec::new();
        assert_eq!(session.receive(&[packet::INIT, 0, 0, 0, 6], &mut out), Ok(Incoming::Init));
        assert_eq!(out[4..9], [packet::VERSION, 0, 0, 0, 3]);
        assert_eq!(receive(&mut session, &[packet::INIT, 0, 0, 0, 3]), Err(Fault::SecondInit));
    }

    #[test]
    fn what_can_be_answered_is_and_what_cannot_ends_it() {
        let mut session = Session::new(Extensions::ours());
        receive(&mut session, &[packet::INIT, 0, 0, 0, 3]).unwrap();
        let mut out = Vec::new();
        let cut = session.receive(&[packet::STAT, 0, 0, 0, 7, 0, 0, 0, 9], &mut out);
        assert!(matches!(cut, Ok(Incoming::Malformed { id: 7, .. })));
        assert!(matches!(receive(&mut session, &[packet::STAT, 0, 0]), Err(Fault::Malformed(_))));
        assert!(matches!(receive(&mut session, &[packet::STATUS, 0, 0, 0, 1]), Err(Fault::Malformed(_))));
        let unknown = session.receive(&[99, 0, 0, 0, 7, 1, 2], &mut out);
        assert_eq!(unknown, Ok(Incoming::Request { id: 7, request: Request::Unknown { kind: 99 } }));
    }
}
