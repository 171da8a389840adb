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

/// What the first process holds after [`fork`]: the working one.
#[derive(Debug)]
pub struct Worker {
    released: OwnedFd,
    child: Pid,
}

/// Which of the two this is.
#[derive(Debug)]
pub enum Fork {
    /// The first process, which stays in front.
    Front(Worker),
    /// The new one, which works.
    Work(Foreground),
}

/// What became of the working process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It works on by itself, in the background; with what it had to say.
    Released(u8),
    /// It has ended, with this code.
    Ended(u8),
}

/// Forks. The new process works on with the same terminal and standard descriptors; it ends by SIGTERM when the first one
/// does before [`Foreground::release`].
///
/// # Errors
/// `Unsupported` when other threads exist: they would not come along. Otherwise the errno of pipe or fork.
pub fn split() -> io::Result<Fork> {
    if crate::daemon::threads()? != 1 {
        return Err(refused(io::ErrorKind::Unsupported, "fork", "threads are running; fork before the runtime starts"));
    }
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).doing(|| "create a pipe".into())?;
    let front = rustix::process::getpid();
    // SAFETY: this is the only thread (checked above), so the child is whole and may do anything.
    match unsafe { fork() }.doing(|| "fork".into())? {
        ForkResult::Child => {
            let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
            // Whoever ended before that was asked for is not waited for either.
            if rustix::process::getppid() != Some(front) {
                // SAFETY: ends this process without running exit handlers, which belong to the first one.
                unsafe { libc::_exit(255) }
            }
            Ok(Fork::Work(Foreground { release: write }))
        }
        ForkResult::Parent { child } => Ok(Fork::Front(Worker { released: read, child })),
    }
}

/// As [`split`], for a first process that has nothing else to do: it exits 0 after [`Foreground::release`], and as the new
/// process does when that ends before. The call returns in the new process.
///
/// # Errors
/// As [`split`].
pub fn fork_and_wait() -> io::Result<Foreground> {
    match split()? {
        Fork::Work(foreground) => Ok(foreground),
        Fork::Front(worker) => {
            let code = match worker.wait() {
                Work::Released(_) => 0,
                Work::Ended(code) => i32::from(code),
            };
            // SAFETY: ends this process without running exit handlers, which belong to the child now.
            unsafe { libc::_exit(code) }
        }
    }
}

impl Worker {
    /// Waits until the other process goes to the background or ends. Ctrl-C is left to it meanwhile.
    pub fn wait(self) -> Work {
        // SAFETY: SIG_IGN runs no code of ours.
        let before = unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) };
        let work = wait_in_front(File::from(self.released), self.child);
        if let Ok(before) = before {
            // SAFETY: what was there before is put back.
            let _ = unsafe { signal(Signal::SIGINT, before) };
        }
        work
    }
}

fn wait_in_front(mut released: File, child: Pid) -> Work {
    let mut byte = [0];
    if matches!(released.read(&mut byte), Ok(1)) {
        return Work::Released(byte[0]);
    }
    loop {
        match waitpid(child, Some(WaitPidFlag::empty())) {
            Ok(WaitStatus::Exited(_, code)) => return Work::Ended(u8::try_from(code).unwrap_or(u8::MAX)),
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                return Work::Ended(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX));
            }
            Err(nix::errno::Errno::ECHILD) => return Work::Ended(u8::MAX),
            Ok(_) | Err(_) => {}
        }
    }
}

impl Foreground {
    /// Lets the first process go on, and says one byte to it. This one leaves its terminal (a session of its own) and has /dev/null as stdin, stdout and,
    /// unless it is to be kept, stderr. Descriptors that were duplicated before go on as they are.
    ///
    /// # Errors
    /// The errno of setsid, open or dup2; the first process then still waits.
    pub fn release(self, keep_stderr: bool, word: u8) -> io::Result<()> {
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .doing(|| "open /dev/null".into())?;
        nix::unistd::setsid().doing(|| "start a session".into())?;
        rustix::stdio::dup2_stdin(&null).doing(|| "replace stdin".into())?;
        rustix::stdio::dup2_stdout(&null).doing(|| "replace stdout".into())?;
        if !keep_stderr {
            rustix::stdio::dup2_stderr(&null).doing(|| "replace stderr".into())?;
        }
        let _ = rustix::process::set_parent_process_death_signal(None);
        // A first process that was killed meanwhile needs no word.
        let _ = File::from(self.release).write_all(&[word]);
        Ok(())
    }
}
