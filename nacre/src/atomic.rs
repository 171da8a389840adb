//! Files that appear whole or not at all, and are never readable by others on the way (threat K2).
//!
//! The bytes go into a new file beside the target, created exclusively and without following
//! links, with its final mode from the start; then it takes the target's name. A symbolic link at
//! the target is replaced, never written through.

use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What happens to a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing fails with `AlreadyExists`.
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes `contents` to `path` with the permission bits `mode` (less the process's umask).
///
/// # Errors
/// The target exists and is to be kept, or the folder cannot be written. Nothing is left behind.
pub fn write(path: &Path, contents: &[u8], mode: u32, existing: Existing) -> io::Result<()> {
    let (temporary, file) = create_beside(path, mode)?;
    put(path, contents, &temporary, file, existing)
}

/// Writes `contents` to whatever `path` leads to: a file behind a link is replaced, with the permission bits that it
/// has; a device or pipe is written into; a new file gets the bits `mode` (less the process's umask).
///
/// # Errors
/// A link leads nowhere, or it cannot be written. A file that was there is then as before.
pub fn overwrite(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return write(&behind_link(path)?, contents, mode, Existing::Keep);
        }
        metadata => metadata?,
    };
    if !metadata.is_file() {
        return OpenOptions::new().write(true).open(path)?.write_all(contents);
    }
    let path = &behind_link(path)?;
    // As wide as it has to be only when its bits are those of the old file, which no umask lessens.
    let mode = metadata.permissions().mode() & 0o777;
    let (temporary, file) = create_beside(path, mode & 0o600)?;
    if let Err(error) = file.set_permissions(Permissions::from_mode(mode)) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    put(path, contents, &temporary, file, Existing::Replace)
}

/// The file that a link leads to, or the path itself when it is none.
///
/// # Errors
/// The link leads nowhere.
pub fn behind_link(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path),
        _ => Ok(path.to_owned()),
    }
}

/// Fills the new file and gives it its name; one that cannot be is taken away.
fn put(path: &Path, contents: &[u8], temporary: &Path, mut file: File, existing: Existing) -> io::Result<()> {
    let written = file.write_all(contents).and_then(|()| file.sync_all()).and_then(|()| match existing {
        Existing::Replace => fs::rename(temporary, path),
        Existing::Keep => rename_to_free_name(temporary, path),
    });
    if written.is_err() {
        let _ = fs::remove_file(temporary);
    }
    written?;
    // The name itself must survive a power cut too; a folder that cannot be opened for that is
    // no reason to report a failure for a file that stands.
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn create_beside(path: &Path, mode: u32) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let random = nacre_crypto::random_bytes::<8>().map_err(io::Error::other)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{:016x}", u64::from_be_bytes(random)));
    let temporary = folder_of(path).join(temporary);
    let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).custom_flags(no_follow).open(&temporary)?;
    Ok((temporary, file))
}

/// The folder that holds `path`.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn rename_to_free_name(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it (FUSE, some network ones): a hard link can.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => {
            fs::hard_link(from, to).and_then(|()| fs::remove_file(from))
        }
        other => other.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("nacre-atomic-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn k02_a_symlink_at_the_target_is_replaced_not_followed() {
        let folder = folder("symlink");
        let (victim, target) = (folder.join("victim"), folder.join("target"));
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, &target).unwrap();
        let kept = write(&target, b"x", 0o600, Existing::Keep).unwrap_err();
        assert_eq!(kept.kind(), io::ErrorKind::AlreadyExists);
        write(&target, b"secret", 0o600, Existing::Replace).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert!(!fs::symlink_metadata(&target).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"secret");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "a temporary file was left behind");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn overwriting_keeps_links_and_permission_bits() {
        let folder = folder("overwrite");
        let (file, link) = (folder.join("file"), folder.join("link"));
        symlink(&file, &link).unwrap();
        assert_eq!(overwrite(&link, b"x", 0o644).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&file, "old").unwrap();
        for mode in [0o666, 0o600, 0o440] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            overwrite(&link, format!("{mode}").as_bytes(), 0o644).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), format!("{mode}"));
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, mode);
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        overwrite(Path::new("/dev/null"), b"x", 0o644).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "a temporary file was left behind");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn k02_a_dangling_symlink_counts_as_existing() {
        let folder = folder("dangling");
        let target = folder.join("target");
        symlink(folder.join("nowhere"), &target).unwrap();
        let kept = write(&target, b"x", 0o600, Existing::Keep).unwrap_err();
        assert_eq!(kept.kind(), io::ErrorKind::AlreadyExists);
        assert!(!folder.join("nowhere").exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
