//! Becoming a user's account for good, for a process of the server's own that then works for that user (threat A18).

use std::io;

use rustix::fs::{Gid, Uid};

use crate::account::Credentials;
use crate::error::{Doing, refused};
use crate::spawn::Become;

/// Becomes `target`: supplementary groups, group id, user id, in this order; then proves that all three ids of each kind are the target's,
/// that no capability is left and that going back is refused. Afterwards no process of that user may inspect this one
/// (PR_SET_DUMPABLE 0), and it still ends with its parent if it did. Needs root, unless it is that user already with those groups.
///
/// After an error the process may be half one user and half another: end it.
///
/// # Errors
/// The step that failed, with its errno; `Unsupported` when other threads exist, because they would stay what they were.
pub fn become_account(target: &Credentials) -> io::Result<()> {
    if crate::daemon::threads()? != 1 {
        let why = "threads are running; become the user before the runtime starts";
        return Err(refused(io::ErrorKind::Unsupported, "become a user", why));
    }
    take_identity(target)?;
    crate::privileges::set_dumpable(false)
}

/// The steps alone, and the parent's death signal kept across them: the kernel drops it with every change of ids.
pub(crate) fn take_identity(target: &Credentials) -> io::Result<()> {
    let doing = |step: &str| format!("become uid {}: {step}", target.uid);
    let parent = rustix::process::getppid();
    let signal = rustix::process::parent_process_death_signal().doing(|| doing("ask for the parent's death signal"))?;
    let groups: Vec<Gid> = target.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let target = Become {
        uid: Uid::from_raw(target.uid),
        gid: Gid::from_raw(target.gid),
        groups: &groups,
        old_gid: rustix::process::getgid(),
    };
    target.take().or_else(|(step, errno)| Err(errno).doing(|| doing(step.describe())))?;
    if signal.is_none() {
        return Ok(());
    }
    rustix::process::set_parent_process_death_signal(signal).doing(|| doing("renew the parent's death signal"))?;
    if rustix::process::getppid() != parent {
        return Err(refused(io::ErrorKind::NotFound, doing("look for the parent"), "it has ended"));
    }
    Ok(())
}
