//! Becoming another user for good. Only system calls, because a child between clone and exec does it too (see steps.rs). They
//! change the calling thread alone: a process that does this must have no other.

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;

use super::steps::{Failed, Step, at, check};

/// Whom to become and who we were.
pub(crate) struct Become<'a> {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) groups: &'a [Gid],
    pub(crate) old_gid: Gid,
}

impl Become<'_> {
    /// Groups while still allowed to, the user id last: the other order keeps root's groups (CVE-2016-10010's kin).
    pub(crate) fn take(&self) -> Result<(), Failed> {
        at(Step::Groups, rustix::thread::set_thread_groups(self.groups))?;
        at(Step::Gid, rustix::thread::set_thread_res_gid(self.gid, self.gid, self.gid))?;
        at(Step::Uid, rustix::thread::set_thread_res_uid(self.uid, self.uid, self.uid))?;
        at(Step::NoWayBack, prove_no_way_back(self))
    }
}

/// Threat A18: all three ids are the target's, no capability is left, and going back is refused.
fn prove_no_way_back(target: &Become<'_>) -> rustix::io::Result<()> {
    if !all_ids_are(target)? {
        return Err(Errno::PERM);
    }
    if target.uid.is_root() {
        return Ok(());
    }
    let left = rustix::thread::capabilities(None)?;
    if !left.permitted.is_empty() || !left.effective.is_empty() {
        return Err(Errno::PERM);
    }
    let back_to_root = rustix::thread::set_thread_uid(Uid::ROOT).is_ok();
    let back_to_group = target.gid != target.old_gid && rustix::thread::set_thread_gid(target.old_gid).is_ok();
    if back_to_root || back_to_group { Err(Errno::PERM) } else { Ok(()) }
}

fn all_ids_are(target: &Become<'_>) -> rustix::io::Result<bool> {
    let (uid, gid) = (target.uid.as_raw(), target.gid.as_raw());
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: writes three live integers.
    check(unsafe { libc::getresuid(&raw mut real, &raw mut effective, &raw mut saved) }.into())?;
    let uids = [real, effective, saved] == [uid; 3];
    // SAFETY: writes three live integers.
    check(unsafe { libc::getresgid(&raw mut real, &raw mut effective, &raw mut saved) }.into())?;
    Ok(uids && [real, effective, saved] == [gid; 3])
}
