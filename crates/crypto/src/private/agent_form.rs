//! Private keys as the agent protocol carries them (RFC 9987 §3.2, and with a certificate OpenSSH PROTOCOL.certkeys):
//! key type, the numbers of that type, comment.

use super::error::KeyError;
use super::material::{ED25519_SEED_LEN, Material, RsaParts};
use super::{PrivateKey, openssh};
use crate::blob::{EcCurve, KeyBlob};
use nacre_wire::{Reader, WriteExt};
use zeroize::Zeroizing;

/// The end of every certificate's type.
const CERTIFICATE: &[u8] = b"-cert-v01@openssh.com";

/// The public key inside a certificate of a user or host (OpenSSH PROTOCOL.certkeys), as a blob of its own. Nothing else
/// of the certificate is looked at: not who signed it, nor whether it holds.
///
/// # Errors
/// The blob is no certificate of a key type that is supported.
pub fn certified_key(certificate: &[u8]) -> Result<Vec<u8>, KeyError> {
    let key = nacre_proto::certificate::split(certificate)?.key;
    KeyBlob::decode(&key)?;
    Ok(key)
}

/// Reads a key, and the certificate that came with it.
pub(super) fn read(form: &[u8]) -> Result<(PrivateKey, Option<Vec<u8>>), KeyError> {
    let mut reader = Reader::new(form);
    let certified = reader.string("key type")?.ends_with(CERTIFICATE);
    let (material, certificate) = if certified {
        let certificate = reader.string("certificate")?;
        (certified_material(&mut reader, certificate)?, Some(certificate.to_vec()))
    } else {
        reader = Reader::new(form);
        (openssh::read_material(&mut reader)?, None)
    };
    let comment = String::from_utf8_lossy(reader.string("comment")?).into_owned();
    reader.finish()?;
    Ok((PrivateKey::new(material, comment), certificate))
}

/// The secret numbers that follow a certificate; the public ones stand in it.
fn certified_material(reader: &mut Reader<'_>, certificate: &[u8]) -> Result<Material, KeyError> {
    let blob = certified_key(certificate)?;
    match KeyBlob::decode(&blob)? {
        KeyBlob::Ed25519 { public } => {
            let again = reader.string("public key")?;
            let both = reader.string("private key")?;
            let (seed, third) = both.split_at_checked(ED25519_SEED_LEN).ok_or(KeyError::Malformed("private key"))?;
            if again != public || third != public {
                return Err(KeyError::Malformed("public key"));
            }
            Material::ed25519(seed, Some(public))
        }
        KeyBlob::Ecdsa { curve, point } => ecdsa(reader, curve, point),
        KeyBlob::Rsa { e, n } => {
            let d = Zeroizing::new(reader.mpint("private exponent")?.to_vec());
            let iqmp = Zeroizing::new(reader.mpint("coefficient")?.to_vec());
            let p = Zeroizing::new(reader.mpint("first prime")?.to_vec());
            let q = Zeroizing::new(reader.mpint("second prime")?.to_vec());
            Material::rsa(RsaParts { n: n.to_vec(), e: e.to_vec(), d, p, q, iqmp })
        }
        KeyBlob::SkEd25519 { .. } | KeyBlob::SkEcdsa { .. } => {
            Err(KeyError::Unsupported("a key inside a security key".to_owned()))
        }
    }
}

fn ecdsa(reader: &mut Reader<'_>, curve: EcCurve, point: &[u8]) -> Result<Material, KeyError> {
    Material::ecdsa(curve, reader.mpint("scalar")?, Some(point))
}

/// Writes a key with its certificate.
pub(super) fn write_certified(key: &PrivateKey, certificate: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if certified_key(certificate)? != key.blob {
        return Err(KeyError::Malformed("certificate (it is not the private key's)"));
    }
    let certificate_type = Reader::new(certificate).string("key type")?;
    // All of the room at once: a vector that grows leaves copies of the secret behind.
    let mut out = Zeroizing::new(Vec::with_capacity(8 * 1024 + key.comment.len() + 2 * certificate.len()));
    out.put_string(certificate_type);
    out.put_string(certificate);
    match &key.material {
        Material::Ed25519 { pair, seed } => {
            let public = aws_lc_rs::signature::KeyPair::public_key(pair).as_ref();
            out.put_string(public);
            out.put_string(Zeroizing::new([seed.as_slice(), public].concat()).as_slice());
        }
        Material::Ecdsa { scalar, .. } => out.put_mpint(scalar),
        Material::Rsa { parts, .. } => {
            for number in [&*parts.d, &*parts.iqmp, &*parts.p, &*parts.q] {
                out.put_mpint(number);
            }
        }
    }
    out.put_string(&key.comment);
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::private::KeyKind;

    fn keys() -> Vec<PrivateKey> {
        let sizes = [
            (KeyKind::Ed25519, None),
            (KeyKind::Ecdsa, Some(256)),
            (KeyKind::Ecdsa, Some(521)),
            (KeyKind::Rsa, Some(2048)),
        ];
        let make = |(kind, bits)| {
            let mut key = PrivateKey::generate(kind, bits).unwrap();
            key.set_comment("me@here");
            key
        };
        sizes.into_iter().map(make).collect()
    }

    /// As far as it is read here: type, nonce, public key, and then whatever.
    fn certificate(key: &PrivateKey) -> Vec<u8> {
        let mut fields = Reader::new(key.public_blob());
        let key_type = fields.string("type").unwrap();
        let mut out = Vec::new();
        out.put_string([key_type, CERTIFICATE].concat());
        out.put_string(b"nonce");
        out.extend_from_slice(fields.rest());
        out.extend_from_slice(b"serial and so on");
        out
    }

    #[test]
    fn what_is_written_is_read() {
        for key in keys() {
            let (read, none) = PrivateKey::read_agent_form(&key.dangerous_agent_form()).unwrap();
            assert_eq!((read.public_blob(), read.comment(), none), (key.public_blob(), "me@here", None));
            let certificate = certificate(&key);
            assert_eq!(certified_key(&certificate).unwrap(), key.public_blob());
            let form = key.dangerous_agent_form_certified(&certificate).unwrap();
            let (read, also) = PrivateKey::read_agent_form(&form).unwrap();
            assert_eq!((read.public_blob(), read.comment(), also), (key.public_blob(), "me@here", Some(certificate)));
        }
    }

    #[test]
    fn g04_cut_bent_and_mixed_forms_are_refused_and_never_panic() {
        let keys = keys();
        for key in &keys {
            for form in [key.dangerous_agent_form(), key.dangerous_agent_form_certified(&certificate(key)).unwrap()] {
                for cut in (0..form.len()).step_by(7) {
                    assert!(PrivateKey::read_agent_form(form.get(..cut).unwrap()).is_err());
                }
                for place in (0..form.len()).step_by(11) {
                    let mut bent = form.clone();
                    *bent.get_mut(place).unwrap() ^= 0x41;
                    let _ = PrivateKey::read_agent_form(&bent);
                }
            }
        }
        let certificate = certificate(keys.first().unwrap());
        assert!(keys.get(1).unwrap().dangerous_agent_form_certified(&certificate).is_err(), "another key's");
    }
}
