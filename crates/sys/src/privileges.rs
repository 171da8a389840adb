//! The process's own rights and limits.

use std::io;
use std::sync::OnceLock;

use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::error::Doing;

/// The open files limit before [`raise_open_files`], which children get back: programs that use select(2) break above 1024.
static ORIGINAL_OPEN_FILES: OnceLock<Rlimit> = OnceLock::new();

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
    let _ = ORIGINAL_OPEN_FILES.set(old);
    Ok(new.current)
}

pub(crate) fn original_open_files() -> Option<Rlimit> {
    ORIGINAL_OPEN_FILES.get().cloned()
}
