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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use rustix::io::Errno;

    use super::*;

    /// On a thread of its own, because that is what is restricted. No seccomp here: this wall must hold alone.
    #[test]
    fn p19_landlock_alone_denies_files_and_tcp_and_keeps_what_is_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = TcpStream::connect(address).unwrap();
        let restricted = std::thread::spawn(move || {
            deny_everything().unwrap();
            let denied = |err: std::io::Error| assert_eq!(err.kind(), ErrorKind::PermissionDenied);
            denied(std::fs::File::open("/etc/passwd").unwrap_err());
            denied(std::fs::read_dir("/").unwrap_err());
            denied(std::fs::write("/tmp/nacre-must-not-be-made", "").unwrap_err());
            denied(std::process::Command::new("/bin/true").spawn().unwrap_err());
            denied(TcpStream::connect(address).unwrap_err());
            denied(TcpListener::bind("127.0.0.1:0").unwrap_err());
            rustix::io::write(&open, b"still open").unwrap()
        });
        assert_eq!(restricted.join().unwrap(), 10);
        let (mut peer, _) = listener.accept().unwrap();
        let mut got = [0; 10];
        std::io::Read::read_exact(&mut peer, &mut got).unwrap();
        assert_eq!(&got, b"still open");
        assert!(std::fs::File::open("/etc/passwd").is_ok(), "the other threads are free");
    }

    #[test]
    fn p19_landlock_alone_denies_signals_to_others() {
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let restricted = std::thread::spawn(move || {
            deny_everything().unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL)
        });
        let result = restricted.join().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // Linux 6.12 is the first to deny it.
        if landlock_version() >= 6 {
            assert_eq!(result, Err(Errno::PERM));
        } else {
            println!("p19: signals NOT TRIED because this kernel's Landlock does not know them");
        }
    }

    fn landlock_version() -> libc::c_long {
        let nothing = std::ptr::null::<u8>();
        // SAFETY: with this flag the call reads nothing.
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, ASK_VERSION) }
    }
}
