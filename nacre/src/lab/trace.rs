//! `--trace FILE`: the steps of a program, one JSON object a line as they happen, for `nacre explain --trace`.

use super::failed;
use crate::explain::{Record, json};
use crate::failure::Failure;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A trace that grows.
pub struct TraceFile {
    path: PathBuf,
    mode: u32,
    /// Made with the first step: a program that does not start leaves nothing behind.
    file: Option<File>,
}

impl TraceFile {
    /// A new file; with secrets in it, for its owner alone.
    ///
    /// # Errors
    /// It exists.
    pub fn new(path: &Path, secrets: bool) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() {
            return Err(cannot(path, &ErrorKind::AlreadyExists.into()));
        }
        Ok(Self { path: path.to_owned(), mode: if secrets { 0o600 } else { 0o644 }, file: None })
    }

    /// One step more.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn add(&mut self, record: Record) -> Result<(), Failure> {
        let file = match self.file.take() {
            Some(file) => Ok(file),
            None => OpenOptions::new().write(true).create_new(true).mode(self.mode).open(&self.path),
        };
        let file = self.file.insert(file.map_err(|error| cannot(&self.path, &error))?);
        file.write_all(json(&[record]).as_bytes()).map_err(|error| cannot(&self.path, &error))
    }
}

fn cannot(path: &Path, error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::AlreadyExists => failed(format!("{} exists", path.display())).hint("choose another name"),
        _ => failed(format!("{}: {error}", path.display())),
    }
}
