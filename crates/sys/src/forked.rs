//! A fork that lives in one function: the copy closes what is not its own, runs, and never returns to code that believes it
//! owns the original's descriptors.

use std::ffi::{c_long, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::role::{Forked, fork, fork_sibling};
use crate::spawn::Child;

/// Exit code of a copy that panicked.
pub const PANICKED: i32 = 101;

/// Forks as [`fork`] does. The copy leads a session of its own, so that a Ctrl-C meant for the original does not reach it. It keeps descriptors
/// 0 to 2 and those of `keep`, is given those of `given` (which are closed here),
/// closes all others, runs `role` and ends with the code it returns, [`PANICKED`] when it panics; no destructor or exit handler
/// of the original runs in it.
///
/// # Errors
/// As [`fork`].
pub fn fork_into(
    given: Vec<OwnedFd>,
    keep: &[BorrowedFd<'_>],
    role: impl FnOnce(Vec<OwnedFd>) -> i32,
) -> io::Result<Child> {
    match fork()? {
        Forked::Parent(child) => Ok(child),
        Forked::Child => become_role(given, keep, role),
    }
}

/// As [`fork_into`], for a process that does so on behalf of its parent: the copy is the parent's child, who takes it by
/// [`adopt`](crate::role::adopt) with the process id that is returned here.
///
/// # Errors
/// As [`fork`].
pub fn fork_sibling_into(
    given: Vec<OwnedFd>,
    keep: &[BorrowedFd<'_>],
    role: impl FnOnce(Vec<OwnedFd>) -> i32,
) -> io::Result<i32> {
    match fork_sibling()? {
        Some(pid) => Ok(pid),
        None => become_role(given, keep, role),
    }
}

fn become_role(given: Vec<OwnedFd>, keep: &[BorrowedFd<'_>], role: impl FnOnce(Vec<OwnedFd>) -> i32) -> ! {
    let run = || {
        let all: Vec<BorrowedFd<'_>> = keep.iter().copied().chain(given.iter().map(AsFd::as_fd)).collect();
        match rustix::process::setsid().map_err(io::Error::from).and_then(|_| close_all_but(&all)) {
            Ok(()) => role(given),
            Err(_) => PANICKED,
        }
    };
    let code = catch_unwind(AssertUnwindSafe(run)).unwrap_or(PANICKED);
    // SAFETY: ends the process without running anything.
    unsafe { libc::_exit(code) }
}

/// Only for a process in which nothing runs that owns the others.
fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<c_uint> = keep.iter().filter_map(|fd| c_uint::try_from(fd.as_raw_fd()).ok()).collect();
    kept.sort_unstable();
    let mut from: c_uint = 3;
    for fd in kept {
        if fd > from {
            close_range(from, fd - 1)?;
        }
        from = from.max(fd.saturating_add(1));
    }
    close_range(from, c_uint::MAX)
}

fn close_range(first: c_uint, last: c_uint) -> io::Result<()> {
    let flags: c_long = 0;
    // SAFETY: takes three integers; what it closes belongs to code that will never run in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, c_long::from(first), c_long::from(last), flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
