//! What can go wrong between two disks, each in one clear line.

use nacre_sftp::Code;
use nacre_sftp::client::Fault;
use nacre_sftp::packet::BadLength;
use nacre_wire::text::clean_line;
use std::io;

/// The most of a server's words, or of a name, that a line shows, in bytes.
const MAX_SHOWN: usize = 512;

/// Why something was not done. `Display` is one line, and harmless on a terminal (threats U1 and U2).
#[derive(Debug)]
pub enum Error {
    /// The server refused a request: `what` says what was asked, `message` is what the server said, cleaned.
    Status { code: Code, message: String, what: String },
    /// The server does not speak SFTP as it must; the connection is of no use any more (threat F8).
    Fault(Fault),
    /// The server sent a packet of a length that none may have; the connection is of no use any more.
    Length(BadLength),
    /// This machine refused: `what` says what was tried.
    Io { what: String, error: io::Error },
    /// The connection is gone.
    Closed,
    /// The server named something that is no name of a file in a folder (threat F7).
    BadName { name: String, folder: String },
    /// The server does not announce what would be needed.
    Unsupported { what: &'static str },
    /// The server answered as it may, but with something that cannot be: `what` says what.
    Nonsense { what: String },
    /// It is a folder, and `recursive` was not asked for.
    IsFolder { name: String },
    /// It is neither a regular file nor a folder.
    NotRegular { name: String },
    /// Several sources, or a folder, need a folder as their target.
    NoFolder { name: String },
    /// A path without a last component, such as `/` or `..`, where a name is needed.
    NoName { name: String },
    /// The source has fewer bytes than it had, or other ones, than when it was opened.
    SourceChanged { name: String },
    /// Both ends were hashed, and differ in the block of bytes that begins at `offset`.
    Mismatch { name: String, offset: u64 },
    /// The watcher cancelled.
    Cancelled,
}

impl Error {
    /// An error of this machine.
    pub(crate) fn io(what: impl Into<String>, error: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), error: error.into() }
    }

    /// Whether nothing more can be done over this connection.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Fault(_) | Self::Length(_) | Self::Closed)
    }

    /// The code of a server's refusal.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// A name or a path as it may be shown.
pub fn shown(name: &[u8]) -> String {
    clean_line(name, MAX_SHOWN)
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { code, message, what } => match code {
                // Its own words tell more than "Failure" does.
                _ if !message.is_empty() => write!(f, "{what}: {message}"),
                _ => write!(f, "{what}: {code}"),
            },
            Self::Fault(fault) => fault.fmt(f),
            Self::Length(length) => length.fmt(f),
            Self::Io { what, error } => write!(f, "{what}: {}", words(error)),
            Self::Closed => f.write_str("the connection was closed"),
            Self::BadName { name, folder } => {
                write!(f, "the server listed \"{name}\" in {folder}, which is no name of a file; nothing of it is used")
            }
            Self::Unsupported { what } => write!(f, "the server does not support {what}"),
            Self::Nonsense { what } => f.write_str(what),
            Self::IsFolder { name } => write!(f, "{name}: is a directory (copy it with -r)"),
            Self::NotRegular { name } => write!(f, "{name}: not a regular file"),
            Self::NoFolder { name } => write!(f, "{name}: not a directory"),
            Self::NoName { name } => write!(f, "{name}: ends without a name for the copy"),
            Self::SourceChanged { name } => {
                write!(f, "{name}: changed while it was being copied; what came of it is kept as a part")
            }
            Self::Mismatch { name, offset } => {
                write!(f, "{name}: the two ends differ at or after byte {offset}; it is kept as a part")
            }
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// An error of the system without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

impl std::error::Error for Error {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<BadLength> for Error {
    fn from(length: BadLength) -> Self {
        Self::Length(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u02_every_error_is_one_harmless_line() {
        let evil = b"a\x1b[2J\nb\x07";
        for error in [
            Error::Status { code: Code::Failure, message: shown(evil), what: shown(evil) },
            Error::Status { code: Code::NoSuchFile, message: String::new(), what: shown(evil) },
            Error::BadName { name: shown(evil), folder: shown(evil) },
            Error::io(shown(evil), io::Error::from_raw_os_error(28)),
            Error::Mismatch { name: shown(evil), offset: 9 },
            Error::SourceChanged { name: shown(evil) },
        ] {
            let line = error.to_string();
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        assert_eq!(
            Error::io("write x", io::Error::from_raw_os_error(28)).to_string(),
            "write x: No space left on device"
        );
    }
}
