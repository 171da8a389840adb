//! Waiting for descriptors without an event loop, poll(2): for processes that do one thing at a time.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::error::Doing;

/// Waits until one of the descriptors can be read, has ended or failed; says which (a pidfd can be read once the process has ended).
/// All are false when the time is over or a signal came.
///
/// # Errors
/// The errno of poll.
pub fn wait_readable(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    wait(&mut polled, timeout)?;
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

/// Waits until the descriptor takes something, has ended or failed. False when the time is over or a signal came.
///
/// # Errors
/// The errno of poll.
pub fn wait_writable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    wait(&mut polled, timeout).map(|ready| ready > 0)
}

fn wait(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
    match rustix::event::poll(polled, timeout.as_ref()) {
        Err(rustix::io::Errno::INTR) => Ok(0),
        result => result.doing(|| "wait for descriptors".into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn the_descriptor_that_has_something_is_told_apart() {
        let (quiet, _keep) = std::io::pipe().unwrap();
        let (busy, mut writer) = std::io::pipe().unwrap();
        let both = [quiet.as_fd(), busy.as_fd()];
        assert_eq!(wait_readable(&both, Some(Duration::ZERO)).unwrap(), [false, false]);
        writer.write_all(b"x").unwrap();
        assert_eq!(wait_readable(&both, None).unwrap(), [false, true]);
        assert!(wait_writable(writer.as_fd(), None).unwrap());
    }
}
