//! What is tried, each in a process of its own.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};

use super::{runtime, works};

/// How a deed must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The call failed with this errno and the process lives.
    Errno(i32),
    /// The kernel ended the process for it.
    Killed,
    /// The process ended by this signal, and not because it was confined.
    Signal(i32),
    /// The call worked.
    Works,
}

/// Confines itself by `confine`, then does the deed and returns what the call did (-1: failed, see errno).
pub type Deed = fn(confine: fn()) -> i64;

pub const NO_ACCESS: End = End::Errno(libc::EACCES);

pub const DEEDS: &[(&str, End, Deed)] = &[
    ("p19_open_of_shadow_fails", NO_ACCESS, |confine| {
        confine();
        open_at(libc::AT_FDCWD, c"/etc/shadow")
    }),
    ("p19_open_beyond_a_directory_it_holds_fails", NO_ACCESS, |confine| {
        let folder = std::fs::File::open("/usr/share").unwrap();
        confine();
        open_at(folder.as_raw_fd(), c"../../etc/passwd")
    }),
    ("p19_open_of_its_own_memory_fails", NO_ACCESS, |confine| {
        confine();
        open_at(libc::AT_FDCWD, c"/proc/self/mem")
    }),
    ("p19_openat2_fails", NO_ACCESS, |confine| {
        confine();
        let how = [0_u64; 3];
        call(libc::SYS_openat2, [i64::from(libc::AT_FDCWD), address(c"/"), address(&how), 24, 0, 0])
    }),
    ("p19_stat_fails", NO_ACCESS, |confine| {
        confine();
        let mut buffer = [0_u64; 64];
        call(libc::SYS_newfstatat, [i64::from(libc::AT_FDCWD), address(c"/"), address_mut(&mut buffer), 0, 0, 0])
    }),
    ("p19_statx_fails", NO_ACCESS, |confine| {
        confine();
        let mut buffer = [0_u64; 64];
        call(libc::SYS_statx, [i64::from(libc::AT_FDCWD), address(c"/"), 0, 0x7ff, address_mut(&mut buffer), 0])
    }),
    ("p19_tcp_connect_kills", End::Killed, |confine| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
        assert!(socket >= 0);
        let to = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
            sin_zero: [0; 8],
        };
        confine();
        call(libc::SYS_connect, [i64::from(socket), address(&to), 16, 0, 0, 0])
    }),
    ("p19_send_to_an_address_kills", End::Killed, |confine| {
        let socket = UnixDatagram::unbound().unwrap();
        let to = abstract_name();
        confine();
        let (bytes, length) = (address(c"x"), i64::try_from(size_of_val(&to)).unwrap());
        call(libc::SYS_sendto, [i64::from(socket.as_raw_fd()), bytes, 1, 0, address(&to), length])
    }),
    ("p19_unix_connect_kills", End::Killed, |confine| {
        let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
        let to = abstract_name();
        confine();
        call(libc::SYS_connect, [i64::from(socket), address(&to), i64::try_from(size_of_val(&to)).unwrap(), 0, 0, 0])
    }),
    ("p19_tcp_socket_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_socket, [i64::from(libc::AF_INET), i64::from(libc::SOCK_STREAM), 0, 0, 0, 0])
    }),
    ("p19_netlink_socket_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_socket, [i64::from(libc::AF_NETLINK), i64::from(libc::SOCK_RAW), 0, 0, 0, 0])
    }),
    ("p19_unix_socket_fails", NO_ACCESS, |confine| {
        confine();
        call(libc::SYS_socket, [i64::from(libc::AF_UNIX), i64::from(libc::SOCK_STREAM), 0, 0, 0, 0])
    }),
    ("p19_bind_kills", End::Killed, |confine| {
        let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
        let to = abstract_name();
        confine();
        call(libc::SYS_bind, [i64::from(socket), address(&to), i64::try_from(size_of_val(&to)).unwrap(), 0, 0, 0])
    }),
    ("p19_execve_kills", End::Killed, |confine| {
        confine();
        let none = [0_usize];
        call(libc::SYS_execve, [address(c"/bin/sh"), address(&none), address(&none), 0, 0, 0])
    }),
    ("p19_execveat_of_an_open_file_kills", End::Killed, |confine| {
        let file = std::fs::File::open("/bin/true").unwrap();
        confine();
        let none = [0_usize];
        let flags = i64::from(libc::AT_EMPTY_PATH);
        let fd = i64::from(file.as_raw_fd());
        call(libc::SYS_execveat, [fd, address(c""), address(&none), address(&none), flags, 0])
    }),
    ("p19_ptrace_kills", End::Killed, |confine| {
        let parent = i64::from(unsafe { libc::getppid() });
        confine();
        call(libc::SYS_ptrace, [i64::from(libc::PTRACE_ATTACH), parent, 0, 0, 0, 0])
    }),
    ("p19_reading_the_parents_memory_kills", End::Killed, |confine| {
        let parent = i64::from(unsafe { libc::getppid() });
        confine();
        call(libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0, 0])
    }),
    ("p19_kill_of_the_parent_kills", End::Killed, |confine| {
        let parent = i64::from(unsafe { libc::getppid() });
        confine();
        call(libc::SYS_kill, [parent, 0, 0, 0, 0, 0])
    }),
    ("p19_tgkill_of_the_parent_kills", End::Killed, |confine| {
        let parent = i64::from(unsafe { libc::getppid() });
        confine();
        call(libc::SYS_tgkill, [parent, parent, 0, 0, 0, 0])
    }),
    ("p19_clone_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_clone, [i64::from(libc::SIGCHLD), 0, 0, 0, 0, 0])
    }),
    ("p19_clone3_kills", End::Killed, |confine| {
        confine();
        let arguments = [0_u64; 8];
        call(libc::SYS_clone3, [address(&arguments), 64, 0, 0, 0, 0])
    }),
    ("p19_executable_mapping_kills", End::Killed, |confine| {
        confine();
        let access = i64::from(libc::PROT_READ | libc::PROT_EXEC);
        let flags = i64::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        call(libc::SYS_mmap, [0, 4096, access, flags, -1, 0])
    }),
    ("p19_making_memory_executable_kills", End::Killed, |confine| {
        let page = map_a_page();
        confine();
        call(libc::SYS_mprotect, [page, 4096, i64::from(libc::PROT_READ | libc::PROT_EXEC), 0, 0, 0])
    }),
    ("p19_setuid_back_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_setuid, [0; 6])
    }),
    ("p19_chroot_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_chroot, [address(c".."), 0, 0, 0, 0, 0])
    }),
    ("p19_fchdir_out_kills", End::Killed, |confine| {
        let outside = std::fs::File::open("/").unwrap();
        confine();
        call(libc::SYS_fchdir, [i64::from(outside.as_raw_fd()), 0, 0, 0, 0, 0])
    }),
    ("p19_mknod_kills", End::Killed, |confine| {
        confine();
        let kind = i64::from(libc::S_IFCHR | 0o666);
        call(libc::SYS_mknodat, [i64::from(libc::AT_FDCWD), address(c"/null"), kind, 0x103, 0, 0])
    }),
    ("p19_mkdir_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_mkdirat, [i64::from(libc::AT_FDCWD), address(c"/x"), 0o755, 0, 0, 0])
    }),
    ("p19_dumpable_again_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_prctl, [i64::from(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0])
    }),
    ("p19_another_seccomp_filter_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_seccomp, [0; 6])
    }),
    ("p19_unshare_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_unshare, [i64::from(libc::CLONE_NEWUSER), 0, 0, 0, 0, 0])
    }),
    ("p19_bpf_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_bpf, [0; 6])
    }),
    ("p19_io_uring_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0])
    }),
    ("p19_userfaultfd_kills", End::Killed, |confine| {
        confine();
        call(libc::SYS_userfaultfd, [0; 6])
    }),
    ("p19_pushing_bytes_into_a_terminal_fails", NO_ACCESS, |confine| {
        confine();
        call(libc::SYS_ioctl, [0, i64::try_from(libc::TIOCSTI).unwrap(), address(c"x"), 0, 0, 0])
    }),
    ("p19_signals_by_descriptor_fail", NO_ACCESS, |confine| {
        confine();
        call(libc::SYS_fcntl, [0, i64::from(libc::F_SETOWN), 1, 0, 0, 0])
    }),
    ("p19_socket_filter_kills", End::Killed, |confine| {
        let (one, _other) = UnixStream::pair().unwrap();
        confine();
        let (level, option) = (i64::from(libc::SOL_SOCKET), i64::from(libc::SO_ATTACH_FILTER));
        call(libc::SYS_setsockopt, [i64::from(one.as_raw_fd()), level, option, 0, 0, 0])
    }),
    ("p19_raising_a_limit_fails", NO_ACCESS, |confine| {
        confine();
        let limit = [4096_u64; 2];
        call(libc::SYS_prlimit64, [0, i64::from(libc::RLIMIT_NOFILE), address(&limit), 0, 0, 0])
    }),
    ("p19_writing_to_an_open_file_fails", End::Errno(libc::EFBIG), |confine| {
        let file = tempfile::tempfile().unwrap();
        confine();
        let file = std::mem::ManuallyDrop::new(file);
        call(libc::SYS_write, [i64::from(file.as_raw_fd()), address(c"x"), 1, 0, 0, 0])
    }),
    ("p19_more_descriptors_than_given_fail", End::Errno(libc::EMFILE), |confine| {
        confine();
        let copy = |_| call(libc::SYS_fcntl, [2, i64::from(libc::F_DUPFD_CLOEXEC), 0, 0, 0, 0]);
        (0..=super::MAX_OPEN).map(copy).find(|fd| *fd < 0).unwrap_or(0)
    }),
    ("p19_memory_and_time_work", End::Works, works::memory_and_time),
    ("p19_event_loop_works", End::Works, works::event_loop),
    ("p19_tokio_runtime_works", End::Works, runtime::runs),
];

/// The bare system call, so that no library stands between the deed and the kernel.
pub fn call(number: i64, [a, b, c, d, e, f]: [i64; 6]) -> i64 {
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}

fn address<T: ?Sized>(value: &T) -> i64 {
    std::ptr::from_ref(value).cast::<u8>() as i64
}

fn address_mut<T: ?Sized>(value: &mut T) -> i64 {
    std::ptr::from_mut(value).cast::<u8>() as i64
}

fn open_at(folder: i32, path: &std::ffi::CStr) -> i64 {
    call(libc::SYS_openat, [i64::from(folder), address(path), 0, 0, 0, 0])
}

pub fn map_a_page() -> i64 {
    let access = i64::from(libc::PROT_READ | libc::PROT_WRITE);
    let page = call(libc::SYS_mmap, [0, 4096, access, i64::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS), -1, 0]);
    assert!(page > 0);
    page
}

/// The address of a Unix socket in the abstract namespace, which needs no file.
fn abstract_name() -> libc::sockaddr_un {
    let mut name = libc::sockaddr_un { sun_family: libc::AF_UNIX as u16, sun_path: [0; 108] };
    name.sun_path[1] = 1;
    name
}
