//! The outside of certificates (OpenSSH PROTOCOL.certkeys): enough to know which key signs. Whether a certificate is
//! worth anything is judged by whoever owns the connection.

use crate::algorithm::SignatureAlgorithm;
use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt, names};
use std::borrow::Cow;

/// A certificate taken apart as far as its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateHead<'a> {
    /// The certificate's type, `ssh-ed25519-cert-v01@openssh.com` for example.
    pub key_type: &'static str,
    /// What the CA put in so that nobody can choose what it signs.
    pub nonce: &'a [u8],
    /// The key inside, as a plain blob (RFC 4253 §6.6). Its numbers are not examined here.
    pub key: Vec<u8>,
    /// Everything after the key, from the serial number on.
    pub rest: &'a [u8],
}

/// Reads a certificate as far as its key.
///
/// # Errors
/// It is not a certificate of a type that is known, or ends too early.
pub fn split(blob: &[u8]) -> Result<CertificateHead<'_>, DecodeError> {
    let mut reader = Reader::new(blob);
    let found = reader.string("certificate type")?;
    let algorithm = SignatureAlgorithm::certifying().find(|a| a.key_type().as_bytes() == found);
    let Some(algorithm) = algorithm else {
        return Err(DecodeError { kind: DecodeErrorKind::BadValue, field: "certificate type" });
    };
    let nonce = reader.string("nonce")?;
    let mut key = Vec::new();
    let plain_type = algorithm.plain().key_type();
    key.put_string(plain_type);
    match plain_type {
        names::SSH_RSA => {
            key.put_mpint(reader.mpint("exponent")?);
            key.put_mpint(reader.mpint("modulus")?);
        }
        names::SSH_ED25519 => key.put_string(reader.string("public key")?),
        names::SK_SSH_ED25519 => {
            key.put_string(reader.string("public key")?);
            key.put_string(reader.string("application")?);
        }
        names::SK_ECDSA_NISTP256 => {
            key.put_string(reader.string("curve")?);
            key.put_string(reader.string("point")?);
            key.put_string(reader.string("application")?);
        }
        _ => {
            key.put_string(reader.string("curve")?);
            key.put_string(reader.string("point")?);
        }
    }
    Ok(CertificateHead { key_type: algorithm.key_type(), nonce, key, rest: reader.rest() })
}

/// The plain key of a blob: the key inside a certificate, and anything else as it is. Two blobs with the same one are
/// signed for by the same private key.
pub fn plain_key(blob: &[u8]) -> Cow<'_, [u8]> {
    split(blob).map_or(Cow::Borrowed(blob), |head| Cow::Owned(head.key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_key_inside_is_found_and_other_blobs_stay() {
        let mut certificate = Vec::new();
        certificate.put_string(names::SSH_RSA_CERT);
        certificate.put_string([7; 32]);
        certificate.put_mpint(&[1, 0, 1]);
        certificate.put_mpint(&[0x80, 5]);
        certificate.put_u64(9);
        let mut key = Vec::new();
        key.put_string(names::SSH_RSA);
        key.put_mpint(&[1, 0, 1]);
        key.put_mpint(&[0x80, 5]);
        let head = split(&certificate).unwrap();
        assert_eq!((head.key_type, head.rest), (names::SSH_RSA_CERT, &9u64.to_be_bytes()[..]));
        assert_eq!(plain_key(&certificate), key);
        assert_eq!(plain_key(&key), key);
        for cut in 0..certificate.len() - 8 {
            let part = certificate.get(..cut).unwrap();
            assert!(split(part).is_err(), "{cut}");
            assert_eq!(plain_key(part), part);
        }
    }
}
