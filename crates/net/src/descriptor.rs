//! A descriptor of the operating system, read and written from a task.

use nacre_sys::stdio::{self, Stdio};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;

/// What epoll watches: a [`Stdio`] that knows how it must be read and written.
#[derive(Debug)]
struct Watched(Stdio);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A pipe, terminal, socket or file.
#[derive(Debug)]
pub struct Descriptor(Kind);

#[derive(Debug)]
enum Kind {
    Watched {
        fd: AsyncFd<Watched>,
        /// A read shorter than asked for has emptied it, so the next one can wait to be told.
        short_read_empties: bool,
    },
    /// Files and devices that never keep anybody waiting; epoll refuses them.
    AlwaysReady(Stdio),
}

impl Descriptor {
    /// Registers a descriptor with the runtime.
    ///
    /// # Errors
    /// No room is left for one more.
    pub fn new(stdio: Stdio) -> io::Result<Self> {
        let short_read_empties = stdio::is_pipe(&stdio);
        Self::of(stdio, short_read_empties)
    }

    fn of(stdio: Stdio, short_read_empties: bool) -> io::Result<Self> {
        if stdio.is_pollable() {
            // The function that replaces this one is unsafe because a type could hand out another
            // descriptor each time; ours owns one and returns that one until it is dropped.
            #[expect(deprecated, reason = "`Watched` keeps the promise that the new function asks for")]
            let watched = AsyncFd::new(Watched(stdio))?;
            Ok(Self(Kind::Watched { fd: watched, short_read_empties }))
        } else {
            Ok(Self(Kind::AlwaysReady(stdio)))
        }
    }

    /// A pipe, terminal or socket of our own that does not block.
    ///
    /// # Errors
    /// As [`Descriptor::new`].
    pub fn nonblocking(fd: OwnedFd) -> io::Result<Self> {
        Self::of(Stdio::Pollable(fd), false)
    }

    /// [`Descriptor::nonblocking`] for what is known to be a pipe: a process that is confined may not ask.
    ///
    /// # Errors
    /// As [`Descriptor::new`].
    pub fn pipe(fd: OwnedFd) -> io::Result<Self> {
        Self::of(Stdio::Pollable(fd), true)
    }

    /// Reads what is there; 0 is the end.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::AlwaysReady(stdio) => Poll::Ready(stdio.read(buf)),
            Kind::Watched { fd, short_read_empties } => loop {
                let mut guard = ready!(fd.poll_read_ready(cx))?;
                let Ok(result) = guard.try_io(|fd| fd.get_ref().0.read(buf)) else { continue };
                if *short_read_empties && result.as_ref().is_ok_and(|n| (1..buf.len()).contains(n)) {
                    guard.clear_ready();
                }
                return Poll::Ready(result);
            },
        }
    }

    /// Writes what fits.
    pub fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::AlwaysReady(stdio) => Poll::Ready(stdio.write(buf)),
            Kind::Watched { fd, .. } => loop {
                let mut guard = ready!(fd.poll_write_ready(cx))?;
                if let Ok(result) = guard.try_io(|fd| fd.get_ref().0.write(buf)) {
                    return Poll::Ready(result);
                }
            },
        }
    }

    /// Makes a call that reads in a way of its own, once there is something to read; the call says `WouldBlock` when there
    /// is not.
    pub fn poll_read_by<R>(
        &self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        match &self.0 {
            Kind::AlwaysReady(stdio) => Poll::Ready(call(stdio.as_fd())),
            Kind::Watched { fd, .. } => loop {
                let mut guard = ready!(fd.poll_read_ready(cx))?;
                if let Ok(result) = guard.try_io(|fd| call(fd.get_ref().0.as_fd())) {
                    return Poll::Ready(result);
                }
            },
        }
    }

    /// Ready once the descriptor can be read (for a pidfd: once the process has ended).
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Kind::AlwaysReady(_) => Poll::Ready(Ok(())),
            // Not `readable()`: that future takes its waker with it when it is dropped.
            Kind::Watched { fd, .. } => fd.poll_read_ready(cx).map_ok(|_guard| ()),
        }
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Kind::Watched { fd, .. } => fd.get_ref().0.as_fd(),
            Kind::AlwaysReady(stdio) => stdio.as_fd(),
        }
    }
}
