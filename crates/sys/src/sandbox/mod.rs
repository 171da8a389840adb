//! Taking every right from a process that reads a stranger's bytes (threats P18, P19): no files, no network of its own, no other
//! program, no other process. What it has are the descriptors it is given.
//!
//! Several walls, each enough against most: an unprivileged user in an empty root; limits of zero; Landlock; seccomp. A wall that cannot be
//! built is an error, and the process must end.

mod filter;
mod landlock;
mod table;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::account::Credentials;
use crate::error::{Doing, refused};

pub use table::{Allowed, Answer, Made, TABLE, When};

/// What [`Confinement::confine`] needs and this kernel lacks, in words for the administrator; empty when nothing is. Changes nothing.
pub fn missing() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if rustix::thread::no_new_privs().is_err() {
        missing.push("no_new_privs (Linux 3.5)");
    }
    if !seccomp_can_kill() {
        missing.push("seccomp filters that end a process (Linux 4.14 with CONFIG_SECCOMP_FILTER)");
    }
    if !landlock::available() {
        missing.push("Landlock (Linux 5.13 with CONFIG_SECURITY_LANDLOCK, and `landlock` among the active `lsm=`)");
    }
    missing
}

fn seccomp_can_kill() -> bool {
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: asks about an action; reads the four bytes of a live u32.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

/// What a process keeps.
#[derive(Debug)]
pub struct Confinement {
    /// The user it becomes; not root. Best one that owns nothing and that nothing else runs as.
    pub uid: u32,
    /// The group it becomes, its only one; not root's.
    pub gid: u32,
    /// Becomes `/`, and is closed: see [`empty_folder`].
    pub root: OwnedFd,
    /// The most descriptors it may have, counting those it has. A message that brings more is an error of
    /// [`crate::messages::MessageSocket::receive`].
    pub max_open_files: u64,
}

impl Confinement {
    /// Confines this process, for good. Afterwards it can do what [`TABLE`] lists and no more. Make what needs more before: the event
    /// loop, descriptors, signal handlers; hold no descriptor of a directory. Writing to a regular file fails with EFBIG (stderr
    /// too). It cannot be inspected by others, leaves no core file, and still ends with its parent if it did.
    ///
    /// After an error the process is between two states: end it.
    ///
    /// # Errors
    /// The step that failed, with its errno (threat P19: fatal). `InvalidInput` for uid or gid 0; `Unsupported` when other threads exist or
    /// something is [`missing`]; EPERM without root.
    pub fn confine(self) -> io::Result<()> {
        self.check()?;
        let filters = filter::Filters::new()?;
        ignore_file_size_signal()?;
        limit(Resource::Fsize, 0, "size of files")?;
        limit(Resource::Nproc, 0, "number of processes")?;
        limit(Resource::Core, 0, "size of core files")?;
        limit(Resource::Nofile, self.max_open_files, "number of open files")?;
        enter(self.root)?;
        let target = Credentials { uid: self.uid, gid: self.gid, groups: Vec::new() };
        crate::become_account::take_identity(&target).doing(|| "confine".into())?;
        crate::privileges::set_dumpable(false).doing(|| "confine".into())?;
        rustix::thread::set_no_new_privs(true).doing(|| "confine: set no_new_privs".into())?;
        landlock::deny_everything().doing(|| "confine".into())?;
        drop_capabilities()?;
        filters.install().doing(|| "confine".into())
    }

    fn check(&self) -> io::Result<()> {
        if self.uid == 0 || self.gid == 0 {
            return Err(refused(io::ErrorKind::InvalidInput, "confine", "uid and gid must not be root's"));
        }
        if crate::daemon::threads()? != 1 {
            let why = "threads are running, which would stay as they are; confine before any is started";
            return Err(refused(io::ErrorKind::Unsupported, "confine", why));
        }
        let missing = missing();
        if missing.is_empty() {
            return Ok(());
        }
        let why = format!("this kernel lacks {}", missing.join(" and "));
        Err(refused(io::ErrorKind::Unsupported, "confine", why))
    }
}

/// So that a last word on a stderr that is a file fails and does not end the process in its stead.
fn ignore_file_size_signal() -> io::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours.
    let before = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
    before.map(drop).doing(|| "confine: ignore SIGXFSZ".into())
}

fn limit(resource: Resource, most: u64, what: &str) -> io::Result<()> {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(resource, limit).doing(|| format!("confine: limit the {what}"))
}

/// The descriptor is closed afterwards: from a directory outside the root there is a way out.
fn enter(root: OwnedFd) -> io::Result<()> {
    rustix::process::fchdir(&root).doing(|| "confine: enter the empty folder".into())?;
    rustix::process::chroot(c".").doing(|| "confine: make the empty folder the root".into())?;
    rustix::process::chdir(c"/").doing(|| "confine: enter the root".into())
}

/// Also those that would come back with a program's file, though none can be executed.
fn drop_capabilities() -> io::Result<()> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).doing(|| "confine: give up capabilities".into())?;
    match rustix::thread::clear_ambient_capability_set() {
        // Linux before 4.3 has none to clear.
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(err) => Err(err).doing(|| "confine: give up ambient capabilities".into()),
    }
}

/// Makes a folder in `parent` (mode 0755 less the umask, of the caller's user), opens it and removes it. What is left has no name, is empty, and nothing
/// can be made in it any more: a root for a process that needs no files.
///
/// # Errors
/// The errno of mkdir, open or rmdir, naming the folder.
pub fn empty_folder(parent: &Path) -> io::Result<OwnedFd> {
    let doing = |what: &str| format!("{what} an empty folder in {}", parent.display());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let parent_fd = rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .doing(|| doing("find a place for"))?;
    let name = make_folder(&parent_fd).doing(|| doing("make"))?;
    let folder = rustix::fs::openat(&parent_fd, &name, flags, Mode::empty()).doing(|| doing("open"));
    // Removed whether or not it could be opened.
    rustix::fs::unlinkat(&parent_fd, &name, AtFlags::REMOVEDIR).doing(|| doing("remove"))?;
    let folder = folder?;
    match rustix::fs::mkdirat(&folder, c"proof", Mode::RWXU) {
        Err(Errno::NOENT) => Ok(folder),
        Err(err) => Err(err).doing(|| doing("prove that nothing can be made in")),
        Ok(()) => Err(refused(
            io::ErrorKind::Unsupported,
            doing("use"),
            "this file system lets removed folders be written to",
        )),
    }
}

/// Under a name of its own; one left by a process that was killed meanwhile is stepped over.
fn make_folder(parent: &OwnedFd) -> rustix::io::Result<String> {
    for attempt in 0..100_u32 {
        let name = format!(".nacre-empty-{}-{attempt}", std::process::id());
        match rustix::fs::mkdirat(parent, &name, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => {}
            other => return other.map(|()| name),
        }
    }
    Err(Errno::EXIST)
}
