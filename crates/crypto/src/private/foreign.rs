//! Writing private keys in the forms of other programs: PKCS#8 (RFC 5958), PKCS#1 and SEC 1.

use super::der::{OID_EC, OID_P256, OID_P384, OID_P521, OID_RSA};
use super::error::KeyError;
use super::material::{Material, RsaParts, Secret, reduce};
use super::{PrivateKey, pem};
use crate::blob::EcCurve;
use crate::provider::random_bytes;
use ::sec1::{EcParameters, EcPrivateKey};
use aws_lc_rs::signature::KeyPair;
use pkcs1::RsaPrivateKeyRef;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::Encode;
use pkcs8::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef};
use pkcs8::pkcs5::pbes2;
use pkcs8::spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

/// Characters of a line.
const WIDTH: usize = 64;
/// PBKDF2 iterations that each guess at a passphrase costs.
const ITERATIONS: u32 = 600_000;

impl PrivateKey {
    /// The key as `RSA PRIVATE KEY` or `EC PRIVATE KEY`, not encrypted: these forms protect a passphrase badly, so they
    /// are not written with one.
    ///
    /// # Errors
    /// The key is of another type, or a primitive failed.
    pub fn write_traditional(&self) -> Result<Zeroizing<String>, KeyError> {
        match &self.material {
            Material::Rsa { parts, .. } => Ok(pem::write("RSA PRIVATE KEY", &rsa(parts)?, WIDTH)),
            Material::Ecdsa { curve, pair, scalar } => {
                let body = ec(scalar, pair.public_key().as_ref(), Some(oid(*curve)))?;
                Ok(pem::write("EC PRIVATE KEY", &body, WIDTH))
            }
            Material::Ed25519 { .. } => Err(only_openssh()),
        }
    }

    /// The key as `PRIVATE KEY`, or with a passphrase as `ENCRYPTED PRIVATE KEY` (PBES2 with AES-256).
    ///
    /// # Errors
    /// The key is of another type, or a primitive failed.
    pub fn write_pkcs8(&self, passphrase: Option<&[u8]>) -> Result<Zeroizing<String>, KeyError> {
        let (algorithm, curve, secret) = match &self.material {
            Material::Rsa { parts, .. } => (OID_RSA, None, rsa(parts)?),
            Material::Ecdsa { curve, pair, scalar } => {
                (OID_EC, Some(oid(*curve)), ec(scalar, pair.public_key().as_ref(), None)?)
            }
            Material::Ed25519 { .. } => return Err(only_openssh()),
        };
        let parameters = Some(curve.as_ref().map_or(AnyRef::NULL, AnyRef::from));
        let secret = OctetStringRef::new(&secret).map_err(failed)?;
        let info = PrivateKeyInfoRef::new(AlgorithmIdentifierRef { oid: algorithm, parameters }, secret);
        let Some(passphrase) = passphrase else {
            let plain = Zeroizing::new(info.to_der().map_err(failed)?);
            return Ok(pem::write("PRIVATE KEY", &plain, WIDTH));
        };
        let salt = random_bytes::<16>().map_err(failed)?;
        let iv = random_bytes::<16>().map_err(failed)?;
        let way = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv).map_err(failed)?;
        let sealed = info.encrypt_with_params(way, passphrase).map_err(failed)?;
        Ok(pem::write("ENCRYPTED PRIVATE KEY", sealed.as_bytes(), WIDTH))
    }
}

fn only_openssh() -> KeyError {
    KeyError::Unsupported("an Ed25519 key in another form than OpenSSH's".to_owned())
}

fn failed<E>(_: E) -> KeyError {
    KeyError::Failed
}

fn oid(curve: EcCurve) -> ObjectIdentifier {
    match curve {
        EcCurve::P256 => OID_P256,
        EcCurve::P384 => OID_P384,
        EcCurve::P521 => OID_P521,
    }
}

fn rsa(parts: &RsaParts) -> Result<Secret, KeyError> {
    let (dp, dq) = (reduce(&parts.d, &parts.p)?, reduce(&parts.d, &parts.q)?);
    let key = RsaPrivateKeyRef {
        modulus: UintRef::new(&parts.n).map_err(failed)?,
        public_exponent: UintRef::new(&parts.e).map_err(failed)?,
        private_exponent: UintRef::new(&parts.d).map_err(failed)?,
        prime1: UintRef::new(&parts.p).map_err(failed)?,
        prime2: UintRef::new(&parts.q).map_err(failed)?,
        exponent1: UintRef::new(&dp).map_err(failed)?,
        exponent2: UintRef::new(&dq).map_err(failed)?,
        coefficient: UintRef::new(&parts.iqmp).map_err(failed)?,
        other_prime_infos: None,
    };
    key.to_der().map(Zeroizing::new).map_err(failed)
}

fn ec(scalar: &[u8], point: &[u8], curve: Option<ObjectIdentifier>) -> Result<Secret, KeyError> {
    let parameters = curve.map(EcParameters::NamedCurve);
    let key = EcPrivateKey { private_key: scalar, parameters, public_key: Some(point) };
    key.to_der().map(Zeroizing::new).map_err(failed)
}
