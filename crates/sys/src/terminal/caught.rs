//! Signals caught while a question stands on the terminal, so that echo comes back before they take effect.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use rustix::pipe::PipeFlags;

use crate::error::Doing;

/// What can end or suspend a program that waits at a prompt.
const CAUGHT: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGALRM,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// One question at a time: signal dispositions belong to the whole process.
static ASKING: Mutex<()> = Mutex::new(());

/// Opened once and never closed: a handler that runs late on another thread must not write into a reused descriptor.
static PIPE: OnceLock<(OwnedFd, OwnedFd)> = OnceLock::new();
static PIPE_WRITE: AtomicI32 = AtomicI32::new(-1);

/// While this lives, the signals above arrive as bytes on [`CaughtSignals::as_fd`], whichever thread the kernel picks.
pub(super) struct CaughtSignals {
    before: Vec<(Signal, SigAction)>,
    pipe: &'static OwnedFd,
    _only_one: MutexGuard<'static, ()>,
}

extern "C" fn note(signal: libc::c_int) {
    let saved = nix::errno::Errno::last_raw();
    let byte = signal.to_ne_bytes();
    let fd = PIPE_WRITE.load(Ordering::Relaxed);
    // SAFETY: write(2) is async-signal-safe; the four bytes live on this stack.
    unsafe { libc::write(fd, byte.as_ptr().cast(), byte.len()) };
    nix::errno::Errno::set_raw(saved);
}

impl CaughtSignals {
    pub(super) fn new() -> io::Result<Self> {
        let only_one = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        let pipe = pipe()?;
        let mut caught = Self { before: Vec::with_capacity(CAUGHT.len()), pipe, _only_one: only_one };
        while caught.next().is_some() {}
        let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
        for signal in CAUGHT {
            // SAFETY: the handler only calls write(2) and keeps errno; the old action is put back by drop.
            let old = unsafe { sigaction(signal, &action) }.doing(|| format!("catch {signal}"))?;
            caught.before.push((signal, old));
        }
        Ok(caught)
    }

    /// The next signal that came, if any.
    pub(super) fn next(&mut self) -> Option<Signal> {
        let mut number = [0; size_of::<libc::c_int>()];
        match rustix::io::read(self.pipe, &mut number) {
            Ok(count) if count == number.len() => Signal::try_from(libc::c_int::from_ne_bytes(number)).ok(),
            _ => None,
        }
    }
}

impl AsFd for CaughtSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl Drop for CaughtSignals {
    fn drop(&mut self) {
        for (signal, old) in &self.before {
            // SAFETY: puts back an action that was in force before.
            let _ = unsafe { sigaction(*signal, old) };
        }
    }
}

/// The pipe's reading end; `ASKING` is held.
fn pipe() -> io::Result<&'static OwnedFd> {
    if PIPE.get().is_none() {
        let ends = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .doing(|| "create a pipe for signals".into())?;
        PIPE_WRITE.store(ends.1.as_raw_fd(), Ordering::Relaxed);
        return Ok(&PIPE.get_or_init(|| ends).0);
    }
    PIPE.get().map(|ends| &ends.0).ok_or_else(|| io::Error::other("the signal pipe vanished"))
}
