//! Why a revocation list cannot be used.

use nacre_wire::DecodeError;

/// Why a revocation list cannot be read, or something not be put into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationError {
    /// It does not begin as a list does.
    NotAList,
    /// It is of a version of the format that is not known.
    Version(u32),
    /// It does not decode; says which field.
    Malformed(DecodeError),
    /// A part of a type that is not known: what it revokes cannot be told.
    UnknownSection(u8),
    /// An extension that must be understood and is not.
    CriticalExtension,
    /// Something stands behind its signature.
    AfterSignature,
    /// Serial numbers that are no range, or begin with 0.
    BadRange {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
    },
    /// More serial numbers, each apart from the others, than are kept.
    TooMany,
}

impl From<DecodeError> for RevocationError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl std::fmt::Display for RevocationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAList => f.write_str("not a key revocation list"),
            Self::Version(version) => write!(f, "a key revocation list of format {version}, of which only 1 is known"),
            Self::Malformed(error) => write!(f, "a damaged key revocation list: {error}"),
            Self::UnknownSection(kind) => write!(f, "a key revocation list with a part of unknown type {kind}"),
            Self::CriticalExtension => f.write_str("a key revocation list with a critical extension that is not known"),
            Self::AfterSignature => f.write_str("a damaged key revocation list: something stands behind its signature"),
            Self::BadRange { first, last } => write!(f, "serial numbers {first} to {last} are no range from 1 on"),
            Self::TooMany => f.write_str("a key revocation list with too many serial numbers"),
        }
    }
}

impl std::error::Error for RevocationError {}
