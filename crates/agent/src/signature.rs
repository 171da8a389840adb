//! A signature as the agent gives it, that comes out only for the algorithm it was asked for.

use crate::error::AgentError;
use nacre_wire::{DecodeError, DecodeErrorKind, Reader, text};
use std::borrow::Cow;

/// The longest name of an algorithm, in bytes (RFC 4251 §6).
const MAX_NAME: usize = 64;

/// A signature blob: `string` algorithm, `string` signature, and for security keys what
/// OpenSSH PROTOCOL.u2f adds (RFC 4253 §6.6).
///
/// It is not verified here, but its own word on its algorithm is compared in
/// [`Signature::into_blob`]: agents that do not know the flags of a request sign with SHA-1 instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    algorithm: String,
    blob: Vec<u8>,
}

impl Signature {
    /// Reads the algorithm and checks the blob's shape.
    ///
    /// # Errors
    /// The name is not 1 to 64 printable US-ASCII bytes, or no signature follows it.
    pub fn decode(blob: &[u8]) -> Result<Self, DecodeError> {
        let bad = |kind, field| DecodeError { kind, field };
        let mut reader = Reader::new(blob);
        let name = reader.text("signature algorithm")?;
        if name.len() > MAX_NAME {
            return Err(bad(DecodeErrorKind::TooLong, "signature algorithm"));
        }
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad(DecodeErrorKind::BadValue, "signature algorithm"));
        }
        if reader.string("signature")?.is_empty() {
            return Err(bad(DecodeErrorKind::BadValue, "signature"));
        }
        Ok(Self { algorithm: name.to_owned(), blob: blob.to_vec() })
    }

    /// The algorithm that the signature says it was made with.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The whole blob, as user authentication sends it (RFC 4252 §7). `algorithm` is the public key
    /// algorithm asked for; the name of a certificate stands for that of its key.
    ///
    /// # Errors
    /// [`AgentError::WrongAlgorithm`].
    pub fn into_blob(self, algorithm: &str) -> Result<Vec<u8>, AgentError> {
        let wanted = plain_algorithm(algorithm);
        if self.algorithm == wanted {
            return Ok(self.blob);
        }
        Err(AgentError::WrongAlgorithm { wanted: text::clean_line(wanted.as_bytes(), MAX_NAME), got: self.algorithm })
    }
}

/// The signature algorithm of a certificate's algorithm: its key's (OpenSSH PROTOCOL.certkeys).
fn plain_algorithm(algorithm: &str) -> Cow<'_, str> {
    match algorithm.strip_suffix("-cert-v01@openssh.com") {
        Some(plain) if plain.starts_with("sk-") => Cow::Owned(format!("{plain}@openssh.com")),
        Some(plain) => Cow::Borrowed(plain),
        None => Cow::Borrowed(algorithm),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nacre_wire::WriteExt;

    fn blob(algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut blob = Vec::new();
        blob.put_string(algorithm);
        blob.put_string(signature);
        blob
    }

    #[test]
    fn a_signature_by_sha1_is_not_taken_for_sha2() {
        let made = Signature::decode(&blob(b"ssh-rsa", b"s")).unwrap();
        let error = made.into_blob("rsa-sha2-512").unwrap_err();
        assert_eq!(error, AgentError::WrongAlgorithm { wanted: "rsa-sha2-512".into(), got: "ssh-rsa".into() });
    }

    #[test]
    fn a_certificate_signs_with_its_keys_algorithm() {
        for (asked, made) in [
            ("rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-256"),
            ("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"),
            ("sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com"),
            ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
        ] {
            let bytes = blob(made.as_bytes(), b"s");
            assert_eq!(Signature::decode(&bytes).unwrap().into_blob(asked).unwrap(), bytes);
        }
    }

    #[test]
    fn a_security_keys_flags_and_counter_stay_in_the_blob() {
        let mut bytes = blob(b"sk-ssh-ed25519@openssh.com", b"s");
        bytes.extend_from_slice(&[1, 0, 0, 0, 9]);
        assert_eq!(Signature::decode(&bytes).unwrap().into_blob("sk-ssh-ed25519@openssh.com").unwrap(), bytes);
    }

    #[test]
    fn a_blob_of_another_shape_is_refused() {
        for bad in [&b""[..], &[0, 0, 0, 9, b'a'], &blob(b"", b"s"), &blob(b"a", b""), &blob(b"a\x1b[2J", b"s")] {
            assert!(Signature::decode(bad).is_err(), "{bad:?}");
        }
        assert!(Signature::decode(&blob(&[b'a'; 65], b"s")).is_err());
        assert!(Signature::decode(&blob(&[b'a'; 64], b"s")).is_ok());
    }
}
