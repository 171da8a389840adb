//! The parent's half of spawn: makes everything ready, clones, and turns the child's report into a result.

use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_void};
use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::fs::{Gid, Mode, Uid};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use super::identity::Become;
use super::steps::{Executable, FIRST_PASSED, Plan, Report, Step, child_main};
use super::wait::{self, Child};
use super::{ChildStdio, SpawnSpec};
use crate::account::Credentials;
use crate::error::{Doing, refused};

/// The child's few frames take well under a page; the rest is room for the C library's own.
const STACK: usize = 64 * 1024;

/// Starts a process and returns once it is executing the program. Blocks for the time of a clone and exec: about 0.1 ms as the same
/// user whatever the server's size, about 3 ms more for each 200 MB the server holds when becoming another (its page
/// tables are copied), and as long as the file system of the program or working directory takes. Call it off the event loop.
///
/// # Errors
/// The step that failed and the program's path; for a failed exec its errno ([`crate::errno_of`]: ENOENT, EACCES, ENOEXEC...).
/// `InvalidInput` for NUL in any string or `=` in a variable's name.
pub fn spawn(spec: SpawnSpec) -> io::Result<Child> {
    wait::reap_orphans();
    let program = c_string(spec.program.as_os_str(), "program")?;
    let cwd = c_string(spec.cwd.as_os_str(), "working directory")?;
    let argv = Strings::new(arguments(&spec.arg0, &spec.args)?);
    let envp = Strings::new(environment(&spec.env)?);
    let (fds, terminal) = stdio(spec.stdio)?;
    let groups = groups(spec.credentials.as_ref());
    let arena = Arena::new(spec.credentials.is_none())?;
    let plan = Plan {
        program: Executable::Path(&program),
        argv: &argv.pointers,
        envp: &envp.pointers,
        cwd: &cwd,
        fds: fds.each_ref().map(AsFd::as_fd),
        passed: &[],
        session: true,
        terminal,
        ends_with: None,
        credentials: spec.credentials.as_ref().map(|target| target_of(target, &groups)),
        umask: spec.umask.map(|mask| Mode::from_raw_mode(mask & 0o777)),
        open_files: crate::privileges::original_open_files(),
        report: arena.report(),
    };
    let (pid, pidfd) = clone(&plan, &arena).doing(|| format!("start {}", spec.program.display()))?;
    outcome(arena.report(), pid, pidfd, &spec.program.display())
}

/// What a process of the server's own is started from: see [`crate::role::RoleSpec`].
pub(crate) struct OwnProgram<'a> {
    pub(crate) file: BorrowedFd<'a>,
    pub(crate) arg0: &'a OsStr,
    pub(crate) args: &'a [OsString],
    pub(crate) env: &'a [(OsString, OsString)],
    pub(crate) stdio: [OwnedFd; 3],
    pub(crate) passed: Vec<OwnedFd>,
    pub(crate) session: bool,
    pub(crate) ends_with_parent: bool,
}

/// Starts an open program file as the same user, in `/`, with descriptors passed on by number. Blocks as [`spawn`] does.
pub(crate) fn start_own(own: OwnProgram<'_>) -> io::Result<Child> {
    wait::reap_orphans();
    let argv = Strings::new(arguments(own.arg0, own.args)?);
    let envp = Strings::new(environment(own.env)?);
    // Out of the way of every number that is given out, so that none is overwritten before it is used.
    let clear = FIRST_PASSED.saturating_add(RawFd::try_from(own.passed.len()).unwrap_or(RawFd::MAX));
    let file = rustix::io::fcntl_dupfd_cloexec(own.file, clear).doing(|| "duplicate a descriptor".into())?;
    let [stdin, stdout, stderr] = own.stdio;
    let fds = [above(stdin, clear)?, above(stdout, clear)?, above(stderr, clear)?];
    let passed = own.passed.into_iter().map(|fd| above(fd, clear)).collect::<io::Result<Vec<_>>>()?;
    let arena = Arena::new(true)?;
    let plan = Plan {
        program: Executable::Open(file.as_fd()),
        argv: &argv.pointers,
        envp: &envp.pointers,
        cwd: c"/",
        fds: fds.each_ref().map(AsFd::as_fd),
        passed: &passed,
        session: own.session,
        terminal: false,
        ends_with: own.ends_with_parent.then(rustix::process::getpid),
        credentials: None,
        umask: None,
        open_files: crate::privileges::original_open_files(),
        report: arena.report(),
    };
    let name = own.arg0.display();
    let (pid, pidfd) = clone(&plan, &arena).doing(|| format!("start {name}"))?;
    outcome(arena.report(), pid, pidfd, &name)
}

fn outcome(report: &Report, pid: i32, pidfd: OwnedFd, program: &dyn Display) -> io::Result<Child> {
    let step = report.step.load(Ordering::SeqCst);
    let Some(failed) = Step::ALL.into_iter().find(|known| *known as u32 == step) else {
        let cwd_errno = report.cwd_errno.load(Ordering::SeqCst);
        return Ok(Child::new(pid, pidfd, (cwd_errno != 0).then_some(cwd_errno)));
    };
    wait::reap_now(&pidfd);
    let errno = io::Error::from_raw_os_error(report.errno.load(Ordering::SeqCst));
    Err(errno).doing(|| format!("start {program}: {}", failed.describe()))
}

/// Strings and the NULL-terminated array of pointers to them.
struct Strings {
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Strings {
    fn new(owned: Vec<CString>) -> Self {
        let pointers = owned.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { _owned: owned, pointers }
    }
}

fn c_string(text: &OsStr, what: &str) -> io::Result<CString> {
    CString::new(text.as_bytes()).doing(|| format!("start a process: {what} {text:?}"))
}

fn arguments(arg0: &OsStr, args: &[OsString]) -> io::Result<Vec<CString>> {
    std::iter::once(arg0)
        .chain(args.iter().map(OsString::as_os_str))
        .map(|argument| c_string(argument, "argument"))
        .collect()
}

fn environment(env: &[(OsString, OsString)]) -> io::Result<Vec<CString>> {
    env.iter().map(|(name, value)| variable(name, value)).collect()
}

fn variable(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    if name.is_empty() || name.as_bytes().contains(&b'=') {
        let doing = format!("start a process: environment variable {name:?}");
        return Err(refused(io::ErrorKind::InvalidInput, doing, "a name must not be empty or hold '='"));
    }
    let mut pair = name.to_os_string();
    pair.push("=");
    pair.push(value);
    c_string(&pair, "environment variable")
}

fn stdio(stdio: ChildStdio) -> io::Result<([OwnedFd; 3], bool)> {
    Ok(match stdio {
        ChildStdio::Pty(slave) => ([above_2(copy(&slave)?)?, above_2(copy(&slave)?)?, above_2(slave)?], true),
        ChildStdio::Fds { stdin, stdout, stderr } => ([above_2(stdin)?, above_2(stdout)?, above_2(stderr)?], false),
    })
}

fn copy(fd: &OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3).doing(|| "duplicate a descriptor".into())
}

/// A descriptor that already is 0, 1 or 2 could be overwritten before it is used.
fn above_2(fd: OwnedFd) -> io::Result<OwnedFd> {
    above(fd, FIRST_PASSED)
}

fn above(fd: OwnedFd, lowest: RawFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= lowest {
        return Ok(fd);
    }
    rustix::io::fcntl_dupfd_cloexec(&fd, lowest).doing(|| "duplicate a descriptor".into())
}

fn groups(credentials: Option<&Credentials>) -> Vec<Gid> {
    credentials.map(|target| target.groups.iter().map(|gid| Gid::from_raw(*gid)).collect()).unwrap_or_default()
}

fn target_of<'a>(target: &Credentials, groups: &'a [Gid]) -> Become<'a> {
    Become {
        uid: Uid::from_raw(target.uid),
        gid: Gid::from_raw(target.gid),
        groups,
        old_gid: rustix::process::getgid(),
    }
}

/// Memory shared with the child in either mode: a guard page, its stack, and the page of its report.
struct Arena {
    base: *mut c_void,
    page: usize,
}

impl Arena {
    /// A child with a copy of our memory can only report through a shared mapping; a private one is quicker to make.
    fn new(shares_memory: bool) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let flags = if shares_memory { MapFlags::PRIVATE } else { MapFlags::SHARED };
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice.
        let base = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), Self::len(page), access, flags) }
            .doing(|| "map a child's stack".into())?;
        let arena = Self { base, page };
        // SAFETY: the first page of our own mapping, which nothing refers to yet.
        unsafe { rustix::mm::mprotect(base, page, MprotectFlags::empty()) }.doing(|| "guard a child's stack".into())?;
        Ok(arena)
    }

    fn len(page: usize) -> usize {
        STACK.saturating_add(page.saturating_mul(2))
    }

    /// One past the stack's last byte, page-aligned; the report begins there.
    fn stack_top(&self) -> *mut c_void {
        // SAFETY: within the mapping: guard page + stack is one page short of its length.
        unsafe { self.base.byte_add(self.page.saturating_add(STACK)) }
    }

    fn report(&self) -> &Report {
        const {
            assert!(size_of::<AtomicU32>() + 2 * size_of::<AtomicI32>() == size_of::<Report>());
        }
        // SAFETY: page-aligned, zeroed by the kernel, mapped as long as `self`; only atomics are in it.
        unsafe { &*self.stack_top().cast::<Report>() }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: unmaps what new() mapped; the child has its own program by now, or has ended.
        let _ = unsafe { rustix::mm::munmap(self.base, Self::len(self.page)) };
    }
}

/// Clones with every signal blocked: a handler of ours must not run in the child. The parent thread sleeps until exec or exit.
fn clone(plan: &Plan<'_>, arena: &Arena) -> io::Result<(i32, OwnedFd)> {
    let share = if plan.credentials.is_none() { libc::CLONE_VM } else { 0 };
    let flags = share | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let mut pidfd: RawFd = -1;
    let argument = ptr::from_ref(plan).cast_mut().cast::<c_void>();
    // SAFETY: the stack is ours alone and large enough, `plan` outlives the child's use of it because of CLONE_VFORK, child_main
    // never returns, and with CLONE_PIDFD the third pointer receives a descriptor.
    let pid: c_int = unsafe { libc::clone(child_main, arena.stack_top(), flags, argument, &raw mut pidfd) };
    let result = if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) };
    mask.thread_set_mask()?;
    let pid = result?;
    if pidfd < 0 {
        return Ok((pid, pidfd_of(pid)?));
    }
    // SAFETY: the kernel has just put a new descriptor there, close-on-exec, that nobody else knows of.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// Kernels and sandboxes that do not know CLONE_PIDFD ignore it. A child that cannot be awaited is not kept.
pub(crate) fn pidfd_of(pid: i32) -> io::Result<OwnedFd> {
    let Some(id) = rustix::process::Pid::from_raw(pid) else { return Err(io::Error::other("clone gave process id 0")) };
    rustix::process::pidfd_open(id, rustix::process::PidfdFlags::empty())
        .inspect_err(|_| {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(id), rustix::process::WaitOptions::empty());
        })
        .doing(|| "open a pidfd (needs Linux 5.3 or newer)".into())
}
