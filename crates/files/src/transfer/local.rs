//! Files and folders of this machine, by descriptor: what is written never follows a link that was put in its way
//! (threat F7).

use rustix::fs::{AtFlags, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a folder that the user named; links are followed.
pub(super) fn open_folder(path: &[u8]) -> Result<OwnedFd, Errno> {
    rustix::fs::open(if path.is_empty() { b"." } else { path }, FOLDER, Mode::empty())
}

/// Opens a folder inside of one; a link is refused.
pub(super) fn open_subfolder(folder: impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())
}

/// Opens a file to be read, links followed. What it is must be looked at before it is used: a FIFO does not block here.
pub(super) fn open_source(folder: impl AsFd, name: &[u8]) -> Result<(OwnedFd, Stat), Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    Ok((fd, stat))
}

/// Attributes of a file inside of a folder.
pub(super) fn stat(folder: impl AsFd, name: &[u8], follow: bool) -> Result<Stat, Errno> {
    rustix::fs::statat(folder, name, if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW })
}

/// Fills `space` from `offset` on. Of a regular file it is less only at its end.
pub(super) fn read_at(fd: &OwnedFd, space: &mut [u8], offset: u64) -> Result<usize, Errno> {
    loop {
        match rustix::io::pread(fd, &mut *space, offset) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Writes all of `data`.
pub(super) fn write_all_at(fd: &OwnedFd, mut offset: u64, mut data: &[u8]) -> Result<(), Errno> {
    while !data.is_empty() {
        match rustix::io::pwrite(fd, data, offset) {
            Ok(0) => return Err(Errno::NOSPC),
            Ok(count) => {
                offset += count as u64;
                data = data.get(count..).unwrap_or_default();
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sets when a file was last read and changed, in seconds; what is `None` stays.
pub(super) fn set_times(fd: &OwnedFd, read: Option<u32>, changed: Option<u32>) -> Result<(), Errno> {
    let time = |seconds: Option<u32>| match seconds {
        Some(seconds) => Timespec { tv_sec: i64::from(seconds), tv_nsec: 0 },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    rustix::fs::futimens(fd, &Timestamps { last_access: time(read), last_modification: time(changed) })
}

/// Records of which source this is a part, as its time of last access, which nothing that writes the part alters. 0
/// records nothing.
pub(super) fn record(fd: &OwnedFd, record: u32) -> Result<(), Errno> {
    set_times(fd, Some(record), None)
}

/// What was a part is a file: its time of last access means that again.
pub(super) fn forget_record(fd: &OwnedFd) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    // Nothing hangs on it.
    let _ = rustix::fs::futimens(fd, &Timestamps { last_access: now, last_modification: omit });
}

/// Seconds since 1970 as SFTP has them; what does not fit becomes the nearest that does.
pub(super) fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}
