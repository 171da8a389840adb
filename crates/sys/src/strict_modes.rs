//! `StrictModes`: whether anybody but the user and root can have changed a file, or put another in its place (sshd_config(5)).

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;

use crate::error::{Doing, refused};

/// Write permission for group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The path that somebody else could have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsafePath {
    /// The file, or the directory above it.
    pub path: PathBuf,
    /// Its owner.
    pub owner: u32,
    /// Its permission bits.
    pub mode: u32,
}

impl fmt::Display for UnsafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has owner uid {} and mode {:04o}: it must belong to the user or root and be writable by nobody else",
            self.path.display(),
            self.owner,
            self.mode
        )
    }
}

impl std::error::Error for UnsafePath {}

/// Checks an open file (reached as `path`) and every directory above it, up to and including `home`, or `/` when it lies
/// outside. Links are resolved first; the result is about the file that is open, not one put there since.
///
/// # Errors
/// The errno of a path that cannot be examined; `InvalidData` when `path` no longer names the open file. The verdict itself is the inner
/// result.
pub fn check_open_file(file: impl AsFd, path: &Path, home: &Path, uid: u32) -> io::Result<Result<(), UnsafePath>> {
    let opened = rustix::fs::fstat(file).doing(|| format!("examine {}", path.display()))?;
    let real = path.canonicalize().doing(|| format!("resolve {}", path.display()))?;
    let named = stat(&real)?;
    if (opened.st_dev, opened.st_ino) != (named.st_dev, named.st_ino) {
        let doing = format!("check who can change {}", path.display());
        return Err(refused(io::ErrorKind::InvalidData, doing, "the file was replaced meanwhile; try again"));
    }
    if let Err(bad) = check_one(&real, &opened, uid) {
        return Ok(Err(bad));
    }
    let home = home.canonicalize().ok();
    for directory in real.ancestors().skip(1) {
        if let Err(bad) = check_one(directory, &stat(directory)?, uid) {
            return Ok(Err(bad));
        }
        if home.as_deref() == Some(directory) {
            break;
        }
    }
    Ok(Ok(()))
}

fn stat(path: &Path) -> io::Result<Stat> {
    rustix::fs::stat(path).doing(|| format!("examine {}", path.display()))
}

fn check_one(path: &Path, stat: &Stat, uid: u32) -> Result<(), UnsafePath> {
    let (owner, mode) = (stat.st_uid, stat.st_mode & 0o7777);
    if (owner != 0 && owner != uid) || mode & WRITABLE_BY_OTHERS != 0 {
        return Err(UnsafePath { path: path.to_path_buf(), owner, mode });
    }
    Ok(())
}
