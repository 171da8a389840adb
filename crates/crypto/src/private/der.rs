//! Keys in ASN.1: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 appendix A.1.2) and SEC 1 (RFC 5915), with
//! PBES2 (RFC 8018 §6.2) and the older encryption that OpenSSL puts into PEM headers.

use super::error::KeyError;
use super::material::{Material, RsaParts, Secret};
use super::openssh_cipher::aes_key;
use super::pem::Pem;
use crate::blob::EcCurve;
use aws_lc_rs::cipher::{DecryptionContext, PaddedBlockDecryptingKey};
use aws_lc_rs::iv::FixedLength;
use md5::{Digest, Md5};
use pkcs8::der::Decode;
use pkcs8::der::asn1::{ObjectIdentifier, OctetStringRef};
use pkcs8::pkcs5::{EncryptionScheme, pbes2::Kdf};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

pub(super) const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(super) const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const OID_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(super) const OID_P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

const PKCS8_STRUCTURE: &str = "PKCS#8 structure";
const PKCS1_STRUCTURE: &str = "PKCS#1 structure";
const SEC1_STRUCTURE: &str = "SEC 1 structure";

/// Most PBKDF2 iterations that a file may ask for (threat K1): a few seconds' worth.
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;

/// Most memory that a file's scrypt may take, in bytes, and most passes over it.
const MAX_SCRYPT_MEMORY: u64 = 256 * 1024 * 1024;
const MAX_SCRYPT_PARALLELIZATION: u16 = 16;

/// Reads a `PrivateKeyInfo`.
pub(super) fn pkcs8(body: &[u8]) -> Result<Material, KeyError> {
    let info = PrivateKeyInfoRef::from_der(body).map_err(|_| KeyError::Malformed(PKCS8_STRUCTURE))?;
    let secret = info.private_key.as_bytes();
    match info.algorithm.oid {
        OID_RSA => pkcs1(secret),
        OID_EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| KeyError::Malformed("curve"))?;
            sec1_on(Some(curve_of(curve)?), secret)
        }
        OID_ED25519 => {
            let seed = <&OctetStringRef>::from_der(secret).map_err(|_| KeyError::Malformed("Ed25519 seed"))?;
            let public = info.public_key.map(|bits| bits.as_bytes().ok_or(KeyError::Malformed("public key")));
            Material::ed25519(seed.as_bytes(), public.transpose()?)
        }
        other => Err(KeyError::Unsupported(format!("PKCS#8 key of type {other}"))),
    }
}

/// Reads an `EncryptedPrivateKeyInfo`.
pub(super) fn encrypted_pkcs8(body: &[u8], passphrase: Option<&[u8]>) -> Result<Material, KeyError> {
    let info = EncryptedPrivateKeyInfoRef::from_der(body).map_err(|_| {
        KeyError::Unsupported("PKCS#8 encryption other than PBES2 with AES (`openssl pkcs8 -topk8 -v2 aes256`)".into())
    })?;
    check_cost(&info.encryption_algorithm)?;
    let passphrase = passphrase.ok_or(KeyError::NeedsPassphrase)?;
    let plain = info.decrypt(passphrase).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { oid }) => {
            KeyError::Unsupported(format!("PKCS#8 encryption {oid}"))
        }
        _ => KeyError::WrongPassphrase,
    })?;
    pkcs8(plain.as_bytes()).map_err(noise)
}

/// One wrong passphrase in 256 survives the check of the padding and gives noise, which is then not
/// even a structure.
fn noise(error: KeyError) -> KeyError {
    match error {
        KeyError::Malformed(PKCS8_STRUCTURE | PKCS1_STRUCTURE | SEC1_STRUCTURE) => KeyError::WrongPassphrase,
        other => other,
    }
}

/// Bounds what the derivation may cost, before it runs (threat K1).
fn check_cost(scheme: &EncryptionScheme) -> Result<(), KeyError> {
    let Some(parameters) = scheme.pbes2() else {
        return Err(KeyError::Unsupported("PKCS#8 encryption under PBES1".into()));
    };
    match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count <= MAX_PBKDF2_ITERATIONS => Ok(()),
        Kdf::Pbkdf2(pbkdf2) => Err(KeyError::Unsupported(format!("PBKDF2 with {} iterations", pbkdf2.iteration_count))),
        Kdf::Scrypt(scrypt) => {
            let memory = scrypt.cost_parameter.checked_mul(128 * u64::from(scrypt.block_size));
            let fits = memory.is_some_and(|bytes| bytes <= MAX_SCRYPT_MEMORY)
                && scrypt.parallelization <= MAX_SCRYPT_PARALLELIZATION;
            if fits { Ok(()) } else { Err(KeyError::Unsupported("scrypt with parameters this large".into())) }
        }
        _ => Err(KeyError::Unsupported("PKCS#8 key derivation".into())),
    }
}

/// Reads an `RSAPrivateKey`.
pub(super) fn pkcs1(body: &[u8]) -> Result<Material, KeyError> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(body).map_err(|_| KeyError::Malformed(PKCS1_STRUCTURE))?;
    if key.other_prime_infos.is_some() {
        return Err(KeyError::Unsupported("RSA with more than two primes".into()));
    }
    Material::rsa(RsaParts {
        n: key.modulus.as_bytes().to_vec(),
        e: key.public_exponent.as_bytes().to_vec(),
        d: Zeroizing::new(key.private_exponent.as_bytes().to_vec()),
        p: Zeroizing::new(key.prime1.as_bytes().to_vec()),
        q: Zeroizing::new(key.prime2.as_bytes().to_vec()),
        iqmp: Zeroizing::new(key.coefficient.as_bytes().to_vec()),
    })
}

/// Reads an `ECPrivateKey` that names its own curve.
pub(super) fn sec1(body: &[u8]) -> Result<Material, KeyError> {
    sec1_on(None, body)
}

fn sec1_on(outer: Option<EcCurve>, body: &[u8]) -> Result<Material, KeyError> {
    let key = ::sec1::EcPrivateKey::from_der(body).map_err(|_| KeyError::Malformed(SEC1_STRUCTURE))?;
    let inner = key.parameters.and_then(::sec1::EcParameters::named_curve).map(curve_of).transpose()?;
    let curve = match (outer, inner) {
        (Some(outer), Some(inner)) if outer != inner => return Err(KeyError::Malformed("curve")),
        (Some(curve), _) | (None, Some(curve)) => curve,
        (None, None) => return Err(KeyError::Malformed("curve")),
    };
    Material::ecdsa(curve, key.private_key, key.public_key)
}

fn curve_of(oid: ObjectIdentifier) -> Result<EcCurve, KeyError> {
    match oid {
        OID_P256 => Ok(EcCurve::P256),
        OID_P384 => Ok(EcCurve::P384),
        OID_P521 => Ok(EcCurve::P521),
        other => Err(KeyError::Unsupported(format!("curve {other}"))),
    }
}

/// Reads a body that may be encrypted the way OpenSSL's PEM headers say.
pub(super) fn legacy(
    pem: &Pem<'_>,
    passphrase: Option<&[u8]>,
    read: fn(&[u8]) -> Result<Material, KeyError>,
) -> Result<Material, KeyError> {
    let Some(dek_info) = pem.dek_info else {
        return read(&pem.body);
    };
    let (key_len, iv) = parse_dek_info(dek_info)?;
    let passphrase = passphrase.ok_or(KeyError::NeedsPassphrase)?;
    let key = derive_legacy_key(passphrase, &iv, key_len);
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(aes_key(&key)?).map_err(|_| KeyError::Failed)?;
    let mut body = pem.body.clone();
    let plain = key
        .decrypt(&mut body, DecryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| KeyError::WrongPassphrase)?;
    read(plain).map_err(noise)
}

/// `AES-128-CBC,<32 hexadecimal digits>`: bytes of key, and the IV.
fn parse_dek_info(value: &str) -> Result<(usize, [u8; 16]), KeyError> {
    let (cipher, iv) = value.split_once(',').ok_or(KeyError::Malformed("encryption header"))?;
    let key_len = match cipher {
        "AES-128-CBC" => 16,
        "AES-192-CBC" => 24,
        "AES-256-CBC" => 32,
        other => {
            let name = nacre_wire::text::clean(other.as_bytes(), 64);
            return Err(KeyError::Unsupported(format!("cipher {name} (`ssh-keygen -p -f FILE` changes it)")));
        }
    };
    let mut bytes = [0; 16];
    if iv.len() != 2 * bytes.len() || !iv.is_ascii() {
        return Err(KeyError::Malformed("encryption header"));
    }
    for (byte, digits) in bytes.iter_mut().zip(iv.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| KeyError::Malformed("encryption header"))?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| KeyError::Malformed("encryption header"))?;
    }
    Ok((key_len, bytes))
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one iteration; the salt is the IV's first 8 bytes. It is
/// weak, which is why it is only ever read.
fn derive_legacy_key(passphrase: &[u8], iv: &[u8; 16], key_len: usize) -> Secret {
    let salt = iv.first_chunk::<8>().map_or(&[][..], |salt| salt.as_slice());
    let mut key = Zeroizing::new(Vec::with_capacity(key_len + 16));
    let mut block = Zeroizing::new(Vec::new());
    while key.len() < key_len {
        let mut md5 = Md5::new();
        md5.update(block.as_slice());
        md5.update(passphrase);
        md5.update(salt);
        *block = md5.finalize().to_vec();
        key.extend_from_slice(&block);
    }
    key.truncate(key_len);
    key
}
