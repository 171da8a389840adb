//! Key files as ssh-add looks for them: private keys, public halves, certificates.

use crate::keyfile::{self, KeyFileError};
use crate::ssh::connect::plain;
use nacre_crypto::{Certificate, PrivateKey, PublicKey, public_half};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// A public key or certificate, and the comment beside it.
pub struct Public {
    /// As it goes over the wire.
    pub blob: Vec<u8>,
    /// May be empty.
    pub comment: String,
    /// What people call the type: `ED25519`, `RSA-CERT`.
    pub label: String,
    /// Whether it is a certificate.
    pub is_certificate: bool,
    /// What a certificate is for, in the words of who made it; clean text, empty for keys.
    pub key_id: String,
}

impl From<PublicKey> for Public {
    fn from(key: PublicKey) -> Self {
        let (label, key_id) = (key.type_label().to_owned(), String::new());
        Self { blob: key.blob().to_vec(), comment: key.comment().to_owned(), label, is_certificate: false, key_id }
    }
}

/// What standard input is called.
pub const STDIN: &str = "(stdin)";

/// Whether a file is standard input, `-`.
pub fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// All of standard input.
///
/// # Errors
/// Why it cannot be read, as it is to be printed.
pub fn standard_input() -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let read = io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|error| format!("{STDIN}: {}", plain(&error)))
}

/// A private key file's bytes; `-` is standard input. The name it goes by comes along.
///
/// # Errors
/// Why it cannot be read, as it is to be printed.
pub fn private_bytes(file: &Path) -> Result<(Zeroizing<Vec<u8>>, String), String> {
    if is_stdin(file) {
        return standard_input().map(|bytes| (bytes, STDIN.to_owned()));
    }
    match keyfile::read_bytes(file) {
        Ok(bytes) => Ok((bytes, file.display().to_string())),
        Err(error) => Err(told(&error)),
    }
}

/// What is wrong with a file, in the words that people search for.
pub fn told(error: &KeyFileError) -> String {
    match error {
        KeyFileError::Io { path, error } => format!("{}: {}", path.display(), plain(error)),
        exposed @ KeyFileError::Exposed { .. } => exposed.warning().unwrap_or_default(),
        KeyFileError::Key { path, error } => format!("Error loading key \"{}\": {error}", path.display()),
    }
}

/// The certificate beside a key, `FILE-cert.pub`; `None` when there is none.
///
/// # Errors
/// It is there and is none.
pub fn certificate(file: &Path) -> Result<Option<(PathBuf, Public)>, String> {
    let path = beside(file, "-cert.pub");
    let text = match text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("Failed to load certificate \"{}\": {}", path.display(), plain(&error))),
    };
    match line(&text) {
        Some(public) if public.is_certificate => Ok(Some((path, public))),
        _ => Err(format!("Failed to load certificate \"{}\": it is no certificate of a known type", path.display())),
    }
}

/// The public half of a key: in the file itself, or in the one beside it, `FILE.pub`.
///
/// # Errors
/// Neither has one.
pub fn public(file: &Path) -> Result<Public, String> {
    let bad = |why: String| format!("Bad key file {}: {why}", file.display());
    let bytes = match bytes(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Zeroizing::default(),
        Err(error) => return Err(bad(plain(&error))),
    };
    let own = std::str::from_utf8(&bytes).ok().and_then(line);
    if let Some(public) = own {
        return Ok(public);
    }
    let beside = text(&beside(file, ".pub")).ok().and_then(|text| line(&text));
    let half = || {
        let key = public_half(&bytes).ok().or_else(|| Some(PrivateKey::read(&bytes, None).ok()?.public_key()))?;
        Some(Public { comment: file.display().to_string(), ..Public::from(key) })
    };
    match beside.or_else(half) {
        Some(public) => Ok(public),
        None if bytes.is_empty() => Err(bad("No such file or directory".to_owned())),
        None => Err(bad("it holds no public key".to_owned())),
    }
}

/// The first line that is a public key or certificate.
pub fn line(text: &str) -> Option<Public> {
    text.lines().find_map(|line| {
        if let Ok(key) = PublicKey::parse_line(line) {
            return Some(key.into());
        }
        let found = Certificate::parse_line(line).ok()?;
        let comment = line.trim().splitn(3, [' ', '\t']).nth(2).unwrap_or_default().trim().to_owned();
        let key_id = super::shown(&found.key_id());
        let label = found.type_label();
        Some(Public { blob: found.blob().to_vec(), comment, label, is_certificate: true, key_id })
    })
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(end);
    name.into()
}

fn bytes(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    File::open(file)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(file: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&bytes(file)?).into_owned())
}
