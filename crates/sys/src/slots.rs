//! A bound on how many processes do something costly at once. A slot is a record lock, so whoever holds one and dies gives it back.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, MemfdFlags};
use rustix::io::Errno;

use crate::error::Doing;

/// How often a slot is asked for that another process has.
const RETRY: Duration = Duration::from_millis(5);

/// Slots shared by this process and the copies it forks. Each process uses the one its id falls on.
#[derive(Debug)]
pub struct Slots(Vec<OwnedFd>);

/// A slot in use; dropping it gives it back.
#[derive(Debug)]
pub struct Slot<'a>(BorrowedFd<'a>);

impl Slots {
    /// So many slots, at least one.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(count: usize) -> io::Result<Self> {
        let slot = |_| rustix::fs::memfd_create(c"slot", MemfdFlags::CLOEXEC).doing(|| "make a slot".into());
        (0..count.max(1)).map(slot).collect::<io::Result<Vec<_>>>().map(Self)
    }

    /// Waits for this process's slot.
    ///
    /// # Errors
    /// The errno of fcntl.
    pub fn take(&self) -> io::Result<Slot<'_>> {
        let fd = self.own()?;
        let lock = || rustix::fs::fcntl_lock(fd, FlockOperation::LockExclusive);
        rustix::io::retry_on_intr(lock).doing(|| "wait for a slot".into())?;
        Ok(Slot(fd))
    }

    /// Waits so long for this process's slot; `None` when another process had it all the time.
    ///
    /// # Errors
    /// The errno of fcntl.
    pub fn take_within(&self, at_most: Duration) -> io::Result<Option<Slot<'_>>> {
        let fd = self.own()?;
        let end = Instant::now() + at_most;
        loop {
            match rustix::fs::fcntl_lock(fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Slot(fd))),
                Err(Errno::AGAIN | Errno::ACCESS | Errno::INTR) => {}
                Err(error) => return Err(error).doing(|| "ask for a slot".into()),
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            std::thread::sleep(RETRY);
        }
    }

    fn own(&self) -> io::Result<BorrowedFd<'_>> {
        let pid = usize::try_from(std::process::id()).unwrap_or(0);
        Ok(self.0.get(pid % self.0.len()).ok_or(io::ErrorKind::NotFound)?.as_fd())
    }

    /// The descriptors, for a copy to keep.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let _ = rustix::fs::fcntl_lock(self.0, FlockOperation::Unlock);
    }
}
