//! Bytes of files that go to the client without passing through this program: the kernel lends the file's own pages to a
//! pipe of ours, which tells how many bytes there really are, and from there to the client's pipe.
//!
//! What was lent changes with the file until the client has taken it. So before a later request of the same client may
//! change a file, the client's pipe is waited for until it is empty: requests stay in their order.

use nacre_sftp::extended::Extended;
use nacre_sftp::request::FXF_TRUNC;
use nacre_sftp::{Attributes, Request};
use nacre_sys::stdio::widen_pipe;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// From so many bytes on it pays.
pub const WORTH_IT: usize = 64 * 1024;

/// The pipe between a file and the client.
pub struct Lending {
    read: OwnedFd,
    write: OwnedFd,
}

impl Lending {
    /// A pipe, if the client is behind one too: only from pipe to pipe do pages move.
    pub fn new(output: BorrowedFd<'_>) -> Option<Self> {
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(output).ok()?.st_mode);
        if !kind.is_fifo() {
            return None;
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        widen_pipe(&write);
        Some(Self { read, write })
    }

    /// Takes up to `length` bytes of a file. `None`: none could be taken, which reading will explain.
    pub fn take(&self, file: BorrowedFd<'_>, mut offset: u64, length: usize) -> Option<usize> {
        let mut taken = 0;
        while taken < length {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            match splice(file, Some(&mut offset), &self.write, None, length - taken, flags) {
                Ok(0) => break,
                Ok(count) => taken += count,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        (taken > 0).then_some(taken)
    }

    /// Passes so many bytes on.
    pub fn pass_on(&self, output: BorrowedFd<'_>, mut count: usize) -> io::Result<()> {
        while count > 0 {
            match splice(&self.read, None, output, None, count, SpliceFlags::MOVE) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(passed) => count -= passed,
                Err(Errno::AGAIN) => super::exchange::wait(output, PollFlags::OUT)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Waits until the client has taken everything, or is gone, which the next write will tell.
pub fn settle(output: BorrowedFd<'_>) {
    let pause = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    while rustix::io::ioctl_fionread(output).is_ok_and(|waiting| waiting > 0) {
        let mut fds = [PollFd::from_borrowed_fd(output.as_fd(), PollFlags::empty())];
        let _ = poll(&mut fds, Some(&pause));
        if fds.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::NVAL)) {
            return;
        }
    }
}

/// Whether a request may change the bytes of a file. One that cannot be read changes nothing.
pub fn changes_bytes(packet: &[u8]) -> bool {
    let sized = |attributes: &Attributes| attributes.size.is_some();
    match Request::decode(packet) {
        Ok((_, Request::Write { .. } | Request::Extended(Extended::CopyData { .. }))) => true,
        Ok((_, Request::Open { flags, .. })) => flags & FXF_TRUNC != 0,
        Ok((_, Request::Setstat { attributes, .. } | Request::Fsetstat { attributes, .. })) => sized(&attributes),
        Ok((_, Request::Extended(Extended::Lsetstat { attributes, .. }))) => sized(&attributes),
        _ => false,
    }
}
