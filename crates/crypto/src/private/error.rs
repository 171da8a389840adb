//! What can be wrong with a private key file.

/// Why a private key could not be read, made, written or used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The key is encrypted and no passphrase was given.
    NeedsPassphrase,
    /// The passphrase does not open the key (or the encrypted part was changed).
    WrongPassphrase,
    /// A key type, cipher or parameter that is not known or not allowed here; the text says which.
    Unsupported(String),
    /// The bytes are not a key; the text says what was being read.
    Malformed(&'static str),
    /// The key is too weak to be used; the text says in what way.
    Weak(String),
    /// A primitive failed.
    Failed,
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NeedsPassphrase => f.write_str("the private key is encrypted: give its passphrase"),
            Self::WrongPassphrase => f.write_str("the passphrase does not open the private key"),
            Self::Unsupported(what) => write!(f, "{what}: not supported"),
            Self::Malformed(what) => write!(f, "not a valid private key: bad {what}"),
            Self::Weak(what) => write!(f, "the key is too weak: {what}"),
            Self::Failed => f.write_str("a cryptographic operation on the private key failed"),
        }
    }
}

impl std::error::Error for KeyError {}
