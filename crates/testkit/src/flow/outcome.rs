//! How a connection ended: the closed vocabulary of the vectors.

use nacre_proto::Error;
use nacre_proto::error::{Incompatibility, Misbehaviour};

/// The words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Logged in, a session was used and closed, and the connection ended in order.
    Accepted,
    /// Nobody was logged in, and the peer broke no rule.
    Refused,
    /// A packet's authentication code does not match.
    Integrity,
    /// The peer broke a rule of the protocol.
    ProtocolError,
    /// A message cannot be read.
    Malformed,
    /// Another version, or no algorithm in common.
    Incompatible,
    /// The key exchange failed: a public value or the host key's signature is bad.
    KeyExchangeFailed,
    /// The peer ran into a bound.
    Limit,
    /// The stream ended before the work was done.
    ConnectionLost,
    /// The peer said DISCONNECT before the work was done.
    Disconnected,
    /// The connection waits for more.
    Waiting,
    /// Anything else: no vector expects it.
    Other,
}

const WORDS: [(Outcome, &str); 12] = [
    (Outcome::Accepted, "accepted"),
    (Outcome::Refused, "refused"),
    (Outcome::Integrity, "integrity"),
    (Outcome::ProtocolError, "protocol-error"),
    (Outcome::Malformed, "malformed"),
    (Outcome::Incompatible, "incompatible"),
    (Outcome::KeyExchangeFailed, "key-exchange-failed"),
    (Outcome::Limit, "limit"),
    (Outcome::ConnectionLost, "connection-lost"),
    (Outcome::Disconnected, "disconnected"),
    (Outcome::Waiting, "waiting"),
    (Outcome::Other, "other"),
];

impl Outcome {
    /// The outcome of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        WORDS.iter().find(|(_, w)| *w == word).map(|(outcome, _)| *outcome)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(outcome, _)| *outcome == self).map_or("other", |(_, word)| word)
    }

    /// What an ending means. `finished`: a session was used and closed; `decided`: a login was
    /// refused and the peer has seen that.
    pub(super) fn of(error: Option<&Error>, finished: bool, decided: bool) -> Self {
        let Some(error) = error else { return Self::Waiting };
        match error {
            Error::Disconnected { .. } | Error::ConnectionLost | Error::Closed { .. } if finished => Self::Accepted,
            Error::Disconnected { .. } | Error::ConnectionLost | Error::AuthFailed { .. } if decided => Self::Refused,
            Error::Disconnected { .. } => Self::Disconnected,
            Error::ConnectionLost => Self::ConnectionLost,
            Error::Integrity => Self::Integrity,
            Error::PeerMisbehaved(Misbehaviour::BadKexValue | Misbehaviour::BadHostSignature) => {
                Self::KeyExchangeFailed
            }
            Error::PeerIncompatible(Incompatibility::Version(_) | Incompatibility::NoCommon { .. }) => {
                Self::Incompatible
            }
            Error::PeerMisbehaved(_) => Self::ProtocolError,
            Error::Decode { .. } => Self::Malformed,
            Error::Limit(_) => Self::Limit,
            _ => Self::Other,
        }
    }
}
