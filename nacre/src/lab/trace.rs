//! `--trace FILE`: the steps of a program, one JSON object a line as they happen, for `nacre explain --trace`.

use super::failed;
use crate::explain::{Record, json};
use crate::failure::Failure;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A trace that grows.
pub struct TraceFile {
    path: PathBuf,
    file: File,
}

impl TraceFile {
    /// A new file; with secrets in it, for its owner alone.
    ///
    /// # Errors
    /// It exists, or cannot be made.
    pub fn create(path: &Path, secrets: bool) -> Result<Self, Failure> {
        let mode = if secrets { 0o600 } else { 0o644 };
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => failed(format!("{} exists", path.display())).hint("choose another name"),
            _ => failed(format!("{}: {error}", path.display())),
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// One step more.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, record: Record) -> Result<(), Failure> {
        let line = json(&[record]);
        self.file.write_all(line.as_bytes()).map_err(|error| failed(format!("{}: {error}", self.path.display())))
    }
}
