//! Public keys: the one-line form, sizes and fingerprints.

mod fingerprint;
mod foreign;

pub use fingerprint::fingerprint_sha256;
pub use foreign::{ForeignKeyError, write_rfc4716};

use crate::blob::{KeyBlob, bit_len};
use base64ct::{Base64, Encoding};
use nacre_wire::{DecodeError, names};

/// The longest blob that is decoded, in bytes. An 8192-bit RSA key takes 1 046.
const MAX_BLOB_LEN: usize = 8 * 1024;

/// Why a line is not a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKeyError {
    /// The line has no key type and no Base64 field.
    Incomplete,
    /// The Base64 field is not Base64, or longer than any key.
    NotBase64,
    /// The blob does not decode; says which field.
    Blob(DecodeError),
    /// The type in front of the blob is not the type inside.
    TypeMismatch,
}

impl std::fmt::Display for PublicKeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incomplete => f.write_str("not a public key: `TYPE BASE64 [COMMENT]` was expected"),
            Self::NotBase64 => f.write_str("not a public key: its second field is not valid Base64"),
            Self::Blob(error) => write!(f, "not a public key that is supported: {error}"),
            Self::TypeMismatch => f.write_str("not a public key: the type does not match the key data"),
        }
    }
}

impl std::error::Error for PublicKeyError {}

/// A public key with its comment. The blob is known to decode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    pub(crate) blob: Vec<u8>,
    pub(crate) comment: String,
}

impl PublicKey {
    /// From a blob as it goes over the wire (RFC 4253 §6.6).
    ///
    /// # Errors
    /// The blob is not exactly one key of a type that is supported.
    pub fn from_blob(blob: &[u8], comment: impl Into<String>) -> Result<Self, PublicKeyError> {
        KeyBlob::decode(blob).map_err(PublicKeyError::Blob)?;
        Ok(Self { blob: blob.to_vec(), comment: comment.into() })
    }

    /// Reads a line `TYPE BASE64 [COMMENT]`, as `.pub` files hold. The comment is all that follows,
    /// without the blanks at its ends.
    ///
    /// # Errors
    /// The line does not hold exactly one key of a type that is supported.
    pub fn parse_line(line: &str) -> Result<Self, PublicKeyError> {
        let (key_type, rest) = line.trim().split_once([' ', '\t']).ok_or(PublicKeyError::Incomplete)?;
        let rest = rest.trim_start();
        let (base64, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        if base64.len() > MAX_BLOB_LEN.div_ceil(3) * 4 {
            return Err(PublicKeyError::NotBase64);
        }
        let blob = Base64::decode_vec(base64).map_err(|_| PublicKeyError::NotBase64)?;
        let key = Self::from_blob(&blob, comment.trim())?;
        if key.key_type() == key_type { Ok(key) } else { Err(PublicKeyError::TypeMismatch) }
    }

    /// The line, without a line end.
    pub fn to_line(&self) -> String {
        let mut line = format!("{} {}", self.key_type(), Base64::encode_string(&self.blob));
        if !self.comment.is_empty() {
            line.push(' ');
            line.push_str(&self.comment);
        }
        line
    }

    /// The blob.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The comment; may be empty.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Changes the comment.
    pub fn set_comment(&mut self, comment: impl Into<String>) {
        self.comment = comment.into();
    }

    /// The key type's name on the wire, `ssh-ed25519` for example.
    pub fn key_type(&self) -> &'static str {
        match KeyBlob::decode(&self.blob) {
            Ok(KeyBlob::Ecdsa { curve, .. }) => curve.key_type(),
            Ok(KeyBlob::Rsa { .. }) => names::SSH_RSA,
            Ok(KeyBlob::SkEd25519 { .. }) => names::SK_SSH_ED25519,
            Ok(KeyBlob::SkEcdsa { .. }) => names::SK_ECDSA_NISTP256,
            // The constructors let nothing else through.
            Ok(KeyBlob::Ed25519 { .. }) | Err(_) => names::SSH_ED25519,
        }
    }

    /// The short name that `ssh-keygen -l` puts into brackets: `ED25519`, `ECDSA`, `RSA`, `ED25519-SK` or `ECDSA-SK`.
    pub fn type_label(&self) -> &'static str {
        match KeyBlob::decode(&self.blob) {
            Ok(KeyBlob::Ecdsa { .. }) => "ECDSA",
            Ok(KeyBlob::Rsa { .. }) => "RSA",
            Ok(KeyBlob::SkEd25519 { .. }) => "ED25519-SK",
            Ok(KeyBlob::SkEcdsa { .. }) => "ECDSA-SK",
            Ok(KeyBlob::Ed25519 { .. }) | Err(_) => "ED25519",
        }
    }

    /// The size in bits: 256 for Ed25519, the curve's for ECDSA, the modulus's for RSA.
    pub fn bits(&self) -> usize {
        match KeyBlob::decode(&self.blob) {
            Ok(KeyBlob::Ecdsa { curve, .. }) => curve.bits(),
            Ok(KeyBlob::Rsa { n, .. }) => bit_len(n),
            Ok(KeyBlob::Ed25519 { .. } | KeyBlob::SkEd25519 { .. } | KeyBlob::SkEcdsa { .. }) | Err(_) => 256,
        }
    }
}
