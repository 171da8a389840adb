//! Channels between the server and a child without a terminal.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::error::Doing;
use crate::pty::set_nonblocking;

/// Asked of the kernel so that one wake-up moves much; refused beyond `fs.pipe-user-pages-soft`, which is fine.
pub(crate) const PIPE_BYTES: usize = 1 << 20;

/// A pipe between parent and child. Both ends are close-on-exec; only the parent's does not block.
#[derive(Debug)]
pub struct ParentPipe {
    /// Kept by the server, O_NONBLOCK.
    pub parent: OwnedFd,
    /// For [`super::ChildStdio::Fds`]; blocks, as programs expect.
    pub child: OwnedFd,
}

/// A pipe that the parent writes and the child reads.
///
/// # Errors
/// EMFILE or ENFILE when no descriptor is left.
pub fn pipe_to_child() -> io::Result<ParentPipe> {
    let (read, write) = pipe()?;
    set_nonblocking(&write)?;
    Ok(ParentPipe { parent: write, child: read })
}

/// A pipe that the child writes and the parent reads.
///
/// # Errors
/// EMFILE or ENFILE when no descriptor is left.
pub fn pipe_from_child() -> io::Result<ParentPipe> {
    let (read, write) = pipe()?;
    set_nonblocking(&read)?;
    Ok(ParentPipe { parent: read, child: write })
}

/// A connected pair of Unix stream sockets, both directions in one descriptor (for programs that want a socket as stdin).
///
/// # Errors
/// EMFILE or ENFILE when no descriptor is left.
pub fn socket_pair() -> io::Result<ParentPipe> {
    let (parent, child) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .doing(|| "create a socket pair".into())?;
    set_nonblocking(&parent)?;
    Ok(ParentPipe { parent, child })
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).doing(|| "create a pipe".into())?;
    let _ = rustix::pipe::fcntl_setpipe_size(&write, PIPE_BYTES);
    Ok((read, write))
}
