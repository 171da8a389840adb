//! Why a connection of the laboratory ends before its time.

use std::fmt;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The peer announced more bytes than a frame may have.
    TooLong {
        /// How many.
        announced: u64,
        /// How many there may be.
        most: usize,
    },
    /// A length that is no number.
    BadHeader,
    /// A value of the wrong length.
    WrongLength {
        /// What it is.
        what: &'static str,
        /// Bytes it has.
        got: usize,
        /// Bytes it should have.
        want: usize,
    },
    /// A value that must not be used, with the reason.
    Refused {
        /// What it is.
        what: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// Something that is not what the protocol has here.
    NotAsStated(&'static str),
    /// A message that cannot be opened where that ends the connection.
    Undecryptable,
    /// A message whose MAC is wrong.
    NotGenuine,
    /// A message whose number is not the next.
    WrongNumber {
        /// The number it has.
        got: u64,
        /// The number that is due.
        want: u64,
    },
    /// Too many messages in a row that cannot be opened.
    TooManyFailures,
    /// The peer said more after the end, or before its turn.
    OutOfTurn,
    /// Our own cryptography failed, which it does not with a working system.
    Cryptography,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { announced, most } => write!(f, "{announced} bytes announced, at most {most} are taken"),
            Self::BadHeader => f.write_str("the length is no number"),
            Self::WrongLength { what, got, want } => write!(f, "{what} has {got} bytes and should have {want}"),
            Self::Refused { what, why } => write!(f, "{what} refused: {why}"),
            Self::NotAsStated(what) => write!(f, "{what} is not as the protocol has it"),
            Self::Undecryptable => f.write_str("a message cannot be decrypted"),
            Self::NotGenuine => f.write_str("a message is not genuine: its seal (the MAC) is wrong"),
            Self::WrongNumber { got, want } => write!(f, "message number {got} came where number {want} is due"),
            Self::TooManyFailures => f.write_str("too many messages in a row that cannot be decrypted"),
            Self::OutOfTurn => f.write_str("the other side spoke out of turn"),
            Self::Cryptography => f.write_str("the system's cryptography failed"),
        }
    }
}

impl std::error::Error for Fault {}
