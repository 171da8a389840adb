//! One line of `known_hosts` (threat H5): blanks are space and tab and nothing else, at most one marker, and the key
//! is of the type that the line says.

use std::fmt;

use base64ct::{Base64, Encoding};

use super::HmacSha1;
use crate::blob::{self, BlobError};
use crate::origin::Origin;
use crate::pattern::{self, ListMatch};

/// The longest line read, in bytes.
pub const MAX_LINE: usize = 64 * 1024;

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The host's own key.
    None,
    /// A key that must never be accepted.
    Revoked,
    /// A key that signs host certificates.
    CertAuthority,
}

/// Why a line is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineError {
    /// Longer than [`MAX_LINE`].
    TooLong,
    /// An unknown marker, or more than one.
    Marker,
    /// The host names are not text, or a hashed name is damaged.
    Hosts,
    /// The line ends before the key.
    Truncated,
    /// The key type is not a plain word.
    KeyType,
    /// The key is bad.
    Key(BlobError),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the line is too long"),
            Self::Marker => f.write_str("unknown marker, or more than one: use @revoked or @cert-authority"),
            Self::Hosts => f.write_str("the host names are damaged"),
            Self::Truncated => f.write_str("the line ends before the key"),
            Self::KeyType => f.write_str("the key type is not a plain word"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LineError {}

/// `|1|salt|hash`: a host name that only somebody who guesses it can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashedName {
    salt: [u8; 20],
    hash: [u8; 20],
}

impl HashedName {
    /// Hashes a name under a salt.
    pub fn new(name: &str, salt: [u8; 20], hmac: HmacSha1) -> Self {
        Self { salt, hash: hmac(&salt, name.as_bytes()) }
    }

    /// Reads the field; `None` when it is damaged.
    pub fn parse(field: &str) -> Option<Self> {
        let (salt, hash) = field.strip_prefix("|1|")?.split_once('|')?;
        let bytes = |text: &str| {
            let mut out = [0; 20];
            (Base64::decode(text, &mut out).ok()?.len() == 20).then_some(out)
        };
        Some(Self { salt: bytes(salt)?, hash: bytes(hash)? })
    }

    /// True for the name that was hashed.
    pub fn is(&self, name: &str, hmac: HmacSha1) -> bool {
        hmac(&self.salt, name.as_bytes()) == self.hash
    }
}

impl fmt::Display for HashedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "|1|{}|{}", Base64::encode_string(&self.salt), Base64::encode_string(&self.hash))
    }
}

/// The host field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// Names and patterns, separated by commas.
    Plain(String),
    /// One hashed name.
    Hashed(HashedName),
}

impl Hosts {
    /// Reads the field; `None` when a hashed name is damaged.
    pub fn parse(field: &str) -> Option<Self> {
        match field.starts_with('|') {
            true => HashedName::parse(field).map(Self::Hashed),
            false => Some(Self::Plain(field.to_owned())),
        }
    }

    /// True when the field speaks of the host. `name` is a [`super::record_name`].
    pub fn matches(&self, name: &str, hmac: HmacSha1) -> bool {
        match self {
            Self::Plain(list) => pattern::matches_host(name, list) == ListMatch::Yes,
            Self::Hashed(hashed) => hashed.is(name, hmac),
        }
    }
}

/// A good line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the line is for.
    pub marker: Marker,
    /// For which hosts.
    pub hosts: Hosts,
    /// The key type, equal to the one inside the blob.
    pub key_type: String,
    /// The key blob (RFC 4253 §6.6).
    pub blob: Vec<u8>,
    /// What stands behind the key.
    pub comment: String,
    /// The file and line.
    pub origin: Origin,
}

/// A line cut into its fields, before the key is looked at.
pub(super) struct Fields<'a> {
    pub marker: Marker,
    pub hosts: &'a str,
    pub key_type: &'a str,
    pub base64: &'a str,
    pub comment: &'a [u8],
    /// Everything from the key type on, as written.
    pub key: &'a [u8],
}

/// Cuts a line; `None` for a comment or an empty line.
pub(super) fn fields(line: &[u8]) -> Result<Option<Fields<'_>>, LineError> {
    if line.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    let mut rest = skip_blanks(line.strip_suffix(b"\r").unwrap_or(line));
    if rest.first().is_none_or(|b| *b == b'#') {
        return Ok(None);
    }
    let mut marker = Marker::None;
    if rest.first() == Some(&b'@') {
        let (word, after) = cut(rest);
        marker = match word {
            b"@revoked" => Marker::Revoked,
            b"@cert-authority" => Marker::CertAuthority,
            _ => return Err(LineError::Marker),
        };
        rest = after;
        if rest.first() == Some(&b'@') {
            return Err(LineError::Marker);
        }
    }
    let (hosts, key) = cut(rest);
    let hosts = std::str::from_utf8(hosts).ok().filter(|h| !h.is_empty() && !h.contains(char::is_control));
    let hosts = hosts.ok_or(LineError::Hosts)?;
    let (key_type, rest) = cut(key);
    let (base64, comment) = cut(rest);
    if key_type.is_empty() || base64.is_empty() || base64.first() == Some(&b'#') {
        return Err(LineError::Truncated);
    }
    let plain = |word: &[u8]| word.iter().all(u8::is_ascii_graphic);
    let key_type = std::str::from_utf8(key_type).ok().filter(|t| plain(t.as_bytes())).ok_or(LineError::KeyType)?;
    let base64 = std::str::from_utf8(base64).map_err(|_| LineError::Key(BlobError::Base64))?;
    Ok(Some(Fields { marker, hosts, key_type, base64, comment, key }))
}

fn skip_blanks(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !b" \t".contains(b)).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// The next word and what follows the blanks after it.
fn cut(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| b" \t".contains(b)).unwrap_or(bytes.len());
    let (word, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (word, skip_blanks(rest))
}

impl Entry {
    /// Reads one line, given without its line feed. `None` for a comment or an empty line.
    ///
    /// # Errors
    /// The line is bad and has to be skipped.
    pub fn parse(line: &[u8], origin: Origin) -> Result<Option<Self>, LineError> {
        let Some(fields) = fields(line)? else { return Ok(None) };
        let hosts = Hosts::parse(fields.hosts).ok_or(LineError::Hosts)?;
        let blob = blob::decode(fields.key_type, fields.base64).map_err(LineError::Key)?;
        let comment = String::from_utf8_lossy(fields.comment).into_owned();
        let key_type = fields.key_type.to_owned();
        Ok(Some(Self { marker: fields.marker, hosts, key_type, blob, comment, origin }))
    }
}
