//! The folder where this account's server keeps what it makes: host keys, passwords, locks.

use crate::failure::Failure;
use nacre_sys::account::Account;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The folder: the one `given` (`--state`), else `$XDG_STATE_HOME/nacre`, else
/// `~/.local/state/nacre`.
///
/// # Errors
/// The account has no home folder.
pub fn directory(given: Option<&Path>) -> Result<PathBuf, Failure> {
    match given {
        Some(folder) => Ok(folder.to_owned()),
        None => usual(std::env::var_os("XDG_STATE_HOME"), &home()?),
    }
}

fn usual(xdg: Option<OsString>, home: &Path) -> Result<PathBuf, Failure> {
    // The XDG specification wants relative values passed over.
    let base = xdg.map(PathBuf::from).filter(|path| path.is_absolute());
    Ok(base.unwrap_or_else(|| home.join(".local/state")).join("nacre"))
}

/// The account's home folder: `$HOME`, else the one the system has on record.
///
/// # Errors
/// Neither says.
pub fn home() -> Result<PathBuf, Failure> {
    if let Some(home) = std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(home);
    }
    match Account::current() {
        Ok(account) => Ok(account.home),
        Err(error) => Err(Failure::new(format!("cannot tell this account's home folder: {error}")).hint("set HOME")),
    }
}

/// Makes the folder if it is missing, for this account alone (mode 0700), and refuses one that
/// others may write to.
///
/// # Errors
/// It cannot be made, is no folder, or is open to others.
pub fn prepare(folder: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let metadata = fs::metadata(folder).map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if metadata.uid() != nacre_sys::privileges::effective_uid() {
        return Err(Failure::new(format!("{}: belongs to user {}", folder.display(), metadata.uid()))
            .hint("choose a folder of this account with --state"));
    }
    if mode & 0o022 != 0 {
        return Err(Failure::new(format!("{}: others may write to it (mode {mode:04o})", folder.display()))
            .hint("`chmod 700` it, or choose another with --state"));
    }
    Ok(())
}

/// Makes a new folder for this account alone, with a name that nobody can guess, in `$TMPDIR` or /tmp.
///
/// # Errors
/// It cannot be made.
pub fn temporary(prefix: &str) -> Result<PathBuf, Failure> {
    let random = nacre_crypto::random_bytes::<8>().map_err(|error| Failure::new(error.to_string()))?;
    let folder = std::env::temp_dir().join(format!("{prefix}-{:016x}", u64::from_be_bytes(random)));
    let made = fs::DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn xdg_counts_only_when_absolute() {
        let home = Path::new("/home/x");
        assert_eq!(usual(None, home).unwrap(), Path::new("/home/x/.local/state/nacre"));
        assert_eq!(usual(Some("/s".into()), home).unwrap(), Path::new("/s/nacre"));
        assert_eq!(usual(Some("s".into()), home).unwrap(), Path::new("/home/x/.local/state/nacre"));
        assert_eq!(usual(Some("".into()), home).unwrap(), Path::new("/home/x/.local/state/nacre"));
    }
}
