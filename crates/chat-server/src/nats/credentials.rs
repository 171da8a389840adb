//! What shows NATS who this node is: a file that may be renewed while the chat runs, and that the chat, which gives root up, may not
//! be allowed to read any more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file and what it held when it could be read last.
pub struct Credentials {
    path: PathBuf,
    last: Mutex<String>,
}

impl Credentials {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: PathBuf) -> io::Result<Self> {
        let last = Mutex::new(fs::read_to_string(&path)?);
        Ok(Self { path, last })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it again.
    ///
    /// # Errors
    /// It cannot be read: what it held before stays in use.
    pub fn renew(&self) -> io::Result<()> {
        let text = fs::read_to_string(&self.path)?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = text;
        Ok(())
    }

    /// What it holds, or held when it could be read last.
    pub(super) fn text(&self) -> String {
        let _ = self.renew();
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
