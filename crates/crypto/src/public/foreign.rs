//! Public keys as other programs write them: RFC 4716, `PUBLIC KEY` (RFC 5280 §4.1), `RSA PUBLIC KEY` (RFC 8017 §A.1.1).

use super::{MAX_BLOB_LEN, PublicKey};
use crate::blob::{EcCurve, KeyBlob};
use base64ct::{Base64, Encoding};
use pkcs1::RsaPublicKeyRef;
use pkcs8::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use pkcs8::der::{Decode, Encode};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const CURVES: [(EcCurve, ObjectIdentifier); 3] = [
    (EcCurve::P256, ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7")),
    (EcCurve::P384, ObjectIdentifier::new_unwrap("1.3.132.0.34")),
    (EcCurve::P521, ObjectIdentifier::new_unwrap("1.3.132.0.35")),
];

const SSH2_BEGIN: &str = "---- BEGIN SSH2 PUBLIC KEY ----";
const SSH2_END: &str = "---- END SSH2 PUBLIC KEY ----";
/// Characters of a line in RFC 4716 files, and in PEM.
const SSH2_WIDTH: usize = 70;
const PEM_WIDTH: usize = 64;
/// The longest file that is looked at, in bytes.
const MAX_FILE: usize = 128 * 1024;

/// Why a key is not to be had in that form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignKeyError {
    /// The file has no such armour, or what it holds is not Base64.
    Armour,
    /// What it holds is not a key.
    Malformed,
    /// The form has no such keys.
    Unsupported,
}

impl std::fmt::Display for ForeignKeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Armour => "not a key in this form: no BEGIN and END with Base64 between them",
            Self::Malformed => "not a key in this form, or damaged",
            Self::Unsupported => "keys of this type have no such form here",
        })
    }
}

impl std::error::Error for ForeignKeyError {}

/// Any key or certificate as RFC 4716 has it. The comment goes between quotes.
pub fn write_rfc4716(blob: &[u8], comment: &str) -> String {
    let head = format!("{SSH2_BEGIN}\nComment: \"{comment}\"\n");
    format!("{head}{}{SSH2_END}\n", lines(&Base64::encode_string(blob), SSH2_WIDTH))
}

impl PublicKey {
    /// Reads an RFC 4716 file. The comment is left out.
    ///
    /// # Errors
    /// It does not hold exactly one key of a type that is supported.
    pub fn read_rfc4716(file: &[u8]) -> Result<Self, ForeignKeyError> {
        let mut lines = text(file)?.lines().map(str::trim_end).skip_while(|line| *line != SSH2_BEGIN).skip(1);
        let mut base64 = String::new();
        let mut in_header = false;
        loop {
            match lines.next() {
                Some(SSH2_END) => break,
                // A header ends with a line that no backslash continues.
                Some(line) if in_header || line.contains(':') => in_header = line.ends_with('\\'),
                Some(line) => base64.push_str(line.trim()),
                None => return Err(ForeignKeyError::Armour),
            }
        }
        let blob = decoded(&base64)?;
        Self::from_blob(&blob, "").map_err(|_| ForeignKeyError::Malformed)
    }

    /// The key as `PUBLIC KEY`. Ed25519 is written as RFC 8410 says.
    ///
    /// # Errors
    /// Security keys have no such form.
    pub fn write_spki(&self) -> Result<String, ForeignKeyError> {
        let der = match KeyBlob::decode(&self.blob) {
            Ok(KeyBlob::Rsa { e, n }) => spki(OID_RSA, Some(AnyRef::NULL), &pkcs1(e, n)?)?,
            Ok(KeyBlob::Ecdsa { curve, point }) => {
                let (_, oid) = CURVES.iter().find(|(known, _)| *known == curve).ok_or(ForeignKeyError::Unsupported)?;
                spki(OID_EC, Some(oid.into()), point)?
            }
            Ok(KeyBlob::Ed25519 { public }) => spki(OID_ED25519, None, public)?,
            _ => return Err(ForeignKeyError::Unsupported),
        };
        Ok(pem("PUBLIC KEY", &der))
    }

    /// Reads a `PUBLIC KEY`.
    ///
    /// # Errors
    /// It does not hold exactly one key of a type that is supported.
    pub fn read_spki(file: &[u8]) -> Result<Self, ForeignKeyError> {
        let der = read_pem(file, "PUBLIC KEY")?;
        let info = SubjectPublicKeyInfoRef::from_der(&der).map_err(|_| ForeignKeyError::Malformed)?;
        let key = info.subject_public_key.as_bytes().ok_or(ForeignKeyError::Malformed)?;
        match info.algorithm.oid {
            OID_RSA => rsa(key),
            OID_EC => {
                let oid = info.algorithm.parameters_oid().map_err(|_| ForeignKeyError::Malformed)?;
                let (curve, _) = CURVES.iter().find(|(_, known)| *known == oid).ok_or(ForeignKeyError::Unsupported)?;
                checked(&KeyBlob::Ecdsa { curve: *curve, point: key })
            }
            OID_ED25519 => checked(&KeyBlob::Ed25519 { public: key }),
            _ => Err(ForeignKeyError::Unsupported),
        }
    }

    /// The key as `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// It is no RSA key.
    pub fn write_pkcs1(&self) -> Result<String, ForeignKeyError> {
        match KeyBlob::decode(&self.blob) {
            Ok(KeyBlob::Rsa { e, n }) => Ok(pem("RSA PUBLIC KEY", &pkcs1(e, n)?)),
            _ => Err(ForeignKeyError::Unsupported),
        }
    }

    /// Reads an `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// It does not hold exactly one RSA key.
    pub fn read_pkcs1(file: &[u8]) -> Result<Self, ForeignKeyError> {
        rsa(&read_pem(file, "RSA PUBLIC KEY")?)
    }
}

fn spki(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Vec<u8>, ForeignKeyError> {
    let subject_public_key = BitStringRef::new(0, key).map_err(|_| ForeignKeyError::Malformed)?;
    let info = SubjectPublicKeyInfoRef { algorithm: AlgorithmIdentifierRef { oid, parameters }, subject_public_key };
    info.to_der().map_err(|_| ForeignKeyError::Malformed)
}

fn pkcs1(e: &[u8], n: &[u8]) -> Result<Vec<u8>, ForeignKeyError> {
    let number = |bytes| UintRef::new(bytes).map_err(|_| ForeignKeyError::Malformed);
    let key = RsaPublicKeyRef { modulus: number(n)?, public_exponent: number(e)? };
    key.to_der().map_err(|_| ForeignKeyError::Malformed)
}

fn rsa(der: &[u8]) -> Result<PublicKey, ForeignKeyError> {
    let key = RsaPublicKeyRef::from_der(der).map_err(|_| ForeignKeyError::Malformed)?;
    checked(&KeyBlob::Rsa { e: key.public_exponent.as_bytes(), n: key.modulus.as_bytes() })
}

/// What other programs wrote has to pass what a blob off the wire has to.
fn checked(key: &KeyBlob<'_>) -> Result<PublicKey, ForeignKeyError> {
    PublicKey::from_blob(&key.encode(), "").map_err(|_| ForeignKeyError::Malformed)
}

fn lines(base64: &str, width: usize) -> String {
    let mut out = String::new();
    let mut rest = base64;
    while !rest.is_empty() {
        let (line, tail) = rest.split_at_checked(width).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}-----END {label}-----\n", lines(&Base64::encode_string(der), PEM_WIDTH))
}

fn read_pem(file: &[u8], label: &str) -> Result<Vec<u8>, ForeignKeyError> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let lines = text(file)?.lines().map(str::trim_end);
    let mut inside = lines.skip_while(|line| *line != begin).skip(1);
    let mut base64 = String::new();
    loop {
        match inside.next() {
            Some(line) if line == end => return decoded(&base64),
            Some(line) => base64.push_str(line),
            None => return Err(ForeignKeyError::Armour),
        }
    }
}

fn text(file: &[u8]) -> Result<&str, ForeignKeyError> {
    std::str::from_utf8(file.get(..MAX_FILE).unwrap_or(file)).map_err(|_| ForeignKeyError::Armour)
}

fn decoded(base64: &str) -> Result<Vec<u8>, ForeignKeyError> {
    if base64.len() > MAX_BLOB_LEN.div_ceil(3) * 4 {
        return Err(ForeignKeyError::Armour);
    }
    Base64::decode_vec(base64).map_err(|_| ForeignKeyError::Armour)
}
