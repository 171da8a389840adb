//! A file that comes in: under its name only when it is complete, where that can be.
//!
//! A new name, or a regular file of ours with no second name, is written as `.NAME.nacre-part` beside it and renamed. All else
//! (links, devices, shared files, folders that cannot be written) is written straight into, as scp always did.

use super::control::{Entry, Times};
use super::sink::stamps;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

/// A file being written.
#[derive(Debug)]
pub struct Incoming {
    file: File,
    /// The part's name, and what it is to be called, in this folder.
    part: Option<(OwnedFd, Vec<u8>, Vec<u8>)>,
    /// To be set when it is complete.
    mode: Option<Mode>,
}

/// The mode that a file gets: the far side's, without set-user-id and the like unless modes are kept.
pub fn mode(sent: u32, preserve: bool) -> Mode {
    Mode::from_raw_mode(sent & if preserve { 0o7777 } else { 0o777 })
}

impl Incoming {
    /// Begins the file `name` in `folder`; `follow` lets `name` be a link.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(folder: &OwnedFd, name: &[u8], entry: &Entry, preserve: bool, follow: bool) -> io::Result<Self> {
        if name.ends_with(b"/") {
            return Err(Errno::NOTDIR.into());
        }
        let before = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(errno.into()),
        };
        let sent = mode(entry.mode, preserve);
        if before.as_ref().is_none_or(is_replaceable)
            && let Some(file) = open_part(folder, name, sent)
        {
            let mode = match (&before, preserve) {
                (_, true) => Some(sent),
                // A file that is replaced keeps its mode, as one that is written into does.
                (Some(stat), false) => Some(Mode::from_raw_mode(stat.st_mode & 0o777)),
                (None, false) => lacking(&file, sent)?,
            };
            let folder = folder.try_clone()?;
            return Ok(Self { file, part: Some((folder, part_name(name), name.to_vec())), mode });
        }
        let links = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOCTTY | links;
        let file = match rustix::fs::openat(folder, name, flags, (sent | Mode::WUSR) & Mode::from_raw_mode(0o777)) {
            Ok(fd) => File::from(fd),
            Err(Errno::LOOP) if !follow => return Err(io::Error::other("is a symbolic link")),
            Err(errno) => return Err(errno.into()),
        };
        let mode = match (&before, preserve) {
            (_, true) => Some(sent),
            (Some(_), false) => None,
            (None, false) => lacking(&file, sent)?,
        };
        Ok(Self { file, part: None, mode })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// As write(2).
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// All `size` bytes are there: sets times and mode, and gives it its name.
    ///
    /// # Errors
    /// What cannot be set or renamed.
    pub fn complete(self, size: u64, times: Option<Times>) -> io::Result<()> {
        let stat = rustix::fs::fstat(&self.file)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            self.file.set_len(size)?;
            if let Some(mode) = self.mode {
                rustix::fs::fchmod(&self.file, mode)?;
            }
            if let Some(times) = times {
                rustix::fs::futimens(&self.file, &stamps(times))?;
            }
        }
        match &self.part {
            Some((folder, part, name)) => Ok(rustix::fs::renameat(folder, part, folder, name)?),
            None => Ok(()),
        }
    }

    /// What came is worth nothing.
    pub fn discard(self) {
        if let Some((folder, part, _)) = &self.part {
            let _ = rustix::fs::unlinkat(folder, part, AtFlags::empty());
        }
    }
}

/// `.NAME.nacre-part`
fn part_name(name: &[u8]) -> Vec<u8> {
    [b".", name, b".nacre-part"].concat()
}

fn is_replaceable(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_nlink == 1
        && stat.st_uid == nacre_sys::privileges::effective_uid()
        && stat.st_gid == rustix::process::getegid().as_raw()
        // One that may not be written is not to be written past its mode either.
        && stat.st_mode & 0o200 != 0
}

/// The part, empty; none when the folder cannot be written, or something else has the part's name.
fn open_part(folder: &OwnedFd, name: &[u8], sent: Mode) -> Option<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mode = (sent | Mode::WUSR) & Mode::from_raw_mode(0o777);
    let file = File::from(rustix::fs::openat(folder, part_name(name), flags, mode).ok()?);
    let stat = rustix::fs::fstat(&file).ok()?;
    let plain = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1;
    (plain && file.set_len(0).is_ok()).then_some(file)
}

/// The mode to set in the end where the right to write was only lent.
fn lacking(file: &File, sent: Mode) -> io::Result<Option<Mode>> {
    if sent.contains(Mode::WUSR) {
        return Ok(None);
    }
    Ok(Some(Mode::from_raw_mode(rustix::fs::fstat(file)?.st_mode & 0o777) & !Mode::WUSR))
}
