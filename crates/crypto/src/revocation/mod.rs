//! Key revocation lists (OpenSSH PROTOCOL.krl): which keys and certificates are worth nothing any more.

mod error;
mod read;
mod serials;
mod write;

pub use error::RevocationError;

use crate::certificate::Certificate;
use crate::digest::{sha1, sha256};
use nacre_proto::certificate::plain_key;
use serials::{MAX_RANGES, Serials};
use std::collections::{BTreeMap, BTreeSet};

/// How a list begins.
const MAGIC: &[u8] = b"SSHKRL\n\0";
/// The only version of the format.
const FORMAT_VERSION: u32 = 1;

/// What the parts of a list are called on the wire.
mod section {
    pub const CERTIFICATES: u8 = 1;
    pub const EXPLICIT_KEY: u8 = 2;
    pub const SHA1: u8 = 3;
    pub const SIGNATURE: u8 = 4;
    pub const SHA256: u8 = 5;
    pub const EXTENSION: u8 = 255;
    pub const SERIAL_LIST: u8 = 0x20;
    pub const SERIAL_RANGE: u8 = 0x21;
    pub const SERIAL_BITMAP: u8 = 0x22;
    pub const KEY_ID: u8 = 0x23;
    pub const CERTIFICATES_EXTENSION: u8 = 0x39;
}

/// Why a key or certificate is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// The key itself.
    Key,
    /// The key of the CA that signed it.
    Ca,
    /// The certificate's serial number.
    Serial(u64),
    /// The certificate's key ID.
    KeyId,
}

impl std::fmt::Display for Revoked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key => f.write_str("the key is revoked"),
            Self::Ca => f.write_str("the CA of the certificate is revoked"),
            Self::Serial(number) => write!(f, "the certificate's serial number {number} is revoked"),
            Self::KeyId => f.write_str("the certificate's key ID is revoked"),
        }
    }
}

/// What is revoked of one CA's certificates, or of every CA's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedCertificates {
    ca: Option<Vec<u8>>,
    serials: Serials,
    key_ids: BTreeSet<Vec<u8>>,
}

impl RevokedCertificates {
    fn of(ca: Option<&[u8]>) -> Self {
        Self { ca: ca.map(<[u8]>::to_vec), ..Self::default() }
    }

    fn revoke_serials(&mut self, first: u64, last: u64) -> Result<(), RevocationError> {
        if first == 0 || first > last {
            return Err(RevocationError::BadRange { first, last });
        }
        self.serials.insert(first, last)
    }

    /// The CA's key as it goes over the wire; `None` for every CA.
    pub fn ca(&self) -> Option<&[u8]> {
        self.ca.as_deref()
    }

    /// Revoked serial numbers as ranges, both ends included, in order and apart from each other.
    pub fn serials(&self) -> impl Iterator<Item = (u64, u64)> {
        self.serials.ranges()
    }

    /// Revoked key IDs, in order.
    pub fn key_ids(&self) -> impl Iterator<Item = &[u8]> {
        self.key_ids.iter().map(Vec::as_slice)
    }

    /// A number of 0 says that the CA gives none, so it is never one that was meant.
    fn revokes(&self, certificate: &Certificate) -> Option<Revoked> {
        if self.key_ids.contains(certificate.raw_key_id()) {
            return Some(Revoked::KeyId);
        }
        let number = certificate.serial();
        (number != 0 && self.serials.contains(number)).then_some(Revoked::Serial(number))
    }
}

/// A key revocation list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationList {
    version: u64,
    generated: u64,
    comment: String,
    keys: BTreeSet<Vec<u8>>,
    sha1s: BTreeSet<[u8; 20]>,
    sha256s: BTreeSet<[u8; 32]>,
    certificates: Vec<RevokedCertificates>,
    /// Where each CA's stand.
    places: BTreeMap<Option<Vec<u8>>, usize>,
    /// Ranges of all CAs.
    ranges: usize,
}

impl RevocationList {
    /// Whether a file begins as these lists do, so that it is none of lines.
    pub fn is_list(file: &[u8]) -> bool {
        file.starts_with(MAGIC)
    }

    /// The list's own number, which its maker counts up.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Changes the list's number.
    pub fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    /// When it was written, in seconds since 1970.
    pub fn generated(&self) -> u64 {
        self.generated
    }

    /// What its maker says of it; as it stands in the file, so not fit for a terminal.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Changes what is said of it.
    pub fn set_comment(&mut self, comment: impl Into<String>) {
        self.comment = comment.into();
    }

    /// Revoked keys as they go over the wire, in order.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(Vec::as_slice)
    }

    /// SHA-1 hashes of revoked keys, in order.
    pub fn sha1s(&self) -> impl Iterator<Item = &[u8; 20]> {
        self.sha1s.iter()
    }

    /// SHA-256 hashes of revoked keys, in order.
    pub fn sha256s(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.sha256s.iter()
    }

    /// What is revoked of certificates, CA by CA.
    pub fn certificates(&self) -> &[RevokedCertificates] {
        &self.certificates
    }

    /// Revokes a key, or the key inside a certificate.
    pub fn revoke_key(&mut self, blob: &[u8]) {
        self.keys.insert(plain_key(blob).into_owned());
    }

    /// Revokes the key, or the key inside a certificate, whose SHA-1 is this.
    pub fn revoke_sha1(&mut self, hash: [u8; 20]) {
        self.sha1s.insert(hash);
    }

    /// Revokes the key, or the key inside a certificate, whose SHA-256 is this.
    pub fn revoke_sha256(&mut self, hash: [u8; 32]) {
        self.sha256s.insert(hash);
    }

    /// Revokes a certificate by its number, or when it has none by its key ID.
    ///
    /// # Errors
    /// As [`Self::revoke_serials`].
    pub fn revoke_certificate(&mut self, certificate: &Certificate) -> Result<(), RevocationError> {
        let ca = Some(certificate.ca().blob());
        match certificate.serial() {
            0 => self.revoke_key_id(ca, certificate.raw_key_id()),
            number => self.revoke_serials(ca, number, number),
        }
    }

    /// Revokes serial numbers `first` to `last`, both included, of one CA or of all.
    ///
    /// # Errors
    /// `first` is 0 or beyond `last`, or there are more ranges than a list may have.
    pub fn revoke_serials(&mut self, ca: Option<&[u8]>, first: u64, last: u64) -> Result<(), RevocationError> {
        let mut own = RevokedCertificates::of(ca);
        own.revoke_serials(first, last)?;
        self.merge(own)
    }

    /// Revokes a key ID of one CA or of all.
    ///
    /// # Errors
    /// As [`Self::revoke_serials`].
    pub fn revoke_key_id(&mut self, ca: Option<&[u8]>, id: &[u8]) -> Result<(), RevocationError> {
        let mut own = RevokedCertificates::of(ca);
        own.key_ids.insert(id.to_vec());
        self.merge(own)
    }

    fn merge(&mut self, new: RevokedCertificates) -> Result<(), RevocationError> {
        let place = *self.places.entry(new.ca.clone()).or_insert(self.certificates.len());
        match self.certificates.get_mut(place) {
            None => {
                self.ranges += new.serials.len();
                self.certificates.push(new);
            }
            Some(known) => {
                let before = known.serials.len();
                known.key_ids.extend(new.key_ids);
                new.serials.ranges().try_for_each(|(first, last)| known.serials.insert(first, last))?;
                self.ranges = self.ranges - before + known.serials.len();
            }
        }
        if self.ranges > MAX_RANGES { Err(RevocationError::TooMany) } else { Ok(()) }
    }

    fn of_ca(&self, ca: Option<&[u8]>) -> Option<&RevokedCertificates> {
        self.certificates.get(*self.places.get(&ca.map(<[u8]>::to_vec))?)
    }

    /// Whether a plain key is revoked.
    pub fn revokes_key(&self, blob: &[u8]) -> bool {
        let key = plain_key(blob);
        self.sha1s.contains(&sha1(&key)) || self.sha256s.contains(&sha256(&key)) || self.keys.contains(key.as_ref())
    }

    /// Why a certificate is revoked: its key, its CA, or itself. `None` when it is not.
    pub fn revokes_certificate(&self, certificate: &Certificate) -> Option<Revoked> {
        if self.revokes_key(certificate.key().blob()) {
            return Some(Revoked::Key);
        }
        let ca = certificate.ca().blob();
        if self.revokes_key(ca) {
            return Some(Revoked::Ca);
        }
        [Some(ca), None].into_iter().find_map(|ca| self.of_ca(ca)?.revokes(certificate))
    }
}

#[cfg(test)]
mod tests;
