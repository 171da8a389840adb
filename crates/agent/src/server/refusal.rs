//! Why the agent says no. Clients are told nothing but that; the reasons are for the one who watches the agent.

use nacre_wire::DecodeError;

/// The reason of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The message cannot be read, or asks for a constraint that would not be enforced.
    Malformed(DecodeError),
    /// The agent is locked.
    Locked,
    /// It is not locked, or it is already.
    WrongLockState,
    /// The passphrase does not unlock.
    WrongPassphrase,
    /// The key is not held, or not to be used on this connection.
    NoSuchKey,
    /// The numbers are no usable key.
    BadKey,
    /// There is no room for the key.
    Full,
    /// A session could not be bound; the text says why.
    BadBinding(&'static str),
    /// A destination constraint does not allow it; the text says what.
    Destination(&'static str),
    /// The person said no.
    Unconfirmed,
    /// The key cannot sign in the way that was asked for.
    CannotSign,
    /// Tokens, and requests and extensions that are not known.
    Unsupported,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "the request is malformed or asks for what is not enforced: {error}"),
            Self::Locked => f.write_str("the agent is locked"),
            Self::WrongLockState => f.write_str("the agent is locked already, or was not locked"),
            Self::WrongPassphrase => f.write_str("the passphrase does not unlock the agent"),
            Self::NoSuchKey => f.write_str("the key is not held, or not for this connection"),
            Self::BadKey => f.write_str("the private key is malformed or too weak"),
            Self::Full => f.write_str("the agent holds as many keys as it can list"),
            Self::BadBinding(why) => write!(f, "the session cannot be bound: {why}"),
            Self::Destination(why) => write!(f, "the key's destination constraints: {why}"),
            Self::Unconfirmed => f.write_str("the use of the key was not confirmed"),
            Self::CannotSign => f.write_str("the key cannot sign in the way asked for (SHA-1 is not done)"),
            Self::Unsupported => f.write_str("the request is not supported"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}
