//! A folder that becomes all there is for this process and those it starts (chroot(2); sshd_config(5), ChrootDirectory).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{FileType, Mode, OFlags};

use crate::error::{Doing, refused};

/// Write permission for group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// What this process's own `/proc/self/status` says, which a jail need not have. A file and no folder: a process can reach what it holds
/// open by its `/proc/self/fd`, and from a folder what is above.
static OWN_STATUS: OnceLock<OwnedFd> = OnceLock::new();

/// Makes `folder` the root of the file system of this process for good, and its working directory. Nobody but root may be able to change
/// it or what is above it: whoever puts a link in a program's way there would lead that program out, or have it run with more rights. Needs root, and that
/// no folder outside is held open.
///
/// # Errors
/// `InvalidInput` when the path is not absolute; `PermissionDenied` for a folder that somebody else can change; the errno of the step.
pub fn enter(folder: &Path) -> io::Result<()> {
    check(folder)?;
    let status = rustix::fs::open("/proc/self/status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let status = status.doing(|| "hold /proc/self/status".into())?;
    let doing = || format!("enter {}", folder.display());
    rustix::process::chdir(folder).doing(doing)?;
    rustix::process::chroot(c".").doing(|| format!("make {} the root", folder.display()))?;
    rustix::process::chdir(c"/").doing(doing)?;
    OWN_STATUS
        .set(status)
        .map_err(|_| refused(io::ErrorKind::AlreadyExists, doing(), "this process is in a jail already"))
}

/// Every folder on the way, links followed, as they will be when the path is entered.
fn check(folder: &Path) -> io::Result<()> {
    let doing = |path: &Path| format!("enter {}: look at {}", folder.display(), path.display());
    if !folder.is_absolute() || folder.components().any(|part| part == Component::ParentDir) {
        let why = "it must be an absolute path without `..`";
        return Err(refused(io::ErrorKind::InvalidInput, format!("enter {}", folder.display()), why));
    }
    let mut path = PathBuf::new();
    for part in folder.components() {
        path.push(part);
        let stat = rustix::fs::stat(&path).doing(|| doing(&path))?;
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            return Err(refused(io::ErrorKind::NotADirectory, doing(&path), "it is no folder"));
        }
        if stat.st_uid != 0 || stat.st_mode & WRITABLE_BY_OTHERS != 0 {
            let why = format!(
                "it has owner uid {} and mode {:04o}, and must belong to root and be writable by nobody else",
                stat.st_uid,
                stat.st_mode & 0o7777
            );
            return Err(refused(io::ErrorKind::PermissionDenied, doing(&path), why));
        }
    }
    Ok(())
}

/// The file that tells of this process, for one that sees no `/proc`.
pub(crate) fn own_status() -> Option<BorrowedFd<'static>> {
    OWN_STATUS.get().map(AsFd::as_fd)
}
