//! The process's own rights and limits.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::error::Doing;

/// The open files limit before [`raise_open_files`], which children get back: programs that use select(2) break above 1024.
static ORIGINAL_OPEN_FILES: Mutex<Option<Rlimit>> = Mutex::new(None);

/// The effective user id.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether the process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Allows or forbids core files and inspection by other processes of the same user (ptrace, /proc/PID/mem): keys are in
/// this memory.
///
/// # Errors
/// The errno of prctl.
pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    let behavior = if dumpable { DumpableBehavior::Dumpable } else { DumpableBehavior::NotDumpable };
    rustix::process::set_dumpable_behavior(behavior).doing(|| "set the dumpable flag".into())
}

/// Raises the limit of open files to its hard limit and returns the new limit (`None`: unlimited). Children started with
/// [`crate::spawn::spawn`] get the old one.
///
/// # Errors
/// The errno of setrlimit.
pub fn raise_open_files() -> io::Result<Option<u64>> {
    let old = rustix::process::getrlimit(Resource::Nofile);
    let new = Rlimit { current: old.maximum, maximum: old.maximum };
    rustix::process::setrlimit(Resource::Nofile, new).doing(|| "raise the limit of open files".into())?;
    original().get_or_insert(old);
    Ok(new.current)
}

/// Undoes [`raise_open_files`] for good: from now on children inherit whatever limit this process has, so that one that is set
/// for them reaches them.
///
/// # Errors
/// The errno of setrlimit.
pub fn restore_open_files() -> io::Result<()> {
    let Some(old) = original().take() else { return Ok(()) };
    rustix::process::setrlimit(Resource::Nofile, old).doing(|| "restore the limit of open files".into())
}

fn original() -> MutexGuard<'static, Option<Rlimit>> {
    ORIGINAL_OPEN_FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn original_open_files() -> Option<Rlimit> {
    *original()
}

/// Takes writing by group and others out of what new files get, whatever the starter left there; sessions inherit it.
pub fn tighten_umask() {
    let old = rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::umask(old | Mode::from_raw_mode(0o022));
}
