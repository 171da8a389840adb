//! One line, and the file. A line is read whole or refused whole; what is behind a line's end is another line.

use std::borrow::Cow;
use std::fmt;

use super::{KeyOptions, OptionsError};
use crate::blob::{self, BlobError};

/// The longest line accepted, in bytes.
pub const MAX_LINE: usize = 8 * 1024;
/// The longest file accepted, in bytes.
pub const MAX_FILE: usize = 1024 * 1024;

/// The key types that can log in.
pub(crate) const KEY_TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// A good line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What stands in front of the key.
    pub options: KeyOptions,
    /// The key type, equal to the one inside the blob.
    pub key_type: String,
    /// The key blob (RFC 4253 §6.6).
    pub blob: Vec<u8>,
    /// What stands behind the key.
    pub comment: String,
    /// The line's number, from 1.
    pub line: u32,
}

/// Why a line is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineError {
    /// Longer than [`MAX_LINE`].
    TooLong,
    /// Not UTF-8 before the comment, or a control character.
    NotText,
    /// There is no key where one should be.
    NoKey,
    /// A key type that cannot log in.
    KeyType(String),
    /// The key is bad.
    Key(BlobError),
    /// The options are bad.
    Options(OptionsError),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the line is longer than {MAX_LINE} bytes"),
            Self::NotText => f.write_str("the line is not text"),
            Self::NoKey => f.write_str("there is no key on the line"),
            Self::KeyType(name) => {
                write!(f, "keys of type {} cannot log in", nacre_wire::text::clean_line(name.as_bytes(), 64))
            }
            Self::Key(error) => error.fmt(f),
            Self::Options(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LineError {}

/// A refused line and why, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The line's number, from 1.
    pub line: u32,
    /// Why.
    pub error: LineError,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.error)
    }
}

/// The lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizedKeys {
    /// The good ones, in order.
    pub entries: Vec<Entry>,
    /// The refused ones.
    pub refused: Vec<Refused>,
}

/// What stands in the lines of a file, in order, and the lines that are refused. Of a file longer than [`MAX_FILE`] there is nothing: its
/// first half is not what its owner wrote.
fn lines<T>(content: &[u8], parse: impl Fn(&[u8], u32) -> Result<Option<T>, LineError>) -> (Vec<T>, Vec<Refused>) {
    let (mut entries, mut refused) = (Vec::new(), Vec::new());
    if content.len() > MAX_FILE {
        return (entries, vec![Refused { line: 0, error: LineError::TooLong }]);
    }
    for (line, bytes) in (1..).zip(content.split(|b| *b == b'\n')) {
        match parse(bytes, line) {
            Ok(entry) => entries.extend(entry),
            Err(error) => refused.push(Refused { line, error }),
        }
    }
    (entries, refused)
}

impl AuthorizedKeys {
    /// Reads a file's content; one longer than [`MAX_FILE`] gives no key at all.
    pub fn parse(content: &[u8]) -> Self {
        let (entries, refused) = lines(content, Entry::parse);
        Self { entries, refused }
    }

    /// The good lines by which this key may log in. That of a CA is none: what it signed may.
    pub fn find<'a>(&'a self, blob: &'a [u8]) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| !entry.options.cert_authority && entry.blob == blob)
    }

    /// The good lines that name this key as a CA.
    pub fn authorities<'a>(&'a self, ca: &'a [u8]) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.options.cert_authority && entry.blob == ca)
    }
}

/// The text of a line of a list of keys, given without its line feed, from its first word on; `None` for a comment or an
/// empty line.
///
/// # Errors
/// It is too long, or holds control characters.
pub(crate) fn meaningful(line: &[u8]) -> Result<Option<Cow<'_, str>>, LineError> {
    if line.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    // A comment may hold bytes of any old encoding; it is only ever shown, so it may be lossy.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let first = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let text = String::from_utf8_lossy(line.get(first..).unwrap_or_default());
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    if text.contains(|c: char| c.is_control() && c != '\t') {
        return Err(LineError::NotText);
    }
    Ok(Some(text))
}

impl Entry {
    /// Reads one line, given without its line feed. `None` for a comment or an empty line.
    ///
    /// # Errors
    /// The line is refused.
    pub fn parse(line: &[u8], number: u32) -> Result<Option<Self>, LineError> {
        let Some(text) = meaningful(line)? else { return Ok(None) };
        let text = &*text;
        let (first, rest) = cut(text);
        let is_key = KEY_TYPES.contains(&first);
        let (options, key) = if is_key { (None, text) } else { split_options(text)? };
        let (key_type, rest) = if is_key { (first, rest) } else { cut(key) };
        if options.is_some_and(|o| o.contains('\u{fffd}')) {
            return Err(LineError::NotText);
        }
        if !KEY_TYPES.contains(&key_type) {
            return Err(no_key(options, key_type));
        }
        let options = options.map_or(Ok(KeyOptions::default()), KeyOptions::parse).map_err(LineError::Options)?;
        if options.verify_required && !options.cert_authority && !key_type.starts_with("sk-") {
            return Err(LineError::Options(OptionsError::OnlySecurityKeys("verify-required")));
        }
        if options.principals.is_some() && !options.cert_authority {
            return Err(LineError::Options(OptionsError::OnlyAuthorities("principals")));
        }
        let (base64, comment) = cut(rest);
        if base64.is_empty() {
            return Err(LineError::NoKey);
        }
        let blob = blob::decode(key_type, base64).map_err(LineError::Key)?;
        let comment = comment.trim_end_matches([' ', '\t']).to_owned();
        Ok(Some(Self { options, key_type: key_type.to_owned(), blob, comment, line: number }))
    }
}

/// The most helpful reason: a key of a type that cannot log in, bad options, or no key.
fn no_key(options: Option<&str>, key_type: &str) -> LineError {
    let looks_like_type =
        |word: &str| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
    match options {
        Some(first) if looks_like_type(first) => LineError::KeyType(first.to_owned()),
        Some(options) => match KeyOptions::parse(options) {
            Err(error) => LineError::Options(error),
            Ok(_) if key_type.is_empty() => LineError::NoKey,
            Ok(_) => LineError::KeyType(key_type.to_owned()),
        },
        None => LineError::NoKey,
    }
}

/// The next word and what follows the blanks after it.
pub(crate) fn cut(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_start_matches([' ', '\t'])),
        None => (text, ""),
    }
}

/// The lines of an AuthorizedPrincipalsFile (sshd(8)): a name, perhaps with options before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizedPrincipals {
    /// The good ones, in order.
    pub entries: Vec<Principal>,
    /// The refused ones.
    pub refused: Vec<Refused>,
}

/// A good line of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What stands before the name.
    pub options: KeyOptions,
    /// The name.
    pub name: String,
    /// The line's number, from 1.
    pub line: u32,
}

impl AuthorizedPrincipals {
    /// Reads a file's content; one longer than [`MAX_FILE`] names nobody.
    pub fn parse(content: &[u8]) -> Self {
        let (entries, refused) = lines(content, principal);
        Self { entries, refused }
    }
}

/// The last word is the name, what stands before it are options. What begins with `#` is a comment.
fn principal(line: &[u8], number: u32) -> Result<Option<Principal>, LineError> {
    if line.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    let text = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).map_err(|_| LineError::NotText)?;
    let text = text.split_once('#').map_or(text, |(before, _)| before).trim_matches([' ', '\t']);
    if text.is_empty() {
        return Ok(None);
    }
    if text.contains(|c: char| c.is_control() && c != '\t') {
        return Err(LineError::NotText);
    }
    let (options, name) = text.rsplit_once([' ', '\t']).map_or((None, text), |(options, name)| (Some(options), name));
    let options = options.map_or(Ok(KeyOptions::default()), |options| KeyOptions::parse(options.trim_end()));
    let options = options.map_err(LineError::Options)?;
    if options.cert_authority || options.principals.is_some() {
        return Err(LineError::Options(OptionsError::OnlyAuthorities("cert-authority")));
    }
    Ok(Some(Principal { options, name: name.to_owned(), line: number }))
}

/// The options field, which ends at the first blank outside double quotes, and the rest.
pub(crate) fn split_options(text: &str) -> Result<(Option<&str>, &str), LineError> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                let (options, rest) = text.split_at_checked(at).unwrap_or((text, ""));
                return Ok((Some(options), rest.trim_start_matches([' ', '\t'])));
            }
            _ => {}
        }
        // OpenSSH looks for `\"` as a pair, so a backslash before the backslash does not matter.
        escaped = c == '\\';
    }
    if quoted { Err(LineError::Options(OptionsError::Grammar)) } else { Ok((Some(text), "")) }
}
