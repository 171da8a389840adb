//! Public key blobs as the line formats hold them: base64 whose inner type must be the declared one.

use std::fmt;

use base64ct::{Base64, Encoding};
use nacre_wire::Reader;

/// The longest blob taken, in bytes: room for RSA of 16 kbit and for certificates.
pub const MAX_BLOB: usize = 12 * 1024;

/// Why a key field is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobError {
    /// Not canonical padded base64.
    Base64,
    /// Longer than [`MAX_BLOB`].
    TooLong,
    /// The type inside the blob is not the one in front of it.
    TypeDiffers,
    /// The parts inside are not those of the type.
    Malformed,
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "the key is not base64",
            Self::TooLong => "the key is too long",
            Self::TypeDiffers => "the key is of another type than the line says",
            Self::Malformed => "the key is damaged",
        })
    }
}

impl std::error::Error for BlobError {}

/// Decodes the base64 field of a line and checks it against the type field.
///
/// # Errors
/// It is not a key of that type.
pub fn decode(key_type: &str, base64: &str) -> Result<Vec<u8>, BlobError> {
    if base64.len() > MAX_BLOB.div_ceil(3) * 4 {
        return Err(BlobError::TooLong);
    }
    let blob = Base64::decode_vec(base64).map_err(|_| BlobError::Base64)?;
    let mut reader = Reader::new(&blob);
    let inner = reader.string("key type").map_err(|_| BlobError::Malformed)?;
    if inner != key_type.as_bytes() {
        return Err(BlobError::TypeDiffers);
    }
    match parts(key_type, &mut reader) {
        Some(()) => Ok(blob),
        None => Err(BlobError::Malformed),
    }
}

/// Base64 of a blob, as the line formats write it.
pub fn encode(blob: &[u8]) -> String {
    Base64::encode_string(blob)
}

/// Walks over the parts of a known type (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4, OpenSSH PROTOCOL.u2f). Other
/// types (certificates, newer ones) only have their name checked.
fn parts(key_type: &str, reader: &mut Reader<'_>) -> Option<()> {
    match key_type {
        "ssh-ed25519" => ed25519(reader)?,
        "sk-ssh-ed25519@openssh.com" => {
            ed25519(reader)?;
            reader.text("application").ok()?;
        }
        "ecdsa-sha2-nistp256" => point(reader, "nistp256", 65)?,
        "ecdsa-sha2-nistp384" => point(reader, "nistp384", 97)?,
        "ecdsa-sha2-nistp521" => point(reader, "nistp521", 133)?,
        "sk-ecdsa-sha2-nistp256@openssh.com" => {
            point(reader, "nistp256", 65)?;
            reader.text("application").ok()?;
        }
        "ssh-rsa" => numbers(reader, 2)?,
        "ssh-dss" => numbers(reader, 4)?,
        _ => return Some(()),
    }
    (reader.remaining() == 0).then_some(())
}

fn ed25519(reader: &mut Reader<'_>) -> Option<()> {
    (reader.string("public key").ok()?.len() == 32).then_some(())
}

fn point(reader: &mut Reader<'_>, curve: &str, length: usize) -> Option<()> {
    let named = reader.string("curve").ok()? == curve.as_bytes();
    let point = reader.string("point").ok()?;
    (named && point.len() == length && point.first() == Some(&4)).then_some(())
}

fn numbers(reader: &mut Reader<'_>, count: usize) -> Option<()> {
    for _ in 0..count {
        if reader.mpint("number").ok()?.is_empty() {
            return None;
        }
    }
    Some(())
}
