//! The one table of what a confined process may ask of the kernel (threat P19). What is not listed ends the process.
//!
//! An allowed call is there because a connection makes it: a run that does everything a connection can do is held against the table,
//! and so is what is allowed for moments that such a run does not have.

/// What the kernel answers to a listed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is carried out.
    Allow(Made),
    /// It fails with EACCES: libraries try such things on the way, do without, and must not be killed for it.
    Refuse,
}

/// Whether a run that does everything a connection can do makes an allowed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It does, each of the line's values where it has some.
    Always,
    /// It need not; a confined process of this crate's tests (`tests/sandbox`) makes it.
    Seldom {
        /// When it is made.
        when: &'static str,
        /// The test's name.
        shown_by: &'static str,
    },
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
}

const fn allow(name: &'static str, number: i64, why: &'static str) -> Allowed {
    Allowed { name, number, when: None, answer: Answer::Allow(Made::Always), why }
}

const fn refuse(name: &'static str, number: i64, why: &'static str) -> Allowed {
    Allowed { name, number, when: None, answer: Answer::Refuse, why }
}

impl Allowed {
    /// The same line for these arguments only.
    const fn about(self, when: When) -> Self {
        Self { when: Some(when), ..self }
    }

    /// The same line for a call that a whole run need not make.
    const fn seldom(self, when: &'static str, shown_by: &'static str) -> Self {
        Self { answer: Answer::Allow(Made::Seldom { when, shown_by }), ..self }
    }
}

const NO_EXEC: When = When::Without(2, libc::PROT_EXEC as u64);
const COPY: When = When::OneOf(1, &[libc::F_DUPFD_CLOEXEC as u64]);
const TERMINAL: When = When::OneOf(1, &[libc::TIOCSWINSZ, libc::TCSBRK]);
const GIVE_BACK: When = When::OneOf(2, &[libc::MADV_DONTNEED as u64]);
const WAKE: When = When::Masked(1, !(libc::FUTEX_PRIVATE_FLAG as u64), &[libc::FUTEX_WAKE as u64]);
const UNIX: When = When::OneOf(0, &[libc::AF_UNIX as u64]);

const LOOKS: &str = "libraries look for files they can do without; there are none to find";
const NO_PAUSE: &str = "the random generator pauses when the kernel gives it nothing; it asks again at once";
const FAULT: &str = "a fault: it must end the process as the signal it is, for the log";
const ABORT: &str = "something cannot go on: an overflow of the stack, no memory, a second panic";

/// Every line. The order says nothing.
pub const TABLE: &[Allowed] = &[
    // Memory. Never executable.
    allow("brk", libc::SYS_brk, "malloc grows and trims the heap"),
    allow("mmap", libc::SYS_mmap, "malloc maps large blocks; nothing executable").about(NO_EXEC),
    allow("munmap", libc::SYS_munmap, "malloc gives large blocks back"),
    allow("mremap", libc::SYS_mremap, "malloc moves large blocks; keeps their protection"),
    allow("madvise", libc::SYS_madvise, "a connection at rest gives pages back").about(GIVE_BACK),
    refuse("madvise", libc::SYS_madvise, "advice is a hint; other kinds are not worth the risk"),
    // Descriptors it was given.
    allow("read", libc::SYS_read, "output of sessions"),
    allow("write", libc::SYS_write, "input of sessions; a last word on stderr"),
    allow("recvfrom", libc::SYS_recvfrom, "the peer's bytes; how long the monitor's next message is"),
    allow("recvmsg", libc::SYS_recvmsg, "messages and descriptors from the monitor"),
    allow("sendto", libc::SYS_sendto, "bytes to the peer; no address, so it connects nothing").about(When::Null(4)),
    allow("sendmsg", libc::SYS_sendmsg, "messages to the monitor; all its sockets are connected already"),
    allow("shutdown", libc::SYS_shutdown, "the end of the connection's own half"),
    allow("close", libc::SYS_close, "the end of a channel"),
    allow("fcntl", libc::SYS_fcntl, "a second descriptor of a terminal").about(COPY),
    refuse("fcntl", libc::SYS_fcntl, "flags stay as they came; locks, leases and signals are for others"),
    allow("ioctl", libc::SYS_ioctl, "window size and break of a terminal").about(TERMINAL),
    refuse("ioctl", libc::SYS_ioctl, "isatty() asks TCGETS; TIOCSTI and the like must fail"),
    refuse(
        "writev",
        libc::SYS_writev,
        "the C library's last word when it finds the heap broken; its abort() must still follow",
    ),
    // Waiting.
    allow("epoll_ctl", libc::SYS_epoll_ctl, "the event loop, made before confinement"),
    #[cfg(target_arch = "x86_64")]
    allow("epoll_wait", libc::SYS_epoll_wait, "the event loop"),
    #[cfg(not(target_arch = "x86_64"))]
    allow("epoll_pwait", libc::SYS_epoll_pwait, "the event loop where epoll_wait is not there"),
    allow("ppoll", libc::SYS_ppoll, "room for a message to the monitor")
        .seldom("the monitor is behind by more messages than the socket takes", "p19_waiting_for_the_monitor_works"),
    allow("futex", libc::SYS_futex, "things that are made once wake whoever waits for them; nobody does").about(WAKE),
    refuse("sched_yield", libc::SYS_sched_yield, "queues and locks give way by it; there is no other thread"),
    refuse("nanosleep", libc::SYS_nanosleep, NO_PAUSE),
    refuse("clock_nanosleep", libc::SYS_clock_nanosleep, NO_PAUSE),
    // Time and randomness.
    allow("clock_gettime", libc::SYS_clock_gettime, "timers").seldom(
        "the machine's clock cannot be read without the kernel: no usable counter, or no vDSO",
        "p19_asking_the_kernel_for_the_time_works",
    ),
    allow("getrandom", libc::SYS_getrandom, "the random generator takes a new seed")
        .seldom("4096 draws are made, which takes a thousand key exchanges", "p19_a_new_seed_comes"),
    // Its own name, signals to itself, and its end.
    allow("getpid", libc::SYS_getpid, "is this the main thread, whose stack may be trimmed; tells nothing new"),
    allow("gettid", libc::SYS_gettid, "is this the main thread, whose stack may be trimmed; tells nothing new"),
    allow("sigaltstack", libc::SYS_sigaltstack, "the stack of the handler for faults is taken down at the end"),
    allow("rt_sigaction", libc::SYS_rt_sigaction, "the handler for faults steps aside")
        .seldom(FAULT, "p19_a_fault_stays_a_fault"),
    allow("rt_sigreturn", libc::SYS_rt_sigreturn, "the end of a handler").seldom(FAULT, "p19_a_fault_stays_a_fault"),
    allow("rt_sigprocmask", libc::SYS_rt_sigprocmask, "abort() unblocks its signal").seldom(ABORT, "p19_abort_works"),
    allow("tgkill", libc::SYS_tgkill, "abort(): to itself only")
        .about(When::OwnPid(0))
        .seldom(ABORT, "p19_abort_works"),
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
    refuse(
        "socket",
        libc::SYS_socket,
        "syslog() and name services try a local socket; any other family ends the process",
    )
    .about(UNIX),
];
