//! What happens in the child between clone and exec. Everything here must be safe in a process whose memory is shared with
//! (or was copied in the middle of) a multi-threaded parent: system calls only, no allocation, no lock, no panic.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use rustix::fs::{Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

/// Where the child got to; what the parent's error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Step {
    Signals = 1,
    Session,
    ControllingTerminal,
    Stdio,
    CloseFds,
    Limits,
    Groups,
    Gid,
    Uid,
    NoWayBack,
    Exec,
}

impl Step {
    pub(super) const ALL: [Self; 11] = [
        Self::Signals,
        Self::Session,
        Self::ControllingTerminal,
        Self::Stdio,
        Self::CloseFds,
        Self::Limits,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::NoWayBack,
        Self::Exec,
    ];

    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Signals => "reset signals",
            Self::Session => "start a session (setsid)",
            Self::ControllingTerminal => "take the controlling terminal",
            Self::Stdio => "set up stdin, stdout and stderr",
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

/// Whom to become and who we were.
pub(super) struct Become<'a> {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: &'a [Gid],
    pub(super) old_gid: Gid,
}

/// Everything the child needs, made ready by the parent.
pub(super) struct Plan<'a> {
    pub(super) program: &'a CStr,
    /// NULL-terminated.
    pub(super) argv: &'a [*const c_char],
    /// NULL-terminated.
    pub(super) envp: &'a [*const c_char],
    pub(super) cwd: &'a CStr,
    /// All above 2.
    pub(super) fds: [BorrowedFd<'a>; 3],
    pub(super) terminal: bool,
    pub(super) credentials: Option<Become<'a>>,
    pub(super) umask: Option<Mode>,
    pub(super) open_files: Option<Rlimit>,
    pub(super) report: &'a Report,
}

type Failed = (Step, Errno);

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

fn at<T>(step: Step, result: rustix::io::Result<T>) -> Result<T, Failed> {
    result.map_err(|errno| (step, errno))
}

fn prepare(plan: &Plan<'_>) -> Result<(), Failed> {
    at(Step::Signals, reset_signals())?;
    at(Step::Session, rustix::process::setsid())?;
    let [stdin, stdout, stderr] = plan.fds;
    at(Step::Stdio, rustix::stdio::dup2_stdin(stdin))?;
    at(Step::Stdio, rustix::stdio::dup2_stdout(stdout))?;
    at(Step::Stdio, rustix::stdio::dup2_stderr(stderr))?;
    if plan.terminal {
        at(Step::ControllingTerminal, rustix::process::ioctl_tiocsctty(stdin))?;
    }
    at(Step::CloseFds, close_on_exec_above_2())?;
    if let Some(limit) = plan.open_files {
        at(Step::Limits, rustix::process::setrlimit(Resource::Nofile, limit))?;
    }
    if let Some(mask) = plan.umask {
        rustix::process::umask(mask);
    }
    if let Some(target) = &plan.credentials {
        // Groups while still allowed to, the user id last: the other order keeps root's groups (CVE-2016-10010's kin).
        at(Step::Groups, rustix::thread::set_thread_groups(target.groups))?;
        at(Step::Gid, rustix::thread::set_thread_res_gid(target.gid, target.gid, target.gid))?;
        at(Step::Uid, rustix::thread::set_thread_res_uid(target.uid, target.uid, target.uid))?;
        at(Step::NoWayBack, prove_no_way_back(target))?;
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
    // SAFETY: both arrays end in NULL and point to NUL-terminated strings that live in the parent's memory or our copy.
    unsafe { libc::execve(plan.program.as_ptr(), plan.argv.as_ptr(), plan.envp.as_ptr()) };
    last_errno()
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

fn check(result: c_long) -> rustix::io::Result<()> {
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Every signal to its default, then none blocked: an ignored SIGPIPE or SIGHUP and a blocked mask survive exec otherwise.
/// By raw system call, because libc hides the two signals it keeps for itself.
fn reset_signals() -> rustix::io::Result<()> {
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

/// Exec closes everything above 2 (threat C11): also what a library opened without O_CLOEXEC.
fn close_on_exec_above_2() -> rustix::io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: c_long = 4;
    // SAFETY: takes three integers; marks descriptors, closes none before exec.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, 3 as c_long, c_long::from(u32::MAX), CLOSE_RANGE_CLOEXEC) };
    match check(result) {
        // Linux before 5.11.
        Err(Errno::NOSYS | Errno::INVAL) => close_on_exec_one_by_one(),
        other => other,
    }
}

fn close_on_exec_one_by_one() -> rustix::io::Result<()> {
    const MOST: u64 = 1 << 20;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let top = limit.maximum.or(limit.current).unwrap_or(MOST).min(MOST);
    for fd in 3..c_int::try_from(top).unwrap_or(c_int::MAX) {
        // SAFETY: F_SETFD on a number that is open or gives EBADF, which is no failure here.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// Threat A18: all three ids are the target's, no capability is left, and going back is refused.
fn prove_no_way_back(target: &Become<'_>) -> rustix::io::Result<()> {
    if !all_ids_are(target)? {
        return Err(Errno::PERM);
    }
    if target.uid.is_root() {
        return Ok(());
    }
    let left = rustix::thread::capabilities(None)?;
    if !left.permitted.is_empty() || !left.effective.is_empty() {
        return Err(Errno::PERM);
    }
    let back_to_root = rustix::thread::set_thread_uid(Uid::ROOT).is_ok();
    let back_to_group = target.gid != target.old_gid && rustix::thread::set_thread_gid(target.old_gid).is_ok();
    if back_to_root || back_to_group { Err(Errno::PERM) } else { Ok(()) }
}

fn all_ids_are(target: &Become<'_>) -> rustix::io::Result<bool> {
    let (uid, gid) = (target.uid.as_raw(), target.gid.as_raw());
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: writes three live integers.
    check(unsafe { libc::getresuid(&raw mut real, &raw mut effective, &raw mut saved) }.into())?;
    let uids = [real, effective, saved] == [uid; 3];
    // SAFETY: writes three live integers.
    check(unsafe { libc::getresgid(&raw mut real, &raw mut effective, &raw mut saved) }.into())?;
    Ok(uids && [real, effective, saved] == [gid; 3])
}
