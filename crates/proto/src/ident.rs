//! The identification exchange, RFC 4253 §4.2.

use crate::error::{Error, Incompatibility, Limit, Misbehaviour};
use crate::limits;
use bytes::{Buf, BytesMut};
use nacre_wire::Role;
use nacre_wire::text::clean_line;

/// An identification line without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident(Vec<u8>);

impl Ident {
    /// Our own, from the software name and an optional comment. Characters that may not stand
    /// there are dropped, and the line is cut to its bound.
    pub fn ours(software: &str, comment: &str) -> Self {
        let printable = |c: &char| (' '..='~').contains(c);
        let software: String = software.chars().filter(printable).filter(|c| !matches!(c, ' ' | '-')).collect();
        let comment: String = comment.chars().filter(printable).collect();
        let mut line = format!("SSH-2.0-{software}");
        if !comment.is_empty() {
            line.push(' ');
            line.push_str(&comment);
        }
        line.truncate(limits::MAX_IDENT_LINE - 2);
        Self(line.into_bytes())
    }

    /// The line as it stands in the exchange hash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The line for people.
    pub fn display(&self) -> String {
        clean_line(&self.0, limits::MAX_IDENT_LINE)
    }

    /// The line with its line end, as it is sent.
    pub(crate) fn to_line(&self) -> Vec<u8> {
        let mut line = self.0.clone();
        line.extend_from_slice(b"\r\n");
        line
    }
}

/// Reads the peer's identification, and for a client the lines before it.
#[derive(Debug, Default)]
pub(crate) struct IdentReader {
    lines: usize,
    bytes: usize,
}

impl IdentReader {
    /// Takes complete lines from `input` until the identification is found; the lines that a
    /// server sent before it are handed to `pre_line`.
    pub(crate) fn read(
        &mut self,
        role: Role,
        input: &mut BytesMut,
        mut pre_line: impl FnMut(&[u8]),
    ) -> Result<Option<Ident>, Error> {
        loop {
            let Some(end) = input.iter().position(|b| *b == b'\n') else {
                return self.check_unfinished(role, input).map(|()| None);
            };
            let with_end = input.split_to(end);
            input.advance(1);
            let line = with_end.strip_suffix(b"\r").unwrap_or(&with_end);
            if line.starts_with(b"SSH-") {
                return Self::parse(line).map(Some);
            }
            self.pre_line(role, line)?;
            pre_line(line);
        }
    }

    fn check_unfinished(&self, role: Role, input: &[u8]) -> Result<(), Error> {
        let ident = input.starts_with(b"SSH-") || (input.len() < 4 && b"SSH-".starts_with(input));
        if !ident && role == Role::Server {
            return Err(Error::PeerMisbehaved(Misbehaviour::NotSsh));
        }
        let bound = if ident { limits::MAX_IDENT_LINE } else { limits::MAX_PRE_IDENT_LINE };
        if input.len() >= bound { Err(Error::Limit(Limit::Ident)) } else { Ok(()) }
    }

    fn pre_line(&mut self, role: Role, line: &[u8]) -> Result<(), Error> {
        if role == Role::Server {
            return Err(Error::PeerMisbehaved(Misbehaviour::NotSsh));
        }
        self.lines += 1;
        self.bytes += line.len();
        let too_much = self.lines > limits::MAX_PRE_IDENT_LINES
            || self.bytes > limits::MAX_PRE_IDENT_BYTES
            || line.len() > limits::MAX_PRE_IDENT_LINE;
        if too_much { Err(Error::Limit(Limit::Ident)) } else { Ok(()) }
    }

    fn parse(line: &[u8]) -> Result<Ident, Error> {
        if line.len() + 2 > limits::MAX_IDENT_LINE {
            return Err(Error::Limit(Limit::Ident));
        }
        if line.iter().any(|b| *b < 0x20 || *b == 0x7f) {
            return Err(Error::PeerMisbehaved(Misbehaviour::NotSsh));
        }
        if line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-") {
            Ok(Ident(line.to_vec()))
        } else {
            Err(Error::PeerIncompatible(Incompatibility::Version(clean_line(line, limits::MAX_IDENT_LINE))))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn read(role: Role, bytes: &[u8]) -> Result<Option<Ident>, Error> {
        IdentReader::default().read(role, &mut BytesMut::from(bytes), |_| {})
    }

    #[test]
    fn t14_lines_are_bounded_and_clean() {
        assert!(read(Role::Server, b"SSH-2.0-x\r\n").unwrap().is_some());
        assert!(read(Role::Server, b"SSH-1.99-x y\n").unwrap().is_some());
        assert!(read(Role::Server, b"SSH-2.0-x").unwrap().is_none());
        for bad in [&b"SSH-2.0-\0\r\n"[..], b"SSH-1.5-x\r\n", b"hello\r\n", b"hello", b"\r\n", b"SSH-2.0-a\rb\n"] {
            assert!(read(Role::Server, bad).is_err(), "{bad:?}");
        }
        assert_eq!(read(Role::Server, &[&b"SSH-2.0-"[..], &[b'a'; 300]].concat()), Err(Error::Limit(Limit::Ident)));
        assert_eq!(read(Role::Client, &vec![b'a'; 1 << 20]), Err(Error::Limit(Limit::Ident)));
        let many = b"x\n".repeat(1025);
        assert_eq!(read(Role::Client, &many), Err(Error::Limit(Limit::Ident)));
        let few = [&b"x\n".repeat(1024)[..], b"SSH-2.0-s\r\n"].concat();
        assert!(read(Role::Client, &few).unwrap().is_some());
    }

    #[test]
    fn ours_stays_within_the_rules() {
        let ident = Ident::ours("Na cre-1\n", &"x".repeat(500));
        assert!(ident.as_bytes().starts_with(b"SSH-2.0-Nacre1 xxx"));
        assert_eq!(ident.to_line().len(), limits::MAX_IDENT_LINE);
    }
}
