//! Reading an account's own files with the account's own rights (threat A17), from a server that is root and has threads.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;

use nix::unistd::{Gid, Uid};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::account::{Account, Credentials};
use crate::error::{Doing, refused};
use crate::strict_modes::{self, UnsafePath};

/// A file's content and whether only its owner and root can have written it.
#[derive(Debug)]
pub struct FileRead {
    /// The whole content.
    pub bytes: Vec<u8>,
    /// What `StrictModes` says: the first path that somebody else could have changed, or nothing wrong.
    pub strict_modes: Result<(), UnsafePath>,
}

/// Reads a regular file with the rights of `account`. Symbolic links are followed with those rights too; a FIFO, device or
/// directory is refused at once and never waited for.
///
/// # Errors
/// `NotFound`, `PermissionDenied` as the account itself would get them; `InvalidInput` when it is not a regular file;
/// `FileTooLarge` past `max_bytes`; `PermissionDenied` when this process is neither root nor the account.
pub fn read_file_as(account: &Account, path: &Path, max_bytes: usize) -> io::Result<FileRead> {
    let credentials = account.credentials()?;
    with_rights_of(&credentials, || {
        let file = open_regular(path)?;
        let strict_modes = strict_modes::check_open_file(&file, path, &account.home, account.uid)?;
        Ok(FileRead { bytes: read_bounded(file, path, max_bytes)?, strict_modes })
    })
}

/// Runs `work` so that the file system sees the user, not root. The ids are changed for one thread only (libc's calls would change
/// them for all), and that thread ends with `work`, so nothing has to be changed back.
///
/// # Errors
/// Those of `work`; `PermissionDenied` when this process is neither root nor already the user; `Other` when `work` panicked.
pub fn with_rights_of<T: Send>(
    credentials: &Credentials,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let here = rustix::process::geteuid();
    if !here.is_root() {
        if here.as_raw() == credentials.uid {
            return work();
        }
        let doing = format!("act as uid {} from uid {}", credentials.uid, here.as_raw());
        return Err(refused(io::ErrorKind::PermissionDenied, doing, "only root can act as somebody else"));
    }
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("as-user".into());
        let handle = builder
            .spawn_scoped(scope, || {
                take_rights(credentials)?;
                work()
            })
            .doing(|| "start a thread with a user's rights".into())?;
        handle.join().unwrap_or_else(|_| Err(io::Error::other("a thread with a user's rights panicked")))
    })
}

/// For this thread only: raw system calls, and setfsuid/setfsgid, which libc never spreads to other threads. Leaving fsuid 0 also
/// takes the capabilities that override file permissions.
fn take_rights(credentials: &Credentials) -> io::Result<()> {
    let doing = || format!("take the rights of uid {}", credentials.uid);
    let groups: Vec<_> = credentials.groups.iter().map(|gid| rustix::fs::Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&groups).doing(doing)?;
    let (uid, gid) = (Uid::from_raw(credentials.uid), Gid::from_raw(credentials.gid));
    nix::unistd::setfsgid(gid);
    nix::unistd::setfsuid(uid);
    // These two calls report no errors: asking with an impossible id gives the one in force.
    let in_force = (nix::unistd::setfsuid(Uid::from_raw(u32::MAX)), nix::unistd::setfsgid(Gid::from_raw(u32::MAX)));
    if in_force == (uid, gid) {
        Ok(())
    } else {
        Err(refused(io::ErrorKind::PermissionDenied, doing(), "the kernel kept the old ids"))
    }
}

fn open_regular(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        // A socket, or a device without a driver: it exists and is no regular file.
        Err(Errno::NXIO) => return Err(not_regular(path)),
        other => other.doing(|| format!("open {}", path.display()))?,
    };
    let stat = rustix::fs::fstat(&fd).doing(|| format!("examine {}", path.display()))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile { Ok(fd) } else { Err(not_regular(path)) }
}

#[track_caller]
fn not_regular(path: &Path) -> io::Error {
    refused(io::ErrorKind::InvalidInput, format!("open {}", path.display()), "not a regular file")
}

fn read_bounded(file: OwnedFd, path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    File::from(file).take(limit).read_to_end(&mut bytes).doing(|| format!("read {}", path.display()))?;
    if bytes.len() > max_bytes {
        let doing = format!("read {}", path.display());
        return Err(refused(io::ErrorKind::FileTooLarge, doing, format!("longer than {max_bytes} bytes")));
    }
    Ok(bytes)
}
