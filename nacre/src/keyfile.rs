//! Private key files on disk: read only when nobody else can, written so that nobody else can.

use crate::atomic::{self, Existing};
use nacre_crypto::{KeyError, PrivateKey, Protection, PublicKey};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The largest key file that is read, in bytes; OpenSSH's own bound.
const MAX_FILE: usize = 1024 * 1024;

/// Why a key file could not be used.
#[derive(Debug)]
pub enum KeyFileError {
    /// Reading or writing failed.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is ours and others may read or write it (threat K2).
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The bytes are no key that can be used.
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: KeyError,
    },
}

impl std::fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Exposed { path, mode } => {
                write!(f, "{}: bad permissions (mode {mode:04o}: others may use the key)", path.display())
            }
            Self::Key { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for KeyFileError {}

impl KeyFileError {
    /// True when only a (right) passphrase is missing.
    pub fn is_passphrase(&self) -> bool {
        matches!(self, Self::Key { error: KeyError::NeedsPassphrase | KeyError::WrongPassphrase, .. })
    }

    /// The block of lines that `ssh` prints about a key file that is open to others, in the words
    /// that people search for; `None` for every other error.
    pub fn warning(&self) -> Option<String> {
        let Self::Exposed { path, mode } = self else { return None };
        let rule = "@".repeat(59);
        Some(format!(
            "{rule}\n@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n{rule}\n\
             Permissions {mode:04o} for '{}' are too open.\n\
             It is required that your private key files are NOT accessible by others.\n\
             This private key will be ignored.",
            path.display()
        ))
    }
}

/// Reads a private key file's bytes. Links are followed: many people keep keys behind one.
///
/// # Errors
/// It cannot be read, is larger than any key, or belongs to this user and is open to others.
pub fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let failed = |error| KeyFileError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    // As ssh does: a file of another owner (root's host keys read by root's group, a mounted
    // secret) is that owner's business.
    if metadata.uid() == nacre_sys::privileges::effective_uid() && mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let expected = usize::try_from(metadata.len()).unwrap_or(0).min(MAX_FILE);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected + 1));
    let limit = u64::try_from(MAX_FILE + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_FILE {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any key")));
    }
    Ok(bytes)
}

/// Reads and, with a passphrase, decrypts a private key.
///
/// # Errors
/// As [`read_bytes`]; or the bytes are no key, or the passphrase is missing or wrong.
pub fn read(path: &Path, passphrase: Option<&[u8]>) -> Result<PrivateKey, KeyFileError> {
    let bytes = read_bytes(path)?;
    PrivateKey::read(&bytes, passphrase).map_err(|error| KeyFileError::Key { path: path.to_owned(), error })
}

/// Writes a private key in OpenSSH's format, mode 0600.
///
/// # Errors
/// The key cannot be encrypted, the name is taken and is to be kept, or writing fails.
pub fn write(
    path: &Path,
    key: &PrivateKey,
    protection: Option<Protection<'_>>,
    existing: Existing,
) -> Result<(), KeyFileError> {
    let text = key.write_openssh(protection).map_err(|error| KeyFileError::Key { path: path.to_owned(), error })?;
    write_text(path, &text, existing)
}

/// Writes the text of a private key, mode 0600.
///
/// # Errors
/// The name is taken and is to be kept, or writing fails.
pub fn write_text(path: &Path, text: &str, existing: Existing) -> Result<(), KeyFileError> {
    atomic::write(path, text.as_bytes(), 0o600, existing)
        .map_err(|error| KeyFileError::Io { path: path.to_owned(), error })
}

/// Writes the public half beside its private key, as `path.pub`, mode 0644. It replaces what is
/// there: a public key that does not belong to the private one is worse than none.
///
/// # Errors
/// Writing fails.
pub fn write_public(path: &Path, key: &PublicKey) -> Result<PathBuf, KeyFileError> {
    let public = public_path(path);
    match atomic::write(&public, format!("{}\n", key.to_line()).as_bytes(), 0o644, Existing::Replace) {
        Ok(()) => Ok(public),
        Err(error) => Err(KeyFileError::Io { path: public, error }),
    }
}

/// The name of the public half: `path.pub`.
pub fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}
