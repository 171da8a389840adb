//! Starting a session's process (RFC 4254 §6.5): its own session, its own terminal, exactly three descriptors, nothing inherited.
//!
//! The child shares its parent's memory until exec when it stays the same user (like posix_spawn: the cost does not grow with the
//! server's memory). When it becomes another user it gets a copy instead, so that a process of that user never holds
//! a mapping the server can be changed through, whatever `fs.suid_dumpable` says.

mod identity;
mod launch;
mod pipes;
mod signals;
mod steps;
mod wait;

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

pub(crate) use identity::Become;
pub use launch::spawn;
pub(crate) use launch::{OwnProgram, pidfd_of, start_own};
pub(crate) use pipes::PIPE_BYTES;
pub use pipes::{ParentPipe, pipe_from_child, pipe_to_child, socket_pair};
pub use signals::{signal_group, signal_name, signal_number};
pub(crate) use steps::{FIRST_PASSED, reset_signals};
pub use wait::{Child, ExitStatus, reap_orphans};

use crate::account::Credentials;

/// A process to start. Nothing of the server's own environment, descriptors, signal state or umask (if given) reaches it.
#[derive(Debug)]
pub struct SpawnSpec {
    /// The file to execute; no search path, no shell.
    pub program: PathBuf,
    /// `argv[0]`: `-sh` style for a login shell.
    pub arg0: OsString,
    /// `argv[1..]`.
    pub args: Vec<OsString>,
    /// The whole environment. Names must not be empty or hold `=`; nothing may hold NUL.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory, entered as the new user; `/` when it cannot be entered (see [`Child::cwd_error`]).
    pub cwd: PathBuf,
    /// What becomes fd 0, 1 and 2.
    pub stdio: ChildStdio,
    /// Whom to become; `None` keeps the server's own user and groups. Needs root.
    pub credentials: Option<Credentials>,
    /// File mode creation mask; `None` keeps the server's.
    pub umask: Option<u32>,
}

/// What becomes fd 0, 1 and 2 of the child. The descriptors are closed here once the child has them.
#[derive(Debug)]
pub enum ChildStdio {
    /// The slave of a pseudo-terminal, on all three, and as the controlling terminal of the new session.
    Pty(OwnedFd),
    /// Three descriptors: pipes, sockets, files.
    Fds {
        /// Becomes fd 0.
        stdin: OwnedFd,
        /// Becomes fd 1.
        stdout: OwnedFd,
        /// Becomes fd 2.
        stderr: OwnedFd,
    },
}
