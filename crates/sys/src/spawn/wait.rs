//! A running child: how it ended, how it is told to end, and that it never stays a zombie.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus};

use super::signals::{signal_group, signal_name};
use crate::error::Doing;

/// How a process ended (RFC 4254 §6.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code, 0 to 255.
    Exited(u32),
    /// A signal ended it.
    Signaled {
        /// The system's number; [`ExitStatus::signal_name`] gives the name.
        signal: i32,
        /// Whether it left a core file.
        core_dumped: bool,
    },
}

impl ExitStatus {
    /// The name for `exit-signal`: `None` after a normal exit or for a signal RFC 4254 §6.10 does not name.
    pub fn signal_name(self) -> Option<&'static str> {
        match self {
            Self::Exited(_) => None,
            Self::Signaled { signal, .. } => signal_name(signal),
        }
    }
}

/// A started process. From [`spawn`](super::spawn) it leads a session and process group of its own; from [`crate::role`] only if
/// that was asked for, and then [`Child::kill`] is for it and the calls for groups are not. Dropping it never kills it and never leaves a
/// zombie: if it still runs, it is reaped by a later [`spawn`](super::spawn), drop or [`reap_orphans`].
#[derive(Debug)]
pub struct Child {
    pid: i32,
    /// Handed to the orphans by Drop.
    pidfd: ManuallyDrop<OwnedFd>,
    cwd_errno: Option<i32>,
}

/// Children whose handle went before they did.
static ORPHANS: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

impl Child {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd, cwd_errno: Option<i32>) -> Self {
        Self { pid, pidfd: ManuallyDrop::new(pidfd), cwd_errno }
    }

    /// The process id, which is also the id of its session and process group. It is not reused while this value lives.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Why the working directory could not be entered, if so; the process then started in `/`.
    pub fn cwd_error(&self) -> Option<io::Error> {
        self.cwd_errno.map(io::Error::from_raw_os_error)
    }

    /// How it ended, or `None` while it runs. May be asked again at any time: the entry stays in the process table until
    /// this value is dropped, so that signals to the group cannot reach a stranger.
    ///
    /// # Errors
    /// The errno of waitid.
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.wait_with(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG)
    }

    /// Blocks until it ends.
    ///
    /// # Errors
    /// The errno of waitid.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.wait_with(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)? {
                return Ok(status);
            }
        }
    }

    /// Sends a signal named in RFC 4254 §6.10 to every process of the session's process group.
    ///
    /// # Errors
    /// `InvalidInput` for another name; ESRCH when the group is empty; EPERM.
    pub fn signal_group(&self, name: &str) -> io::Result<()> {
        signal_group(self.pid, name)
    }

    /// Ends this one process (SIGKILL), whatever groups it is in. One that has ended already is no error.
    ///
    /// # Errors
    /// EPERM when it belongs to another user.
    pub fn kill(&self) -> io::Result<()> {
        let killed = rustix::process::pidfd_send_signal(self, rustix::process::Signal::KILL);
        ignore_empty(killed.doing(|| format!("kill process {}", self.pid)))
    }

    /// Tells the session's process group that the connection is gone (SIGHUP). A group that is already empty is no error.
    ///
    /// # Errors
    /// EPERM when the group belongs to another user.
    pub fn hang_up(&self) -> io::Result<()> {
        ignore_empty(self.signal_group("HUP"))
    }

    /// Ends the session's process group (SIGKILL), for what ignored [`Child::hang_up`], and the process itself: a fork that
    /// has only just begun has not made its group yet.
    ///
    /// # Errors
    /// EPERM when they belong to another user.
    pub fn kill_group(&self) -> io::Result<()> {
        let group = ignore_empty(self.signal_group("KILL"));
        let itself = self.kill();
        group.and(itself)
    }

    fn wait_with(&self, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
        let status = rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(self.as_fd()), options));
        Ok(status.doing(|| format!("wait for process {}", self.pid))?.and_then(decode))
    }
}

fn ignore_empty(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(err) if crate::errno_of(&err) == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

fn decode(status: WaitIdStatus) -> Option<ExitStatus> {
    if let Some(code) = status.exit_status() {
        return Some(ExitStatus::Exited(u32::try_from(code & 0xff).unwrap_or(255)));
    }
    let signal = status.terminating_signal()?;
    Some(ExitStatus::Signaled { signal, core_dumped: status.dumped() })
}

impl AsFd for Child {
    /// The pidfd: readable (POLLIN) once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        (*self.pidfd).as_fd()
    }
}

impl AsRawFd for Child {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: taken once, here, and the value is never used again.
        let pidfd = unsafe { ManuallyDrop::take(&mut self.pidfd) };
        let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
        orphans.push(pidfd);
        orphans.retain(still_runs);
    }
}

/// Reaps children that ended after their [`Child`] was dropped, and says how many still run.
pub fn reap_orphans() -> usize {
    let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
    orphans.retain(still_runs);
    orphans.len()
}

/// Reaps if ended. An error means that there is nothing left to reap.
pub(super) fn still_runs(pidfd: &OwnedFd) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    matches!(rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options)), Ok(None))
}

/// Reaps a child that failed before exec and is about to end.
pub(super) fn reap_now(pidfd: &OwnedFd) {
    let _ = rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED));
}
