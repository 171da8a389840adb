//! The process's own stdin, stdout and stderr, used without blocking and without disturbing anybody else.
//!
//! O_NONBLOCK belongs to the open file description, which the shell, a pager and our own siblings share: setting it on fd 0
//! breaks them ("Resource temporarily unavailable" in the shell afterwards). So a second description is opened.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, epoll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use crate::error::Doing;

/// Linux reports a pipe writable when at least one page (4096 bytes) is free, so a write of that size never blocks.
const PIPE_STEP: usize = 4096;
/// A terminal reports writable with 256 bytes of room (`tty_write_room` against WAKEUP_CHARS).
const TTY_STEP: usize = 256;

/// One standard descriptor made ready for a non-blocking program. `read` and `write` never block for long and never change flags
/// that other processes see.
#[derive(Debug)]
pub enum Stdio {
    /// A pipe, FIFO or terminal with a description of its own and O_NONBLOCK: register it with epoll.
    Pollable(OwnedFd),
    /// A socket: a duplicate that shares its flags, used with MSG_DONTWAIT. Register it with epoll.
    Socket(OwnedFd),
    /// A pipe or terminal that could not be reopened (a terminal of another user after `su`, a FIFO without a reader):
    /// a duplicate that shares its flags, asked with poll(2) before each small step. Register it with epoll.
    Guarded(OwnedFd),
    /// A regular file, directory or a device like /dev/null: always ready, epoll refuses it.
    AlwaysReady(OwnedFd),
}

/// Opens a private, non-blocking view of `fd`. The original stays open: a reader at the other end of a pipe sees end of file
/// only when the original is closed as well.
///
/// # Errors
/// EBADF when `fd` is closed, EMFILE when no descriptor is left.
pub fn reopen(fd: impl AsFd) -> io::Result<Stdio> {
    let fd = fd.as_fd();
    let stat = rustix::fs::fstat(fd).doing(|| format!("examine {fd:?}"))?;
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, 3).doing(|| format!("duplicate {fd:?}"))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => Ok(Stdio::Socket(copy)),
        FileType::Fifo | FileType::CharacterDevice if epoll_accepts(&copy)? => {
            Ok(open_again(&copy).map_or(Stdio::Guarded(copy), Stdio::Pollable))
        }
        FileType::Fifo | FileType::CharacterDevice => Ok(Stdio::AlwaysReady(copy)),
        _ if epoll_accepts(&copy)? => Ok(Stdio::Guarded(copy)),
        _ => Ok(Stdio::AlwaysReady(copy)),
    }
}

/// Whether this is a pipe or FIFO, which a read shorter than asked for has emptied.
pub fn is_pipe(fd: impl AsFd) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Asks the kernel for a larger buffer in a pipe that somebody else made, so that one wake-up moves much; a refusal, or
/// something that is no pipe, changes nothing.
pub fn widen_pipe(fd: impl AsFd) {
    if is_pipe(&fd) {
        let _ = rustix::pipe::fcntl_setpipe_size(fd, crate::spawn::PIPE_BYTES);
    }
}

/// [`reopen`] of fd 0.
///
/// # Errors
/// As [`reopen`].
pub fn stdin() -> io::Result<Stdio> {
    reopen(io::stdin())
}

/// [`reopen`] of fd 1.
///
/// # Errors
/// As [`reopen`].
pub fn stdout() -> io::Result<Stdio> {
    reopen(io::stdout())
}

/// [`reopen`] of fd 2.
///
/// # Errors
/// As [`reopen`].
pub fn stderr() -> io::Result<Stdio> {
    reopen(io::stderr())
}

/// A descriptor that does not block, for a process that may not ask what it is. What cannot be opened again, and a socket, get
/// the flag that others see.
///
/// # Errors
/// As [`reopen`].
pub fn nonblocking(fd: impl AsFd) -> io::Result<OwnedFd> {
    let stdio = reopen(fd)?;
    if matches!(stdio, Stdio::Socket(_) | Stdio::Guarded(_)) {
        let flags = rustix::fs::fcntl_getfl(&stdio).doing(|| "read the flags of a descriptor".into())?;
        rustix::fs::fcntl_setfl(&stdio, flags | OFlags::NONBLOCK).doing(|| "keep a descriptor from blocking".into())?;
    }
    Ok(stdio.into_fd())
}

/// Asks the kernel rather than a table of device types: a throw-away epoll says EPERM for what is always ready.
fn epoll_accepts(fd: &OwnedFd) -> io::Result<bool> {
    let probe = epoll::create(epoll::CreateFlags::CLOEXEC).doing(|| "create an epoll".into())?;
    match epoll::add(&probe, fd, epoll::EventData::new_u64(0), epoll::EventFlags::IN) {
        Ok(()) => Ok(true),
        Err(Errno::PERM) => Ok(false),
        Err(err) => Err(err).doing(|| "ask epoll about a descriptor".into()),
    }
}

fn open_again(fd: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let access = rustix::fs::fcntl_getfl(fd)? & OFlags::ACCMODE;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
}

impl Stdio {
    /// Whether epoll takes it; when not, [`Stdio::read`] and [`Stdio::write`] may be called at any time.
    pub fn is_pollable(&self) -> bool {
        !matches!(self, Self::AlwaysReady(_))
    }

    /// Reads up to `buf.len()` bytes; 0 is end of file.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there yet; EIO from a terminal that was hung up.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let result = match self {
            Self::Pollable(fd) | Self::AlwaysReady(fd) => rustix::io::read(fd, buf),
            Self::Socket(fd) => rustix::net::recv(fd, buf, RecvFlags::DONTWAIT).map(|(_, received)| received),
            Self::Guarded(fd) => ready(fd.as_fd(), PollFlags::IN).and_then(|()| rustix::io::read(fd, buf)),
        };
        result.map_err(io::Error::from)
    }

    /// Writes some of `buf` and says how many bytes.
    ///
    /// # Errors
    /// `WouldBlock` when nothing fits; `BrokenPipe` when nobody reads.
    pub fn write(&self, buf: &[u8]) -> io::Result<usize> {
        let result = match self {
            Self::Pollable(fd) | Self::AlwaysReady(fd) => rustix::io::write(fd, buf),
            Self::Socket(fd) => rustix::net::send(fd, buf, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Self::Guarded(fd) => write_guarded(fd.as_fd(), buf),
        };
        result.map_err(io::Error::from)
    }

    /// Gives the descriptor away, for callers that splice or register it themselves.
    pub fn into_fd(self) -> OwnedFd {
        match self {
            Self::Pollable(fd) | Self::Socket(fd) | Self::Guarded(fd) | Self::AlwaysReady(fd) => fd,
        }
    }
}

impl AsFd for Stdio {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Pollable(fd) | Self::Socket(fd) | Self::Guarded(fd) | Self::AlwaysReady(fd) => fd.as_fd(),
        }
    }
}

impl AsRawFd for Stdio {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

fn ready(fd: BorrowedFd<'_>, wanted: PollFlags) -> rustix::io::Result<()> {
    let mut fds = [PollFd::from_borrowed_fd(fd, wanted)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    match rustix::event::poll(&mut fds, Some(&now))? {
        0 => Err(Errno::AGAIN),
        _ => Ok(()),
    }
}

fn write_guarded(fd: BorrowedFd<'_>, buf: &[u8]) -> rustix::io::Result<usize> {
    ready(fd, PollFlags::OUT)?;
    let step = if rustix::termios::isatty(fd) { TTY_STEP } else { PIPE_STEP };
    rustix::io::write(fd, buf.get(..step).unwrap_or(buf))
}
