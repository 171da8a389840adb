//! OpenSSH certificates (PROTOCOL.certkeys): a key, whose it is and what it may do, signed by a CA.

mod error;
mod judge;
mod make;
mod options;

pub use error::{CertificateError, CertificateRefusal};
pub use make::{CertificateRequest, FOREVER, NewOption};
pub use options::UserLimits;

use crate::blob::KeyBlob;
use crate::provider::RSA_FLOOR_BITS;
use crate::public::PublicKey;
use crate::verify;
use base64ct::{Base64, Encoding};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate::split;
use nacre_wire::text::clean_line;
use nacre_wire::{DecodeError, DecodeErrorKind, Reader};

/// The longest certificate that is decoded, in bytes.
const MAX_LEN: usize = 64 * 1024;
/// The most names in a certificate, as OpenSSH has it (threat P22).
const MAX_PRINCIPALS: usize = 256;
/// The most critical options, and the most extensions.
const MAX_OPTIONS: usize = 256;
/// The longest key identity that is shown, in bytes.
const MAX_SHOWN: usize = 1024;

/// For whom a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateKind {
    /// Somebody who logs in; 1 on the wire.
    User,
    /// A server; 2 on the wire.
    Host,
}

impl std::fmt::Display for CertificateKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Host => "host",
        })
    }
}

/// A critical option or an extension. Its data is as it stands in the certificate: mostly empty, or one string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateOption {
    /// The name, `force-command` for example.
    pub name: String,
    /// The data.
    pub data: Vec<u8>,
}

impl CertificateOption {
    /// The one string that the data holds, as all that OpenSSH knows have it.
    pub fn string(&self) -> Option<&[u8]> {
        let mut reader = Reader::new(&self.data);
        let text = reader.string("option").ok()?;
        reader.finish().ok().map(|()| text)
    }
}

/// A certificate whose CA's signature was verified. Whether that CA is trusted, and the certificate good for what it is
/// shown for, is for [`Certificate::check`] and its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    blob: Vec<u8>,
    key_type: &'static str,
    key: PublicKey,
    serial: u64,
    kind: CertificateKind,
    key_id: Vec<u8>,
    principals: Vec<String>,
    valid_after: u64,
    valid_before: u64,
    critical: Vec<CertificateOption>,
    extensions: Vec<CertificateOption>,
    ca: PublicKey,
    ca_algorithm: SignatureAlgorithm,
}

impl Certificate {
    /// Reads a certificate as it goes over the wire, and verifies its CA's signature.
    ///
    /// # Errors
    /// See [`CertificateError`]. What it may cost is bounded: there is one signature to verify, since a CA is never a
    /// certificate itself (threats A7, H7).
    pub fn from_blob(blob: &[u8]) -> Result<Self, CertificateError> {
        if blob.len() > MAX_LEN {
            return Err(CertificateError::Malformed(bad("certificate")));
        }
        let head = split(blob)?;
        KeyBlob::decode(&head.key)?;
        let mut reader = Reader::new(head.rest);
        let serial = reader.u64("serial number")?;
        let kind = kind(reader.u32("certificate kind")?)?;
        let key_id = reader.string("key id")?.to_vec();
        let principals = principals(reader.string("principals")?)?;
        let valid_after = reader.u64("valid after")?;
        let valid_before = reader.u64("valid before")?;
        let critical = options(reader.string("critical options")?)?;
        let extensions = options(reader.string("extensions")?)?;
        reader.string("reserved")?;
        let ca = reader.string("signature key")?;
        if split(ca).is_ok() {
            return Err(CertificateError::CaIsCertificate);
        }
        let ca = PublicKey::from_blob(ca, "").map_err(|_| CertificateError::Malformed(bad("signature key")))?;
        let signed = blob.len().checked_sub(reader.remaining()).and_then(|len| blob.get(..len)).unwrap_or_default();
        let signature = reader.string("signature")?;
        reader.finish()?;
        let ca_algorithm = signed_with(signature)?;
        verify::verify(RSA_FLOOR_BITS, ca_algorithm, ca.blob(), signed, signature)
            .map_err(|_| CertificateError::BadSignature)?;
        Ok(Self {
            key: PublicKey { blob: head.key, comment: String::new() },
            key_type: head.key_type,
            blob: blob.to_vec(),
            serial,
            kind,
            key_id,
            principals,
            valid_after,
            valid_before,
            critical,
            extensions,
            ca,
            ca_algorithm,
        })
    }

    /// Reads a line `TYPE BASE64 [COMMENT]`, as `-cert.pub` files hold.
    ///
    /// # Errors
    /// The line does not hold a certificate, or [`Certificate::from_blob`] refuses it.
    pub fn parse_line(line: &str) -> Result<Self, CertificateError> {
        let (key_type, rest) = line.trim().split_once([' ', '\t']).ok_or(CertificateError::NotACertificate)?;
        let rest = rest.trim_start();
        let (base64, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        if !SignatureAlgorithm::certifying().any(|a| a.key_type() == key_type) || base64.len() > MAX_LEN.div_ceil(3) * 4
        {
            return Err(CertificateError::NotACertificate);
        }
        let blob = Base64::decode_vec(base64).map_err(|_| CertificateError::NotACertificate)?;
        let mut certificate = Self::from_blob(&blob)?;
        certificate.key.set_comment(comment.trim());
        if certificate.key_type == key_type { Ok(certificate) } else { Err(CertificateError::NotACertificate) }
    }

    /// The line, without a line end. The comment is that of the key.
    pub fn to_line(&self) -> String {
        let comment = self.key.comment();
        let gap = if comment.is_empty() { "" } else { " " };
        format!("{} {}{gap}{comment}", self.key_type, Base64::encode_string(&self.blob))
    }

    /// The certificate as it goes over the wire.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The type's name, `ssh-ed25519-cert-v01@openssh.com` for example.
    pub fn key_type(&self) -> &'static str {
        self.key_type
    }

    /// The short name that `ssh-keygen -l` puts into brackets, `ED25519-CERT` for example.
    pub fn type_label(&self) -> String {
        format!("{}-CERT", self.key.type_label())
    }

    /// The key inside, with the comment of the line.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The number the CA gave it; 0 when it gives none.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// For whom it is.
    pub fn kind(&self) -> CertificateKind {
        self.kind
    }

    /// The name the CA gave it, fit for a terminal and a log.
    pub fn key_id(&self) -> String {
        clean_line(&self.key_id, MAX_SHOWN)
    }

    /// The name the CA gave it, byte for byte.
    pub fn raw_key_id(&self) -> &[u8] {
        &self.key_id
    }

    /// The users or hosts it is for.
    pub fn principals(&self) -> &[String] {
        &self.principals
    }

    /// From when it is valid, in seconds since 1970; 0 for always.
    pub fn valid_after(&self) -> u64 {
        self.valid_after
    }

    /// Until when, exclusive; [`FOREVER`] for ever.
    pub fn valid_before(&self) -> u64 {
        self.valid_before
    }

    /// What must be understood by whoever accepts it.
    pub fn critical_options(&self) -> &[CertificateOption] {
        &self.critical
    }

    /// What it allows.
    pub fn extensions(&self) -> &[CertificateOption] {
        &self.extensions
    }

    /// The key that signed it.
    pub fn ca(&self) -> &PublicKey {
        &self.ca
    }

    /// The algorithm it was signed with.
    pub fn ca_algorithm(&self) -> SignatureAlgorithm {
        self.ca_algorithm
    }

    /// The algorithms by which it can be shown, strongest first.
    pub fn algorithms(&self) -> Vec<SignatureAlgorithm> {
        SignatureAlgorithm::certifying().filter(|a| a.key_type() == self.key_type).collect()
    }

    /// As logs name it: `ED25519-CERT SHA256:... ID me (serial 3) CA ED25519 SHA256:...`.
    pub fn describe(&self) -> String {
        format!(
            "{} {} ID {} (serial {}) CA {} {}",
            self.type_label(),
            self.key.fingerprint_sha256(),
            self.key_id(),
            self.serial,
            self.ca.type_label(),
            self.ca.fingerprint_sha256()
        )
    }
}

fn bad(field: &'static str) -> DecodeError {
    DecodeError { kind: DecodeErrorKind::BadValue, field }
}

fn kind(number: u32) -> Result<CertificateKind, CertificateError> {
    match number {
        1 => Ok(CertificateKind::User),
        2 => Ok(CertificateKind::Host),
        _ => Err(bad("certificate kind").into()),
    }
}

fn principals(list: &[u8]) -> Result<Vec<String>, CertificateError> {
    let mut reader = Reader::new(list);
    let mut names = Vec::new();
    while reader.remaining() > 0 {
        let name = reader.text("principal")?;
        // A name that ends early for one reader and not for another could be two people's.
        if names.len() == MAX_PRINCIPALS || name.is_empty() || name.contains('\0') {
            return Err(bad("principals").into());
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn options(list: &[u8]) -> Result<Vec<CertificateOption>, CertificateError> {
    let mut reader = Reader::new(list);
    let mut options: Vec<CertificateOption> = Vec::new();
    while reader.remaining() > 0 {
        let name = reader.text("option name")?.to_owned();
        let data = reader.string("option data")?.to_vec();
        // Of two with one name, one reader would take the first and another the last.
        if options.len() == MAX_OPTIONS || options.iter().any(|known| known.name == name) {
            return Err(bad("options").into());
        }
        options.push(CertificateOption { name, data });
    }
    Ok(options)
}

/// The algorithm that a signature names. SHA-1 (`ssh-rsa`) is none of ours.
fn signed_with(signature: &[u8]) -> Result<SignatureAlgorithm, CertificateError> {
    let name = Reader::new(signature).text("signature format")?;
    let known = SignatureAlgorithm::signing().find(|algorithm| algorithm.name() == name);
    known.ok_or_else(|| CertificateError::SignatureAlgorithm(clean_line(name.as_bytes(), 64)))
}
