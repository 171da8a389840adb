//! A bound on how many processes do something costly at once. A slot is a record lock, so whoever holds one and dies gives it back.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FlockOperation, MemfdFlags};

use crate::error::Doing;

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
        let pid = usize::try_from(std::process::id()).unwrap_or(0);
        let fd = self.0.get(pid % self.0.len()).ok_or(io::ErrorKind::NotFound)?.as_fd();
        let lock = || rustix::fs::fcntl_lock(fd, FlockOperation::LockExclusive);
        rustix::io::retry_on_intr(lock).doing(|| "wait for a slot".into())?;
        Ok(Slot(fd))
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
