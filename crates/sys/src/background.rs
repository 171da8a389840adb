//! Going to the background once something is done, as `ssh -f` does after the login.
//!
//! A program with threads cannot fork, so the fork happens at the start: the first process stays in
//! front and waits, the second works and says when the first may go.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;

use crate::error::{Doing, refused};

/// What the working process holds: the first process waits for it.
#[derive(Debug)]
pub struct Foreground {
    release: OwnedFd,
}

/// Forks. The call returns in the new process, which works on with the same terminal and standard descriptors. The first
/// process waits: it exits 0 after [`Foreground::release`], and as the new process does when that ends before. Ctrl-C is left
/// to the new process meanwhile.
///
/// # Errors
/// `Unsupported` when other threads exist: they would not come along. Otherwise the errno of pipe or fork.
pub fn fork_and_wait() -> io::Result<Foreground> {
    if crate::daemon::threads()? != 1 {
        return Err(refused(io::ErrorKind::Unsupported, "fork", "threads are running; fork before the runtime starts"));
    }
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).doing(|| "create a pipe".into())?;
    // SAFETY: this is the only thread (checked above), so the child is whole and may do anything.
    match unsafe { fork() }.doing(|| "fork".into())? {
        ForkResult::Child => Ok(Foreground { release: write }),
        ForkResult::Parent { child } => {
            drop(write);
            let code = wait_in_front(File::from(read), child);
            // SAFETY: ends this process without running exit handlers, which belong to the child now.
            unsafe { libc::_exit(code) }
        }
    }
}

fn wait_in_front(mut released: File, child: Pid) -> i32 {
    // SAFETY: SIG_IGN runs no code of ours.
    let _ = unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) };
    let mut byte = [0];
    if matches!(released.read(&mut byte), Ok(1)) {
        return 0;
    }
    loop {
        match waitpid(child, Some(WaitPidFlag::empty())) {
            Ok(WaitStatus::Exited(_, code)) => return code,
            Ok(WaitStatus::Signaled(_, signal, _)) => return 128 + signal as i32,
            Err(nix::errno::Errno::ECHILD) => return 255,
            Ok(_) | Err(_) => {}
        }
    }
}

impl Foreground {
    /// Lets the first process exit 0. This one leaves its terminal (a session of its own) and has /dev/null as stdin, stdout and,
    /// unless it is to be kept, stderr. Descriptors that were duplicated before go on as they are.
    ///
    /// # Errors
    /// The errno of setsid, open or dup2; the first process then still waits.
    pub fn release(self, keep_stderr: bool) -> io::Result<()> {
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .doing(|| "open /dev/null".into())?;
        nix::unistd::setsid().doing(|| "start a session".into())?;
        rustix::stdio::dup2_stdin(&null).doing(|| "replace stdin".into())?;
        rustix::stdio::dup2_stdout(&null).doing(|| "replace stdout".into())?;
        if !keep_stderr {
            rustix::stdio::dup2_stderr(&null).doing(|| "replace stderr".into())?;
        }
        // A first process that was killed meanwhile needs no word.
        let _ = File::from(self.release).write_all(&[1]);
        Ok(())
    }
}
