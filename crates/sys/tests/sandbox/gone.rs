//! Calls that look harmless and that no connection makes: each ends the process, or fails where a library may try it.

use super::deeds::{Deed, End, NO_ACCESS, call, map_a_page};

macro_rules! bare {
    ($name:literal, $end:expr, $number:ident) => {
        ($name, $end, |confine| {
            confine();
            call(libc::$number, [0; 6])
        })
    };
}

pub const GONE: &[(&str, End, Deed)] = &[
    bare!("p19_readv_kills", End::Killed, SYS_readv),
    bare!("p19_getsockopt_kills", End::Killed, SYS_getsockopt),
    bare!("p19_setsockopt_kills", End::Killed, SYS_setsockopt),
    bare!("p19_getsockname_kills", End::Killed, SYS_getsockname),
    bare!("p19_getpeername_kills", End::Killed, SYS_getpeername),
    #[cfg(target_arch = "x86_64")]
    bare!("p19_poll_kills", End::Killed, SYS_poll),
    #[cfg(target_arch = "x86_64")]
    bare!("p19_epoll_pwait_kills", End::Killed, SYS_epoll_pwait),
    bare!("p19_epoll_pwait2_kills", End::Killed, SYS_epoll_pwait2),
    bare!("p19_restart_syscall_kills", End::Killed, SYS_restart_syscall),
    bare!("p19_clock_getres_kills", End::Killed, SYS_clock_getres),
    bare!("p19_gettimeofday_kills", End::Killed, SYS_gettimeofday),
    bare!("p19_getppid_kills", End::Killed, SYS_getppid),
    bare!("p19_getuid_kills", End::Killed, SYS_getuid),
    bare!("p19_geteuid_kills", End::Killed, SYS_geteuid),
    bare!("p19_getgid_kills", End::Killed, SYS_getgid),
    bare!("p19_getegid_kills", End::Killed, SYS_getegid),
    bare!("p19_exit_of_one_thread_kills", End::Killed, SYS_exit),
    bare!("p19_writev_fails", NO_ACCESS, SYS_writev),
    bare!("p19_nanosleep_fails", NO_ACCESS, SYS_nanosleep),
    bare!("p19_clock_nanosleep_fails", NO_ACCESS, SYS_clock_nanosleep),
    bare!("p19_sched_yield_fails", NO_ACCESS, SYS_sched_yield),
    bare!("p19_sched_getaffinity_kills", End::Killed, SYS_sched_getaffinity),
    ("p19_changing_the_protection_of_memory_kills", End::Killed, |confine| {
        let page = map_a_page();
        confine();
        call(libc::SYS_mprotect, [page, 4096, i64::from(libc::PROT_READ), 0, 0, 0])
    }),
    ("p19_changing_flags_of_a_descriptor_fails", NO_ACCESS, |confine| {
        confine();
        call(libc::SYS_fcntl, [0, i64::from(libc::F_SETFL), 0, 0, 0, 0])
    }),
    ("p19_how_much_waits_to_be_read_fails", NO_ACCESS, |confine| {
        confine();
        let mut count = 0_i32;
        let place = std::ptr::from_mut(&mut count) as i64;
        call(libc::SYS_ioctl, [0, i64::try_from(libc::FIONREAD).unwrap(), place, 0, 0, 0])
    }),
    ("p19_other_advice_on_memory_fails", NO_ACCESS, |confine| {
        let page = map_a_page();
        confine();
        call(libc::SYS_madvise, [page, 4096, i64::from(libc::MADV_DODUMP), 0, 0, 0])
    }),
    ("p19_waiting_for_another_thread_kills", End::Killed, |confine| {
        let word = 0_u32;
        confine();
        let wait = i64::from(libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG);
        call(libc::SYS_futex, [std::ptr::from_ref(&word) as i64, wait, 1, 0, 0, 0])
    }),
];
