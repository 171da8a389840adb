//! A process that this process started itself, as sessions see it.

use super::authority::{Exit, Process};
use crate::descriptor::Descriptor;
use nacre_sys::spawn::{Child, ExitStatus};
use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

/// A child of this process.
pub struct LocalProcess {
    child: Child,
    /// Readable once the process has ended.
    ended: Descriptor,
}

impl LocalProcess {
    /// Watches a child.
    ///
    /// # Errors
    /// No descriptor is left. The child is ended then: nobody would hear of its end.
    pub fn new(child: Child) -> io::Result<Self> {
        let ended = child.as_fd().try_clone_to_owned().and_then(Descriptor::nonblocking);
        let ended = ended.inspect_err(|_| drop(child.kill()))?;
        Ok(Self { child, ended })
    }
}

/// A process's end as RFC 4254 §6.10 tells it.
pub fn exit_of(status: ExitStatus) -> Exit {
    match status {
        ExitStatus::Exited(code) => Exit::Status(code),
        ExitStatus::Signaled { signal, core_dumped } => match status.signal_name() {
            Some(name) => Exit::Signal { name: name.to_owned(), core_dumped },
            // RFC 4254 §6.10 names few signals; a shell would report the others so.
            None => Exit::Status(128 + signal.unsigned_abs()),
        },
    }
}

impl Process for LocalProcess {
    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        if self.ended.poll_readable(cx).is_pending() {
            return Poll::Pending;
        }
        match self.child.try_wait() {
            Ok(Some(status)) => Poll::Ready(exit_of(status)),
            Ok(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Err(_) => Poll::Ready(Exit::Status(255)),
        }
    }

    fn signal(&mut self, name: &str) -> io::Result<()> {
        self.child.signal_group(name)
    }

    fn hang_up(&mut self) {
        if let Err(error) = self.child.hang_up() {
            tracing::debug!("hang up process group {}: {error}", self.child.pid());
        }
    }

    fn kill(&mut self) {
        if let Err(error) = self.child.kill_group() {
            tracing::debug!("kill process group {}: {error}", self.child.pid());
        }
    }
}
