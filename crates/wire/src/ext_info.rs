//! EXT_INFO, RFC 8308 §2.3: a counted list of names and values.

use crate::{DecodeError, DecodeErrorKind, Reader, WriteExt, number};

/// The most extensions read (threat T16).
pub const MAX_EXTENSIONS: u32 = 1024;
/// The largest EXT_INFO read, in bytes (threat T16).
pub const MAX_EXT_INFO_BYTES: usize = 16 * 1024;

/// An extension: its name and its value.
pub type Extension<'a> = (&'a [u8], &'a [u8]);

/// Reads the extensions.
///
/// # Errors
/// Too many, too long, or malformed.
pub fn decode(payload: &[u8]) -> Result<Vec<Extension<'_>>, DecodeError> {
    if payload.len() > MAX_EXT_INFO_BYTES {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "EXT_INFO" });
    }
    let mut reader = Reader::new(payload);
    reader.u8("message number")?;
    let count = reader.u32("nr-extensions")?;
    if count > MAX_EXTENSIONS {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "nr-extensions" });
    }
    let mut extensions = Vec::new();
    for _ in 0..count {
        let name = reader.string("extension-name")?;
        extensions.push((name, reader.string("extension-value")?));
    }
    reader.finish()?;
    Ok(extensions)
}

/// Writes the whole message.
pub fn encode(extensions: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = vec![number::EXT_INFO];
    out.put_u32(u32::try_from(extensions.len()).unwrap_or(u32::MAX));
    for (name, value) in extensions {
        out.put_string(name);
        out.put_string(value);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn t16_counts_and_sizes_are_bounded() {
        let bytes = encode(&[("server-sig-algs", b"ssh-ed25519")]);
        assert_eq!(decode(&bytes).unwrap(), vec![(&b"server-sig-algs"[..], &b"ssh-ed25519"[..])]);
        let mut lie = vec![number::EXT_INFO];
        lie.put_u32(u32::MAX);
        assert!(decode(&lie).is_err());
        let mut lie = vec![number::EXT_INFO];
        lie.put_u32(3);
        assert!(decode(&lie).is_err());
        assert!(decode(&encode(&[("a", &[0; MAX_EXT_INFO_BYTES])])).is_err());
    }
}
