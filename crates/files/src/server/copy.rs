//! copy-data, the copy whose bytes do not travel, and data-ranges, which says where a file has none.

use super::dispatch::{Answer, Answered};
use super::refusal::Refusal;
use super::worker::Worker;
use nacre_sftp::Code;
use nacre_sftp::extended::{MAX_RANGES, encode_ranges};
use rustix::fs::{SeekFrom, Stat};
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes between two looks at whether the client is still there.
const STEP: usize = 64 << 20;
/// Bytes that go through memory at a time where the kernel cannot copy.
const BUFFER: usize = 256 << 10;
/// The last offset that a file can have.
const LAST: u64 = i64::MAX.unsigned_abs();

/// A copy under way.
struct Copy<'a> {
    from: BorrowedFd<'a>,
    from_offset: u64,
    to: BorrowedFd<'a>,
    to_offset: u64,
    /// Bytes still to be copied, if it does not go to the end.
    left: Option<u64>,
    in_kernel: bool,
}

impl Worker {
    /// A length of 0 goes to the end of the file. A file is never copied onto itself, by whatever names or handles it goes
    /// (threat F6): what is read might be what was just written.
    pub(super) fn copy_data(&mut self, from: (&[u8], u64), length: u64, to: (&[u8], u64)) -> Answered {
        let source = self.handles.file(from.0)?.fd.try_clone().map_err(unclonable)?;
        let target = self.handles.file(to.0)?;
        let appends = target.appends;
        let target: OwnedFd = target.fd.try_clone().map_err(unclonable)?;
        let same = |a: Stat, b: Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
        if same(rustix::fs::fstat(&source)?, rustix::fs::fstat(&target)?) {
            return Err(Refusal::text(Code::Failure, "A file cannot be copied onto itself"));
        }
        let end = |offset: u64| offset.checked_add(length).filter(|end| *end <= LAST);
        if end(from.1).is_none() || end(to.1).is_none() {
            return Err(Errno::INVAL.into());
        }
        let mut copy = Copy {
            from: source.as_fd(),
            from_offset: from.1,
            to: target.as_fd(),
            to_offset: to.1,
            left: (length > 0).then_some(length),
            // The kernel does not copy to the end of a file that is appended to.
            in_kernel: !appends,
        };
        let result = self.copy_all(&mut copy);
        let (read, written) = (copy.from_offset - from.1, copy.to_offset - to.1);
        self.totals.bytes_read += read;
        self.totals.bytes_written += written;
        self.handles.file(from.0)?.read += read;
        self.handles.file(to.0)?.written += written;
        result.map(|()| Answer::Done)
    }

    fn copy_all(&mut self, copy: &mut Copy<'_>) -> Result<(), Refusal> {
        while copy.left != Some(0) {
            if self.is_abandoned() {
                return Err(Refusal::code(Code::Failure));
            }
            let before = copy.from_offset;
            while copy.from_offset - before < u64::try_from(STEP).unwrap_or(u64::MAX) && copy.left != Some(0) {
                if copy.step(&mut self.scratch)? == 0 {
                    return if copy.left.is_none() { Ok(()) } else { Err(Refusal::code(Code::Eof)) };
                }
            }
        }
        Ok(())
    }

    /// Where a file has data, from an offset on.
    pub(super) fn data_ranges(&mut self, handle: &[u8], offset: u64) -> Answered {
        let file = self.handles.file(handle)?;
        let mut ranges = Vec::new();
        let mut position = offset;
        while ranges.len() < MAX_RANGES {
            let start = match rustix::fs::seek(&file.fd, SeekFrom::Data(position)) {
                // What follows is a hole, or nothing.
                Err(Errno::NXIO) => break,
                start => start?,
            };
            let end = rustix::fs::seek(&file.fd, SeekFrom::Hole(start))?;
            if end <= start {
                break;
            }
            ranges.push((start, end));
            position = end;
        }
        Ok(Answer::Extended(encode_ranges(&ranges)))
    }
}

impl Copy<'_> {
    /// Copies some bytes and says how many; 0 at the end of the file.
    fn step(&mut self, scratch: &mut Vec<u8>) -> Result<u64, Errno> {
        let most = self.left.map_or(STEP, |left| usize::try_from(left).unwrap_or(STEP).min(STEP));
        if self.in_kernel {
            match self.step_in_kernel(most) {
                // What cannot be copied so can be read and written; a file that says it is empty may be one that the kernel
                // makes up as it is read.
                Ok(0)
                | Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::BADF) => {
                    self.in_kernel = false;
                }
                result => return self.done(result?),
            }
        }
        scratch.resize(BUFFER, 0);
        let space = scratch.get_mut(..most.min(BUFFER)).unwrap_or_default();
        let count = retry_on_intr(|| rustix::io::pread(self.from, &mut *space, self.from_offset))?;
        let mut data = space.get(..count).unwrap_or_default();
        let mut offset = self.to_offset;
        while !data.is_empty() {
            let count = retry_on_intr(|| rustix::io::pwrite(self.to, data, offset))?;
            offset = offset.saturating_add(u64::try_from(count).unwrap_or_default());
            data = data.get(count..).unwrap_or_default();
        }
        self.done(count)
    }

    /// The kernel moves the offsets itself, so they are given as copies.
    fn step_in_kernel(&self, most: usize) -> Result<usize, Errno> {
        let (mut from, mut to) = (self.from_offset, self.to_offset);
        retry_on_intr(|| rustix::fs::copy_file_range(self.from, Some(&mut from), self.to, Some(&mut to), most))
    }

    fn done(&mut self, count: usize) -> Result<u64, Errno> {
        let count = u64::try_from(count).map_err(|_| Errno::OVERFLOW)?;
        self.from_offset = self.from_offset.checked_add(count).ok_or(Errno::OVERFLOW)?;
        self.to_offset = self.to_offset.checked_add(count).ok_or(Errno::OVERFLOW)?;
        self.left = self.left.map(|left| left.saturating_sub(count));
        Ok(count)
    }
}

fn unclonable(error: std::io::Error) -> Refusal {
    Errno::from_io_error(&error).unwrap_or(Errno::IO).into()
}
