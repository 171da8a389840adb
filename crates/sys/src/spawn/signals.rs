//! Signals by their RFC 4254 §6.10 names.

use std::io;

use rustix::process::{Pid, Signal};

use crate::error::{Doing, refused};

/// Every name of RFC 4254 §6.10; nothing else may be asked for by a peer.
const NAMES: [(&str, Signal); 13] = [
    ("ABRT", Signal::ABORT),
    ("ALRM", Signal::ALARM),
    ("FPE", Signal::FPE),
    ("HUP", Signal::HUP),
    ("ILL", Signal::ILL),
    ("INT", Signal::INT),
    ("KILL", Signal::KILL),
    ("PIPE", Signal::PIPE),
    ("QUIT", Signal::QUIT),
    ("SEGV", Signal::SEGV),
    ("TERM", Signal::TERM),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
];

fn by_name(name: &str) -> Option<Signal> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal)
}

/// The number of a signal named as in RFC 4254 §6.10 (no `SIG` in front).
pub fn signal_number(name: &str) -> Option<i32> {
    by_name(name).map(Signal::as_raw)
}

/// The RFC 4254 §6.10 name of a signal number, if it has one.
pub fn signal_name(number: i32) -> Option<&'static str> {
    NAMES.iter().find(|(_, signal)| signal.as_raw() == number).map(|(name, _)| *name)
}

/// Sends a signal to the process group that `pid` leads. Call it with the user's own rights where you can: as root it
/// also reaches privileged programs the user started. Prefer [`super::Child::signal_group`], which cannot hit a reused id.
///
/// # Errors
/// `InvalidInput` for a name outside RFC 4254 §6.10 or a `pid` below 2; ESRCH when the group is empty; EPERM.
pub fn signal_group(pid: i32, name: &str) -> io::Result<()> {
    let doing = || format!("send signal {name:?} to process group {pid}");
    let Some(signal) = by_name(name) else {
        return Err(refused(io::ErrorKind::InvalidInput, doing(), "not a signal name of RFC 4254 section 6.10"));
    };
    // kill(-1) would reach every process there is, and 0 our own group.
    match (pid > 1).then(|| Pid::from_raw(pid)).flatten() {
        Some(group) => rustix::process::kill_process_group(group, signal).doing(doing),
        None => Err(refused(io::ErrorKind::InvalidInput, doing(), "not the id of a session's process group")),
    }
}
