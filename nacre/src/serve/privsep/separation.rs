//! What the listener prepares once for all its connections' processes.

use crate::failure::Failure;
use nacre_sys::account::Account;
use nacre_sys::role::Program;
use nacre_sys::sandbox;
use nacre_sys::slots::Slots;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// Password hashes under way at once, so that many attempts cannot take every core (threat A11).
const HASHES_AT_ONCE: usize = 2;
/// Accounts that exist to have no rights, in order of preference.
const NOBODIES: [&str; 3] = ["nacre", "sshd", "nobody"];

/// What a connection's processes are made from.
pub struct Separation {
    /// This program, however its file is replaced meanwhile.
    pub program: Program,
    /// An empty folder that is the whole world of the net process.
    pub empty: OwnedFd,
    /// Whom the net process becomes: user id and group id.
    pub nobody: (u32, u32),
    /// Bounds work on passwords over all connections.
    pub hashing: Slots,
    /// The net process is confined (`Sandbox yes`).
    pub sandbox: bool,
    /// Where messages go, if that is a descriptor.
    pub log: Option<Arc<dyn AsFd + Send + Sync>>,
}

impl Separation {
    /// Prepares everything.
    ///
    /// # Errors
    /// The kernel has no sandbox and the configuration does not say that none is wanted, or there is
    /// nobody for the net process to become.
    pub fn new(state: &Path, sandbox: bool, log: Option<Arc<dyn AsFd + Send + Sync>>) -> Result<Self, Failure> {
        let missing = if sandbox { sandbox::missing() } else { Vec::new() };
        if !missing.is_empty() {
            return Err(Failure::new(format!(
                "this kernel cannot confine a process: it has no {}",
                missing.join(", no ")
            ))
            .hint("write `Sandbox no` in the configuration to serve without a sandbox all the same"));
        }
        let failed =
            |error: std::io::Error| Failure::new(format!("cannot prepare the processes of connections: {error}"));
        let found = NOBODIES.iter().find_map(|name| Account::by_name(name).ok().flatten());
        let nobody = found.filter(|account| account.uid != 0 && account.gid != 0).ok_or_else(|| {
            Failure::new(format!("there is no account without rights: none of {}", NOBODIES.join(", ")))
                .hint("make one: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin nacre")
        })?;
        Ok(Self {
            program: Program::own().map_err(failed)?,
            empty: sandbox::empty_folder(state).map_err(failed)?,
            nobody: (nobody.uid, nobody.gid),
            hashing: Slots::new(HASHES_AT_ONCE).map_err(failed)?,
            sandbox,
            log,
        })
    }

    /// The descriptors that a monitor needs.
    pub fn keeps(&self) -> Vec<BorrowedFd<'_>> {
        let mut keeps = vec![self.program.as_fd(), self.empty.as_fd()];
        keeps.extend(self.hashing.fds());
        keeps.extend(self.log.as_ref().map(|log| log.as_fd()));
        keeps
    }
}
