//! Leaving the terminal behind, as `sshd` does when started without `-D`.

use std::io::{self, Read};

use nix::unistd::{ForkResult, fork, setsid};
use rustix::fs::{Mode, OFlags};

use crate::error::{Doing, refused};

/// Becomes a daemon: a session of its own without a controlling terminal and unable to get one (two forks), working directory `/`,
/// stdin, stdout and stderr on /dev/null. The first process exits 0; the call returns in the last one. Resolve relative
/// paths, and report start-up errors, before this.
///
/// # Errors
/// `Unsupported` when other threads exist: they would not come along. Otherwise the errno of fork or setsid.
pub fn detach() -> io::Result<()> {
    if threads()? != 1 {
        return Err(refused(
            io::ErrorKind::Unsupported,
            "detach",
            "threads are running; detach before the runtime starts",
        ));
    }
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).doing(|| "open /dev/null".into())?;
    continue_in_child()?;
    setsid().doing(|| "detach: start a session".into())?;
    // A session leader that opens a terminal gets it as controlling terminal; its child does not.
    continue_in_child()?;
    rustix::process::chdir("/").doing(|| "detach: enter /".into())?;
    rustix::stdio::dup2_stdin(&null).doing(|| "detach: replace stdin".into())?;
    rustix::stdio::dup2_stdout(&null).doing(|| "detach: replace stdout".into())?;
    rustix::stdio::dup2_stderr(&null).doing(|| "detach: replace stderr".into())
}

fn continue_in_child() -> io::Result<()> {
    // SAFETY: this is the only thread (checked by detach), so the child is whole and may do anything.
    match unsafe { fork() }.doing(|| "detach: fork".into())? {
        ForkResult::Child => Ok(()),
        // SAFETY: ends this process without running exit handlers, which belong to the child now.
        ForkResult::Parent { .. } => unsafe { libc::_exit(0) },
    }
}

pub(crate) fn threads() -> io::Result<usize> {
    let doing = || "count threads in /proc/self/status".into();
    let mut text = [0; 4096];
    let count = match crate::jail::own_status() {
        Some(held) => rustix::io::pread(held, &mut text, 0).doing(doing)?,
        None => std::fs::File::open("/proc/self/status").and_then(|mut file| file.read(&mut text)).doing(doing)?,
    };
    let text = String::from_utf8_lossy(text.get(..count).unwrap_or_default());
    let line = text.lines().find_map(|line| line.strip_prefix("Threads:"));
    let number = line.and_then(|number| number.trim().parse().ok());
    number.ok_or(io::ErrorKind::InvalidData).map_err(io::Error::from).doing(doing)
}
