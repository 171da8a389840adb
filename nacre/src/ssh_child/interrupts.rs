//! Signals while a transfer runs: no ssh is left behind, and what was moved so far stays.
//!
//! A thread takes the signals. It notes them, so that the work can end in order, and ends the children whose pipes the work may
//! be waiting at. A second signal of the same kind ends the program at once.

use crate::signal::{SIGHUP, SIGINT, SIGTERM};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// What ends a transfer.
const ENDING: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];
/// A person who presses Ctrl-C so often in vain means the end of the connection.
const PRESSES: u32 = 3;

/// The signal that came last; 0 for none. The handler itself writes it: Ctrl-C goes to our ssh as well, and the end of that
/// must not be noticed before its reason.
static CAME: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);
/// The signal that the thread took last; 0 for none.
static TAKEN: AtomicI32 = AtomicI32::new(0);
/// Whether Ctrl-C is only noted, and how often it was pressed since it was forgotten last.
static NOTES: AtomicBool = AtomicBool::new(false);
static PRESSED: AtomicU32 = AtomicU32::new(0);
static NEXT: AtomicU64 = AtomicU64::new(0);
/// The children that run now. A pidfd never names a stranger that got the number of a child that ended.
static CHILDREN: Mutex<Vec<(u64, OwnedFd)>> = Mutex::new(Vec::new());

fn children() -> MutexGuard<'static, Vec<(u64, OwnedFd)>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What Ctrl-C means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// The end of the program.
    End,
    /// The end of what it is doing: only [`came`] tells, children stay until it is pressed for the third time.
    Note,
}

/// Takes the signals from now on. Those that the process was started to ignore (as by nohup) stay ignored. Call it once.
///
/// # Errors
/// The system gives no thread or no pipe for it.
pub fn catch(on_interrupt: OnInterrupt) -> std::io::Result<()> {
    set(on_interrupt);
    let ignored = crate::ssh::signals::ignored();
    let wanted: Vec<i32> = ENDING.into_iter().filter(|number| ignored & (1 << (number - 1)) == 0).collect();
    for number in &wanted {
        signal_hook::flag::register_usize(*number, CAME.clone(), usize::try_from(*number).unwrap_or_default())?;
    }
    let mut signals = signal_hook::iterator::Signals::new(wanted)?;
    let take = move || {
        for number in signals.forever() {
            let before = TAKEN.swap(number, Ordering::SeqCst);
            if number == SIGINT && NOTES.load(Ordering::SeqCst) {
                if PRESSED.fetch_add(1, Ordering::SeqCst) + 1 >= PRESSES {
                    terminate_all();
                }
                continue;
            }
            terminate_all();
            if before == number {
                let _ = signal_hook::low_level::emulate_default_handler(number);
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(take)?;
    Ok(())
}

/// What Ctrl-C means from now on.
pub fn set(on_interrupt: OnInterrupt) {
    NOTES.store(on_interrupt == OnInterrupt::Note, Ordering::SeqCst);
}

/// The number of the signal that asks us to end, if one came.
pub fn came() -> Option<i32> {
    i32::try_from(CAME.load(Ordering::SeqCst)).ok().filter(|number| *number != 0)
}

/// Forgets a signal that was acted on.
pub fn forget() {
    CAME.store(0, Ordering::SeqCst);
    TAKEN.store(0, Ordering::SeqCst);
    PRESSED.store(0, Ordering::SeqCst);
}

fn terminate_all() {
    for (_, child) in children().iter() {
        let _ = pidfd_send_signal(child, Signal::TERM);
    }
}

/// A child's place in the list, given up when dropped.
#[derive(Debug)]
pub struct Registered(Option<u64>);

impl Registered {
    /// Adds a child that nobody has waited for yet.
    pub(super) fn new(child: &Child) -> Self {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let Some(pidfd) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return Self(None) };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        children().push((number, pidfd));
        Self(Some(number))
    }

    /// Asks the child to end.
    pub(super) fn terminate(&self) {
        if let Some((_, child)) = children().iter().find(|(number, _)| Some(*number) == self.0) {
            let _ = pidfd_send_signal(child, Signal::TERM);
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        children().retain(|(number, _)| Some(*number) != self.0);
    }
}
