//! What can go wrong between a client and its agent.

use crate::frame::MAX_FRAME;
use crate::number;
use nacre_wire::DecodeError;

/// A conversation with an agent that cannot go on, or a request that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentError {
    /// The other end announced a message above [`MAX_FRAME`] (threat G1). Length in bytes.
    FrameTooLong {
        /// What it announced.
        length: u32,
    },
    /// The other end sent a message of no bytes, which has not even a number.
    FrameEmpty,
    /// A message could not be read.
    Decode {
        /// The message's number.
        number: u8,
        /// Which field, and why.
        error: DecodeError,
    },
    /// A list of keys counts more of them than it may hold, or than its bytes can hold (threat G1).
    TooManyIdentities {
        /// What it counted.
        count: u32,
        /// How many were possible.
        possible: usize,
    },
    /// The agent sent a number that answers nothing this program asks.
    NotAnAnswer {
        /// The number.
        number: u8,
    },
    /// The agent's answer belongs to another request than the one it is due for.
    WrongAnswer {
        /// The number of the request.
        asked: u8,
        /// The number of the answer.
        got: u8,
    },
    /// The agent spoke without having been asked.
    Unasked {
        /// The number of what it sent.
        number: u8,
    },
    /// The agent closed the connection inside a message or before it had answered everything.
    Ended {
        /// How many requests have no answer.
        waiting: usize,
    },
    /// A signature was made with another algorithm than the one wanted, for example SHA-1 by an
    /// agent that does not know the flags. Both names are clean text.
    WrongAlgorithm {
        /// What was asked for.
        wanted: String,
        /// What came.
        got: String,
    },
    /// Our own request is above [`MAX_FRAME`]. Length in bytes.
    RequestTooLong {
        /// Its length.
        length: usize,
    },
    /// More requests without an answer than [`crate::client::MAX_WAITING`].
    TooManyWaiting,
}

impl std::fmt::Display for AgentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = number::name;
        match self {
            Self::FrameTooLong { length } => {
                write!(
                    f,
                    "the agent announced a message of {length} bytes, more than {MAX_FRAME}; is SSH_AUTH_SOCK really an ssh-agent?"
                )
            }
            Self::FrameEmpty => write!(f, "the agent sent an empty message; is SSH_AUTH_SOCK really an ssh-agent?"),
            Self::Decode { number, error } => {
                write!(f, "the agent's message {number} ({}) is malformed: {error}", name(*number))
            }
            Self::TooManyIdentities { count, possible } => {
                write!(
                    f,
                    "the agent says that it lists {count} keys where {possible} are possible; remove keys from it or name one file with IdentityFile"
                )
            }
            Self::NotAnAnswer { number } => {
                write!(
                    f,
                    "the agent sent message {number} ({}), which answers no request of this program",
                    name(*number)
                )
            }
            Self::WrongAnswer { asked, got } => {
                write!(f, "the agent answered {} with message {got} ({})", name(*asked), name(*got))
            }
            Self::Unasked { number } => {
                write!(f, "the agent sent message {number} ({}) without having been asked", name(*number))
            }
            Self::Ended { waiting: 0 } => write!(f, "the agent closed the connection in the middle of a message"),
            Self::Ended { waiting } => {
                write!(f, "the agent closed the connection with {waiting} requests unanswered; is it still running?")
            }
            Self::WrongAlgorithm { wanted, got } => {
                write!(
                    f,
                    "the agent signed with `{got}` where `{wanted}` was asked for; update the agent or use another key"
                )
            }
            Self::RequestTooLong { length } => {
                write!(f, "a request of {length} bytes is more than the {MAX_FRAME} that an agent takes")
            }
            Self::TooManyWaiting => write!(f, "too many requests wait for the agent; take its answers first"),
        }
    }
}

impl std::error::Error for AgentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode { error, .. } => Some(error),
            _ => None,
        }
    }
}
