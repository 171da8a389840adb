//! Files that are open: OPEN, CLOSE, READ, WRITE, FSTAT, FSETSTAT and fsync (draft §6).

use super::attributes::{Target, attributes_of};
use super::dispatch::{Answer, Answered};
use super::handles::{Open, OpenFile};
use super::journal::{Level, shown};
use super::output::Output;
use super::refusal::Refusal;
use super::worker::Worker;
use nacre_sftp::request::{FXF_APPEND, FXF_CREAT, FXF_EXCL, FXF_READ, FXF_TRUNC, FXF_WRITE};
use nacre_sftp::{Attributes, Code, MAX_DATA, Reply};
use rustix::fs::OFlags;
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::{AsFd, BorrowedFd};

impl Worker {
    pub(super) fn open(&mut self, path: &[u8], flags: u32, attributes: &Attributes) -> Answered {
        self.handles.room()?;
        let mode = attributes.permissions.unwrap_or(0o666);
        self.note(Level::Info, || format!("open \"{}\" flags {} mode 0{mode:o}", shown(path), flag_names(flags)));
        let how = open_flags(flags);
        // Without NONBLOCK a pipe that nobody writes would hold the client up for ever (threat F4). A file under a lease
        // says AGAIN then, and is waited for.
        let fd = match self.tree.open(path, how | OFlags::NONBLOCK | OFlags::NOCTTY, mode) {
            Err(Errno::AGAIN) => self.tree.open(path, how | OFlags::NOCTTY, mode)?,
            result => result?,
        };
        match flags & FXF_WRITE {
            0 => self.totals.files_read += 1,
            _ => self.totals.files_written += 1,
        }
        let file = OpenFile { fd, path: path.to_vec(), appends: flags & FXF_APPEND != 0, read: 0, written: 0 };
        self.handles.add(Open::File(file)).map(Answer::Handle)
    }

    pub(super) fn close(&mut self, handle: &[u8]) -> Answered {
        let open = self.handles.remove(handle).ok_or(Refusal::code(Code::NoSuchFile))?;
        self.closed("", &open);
        Ok(Answer::Done)
    }

    pub(super) fn read(&mut self, id: u32, what: (&[u8], u64, u32), replies: &mut Output) -> Answered {
        let (handle, offset, length) = what;
        let file = self.handles.file(handle)?;
        if length == 0 {
            replies.reply(id, &Reply::Data(b""));
            return Ok(Answer::Sent);
        }
        let length = usize::try_from(length.min(MAX_DATA)).unwrap_or_default();
        let count = match replies.lend(id, file.fd.as_fd(), offset, length) {
            Some(count) => count,
            None => {
                replies.data(id, length, |space| retry_on_intr(|| rustix::io::pread(&file.fd, &mut *space, offset)))?
            }
        };
        if count == 0 {
            return Err(Refusal::code(Code::Eof));
        }
        let count = u64::try_from(count).unwrap_or_default();
        file.read += count;
        self.totals.bytes_read += count;
        Ok(Answer::Sent)
    }

    pub(super) fn write(&mut self, handle: &[u8], offset: u64, data: &[u8]) -> Answered {
        let file = self.handles.file(handle)?;
        let written = write_all(file.fd.as_fd(), data, offset);
        // What was written before it failed has been written.
        let count = u64::try_from(data.len() - written.1).unwrap_or_default();
        file.written += count;
        self.totals.bytes_written += count;
        written.0?;
        Ok(Answer::Done)
    }

    pub(super) fn fstat(&mut self, handle: &[u8]) -> Answered {
        let stat = rustix::fs::fstat(self.handles.get(handle)?.fd()?)?;
        Ok(Answer::Attributes(attributes_of(&stat)))
    }

    /// By the descriptor: where its name leads by now does not matter (threat F3).
    pub(super) fn fsetstat(&mut self, handle: &[u8], attributes: &Attributes) -> Answered {
        let path = self.handles.get(handle)?.path().to_vec();
        self.note_attributes(&path, attributes);
        let fd = self.handles.get(handle)?.fd()?;
        let sized = attributes.size.map_or(Ok(()), |size| rustix::fs::ftruncate(fd, size));
        let set = Target::Open(fd).set(attributes);
        sized.and(set)?;
        Ok(Answer::Done)
    }

    pub(super) fn fsync(&mut self, handle: &[u8]) -> Answered {
        let open = self.handles.get(handle).map_err(|_| Refusal::code(Code::NoSuchFile))?;
        let fd = open.fd()?;
        retry_on_intr(|| rustix::fs::fsync(fd))?;
        Ok(Answer::Done)
    }
}

/// Writes all, or says why not and how much is left.
fn write_all(fd: BorrowedFd<'_>, mut data: &[u8], mut offset: u64) -> (Result<(), Errno>, usize) {
    while !data.is_empty() {
        match retry_on_intr(|| rustix::io::pwrite(fd, data, offset)) {
            Ok(0) => return (Err(Errno::IO), data.len()),
            Ok(count) => {
                data = data.get(count..).unwrap_or_default();
                offset = offset.saturating_add(u64::try_from(count).unwrap_or_default());
            }
            Err(error) => return (Err(error), data.len()),
        }
    }
    (Ok(()), 0)
}

fn open_flags(flags: u32) -> OFlags {
    let has = |flag| flags & flag != 0;
    let mut how = match (has(FXF_READ), has(FXF_WRITE)) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        (_, false) => OFlags::RDONLY,
    };
    for (flag, also) in [
        (FXF_APPEND, OFlags::APPEND),
        (FXF_CREAT, OFlags::CREATE),
        (FXF_TRUNC, OFlags::TRUNC),
        (FXF_EXCL, OFlags::EXCL),
    ] {
        how.set(also, has(flag));
    }
    how
}

/// As OpenSSH's server writes them: `READ,WRITE,CREATE`.
fn flag_names(flags: u32) -> String {
    let names = [
        (FXF_READ, "READ"),
        (FXF_WRITE, "WRITE"),
        (FXF_APPEND, "APPEND"),
        (FXF_CREAT, "CREATE"),
        (FXF_TRUNC, "TRUNCATE"),
        (FXF_EXCL, "EXCL"),
    ];
    let set: Vec<&str> = names.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name).collect();
    set.join(",")
}
