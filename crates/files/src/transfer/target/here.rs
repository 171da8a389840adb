//! A target on this machine.

use super::{Ending, LONGEST_NAME, Open, RECORDED_FROM, Target, part_name, resume};
use crate::remote::{Error, shown};
use crate::transfer::How;
use crate::transfer::compare::Copy;
use crate::transfer::local;
use crate::transfer::run::{Run, doing};
use crate::transfer::source::Source;
use crate::transfer::walk::File;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What new files may be at most when the source does not tell: as creat(2) is mostly called.
const DEFAULT_MODE: u32 = 0o666;

/// How to write.
enum Plan {
    Part(Vec<u8>, Option<Box<Stat>>),
    Straight,
}

pub(super) async fn open(run: &Run<'_>, file: &File, source: &Source) -> Result<Target, Error> {
    let target = match plan(run, file)? {
        Plan::Part(part, replaced) => match open_part(run, file, source, &part, replaced.as_deref()).await {
            // The folder takes no new names, or the part cannot be made like the file that it would replace.
            Err(Error::Io { error, .. }) if replaced.is_some() && is_refusal(&error) => None,
            other => Some(other?),
        },
        Plan::Straight => None,
    };
    match target {
        Some(target) => Ok(target),
        None => open_straight(run, file, source).await,
    }
}

fn is_refusal(error: &std::io::Error) -> bool {
    let kinds = [Errno::ACCESS, Errno::PERM, Errno::ROFS, Errno::NAMETOOLONG];
    error.raw_os_error().is_some_and(|number| kinds.iter().any(|kind| kind.raw_os_error() == number))
}

fn plan(run: &Run<'_>, file: &File) -> Result<Plan, Error> {
    let name = &file.target_name;
    if name.len() > LONGEST_NAME {
        return Err(Error::io(doing("create", &file.target_path()), Errno::NAMETOOLONG));
    }
    let existing = if file.folder.created.get() {
        None
    } else {
        match local::stat(file.folder.target_here(), name, false) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(Error::io(doing("stat", &file.target_path()), error)),
        }
    };
    let kind = existing.as_ref().map(|stat| FileType::from_raw_mode(stat.st_mode));
    let own_name =
        matches!((kind, &existing), (None, _) | (Some(FileType::RegularFile), Some(Stat { st_nlink: 1, .. })));
    match (kind, part_name(name)) {
        (Some(FileType::Directory), _) => Err(Error::io(doing("write", &file.target_path()), Errno::ISDIR)),
        (Some(FileType::Fifo | FileType::Socket), _) => Err(Error::NotRegular { name: shown(&file.target_path()) }),
        (_, Some(part)) if own_name && !run.options.in_place => Ok(Plan::Part(part, existing.map(Box::new))),
        _ => Ok(Plan::Straight),
    }
}

async fn open_part(
    run: &Run<'_>,
    file: &File,
    source: &Source,
    part: &[u8],
    replaced: Option<&Stat>,
) -> Result<Target, Error> {
    let folder = file.folder.target_here();
    let mut how = How::Fresh;
    if run.options.resume
        && let Some((fd, stat)) = open_left(file, part)
    {
        let fd = Arc::new(fd);
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let record = Some(local::seconds(stat.st_atime));
        let (start, found) = resume(run, file, source, &Copy::Here(Arc::clone(&fd)), (length, record)).await?;
        if start > 0 {
            return begin(file, source, fd, Some(part.to_vec()), (start, found, replaced.is_some()));
        }
        how = found;
    }
    let wanted = source.facts.mode.unwrap_or(DEFAULT_MODE);
    let mode = Mode::from_raw_mode(replaced.map_or(wanted, |stat| stat.st_mode) & 0o777);
    // Opened for reading too, for hashes.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let create = || rustix::fs::openat(folder, part, flags, mode);
    let fd = create().or_else(|error| {
        if error != Errno::EXIST {
            return Err(error);
        }
        rustix::fs::unlinkat(folder, part, AtFlags::empty())?;
        create()
    });
    let fd = fd.map_err(|error| Error::io(doing("create", &file.target_path()), error))?;
    if let Some(replaced) = replaced
        && let Err(error) = make_like(&fd, replaced)
    {
        let _ = rustix::fs::unlinkat(folder, part, AtFlags::empty());
        return Err(Error::io(doing("replace", &file.target_path()), error));
    }
    begin(file, source, Arc::new(fd), Some(part.to_vec()), (0, how, replaced.is_some()))
}

/// A part that an earlier transfer of this account left.
fn open_left(file: &File, part: &[u8]) -> Option<(OwnedFd, Stat)> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(file.folder.target_here(), part, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&fd).ok()?;
    let ours = stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_nlink == 1;
    (ours && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some((fd, stat))
}

/// Owner and mode of the file that will be replaced.
fn make_like(fd: &OwnedFd, replaced: &Stat) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(fd)?;
    if (stat.st_uid, stat.st_gid) != (replaced.st_uid, replaced.st_gid) {
        rustix::fs::fchown(fd, Some(Uid::from_raw(replaced.st_uid)), Some(Gid::from_raw(replaced.st_gid)))?;
    }
    if stat.st_mode & 0o777 != replaced.st_mode & 0o777 {
        rustix::fs::fchmod(fd, Mode::from_raw_mode(replaced.st_mode & 0o777))?;
    }
    Ok(())
}

async fn open_straight(run: &Run<'_>, file: &File, source: &Source) -> Result<Target, Error> {
    let path = file.target_path();
    let read = run.options.resume || run.options.verify;
    let follow = if file.folder.follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let fresh = if run.options.resume { OFlags::empty() } else { OFlags::TRUNC };
    let access = if read { OFlags::RDWR } else { OFlags::WRONLY };
    let flags = access | OFlags::CREATE | OFlags::NOCTTY | OFlags::CLOEXEC | follow | fresh;
    let mode = Mode::from_raw_mode(source.facts.mode.unwrap_or(DEFAULT_MODE) & 0o777);
    let fd = rustix::fs::openat(file.folder.target_here(), &*file.target_name, flags, mode);
    let fd = Arc::new(fd.map_err(|error| match error {
        Errno::LOOP => {
            let what = format!("write {} (a symbolic link; name the file itself to write through it)", shown(&path));
            Error::io(what, error)
        }
        error => Error::io(doing("open", &path), error),
    })?);
    if !run.options.resume {
        return begin(file, source, fd, None, (0, How::Fresh, false));
    }
    let stat = rustix::fs::fstat(&*fd).map_err(|error| Error::io(doing("stat", &path), error))?;
    let length = u64::try_from(stat.st_size).unwrap_or(0);
    // A file begun by a program that keeps no record will do if it was written to after its source was last changed.
    let later = source.facts.changed().is_some_and(|changed| i64::from(changed) <= stat.st_mtime);
    let record = if later { source.facts.record() } else { Some(local::seconds(stat.st_atime)) };
    let (start, how) = resume(run, file, source, &Copy::Here(Arc::clone(&fd)), (length, record)).await?;
    begin(file, source, fd, None, (start, how, false))
}

fn begin(
    file: &File,
    source: &Source,
    fd: Arc<OwnedFd>,
    part: Option<Vec<u8>>,
    (start, how, replaces): (u64, How, bool),
) -> Result<Target, Error> {
    let failed = |error| Error::io(doing("prepare", &file.target_path()), error);
    if how != How::Fresh {
        rustix::fs::ftruncate(&*fd, start).map_err(failed)?;
    }
    let recorded = source.facts.size.is_some_and(|size| size >= RECORDED_FROM);
    let recorded = match source.facts.record().filter(|_| recorded) {
        // Not every file has times that may be set, such as one of another account.
        Some(record) => local::record(&fd, record).is_ok(),
        None => false,
    };
    Ok(Target { open: Open::Here(fd), part, start, how, recorded, replaces, closed: Cell::new(false) })
}

pub(super) fn close(
    run: &Run<'_>,
    target: &Target,
    fd: &OwnedFd,
    file: &File,
    source: &Source,
    end: &Ending,
) -> Result<(), Error> {
    let failed = |error| Error::io(doing("write", &file.target_path()), error);
    if end.hole_at_end {
        rustix::fs::ftruncate(fd, end.size).map_err(failed)?;
    }
    if run.options.preserve {
        let mode = source.facts.mode.filter(|_| !target.replaces || run.options.preserve);
        let kept = mode.map_or(Ok(()), |mode| rustix::fs::fchmod(fd, Mode::from_raw_mode(mode & 0o777)));
        let (read, changed) = source.facts.times.unzip();
        if let Err(error) = kept.and(local::set_times(fd, read, changed)) {
            run.note(&Error::io(doing("set the attributes of", &file.target_path()), error).to_string());
        }
    } else if target.recorded {
        local::forget_record(fd);
    }
    if run.options.fsync {
        rustix::fs::fsync(fd).map_err(failed)?;
    }
    Ok(())
}

pub(super) fn publish(run: &Run<'_>, target: &Target, file: &File) -> Result<(), Error> {
    let folder = file.folder.target_here();
    let failed = |error| Error::io(doing("rename the part of", &file.target_path()), error);
    if let Some(part) = &target.part {
        rustix::fs::renameat(folder, &**part, folder, &*file.target_name).map_err(failed)?;
        if run.options.fsync {
            rustix::fs::fsync(folder).map_err(failed)?;
        }
    }
    Ok(())
}

/// What is beyond the frontier has gaps, so it goes; and the record is true again.
pub(super) fn leave(target: &Target, fd: &OwnedFd, file: &File, source: &Source, whole_to: u64) {
    let Some(part) = &target.part else { return };
    if whole_to == 0 {
        let _ = rustix::fs::unlinkat(file.folder.target_here(), &**part, AtFlags::empty());
        return;
    }
    let truncated = rustix::fs::ftruncate(fd, whole_to);
    if let (Ok(()), Some(record)) = (truncated, source.facts.record()) {
        let _ = local::record(fd, record);
    }
}
