//! Landlock (landlock(7)): every right the kernel can name is taken and none given back.

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};

use crate::error::refused;

/// The newest this library names; what the kernel does not know is left out.
const NEWEST: ABI = ABI::V9;

/// LANDLOCK_CREATE_RULESET_VERSION of linux/landlock.h.
const ASK_VERSION: u32 = 1;

/// Whether the kernel has Landlock and it is switched on.
pub(super) fn available() -> bool {
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag the call reads nothing and returns the version of the interface.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, ASK_VERSION) >= 1 }
}

/// Denies the calling thread, and what it starts, all of: opening, making, removing, executing or changing files; binding and connecting
/// TCP (Linux 6.7); signals to others and abstract Unix sockets of others (Linux 6.12).
pub(super) fn deny_everything() -> io::Result<()> {
    let status = restrict().map_err(|err| {
        refused(io::ErrorKind::Unsupported, "restrict by Landlock", format!("{err}; check the kernel's `lsm=`"))
    })?;
    match status {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => {
            Err(refused(io::ErrorKind::Unsupported, "restrict by Landlock", "the kernel does not enforce it"))
        }
    }
}

fn restrict() -> Result<RulesetStatus, RulesetError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    Ok(rules.create()?.restrict_self()?.ruleset)
}
