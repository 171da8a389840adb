//! What happens in the child between clone and exec. Everything here must be safe in a process whose memory is shared with
//! (or was copied in the middle of) a multi-threaded parent: system calls only, no allocation, no lock, no panic.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::identity::Become;

/// The number of the first descriptor passed on beside stdin, stdout and stderr.
pub(crate) const FIRST_PASSED: c_int = 3;

/// Where the child got to; what the parent's error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Step {
    Signals = 1,
    ParentDeath,
    Session,
    ControllingTerminal,
    Stdio,
    Passed,
    CloseFds,
    Limits,
    Groups,
    Gid,
    Uid,
    NoWayBack,
    Exec,
}

impl Step {
    pub(super) const ALL: [Self; 13] = [
        Self::Signals,
        Self::ParentDeath,
        Self::Session,
        Self::ControllingTerminal,
        Self::Stdio,
        Self::Passed,
        Self::CloseFds,
        Self::Limits,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::NoWayBack,
        Self::Exec,
    ];

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Signals => "reset signals",
            Self::ParentDeath => "ask to end with the parent",
            Self::Session => "start a session (setsid)",
            Self::ControllingTerminal => "take the controlling terminal",
            Self::Stdio => "set up stdin, stdout and stderr",
            Self::Passed => "set up the descriptors it is given",
            Self::CloseFds => "close inherited descriptors",
            Self::Limits => "restore the open files limit",
            Self::Groups => "set supplementary groups",
            Self::Gid => "set the group id",
            Self::Uid => "set the user id",
            Self::NoWayBack => "prove that privileges are gone for good",
            Self::Exec => "execute",
        }
    }
}

/// The child's last words, in memory both processes see. All zero: it reached exec.
#[repr(C)]
pub(super) struct Report {
    pub(super) step: AtomicU32,
    pub(super) errno: AtomicI32,
    pub(super) cwd_errno: AtomicI32,
}

/// What is executed.
pub(super) enum Executable<'a> {
    Path(&'a CStr),
    /// Whatever has become of its name; an O_PATH descriptor will do.
    Open(BorrowedFd<'a>),
}

/// Everything the child needs, made ready by the parent.
pub(super) struct Plan<'a> {
    pub(super) program: Executable<'a>,
    /// NULL-terminated.
    pub(super) argv: &'a [*const c_char],
    /// NULL-terminated.
    pub(super) envp: &'a [*const c_char],
    pub(super) cwd: &'a CStr,
    /// All above 2 and above every number that `passed` takes.
    pub(super) fds: [BorrowedFd<'a>; 3],
    /// Become 3, 4, ... in this order; all above the numbers they take.
    pub(super) passed: &'a [OwnedFd],
    pub(super) session: bool,
    pub(super) terminal: bool,
    /// The process with which the child is to end (SIGKILL), if it is to.
    pub(super) ends_with: Option<Pid>,
    pub(super) credentials: Option<Become<'a>>,
    pub(super) umask: Option<Mode>,
    pub(super) open_files: Option<Rlimit>,
    pub(super) report: &'a Report,
}

pub(super) type Failed = (Step, Errno);

/// Entry point on the child's own stack; `plan` is a `*const Plan`.
pub(super) extern "C" fn child_main(plan: *mut c_void) -> c_int {
    // SAFETY: launch() passes a pointer to a Plan that outlives the child's use of this memory (CLONE_VFORK).
    let plan = unsafe { &*plan.cast_const().cast::<Plan<'_>>() };
    let (step, errno) = match prepare(plan) {
        Err(failed) => failed,
        Ok(()) => (Step::Exec, exec(plan)),
    };
    plan.report.errno.store(errno.raw_os_error(), Ordering::SeqCst);
    plan.report.step.store(step as u32, Ordering::SeqCst);
    // SAFETY: _exit runs no handlers and does not return.
    unsafe { libc::_exit(127) }
}

pub(super) fn at<T>(step: Step, result: rustix::io::Result<T>) -> Result<T, Failed> {
    result.map_err(|errno| (step, errno))
}

fn prepare(plan: &Plan<'_>) -> Result<(), Failed> {
    at(Step::Signals, reset_signals())?;
    if let Some(parent) = plan.ends_with {
        at(Step::ParentDeath, end_with(parent))?;
    }
    if plan.session {
        at(Step::Session, rustix::process::setsid())?;
    }
    let [stdin, stdout, stderr] = plan.fds;
    at(Step::Stdio, rustix::stdio::dup2_stdin(stdin))?;
    at(Step::Stdio, rustix::stdio::dup2_stdout(stdout))?;
    at(Step::Stdio, rustix::stdio::dup2_stderr(stderr))?;
    if plan.terminal {
        at(Step::ControllingTerminal, rustix::process::ioctl_tiocsctty(stdin))?;
    }
    let first_unwanted = at(Step::Passed, pass(plan.passed))?;
    at(Step::CloseFds, close_on_exec_from(first_unwanted))?;
    if let Some(limit) = plan.open_files {
        at(Step::Limits, rustix::process::setrlimit(Resource::Nofile, limit))?;
    }
    if let Some(mask) = plan.umask {
        rustix::process::umask(mask);
    }
    if let Some(target) = &plan.credentials {
        target.take()?;
    }
    enter(plan);
    Ok(())
}

/// As the user, so that a home directory root may not read (NFS, FUSE) works and one the user may not read does not.
fn enter(plan: &Plan<'_>) {
    if let Err(errno) = rustix::process::chdir(plan.cwd) {
        plan.report.cwd_errno.store(errno.raw_os_error(), Ordering::SeqCst);
        let _ = rustix::process::chdir(c"/");
    }
}

fn exec(plan: &Plan<'_>) -> Errno {
    let (argv, envp) = (plan.argv.as_ptr(), plan.envp.as_ptr());
    match plan.program {
        // SAFETY: both arrays end in NULL and point to NUL-terminated strings that live in the parent's memory or our copy.
        Executable::Path(path) => unsafe { libc::execve(path.as_ptr(), argv, envp) },
        Executable::Open(file) => {
            let fd = c_long::from(file.as_raw_fd());
            let flags = c_long::from(libc::AT_EMPTY_PATH);
            // SAFETY: as above; the path is a static empty string.
            let result = unsafe { libc::syscall(libc::SYS_execveat, fd, c"".as_ptr(), argv, envp, flags) };
            c_int::try_from(result).unwrap_or(-1)
        }
    };
    last_errno()
}

/// The kernel tells the end of a parent only to those who asked before, so one that has ended meanwhile is looked for.
fn end_with(parent: Pid) -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH) }
}

/// Gives each its number, which also lets it survive exec; says which number is the first without an owner.
fn pass(fds: &[OwnedFd]) -> rustix::io::Result<c_int> {
    let mut number = FIRST_PASSED;
    for fd in fds {
        // SAFETY: puts a copy of a live descriptor at a number below all that are still needed (see Plan).
        check(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into())?;
        number = number.saturating_add(1);
    }
    Ok(number)
}

pub(super) fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

pub(super) fn check(result: c_long) -> rustix::io::Result<()> {
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Every signal to its default, then none blocked: an ignored SIGPIPE or SIGHUP and a blocked mask survive exec otherwise.
/// By raw system call, because libc hides the two signals it keeps for itself.
pub(crate) fn reset_signals() -> rustix::io::Result<()> {
    const SIGNAL_COUNT: c_long = 64;
    const MASK_BYTES: c_long = 8;
    // The kernel's sigaction: handler SIG_DFL (0), no flags, no restorer, empty mask; longer than any architecture's.
    let default_action = [0_u64; 8];
    for signal in 1..=SIGNAL_COUNT {
        if signal == c_long::from(libc::SIGKILL) || signal == c_long::from(libc::SIGSTOP) {
            continue;
        }
        let none = std::ptr::null_mut::<c_void>();
        // SAFETY: reads at most the 64 bytes given, writes nothing.
        check(unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default_action.as_ptr(), none, MASK_BYTES) })?;
    }
    let empty = 0_u64;
    let none = std::ptr::null_mut::<c_void>();
    // SAFETY: reads 8 bytes of a live u64, writes nothing.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, c_long::from(libc::SIG_SETMASK), &raw const empty, none, MASK_BYTES)
    };
    check(result)
}

/// Exec closes everything from `first` on (threat C11): also what a library opened without O_CLOEXEC.
fn close_on_exec_from(first: c_int) -> rustix::io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: c_long = 4;
    // SAFETY: takes three integers; marks descriptors, closes none before exec.
    let result = unsafe {
        libc::syscall(libc::SYS_close_range, c_long::from(first), c_long::from(u32::MAX), CLOSE_RANGE_CLOEXEC)
    };
    match check(result) {
        // Linux before 5.11.
        Err(Errno::NOSYS | Errno::INVAL) => close_on_exec_one_by_one(first),
        other => other,
    }
}

fn close_on_exec_one_by_one(first: c_int) -> rustix::io::Result<()> {
    const MOST: u64 = 1 << 20;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let top = limit.maximum.or(limit.current).unwrap_or(MOST).min(MOST);
    for fd in first..c_int::try_from(top).unwrap_or(c_int::MAX) {
        // SAFETY: F_SETFD on a number that is open or gives EBADF, which is no failure here.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}
