//! The files that are written about a connection.

use crate::atomic::{self, Existing};
use crate::failure::Failure;
use std::io::ErrorKind;
use std::path::Path;

/// Bits of a file that anybody may read.
const PUBLIC: u32 = 0o644;
/// Bits of a file with secrets in it.
const PRIVATE: u32 = 0o600;

/// How files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// One that is there is replaced.
    pub force: bool,
    /// There are secrets in it.
    pub secret: bool,
}

/// Finds out before any work is done that a file may not be written.
///
/// # Errors
/// It exists and is not to be replaced.
pub fn check(path: &Path, manner: Manner) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(found) if !manner.force && !is_device(&found) => Err(exists(path)),
        _ => Ok(()),
    }
}

/// Writes a whole file.
///
/// # Errors
/// It exists and is not to be replaced, or it cannot be written.
pub fn write(path: &Path, contents: &[u8], manner: Manner) -> Result<(), Failure> {
    let into_device = path.metadata().is_ok_and(|found| is_device(&found));
    let written = match (manner.secret, manner.force) {
        _ if into_device => atomic::overwrite(path, contents, PUBLIC),
        // Nobody else may read it, whoever could read what was there or where a link leads.
        (true, true) => atomic::write(path, contents, PRIVATE, Existing::Replace),
        (true, false) => atomic::write(path, contents, PRIVATE, Existing::Keep),
        (false, true) => atomic::overwrite(path, contents, PUBLIC),
        (false, false) => atomic::write(path, contents, PUBLIC, Existing::Keep),
    };
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::new(format!("{}: {error}", path.display())),
    })
}

/// A pipe or a terminal, say.
fn is_device(found: &std::fs::Metadata) -> bool {
    !found.is_file() && !found.is_dir() && !found.is_symlink()
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!("{} exists", path.display())).hint("--force replaces it")
}
