//! The one table of what a confined process may ask of the kernel (threat P19). What is not listed ends the process.

/// What the kernel answers to a listed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is carried out.
    Allow,
    /// It fails with EACCES: libraries try such things on the way, do without, and must not be killed for it.
    Refuse,
}

/// One system call, or one way to make it.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// The call's name as in its manual page, section 2.
    pub name: &'static str,
    /// Its number on this architecture.
    pub number: i64,
    /// Which arguments this line is about; `None`: whatever they are. Lines of the same call add up.
    pub when: Option<When>,
    /// Carried out or refused.
    pub answer: Answer,
    /// What needs it, and what makes it harmless.
    pub why: &'static str,
}

/// Arguments a line is about. They are counted from 0; unless told otherwise their lower 32 bits are compared, as the kernel takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The argument has one of these values.
    OneOf(u8, &'static [u64]),
    /// The argument under this mask has one of these values.
    Masked(u8, u64, &'static [u64]),
    /// No bit of these is set in the argument.
    Without(u8, u64),
    /// The argument is a null pointer (all 64 bits).
    Null(u8),
    /// The argument is this process's own id.
    OwnPid(u8),
    /// Arguments 1 and 2 are one of these socket levels and options.
    Option(&'static [(i32, i32)]),
}

const fn allow(name: &'static str, number: i64, why: &'static str) -> Allowed {
    Allowed { name, number, when: None, answer: Answer::Allow, why }
}

const fn allow_if(name: &'static str, number: i64, when: When, why: &'static str) -> Allowed {
    Allowed { name, number, when: Some(when), answer: Answer::Allow, why }
}

const fn refuse(name: &'static str, number: i64, why: &'static str) -> Allowed {
    Allowed { name, number, when: None, answer: Answer::Refuse, why }
}

const NO_EXEC: u64 = libc::PROT_EXEC as u64;

const FCNTL: &[u64] = &[
    libc::F_GETFD as u64,
    libc::F_SETFD as u64,
    libc::F_GETFL as u64,
    libc::F_SETFL as u64,
    libc::F_DUPFD_CLOEXEC as u64,
    libc::F_GETPIPE_SZ as u64,
    libc::F_SETPIPE_SZ as u64,
];

/// TCSBRKP is in no libc for every architecture; its number is the same on all Nacre is built for (ioctl_tty(2)).
const TCSBRKP: u64 = 0x5425;

const IOCTL: &[u64] = &[
    libc::TIOCGWINSZ,
    libc::TIOCSWINSZ,
    libc::TCSBRK,
    TCSBRKP,
    libc::TIOCSBRK,
    libc::TIOCCBRK,
    libc::FIONBIO,
    libc::FIONREAD,
];

const ADVICE: &[u64] = &[
    libc::MADV_NORMAL as u64,
    libc::MADV_WILLNEED as u64,
    libc::MADV_DONTNEED as u64,
    libc::MADV_FREE as u64,
    libc::MADV_DONTDUMP as u64,
    libc::MADV_WIPEONFORK as u64,
    libc::MADV_HUGEPAGE as u64,
    libc::MADV_NOHUGEPAGE as u64,
];

const FUTEX_FLAGS: u64 = (libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u64;

const FUTEX: &[u64] =
    &[libc::FUTEX_WAIT as u64, libc::FUTEX_WAKE as u64, libc::FUTEX_WAIT_BITSET as u64, libc::FUTEX_WAKE_BITSET as u64];

const GET_OPTIONS: &[(i32, i32)] = &[
    (libc::SOL_SOCKET, libc::SO_ERROR),
    (libc::SOL_SOCKET, libc::SO_TYPE),
    (libc::SOL_SOCKET, libc::SO_DOMAIN),
    (libc::SOL_SOCKET, libc::SO_PROTOCOL),
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::SOL_SOCKET, libc::SO_SNDBUF),
    (libc::SOL_SOCKET, libc::SO_RCVBUF),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_INFO),
];

const SET_OPTIONS: &[(i32, i32)] = &[
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::SOL_SOCKET, libc::SO_SNDBUF),
    (libc::SOL_SOCKET, libc::SO_RCVBUF),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
    (libc::IPPROTO_IP, libc::IP_TOS),
    (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
];

const LOOKS: &str = "libraries look for files they can do without; there are none to find";

/// Every line. The order says nothing.
pub const TABLE: &[Allowed] = &[
    // Memory: the allocator, the random generator's page, growing buffers. Never executable.
    allow("brk", libc::SYS_brk, "malloc grows the heap"),
    allow_if("mmap", libc::SYS_mmap, When::Without(2, NO_EXEC), "malloc maps large blocks; nothing executable"),
    allow_if("mprotect", libc::SYS_mprotect, When::Without(2, NO_EXEC), "malloc extends arenas; nothing executable"),
    allow("munmap", libc::SYS_munmap, "malloc gives memory back"),
    allow("mremap", libc::SYS_mremap, "malloc moves large blocks; keeps their protection"),
    allow_if("madvise", libc::SYS_madvise, When::OneOf(2, ADVICE), "malloc gives pages back; keys stay out of copies"),
    refuse("madvise", libc::SYS_madvise, "advice is a hint; other kinds are not worth the risk"),
    // Descriptors it was given.
    allow("read", libc::SYS_read, "channels, wake-ups of the event loop"),
    allow("readv", libc::SYS_readv, "as read"),
    allow("write", libc::SYS_write, "channels, wake-ups, a last word on stderr"),
    allow("writev", libc::SYS_writev, "as write"),
    allow("recvfrom", libc::SYS_recvfrom, "the peer's bytes"),
    allow("recvmsg", libc::SYS_recvmsg, "messages and descriptors from the monitor"),
    allow_if("sendto", libc::SYS_sendto, When::Null(4), "bytes to the peer; no address, so it connects nothing"),
    allow("sendmsg", libc::SYS_sendmsg, "messages to the monitor; all its sockets are connected already"),
    allow("shutdown", libc::SYS_shutdown, "the end of one direction"),
    allow("close", libc::SYS_close, "the end of a channel"),
    allow_if("fcntl", libc::SYS_fcntl, When::OneOf(1, FCNTL), "non-blocking, close-on-exec copies, pipe sizes"),
    refuse("fcntl", libc::SYS_fcntl, "locks, leases and signals on descriptors are for others"),
    allow_if("ioctl", libc::SYS_ioctl, When::OneOf(1, IOCTL), "window size and break of a terminal; pending bytes"),
    refuse("ioctl", libc::SYS_ioctl, "isatty() asks TCGETS; TIOCSTI and the like must fail"),
    allow_if("getsockopt", libc::SYS_getsockopt, When::Option(GET_OPTIONS), "how a connection went; its settings"),
    refuse("getsockopt", libc::SYS_getsockopt, "asking for more tells nothing needed"),
    allow_if("setsockopt", libc::SYS_setsockopt, When::Option(SET_OPTIONS), "delay, keepalive, buffers, traffic class"),
    refuse("setsockopt", libc::SYS_setsockopt, "socket filters and protocol modules are not for it"),
    allow("getsockname", libc::SYS_getsockname, "addresses for the log; of its own sockets"),
    allow("getpeername", libc::SYS_getpeername, "addresses for the log; of its own sockets"),
    // Waiting.
    allow("epoll_ctl", libc::SYS_epoll_ctl, "the event loop, made before confinement"),
    #[cfg(target_arch = "x86_64")]
    allow("epoll_wait", libc::SYS_epoll_wait, "the event loop"),
    allow("epoll_pwait", libc::SYS_epoll_pwait, "the event loop where epoll_wait is not there"),
    allow("epoll_pwait2", libc::SYS_epoll_pwait2, "the event loop with finer time"),
    #[cfg(target_arch = "x86_64")]
    allow("poll", libc::SYS_poll, "waiting for the monitor's answer"),
    allow("ppoll", libc::SYS_ppoll, "as poll"),
    allow_if("futex", libc::SYS_futex, When::Masked(1, !FUTEX_FLAGS, FUTEX), "locks; not those that lend priority"),
    allow("nanosleep", libc::SYS_nanosleep, "sleeping"),
    allow("clock_nanosleep", libc::SYS_clock_nanosleep, "sleeping"),
    allow("sched_yield", libc::SYS_sched_yield, "locks give way"),
    allow("restart_syscall", libc::SYS_restart_syscall, "the kernel itself resumes an interrupted wait by it"),
    // Time and randomness; usually without the kernel's help.
    allow("clock_gettime", libc::SYS_clock_gettime, "timers"),
    allow("clock_getres", libc::SYS_clock_getres, "timers"),
    allow("gettimeofday", libc::SYS_gettimeofday, "the time of day"),
    allow("getrandom", libc::SYS_getrandom, "keys, cookies, padding"),
    allow("sched_getaffinity", libc::SYS_sched_getaffinity, "the C library sizes tables by the number of processors"),
    // Signals to itself, and its end.
    allow("rt_sigaction", libc::SYS_rt_sigaction, "abort() resets its handler"),
    allow("rt_sigprocmask", libc::SYS_rt_sigprocmask, "abort() unblocks its signal"),
    allow("rt_sigreturn", libc::SYS_rt_sigreturn, "the end of a handler"),
    allow("sigaltstack", libc::SYS_sigaltstack, "the handler that tells of a stack overflow"),
    allow("getpid", libc::SYS_getpid, "abort() and the random generator ask; tells nothing new"),
    allow("gettid", libc::SYS_gettid, "abort() and panics ask; tells nothing new"),
    allow("getppid", libc::SYS_getppid, "whether the monitor is still there; tells nothing new"),
    allow("getuid", libc::SYS_getuid, "cannot fail by its contract; tells nothing new"),
    allow("geteuid", libc::SYS_geteuid, "cannot fail by its contract; tells nothing new"),
    allow("getgid", libc::SYS_getgid, "cannot fail by its contract; tells nothing new"),
    allow("getegid", libc::SYS_getegid, "cannot fail by its contract; tells nothing new"),
    allow_if("tgkill", libc::SYS_tgkill, When::OwnPid(0), "abort(): to itself only"),
    allow("exit", libc::SYS_exit, "the end"),
    allow("exit_group", libc::SYS_exit_group, "the end"),
    // What libraries try and can do without.
    #[cfg(target_arch = "x86_64")]
    refuse("open", libc::SYS_open, LOOKS),
    refuse("openat", libc::SYS_openat, LOOKS),
    refuse("openat2", libc::SYS_openat2, LOOKS),
    #[cfg(target_arch = "x86_64")]
    refuse("stat", libc::SYS_stat, LOOKS),
    #[cfg(target_arch = "x86_64")]
    refuse("lstat", libc::SYS_lstat, LOOKS),
    refuse("fstat", libc::SYS_fstat, "stdio asks for block sizes and has a default"),
    refuse("newfstatat", libc::SYS_newfstatat, LOOKS),
    refuse("statx", libc::SYS_statx, LOOKS),
    refuse("statfs", libc::SYS_statfs, LOOKS),
    #[cfg(target_arch = "x86_64")]
    refuse("access", libc::SYS_access, LOOKS),
    refuse("faccessat", libc::SYS_faccessat, LOOKS),
    refuse("faccessat2", libc::SYS_faccessat2, LOOKS),
    #[cfg(target_arch = "x86_64")]
    refuse("readlink", libc::SYS_readlink, "a panic looks for this program's file"),
    refuse("readlinkat", libc::SYS_readlinkat, "a panic looks for this program's file"),
    refuse("getcwd", libc::SYS_getcwd, "a panic shortens paths by it"),
    refuse("lseek", libc::SYS_lseek, "no descriptor it is given has a position"),
    refuse("uname", libc::SYS_uname, "the C library asks for the kernel's version"),
    refuse("sysinfo", libc::SYS_sysinfo, "the C library asks for the size of memory"),
    refuse("prlimit64", libc::SYS_prlimit64, "the C library asks for the stack's limit"),
    Allowed {
        name: "socket",
        number: libc::SYS_socket,
        when: Some(When::OneOf(0, &[libc::AF_UNIX as u64])),
        answer: Answer::Refuse,
        why: "syslog() and name services try a local socket; any other family ends the process",
    },
];
