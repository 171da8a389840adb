//! Attributes of files, told and set (draft §5, SETSTAT in §6.9).

use super::dispatch::{Answer, Answered};
use super::journal::{Level, shown};
use super::refusal::Refusal;
use super::tree::Place;
use super::worker::Worker;
use nacre_sftp::{Attributes, Code};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What SFTP tells of a file. Times are cut to what 32 bits hold.
pub fn attributes_of(stat: &Stat) -> Attributes {
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    Attributes {
        size: Some(u64::try_from(stat.st_size).unwrap_or_default()),
        owner: Some((stat.st_uid, stat.st_gid)),
        permissions: Some(stat.st_mode),
        times: Some((seconds(stat.st_atime), seconds(stat.st_mtime))),
        extended: Vec::new(),
    }
}

/// Whose attributes are set; none is looked up by its name a second time.
pub enum Target<'a> {
    /// What is open.
    Open(BorrowedFd<'a>),
    /// What is held, but not open.
    Held(OwnedFd),
    /// A name in a folder, a link followed.
    Followed(Place<'a>),
    /// A name in a folder, a link not followed.
    Itself(Place<'a>),
}

impl Target<'_> {
    /// Sets mode, times and owner as far as they are given, in OpenSSH's order. One that cannot be set does not keep the others
    /// from being set; the first error counts.
    pub fn set(&self, attributes: &Attributes) -> Result<(), Errno> {
        let mode = attributes.permissions.map_or(Ok(()), |mode| self.set_mode(Mode::from_raw_mode(mode & 0o7777)));
        let times = attributes.times.map_or(Ok(()), |times| self.set_times(times));
        let owner = attributes.owner.map_or(Ok(()), |owner| self.set_owner(owner));
        mode.and(times).and(owner)
    }

    fn set_mode(&self, mode: Mode) -> Result<(), Errno> {
        match self {
            Self::Open(fd) => rustix::fs::fchmod(fd, mode),
            Self::Held(fd) => held_mode(fd, mode),
            Self::Followed(place) => rustix::fs::chmodat(place, place.name, mode, AtFlags::empty()),
            Self::Itself(place) => {
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                held_mode(&rustix::fs::openat(place, place.name, flags, Mode::empty())?, mode)
            }
        }
    }

    fn set_times(&self, (access, modification): (u32, u32)) -> Result<(), Errno> {
        let time = |seconds: u32| Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
        let times = Timestamps { last_access: time(access), last_modification: time(modification) };
        match self {
            Self::Open(fd) => rustix::fs::futimens(fd, &times),
            Self::Held(fd) => rustix::fs::utimensat(fd, c"", &times, AtFlags::EMPTY_PATH),
            Self::Followed(place) => rustix::fs::utimensat(place, place.name, &times, AtFlags::empty()),
            Self::Itself(place) => rustix::fs::utimensat(place, place.name, &times, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    fn set_owner(&self, (user, group): (u32, u32)) -> Result<(), Errno> {
        // All ones means "as it is" to the kernel, and to rustix a mistake.
        let user = (user != u32::MAX).then(|| Uid::from_raw(user));
        let group = (group != u32::MAX).then(|| Gid::from_raw(group));
        match self {
            Self::Open(fd) => rustix::fs::fchown(fd, user, group),
            Self::Held(fd) => rustix::fs::chownat(fd, c"", user, group, AtFlags::EMPTY_PATH),
            Self::Followed(place) => rustix::fs::chownat(place, place.name, user, group, AtFlags::empty()),
            Self::Itself(place) => rustix::fs::chownat(place, place.name, user, group, AtFlags::SYMLINK_NOFOLLOW),
        }
    }
}

/// The mode of what is held: by the one path that leads to it and to nothing else.
fn held_mode(fd: &OwnedFd, mode: Mode) -> Result<(), Errno> {
    if FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode).is_symlink() {
        // A link has no mode of its own.
        return Err(Errno::OPNOTSUPP);
    }
    rustix::fs::chmod(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()), mode)
}

impl Worker {
    /// Links are followed.
    pub(super) fn setstat(&mut self, path: &[u8], attributes: &Attributes) -> Answered {
        self.note_attributes(path, attributes);
        let sized = attributes.size.map_or(Ok(()), |size| {
            let file = self.tree.open(path, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY, 0)?;
            rustix::fs::ftruncate(file, size)
        });
        let target = match self.tree.is_rooted() {
            true => Target::Held(self.tree.open(path, OFlags::PATH, 0)?),
            false => Target::Followed(self.tree.place(path)?),
        };
        let set = target.set(attributes);
        sized.and(set)?;
        Ok(Answer::Done)
    }

    pub(super) fn lsetstat(&mut self, path: &[u8], attributes: &Attributes) -> Answered {
        if attributes.size.is_some() {
            return Err(Refusal::text(Code::BadMessage, "A link has no size to set"));
        }
        self.note_attributes(path, attributes);
        Target::Itself(self.tree.place(path)?).set(attributes)?;
        Ok(Answer::Done)
    }

    pub(super) fn note_attributes(&self, path: &[u8], attributes: &Attributes) {
        if let Some(size) = attributes.size {
            self.note(Level::Info, || format!("set \"{}\" size {size}", shown(path)));
        }
        if let Some(mode) = attributes.permissions {
            self.note(Level::Info, || format!("set \"{}\" mode {:04o}", shown(path), mode & 0o7777));
        }
        if let Some((_, time)) = attributes.times {
            self.note(Level::Info, || format!("set \"{}\" modtime {}", shown(path), super::longname::stamp(time)));
        }
        if let Some((user, group)) = attributes.owner {
            self.note(Level::Info, || format!("set \"{}\" owner {user} group {group}", shown(path)));
        }
    }
}
