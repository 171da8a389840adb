//! What the table allows for moments that a whole run of a connection need not have.

use std::hint::black_box;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nacre_sys::messages::MessageSocket;
use nacre_sys::readiness::wait_writable;
use nacre_sys::sandbox::{Answer, Made, TABLE};

use super::deeds::{Deed, End, call};

pub const SELDOM: &[(&str, End, Deed)] = &[
    ("p19_waiting_for_the_monitor_works", End::Works, wait_for_the_monitor),
    ("p19_asking_the_kernel_for_the_time_works", End::Works, |confine| {
        confine();
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let place = std::ptr::from_mut(&mut time) as i64;
        call(libc::SYS_clock_gettime, [i64::from(libc::CLOCK_MONOTONIC), place, 0, 0, 0, 0])
    }),
    ("p19_a_new_seed_comes", End::Works, |confine| {
        let _ = nacre_crypto::random_bytes::<32>().unwrap();
        confine();
        for _ in 0..5000 {
            assert_ne!(nacre_crypto::random_bytes::<32>().unwrap(), [0; 32]);
        }
        0
    }),
    ("p19_abort_works", End::Signal(libc::SIGABRT), |confine| {
        confine();
        std::process::abort()
    }),
    ("p19_a_fault_stays_a_fault", End::Signal(libc::SIGSEGV), |confine| {
        confine();
        i64::from(unsafe { std::ptr::without_provenance::<u8>(16).read_volatile() })
    }),
    ("p19_an_overflow_of_the_stack_aborts", End::Signal(libc::SIGABRT), |confine| {
        confine();
        i64::try_from(deeper(1)).unwrap()
    }),
    ("p19_a_panic_while_panicking_aborts", End::Signal(libc::SIGABRT), |confine| {
        confine();
        let _second = PanicsAgain;
        panic!("the first")
    }),
    ("p19_no_memory_is_an_error", End::Works, |confine| {
        without_memory(confine);
        assert!(Vec::<u8>::new().try_reserve_exact(MUCH).is_err());
        let small: Vec<Vec<u8>> = (0..100).map(|_| vec![1; 100]).collect();
        i64::from(small.len() != 100)
    }),
    ("p19_no_memory_aborts", End::Signal(libc::SIGABRT), |confine| {
        without_memory(confine);
        i64::from(black_box(vec![1_u8; MUCH])[0])
    }),
    // The C library writes of it with writev(2), which is refused.
    ("p19_a_broken_heap_aborts", End::Signal(libc::SIGABRT), |confine| {
        let block = unsafe { libc::malloc(100) };
        confine();
        unsafe { libc::free(black_box(block.byte_add(8))) };
        0
    }),
];

struct PanicsAgain;

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        panic!("the second");
    }
}

#[expect(unconditional_recursion, reason = "that is the deed")]
fn deeper(depth: usize) -> usize {
    let room = black_box([depth; 1000]);
    deeper(room[999] + 1) + room[0]
}

const MUCH: usize = 32 << 20;

/// Leaves some MiB, less than [`MUCH`].
fn without_memory(confine: fn()) {
    let most = 16 << 20;
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(rustix::process::Resource::Data, limit).unwrap();
    confine();
}

/// The monitor is behind: the socket takes no more, until something was read.
fn wait_for_the_monitor(confine: fn()) -> i64 {
    let (monitor, own) = MessageSocket::pair().unwrap();
    own.set_nonblocking(true).unwrap();
    confine();
    let message = [7; 100_000];
    let full = (0..1000).find_map(|_| own.send(&message, &[]).err()).unwrap();
    assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
    assert!(!wait_writable(own.as_fd(), Some(Duration::from_millis(5))).unwrap());
    while !wait_writable(own.as_fd(), Some(Duration::ZERO)).unwrap() {
        assert_eq!(monitor.receive_whole(message.len()).unwrap().0.len(), message.len());
    }
    assert!(wait_writable(own.as_fd(), None).unwrap());
    own.send(&message, &[]).unwrap();
    0
}

/// Each such line names a deed, and that deed makes the call. Says how many lines that is; `None` without strace.
pub fn p19_what_is_seldom_made_is_shown(known: impl Fn(&str) -> bool) -> Option<usize> {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = 0;
    for line in TABLE {
        let Answer::Allow(Made::Seldom { when, shown_by }) = line.answer else { continue };
        assert!(known(shown_by) && !when.is_empty(), "{}: no deed {shown_by}", line.name);
        let calls = confined_calls(&folder.path().join(line.name), shown_by)?;
        let made = |call: &str| call.strip_prefix(line.name).is_some_and(|rest| rest.starts_with('('));
        assert!(calls.lines().any(made), "{shown_by} makes no {}:\n{calls}", line.name);
        lines += 1;
    }
    Some(lines)
}

fn confined_calls(trace: &Path, deed: &str) -> Option<String> {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-s", "0", "-X", "raw", "-o"]).arg(trace);
    strace.arg(std::env::current_exe().unwrap()).arg(deed);
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    let calls = std::fs::read_to_string(trace).unwrap();
    let (_, confined) = calls.rsplit_once("\nseccomp(").expect("it was confined");
    Some(confined.to_owned())
}
