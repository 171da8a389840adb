//! The password file that a server in user mode checks against.
//!
//! A text file with one line a name, `name:argon2id hash:one-time code secret:last step`; empty
//! lines and lines that begin with `#` do not count. It is read anew for every question, so that
//! a change counts from the next login on. Every change is made under a lock and replaces the
//! file as a whole. The file is refused when others could read or have written it.

use super::name::{self, NameError};
use super::record::{Record, RecordError, Totp};
use crate::atomic::{self, Existing};
use nacre_crypto::{PasswordError, burn_password, hash_password, totp_check, verify_password};
use nacre_proto::crypto::SecretBytes;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest password that is looked at, in bytes (promise P8).
pub const MAX_PASSWORD: usize = 1024;
/// The largest file that is read, in bytes: some 40 000 names.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// The fewest characters of a password that somebody chooses at a login.
pub const MIN_CHOSEN: usize = 8;

const HEADER: &str = "\
# Nacre's password file; `nacre passwd` changes it.
# name:argon2id hash or nothing:one-time code secret in base32 or nothing:last 30-second step used
# and `:change` behind it when the password must be changed at the next login
";

/// What came of a one-time code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotpOutcome {
    /// The code is right and is now spent.
    Accepted,
    /// The code is not one of the current ones.
    Wrong,
    /// The code, or a later one, has been used before.
    Reused,
    /// The name has no one-time code (or does not exist).
    NotEnrolled,
}

/// What came of a change of password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The new password counts.
    Changed,
    /// The old one is not right, or no longer.
    Wrong,
    /// The new one is shorter than [`MIN_CHOSEN`] characters.
    TooShort,
    /// The new one is longer than [`MAX_PASSWORD`] bytes.
    TooLong,
    /// The new one is the old one.
    Same,
}

/// Why the file could not answer.
#[derive(Debug)]
pub enum StoreError {
    /// Reading, writing or locking failed.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A line is damaged.
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: RecordError,
    },
    /// A name stands on two lines.
    Twice {
        /// The file.
        path: PathBuf,
        /// The second line's number.
        line: usize,
    },
    /// The file is not ours alone: it has another owner, or others may read or write it.
    Exposed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The name is not one that can be in the file.
    Name(NameError),
    /// The password is empty or longer than [`MAX_PASSWORD`] bytes.
    PasswordLength,
    /// The stored hash cannot be checked, or a new one cannot be made.
    Password(PasswordError),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Line { path, line, problem } => write!(f, "{}:{line}: {problem}", path.display()),
            Self::Twice { path, line } => write!(f, "{}:{line}: the name stands in the file already", path.display()),
            Self::Exposed { path, problem } => write!(f, "{}: {problem}", path.display()),
            Self::Name(error) => error.fmt(f),
            Self::PasswordLength => write!(f, "a password has 1 to {MAX_PASSWORD} bytes"),
            Self::Password(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {}

/// The password file at one path. It holds no state: clones and other processes see the same.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    /// The store at `path`, a file that need not exist yet.
    ///
    /// # Errors
    /// The file exists but cannot be used: damaged, or open to others.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { path: path.into() };
        store.records()?;
        Ok(store)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All records, in the order of the file; none when there is no file.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn records(&self) -> Result<Vec<Record>, StoreError> {
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut file = match OpenOptions::new().read(true).custom_flags(no_follow).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io(error)),
        };
        self.check_exposure(&file)?;
        let mut text = String::new();
        file.by_ref().take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| self.io(error))?;
        if text.len() as u64 > MAX_FILE {
            return Err(self.io(io::Error::new(io::ErrorKind::FileTooLarge, "the password file is too large")));
        }
        self.parse(&text)
    }

    fn parse(&self, text: &str) -> Result<Vec<Record>, StoreError> {
        let mut records: Vec<Record> = Vec::new();
        let mut names = std::collections::HashSet::new();
        for (index, content) in text.lines().enumerate() {
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let line = index + 1;
            let record = Record::parse(content).map_err(|problem| StoreError::Line {
                path: self.path.clone(),
                line,
                problem,
            })?;
            if !names.insert(record.name.clone()) {
                return Err(StoreError::Twice { path: self.path.clone(), line });
            }
            records.push(record);
        }
        Ok(records)
    }

    /// The record of `name`, if there is one.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn lookup(&self, name: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.records()?.into_iter().find(|record| record.name == name))
    }

    /// Whether `password` is the name's. Takes the time of one hash whether or not the name
    /// exists and has a password, so that a stranger learns neither (threat A12).
    ///
    /// # Errors
    /// The file cannot be used, or the stored hash cannot be checked.
    pub fn verify(&self, name: &str, password: &str) -> Result<bool, StoreError> {
        let hash = self.lookup(name)?.and_then(|record| record.password);
        match hash {
            Some(hash) if (1..=MAX_PASSWORD).contains(&password.len()) => {
                verify_password(&hash, password).map_err(StoreError::Password)
            }
            _ => {
                burn_password("");
                Ok(false)
            }
        }
    }

    /// Checks a one-time code at the time `now` and spends it: its step and all before it are
    /// refused from then on, in every process, before this returns (RFC 6238 §5.2).
    ///
    /// # Errors
    /// The file cannot be read or the step cannot be written down; the code then does not count.
    pub fn check_totp(&mut self, name: &str, code: &str, now: SystemTime) -> Result<TotpOutcome, StoreError> {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.change(|records| {
            let totp = records.iter_mut().find(|record| record.name == name).and_then(|record| record.totp.as_mut());
            let Some(totp) = totp else { return Ok((TotpOutcome::NotEnrolled, Write::No)) };
            match totp_check(totp.secret.expose(), seconds, code) {
                None => Ok((TotpOutcome::Wrong, Write::No)),
                Some(step) if step <= totp.last_step => Ok((TotpOutcome::Reused, Write::No)),
                Some(step) => {
                    totp.last_step = step;
                    Ok((TotpOutcome::Accepted, Write::Yes))
                }
            }
        })
    }

    /// Sets or takes away the name's password; the name is entered if it is new. A one-time code
    /// stays.
    ///
    /// # Errors
    /// The name or the password is not allowed, or the file cannot be used.
    pub fn set_password(&mut self, name: &str, password: Option<&str>) -> Result<(), StoreError> {
        name::check(name).map_err(StoreError::Name)?;
        let hash = match password {
            Some(text) if !(1..=MAX_PASSWORD).contains(&text.len()) => return Err(StoreError::PasswordLength),
            Some(text) => Some(hash_password(text).map_err(StoreError::Password)?),
            None => None,
        };
        self.change(|records| {
            edit_entry(records, name, |record| {
                record.password = hash;
                record.must_change = false;
            });
            Ok(((), Write::Yes))
        })
    }

    /// Marks that the name's password must be changed at the next login. False when the name has no password.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn expire(&mut self, name: &str) -> Result<bool, StoreError> {
        self.change(|records| {
            let record = records.iter_mut().find(|record| record.name == name && record.password.is_some());
            let Some(record) = record else { return Ok((false, Write::No)) };
            record.must_change = true;
            Ok((true, Write::Yes))
        })
    }

    /// Puts a password that its owner chose in place of the old one, which must be right. Of two changes at once
    /// one finds its old password gone.
    ///
    /// # Errors
    /// The file cannot be used, or the new password cannot be hashed.
    pub fn change_password(&mut self, name: &str, old: &str, new: &str) -> Result<ChangeOutcome, StoreError> {
        let known = self.lookup(name)?.and_then(|record| record.password);
        if !self.verify(name, old)? {
            return Ok(ChangeOutcome::Wrong);
        }
        match new {
            _ if new == old => return Ok(ChangeOutcome::Same),
            _ if new.chars().count() < MIN_CHOSEN => return Ok(ChangeOutcome::TooShort),
            _ if new.len() > MAX_PASSWORD => return Ok(ChangeOutcome::TooLong),
            _ => {}
        }
        let hash = hash_password(new).map_err(StoreError::Password)?;
        self.change(|records| {
            let record = records.iter_mut().find(|record| record.name == name && record.password == known);
            let Some(record) = record else { return Ok((ChangeOutcome::Wrong, Write::No)) };
            record.password = Some(hash);
            record.must_change = false;
            Ok((ChangeOutcome::Changed, Write::Yes))
        })
    }

    /// Enrols a one-time code, or takes it away. `used_step` is the 30-second step of a code
    /// that was typed to confirm the enrolment and is thereby spent.
    ///
    /// # Errors
    /// The name is not allowed, or the file cannot be used.
    pub fn set_totp(
        &mut self,
        name: &str,
        secret: Option<SecretBytes>,
        used_step: Option<u64>,
    ) -> Result<(), StoreError> {
        name::check(name).map_err(StoreError::Name)?;
        self.change(|records| {
            let totp = secret.map(|secret| Totp { secret, last_step: used_step.unwrap_or(0) });
            edit_entry(records, name, |record| record.totp = totp);
            Ok(((), Write::Yes))
        })
    }

    /// Takes a name out. False when it was not there.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn remove(&mut self, name: &str) -> Result<bool, StoreError> {
        self.change(|records| {
            let before = records.len();
            records.retain(|record| record.name != name);
            let removed = records.len() < before;
            Ok((removed, if removed { Write::Yes } else { Write::No }))
        })
    }

    /// Reads, changes and replaces the file under its lock.
    fn change<T>(
        &mut self,
        edit: impl FnOnce(&mut Vec<Record>) -> Result<(T, Write), StoreError>,
    ) -> Result<T, StoreError> {
        let _lock = self.lock()?;
        let mut records = self.records()?;
        let (value, write) = edit(&mut records)?;
        if write == Write::Yes {
            let lines = records.iter().map(|record| record.to_line() + "\n");
            let text: String = std::iter::once(HEADER.to_owned()).chain(lines).collect();
            atomic::write(&self.path, text.as_bytes(), 0o600, Existing::Replace).map_err(|error| self.io(error))?;
        }
        Ok(value)
    }

    /// The lock is a file of its own: the password file itself is replaced at every change.
    fn lock(&self) -> Result<File, StoreError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let locked = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(no_follow)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file));
        locked.map_err(|error| StoreError::Io { path, error })
    }

    fn check_exposure(&self, file: &File) -> Result<(), StoreError> {
        let metadata = file.metadata().map_err(|error| self.io(error))?;
        let mode = metadata.mode() & 0o7777;
        let problem = if !metadata.is_file() {
            "is not a plain file".to_owned()
        } else if metadata.uid() != nacre_sys::privileges::effective_uid() {
            format!("belongs to user {}, not to this account", metadata.uid())
        } else if mode & 0o077 != 0 {
            format!("is open to others (mode {mode:04o}); `chmod 600` it and set the passwords anew")
        } else {
            return Ok(());
        };
        Err(StoreError::Exposed { path: self.path.clone(), problem })
    }

    fn io(&self, error: io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), error }
    }
}

/// Whether a change has to be written.
#[derive(PartialEq, Eq)]
enum Write {
    Yes,
    No,
}

/// Edits the record of `name`, entering it first when it is new.
fn edit_entry(records: &mut Vec<Record>, name: &str, edit: impl FnOnce(&mut Record)) {
    match records.iter_mut().find(|record| record.name == name) {
        Some(record) => edit(record),
        None => {
            let mut record = Record::new(name);
            edit(&mut record);
            records.push(record);
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
