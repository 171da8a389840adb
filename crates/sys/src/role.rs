//! The server's own processes, made from one program: a fork for each connection's monitor, and the program started anew for
//! roles that must not inherit its memory (threats P18, T21: a fresh address layout and fresh randomness).

use std::ffi::{CStr, OsString, c_int, c_long};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal};
use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;

use crate::error::{Doing, refused};
use crate::spawn::{Child, FIRST_PASSED, OwnProgram, pidfd_of, reset_signals, start_own};

/// The program this process runs, held open: replacing, renaming or removing its file does not change what is started.
#[derive(Debug)]
pub struct Program {
    file: OwnedFd,
}

/// A process to start with [`Program::start`]. Nothing of the starter's environment, descriptors or signal state reaches it; its
/// user, groups, umask and limits do (the limit of open files as before [`crate::privileges::raise_open_files`]). It starts in `/`.
#[derive(Debug)]
pub struct RoleSpec {
    /// `argv[0]`.
    pub arg0: OsString,
    /// `argv[1..]`.
    pub args: Vec<OsString>,
    /// The whole environment; names as for [`crate::spawn::SpawnSpec::env`].
    pub env: Vec<(OsString, OsString)>,
    /// Become descriptors 3, 4, ... in this order; take them there with [`inherited`]. Closed here.
    pub fds: Vec<OwnedFd>,
    /// What becomes fd 2; `None`: /dev/null, as fd 0 and 1 always.
    pub stderr: Option<OwnedFd>,
    /// Whether it leads a session and process group of its own. Otherwise it stays in the starter's.
    pub new_session: bool,
    /// Whether the kernel kills it (SIGKILL) when the *thread* that starts it ends. The kernel forgets this when the process becomes
    /// another user; [`crate::sandbox::Confinement::confine`] and [`crate::become_account::become_account`] renew it.
    pub ends_with_parent: bool,
}

impl Program {
    /// Opens the program this process runs (`/proc/self/exe`). Call it once, at the start.
    ///
    /// # Errors
    /// The errno of open; `NotFound` when /proc is not there.
    pub fn own() -> io::Result<Self> {
        let file = rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        Ok(Self { file: file.doing(|| "open this program's own file (/proc/self/exe)".into())? })
    }

    /// Starts the program in another role and returns once it is executing. Blocks for the time of a clone and exec.
    ///
    /// # Errors
    /// The step that failed, with its errno. `InvalidInput` for NUL in any string or `=` in a variable's name.
    pub fn start(&self, spec: RoleSpec) -> io::Result<Child> {
        let (stdin, stdout) = (null()?, null()?);
        let stderr = spec.stderr.map_or_else(null, Ok)?;
        start_own(OwnProgram {
            file: self.file.as_fd(),
            arg0: &spec.arg0,
            args: &spec.args,
            env: &spec.env,
            stdio: [stdin, stdout, stderr],
            passed: spec.fds,
            session: spec.new_session,
            ends_with_parent: spec.ends_with_parent,
        })
    }
}

impl AsFd for Program {
    /// The O_PATH descriptor of the file.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn null() -> io::Result<OwnedFd> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).doing(|| "open /dev/null".into())
}

static INHERITED_TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes over the `count` descriptors this process was started with ([`RoleSpec::fds`]) and makes them close-on-exec. Once, as the first
/// thing in `main`.
///
/// # Errors
/// `AlreadyExists` for a second call; `InvalidInput` when one of the numbers is not open, or was opened by this program itself
/// (such a descriptor is close-on-exec already): the program was not started with that many.
pub fn inherited(count: usize) -> io::Result<Vec<OwnedFd>> {
    let doing = "take over inherited descriptors";
    if INHERITED_TAKEN.swap(true, Ordering::SeqCst) {
        return Err(refused(io::ErrorKind::AlreadyExists, doing, "they were taken already"));
    }
    let end = c_int::try_from(count).ok().and_then(|count| FIRST_PASSED.checked_add(count));
    let numbers = FIRST_PASSED..end.unwrap_or(FIRST_PASSED);
    // All are looked at before the first is owned, so that a failure closes none.
    if end.is_none() || !numbers.clone().all(is_inherited) {
        let why = format!("this process was not started with {count}; start it as the server does");
        return Err(refused(io::ErrorKind::InvalidInput, doing, why));
    }
    numbers.map(own_inherited).collect()
}

fn is_inherited(number: c_int) -> bool {
    // SAFETY: asks about a number, open or not; changes nothing.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

fn own_inherited(number: c_int) -> io::Result<OwnedFd> {
    // SAFETY: open, not close-on-exec, so not of this program's making, and taken only once (see inherited).
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC).doing(|| "take over an inherited descriptor".into())?;
    Ok(fd)
}

/// Who returns from [`fork`].
#[derive(Debug)]
pub enum Forked {
    /// The process that called, with the new one.
    Parent(Child),
    /// The new process.
    Child,
}

/// Makes a copy of this process. In the copy every signal is at its default, but for SIGPIPE, which stays ignored as Rust programs have it,
/// and none is blocked; no handler of the original ever runs there. Descriptors (also those of other children), memory and
/// session are the caller's business. The copy does not end with its parent.
///
/// # Errors
/// `Unsupported` when other threads exist: they would not come along. Otherwise the errno of fork or pidfd_open.
pub fn fork() -> io::Result<Forked> {
    // SAFETY: as copied asks.
    match copied(|| unsafe { libc::fork() })? {
        None => Ok(Forked::Child),
        Some(pid) => Ok(Forked::Parent(Child::new(pid, pidfd_of(pid)?, None))),
    }
}

/// As [`fork`], but the copy is a child of this process's parent, which waits for it by [`adopt`]: its process id, or `None` in the copy.
pub(crate) fn fork_sibling() -> io::Result<Option<i32>> {
    let flags = c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    let none: c_long = 0;
    // SAFETY: as copied asks; without a stack and CLONE_VM this call is what fork(2) is. The C library's own fork would also tell
    // its thread's record the new id; what compares that id compares it with itself.
    let clone = || unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
    copied(|| i32::try_from(clone()).unwrap_or(-1))
}

/// A child that a process started for this one by [`fork_sibling`](crate::forked::fork_sibling_into).
///
/// # Errors
/// The errno of pidfd_open. A process that nobody could follow is ended.
pub fn adopt(pid: i32) -> io::Result<Child> {
    let pidfd = pidfd_of(pid).inspect_err(|_| {
        // Nobody has waited for it, so the number is still its own.
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    })?;
    Ok(Child::new(pid, pidfd, None))
}

/// The name of this process in lists of processes, up to 15 bytes; more is cut off.
pub fn set_process_name(name: &CStr) {
    let _ = rustix::thread::set_name(name);
}

/// `copy` returns as fork(2) does. It is called while this is the only thread (so the copy is whole and may do anything) and every signal is
/// blocked.
fn copied(copy: impl FnOnce() -> i32) -> io::Result<Option<i32>> {
    if crate::daemon::threads()? != 1 {
        return Err(refused(io::ErrorKind::Unsupported, "fork", "threads are running; the caller must have none"));
    }
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK).doing(|| "fork: block signals".into())?;
    let pid = copy();
    if pid == 0 {
        // An error here would look like one of the parent's.
        if fresh_signals().is_err() {
            // SAFETY: ends this process without running exit handlers, which belong to the parent.
            unsafe { libc::_exit(127) }
        }
        return Ok(None);
    }
    let failed = (pid < 0).then(io::Error::last_os_error);
    mask.thread_set_mask().doing(|| "fork: unblock signals".into())?;
    match failed {
        Some(error) => Err(error).doing(|| "fork".into()),
        None => Ok(Some(pid)),
    }
}

fn fresh_signals() -> io::Result<()> {
    reset_signals().doing(|| "fork: reset signals".into())?;
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) }.doing(|| "fork: ignore SIGPIPE".into())?;
    Ok(())
}
