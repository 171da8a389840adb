//! Standard streams without blocking and without side effects on those who share them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::ErrorKind;
use std::os::fd::AsFd;

use nacre_sys::pty::Pty;
use nacre_sys::stdio::{Stdio, reopen};
use rustix::fs::OFlags;

fn is_nonblocking(fd: impl AsFd) -> bool {
    rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
}

fn assert_would_block(result: std::io::Result<usize>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn pipe_is_reopened_and_the_original_still_blocks() {
    let (read, write) = rustix::pipe::pipe().unwrap();
    let (input, output) = (reopen(&read).unwrap(), reopen(&write).unwrap());
    assert!(matches!((&input, &output), (Stdio::Pollable(_), Stdio::Pollable(_))));
    assert!(!is_nonblocking(&read) && !is_nonblocking(&write), "flags of the shared description changed");
    assert!(is_nonblocking(&input) && is_nonblocking(&output));

    let mut buf = [0_u8; 16];
    assert_would_block(input.read(&mut buf));
    assert_eq!(output.write(b"abc").unwrap(), 3);
    assert_eq!(input.read(&mut buf).unwrap(), 3);
    assert_eq!(&buf[..3], b"abc");

    let chunk = [0_u8; 65536];
    while output.write(&chunk).is_ok() {}
    assert_would_block(output.write(&chunk));
    drop((write, output));
    while input.read(&mut [0_u8; 65536]).unwrap() > 0 {}
    assert!(!is_nonblocking(&read));
}

#[test]
fn terminal_is_reopened_and_the_original_still_blocks() {
    let pty = Pty::open().unwrap();
    let tty = reopen(&pty.slave).unwrap();
    assert!(matches!(tty, Stdio::Pollable(_)) && !is_nonblocking(&pty.slave));
    let mut buf = [0_u8; 16];
    assert_would_block(tty.read(&mut buf));
    rustix::io::write(&pty.master, b"line\n").unwrap();
    assert_eq!(tty.read(&mut buf).unwrap(), 5);
}

#[test]
fn socket_shares_flags_and_still_does_not_block() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let socket = reopen(&ours).unwrap();
    assert!(matches!(socket, Stdio::Socket(_)) && socket.is_pollable() && !is_nonblocking(&ours));
    let mut buf = [0_u8; 16];
    assert_would_block(socket.read(&mut buf));
    let chunk = [0_u8; 65536];
    while socket.write(&chunk).is_ok() {}
    assert_would_block(socket.write(&chunk));
    drop(theirs);
    assert_eq!(socket.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn files_and_null_are_always_ready() {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"content").unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let view = reopen(&file).unwrap();
    assert!(!view.is_pollable());
    let mut buf = [0_u8; 16];
    // The position is shared with the original, as `(cmd; cmd) < file` expects.
    assert_eq!(view.read(&mut buf[..3]).unwrap(), 3);
    assert_eq!(std::io::Read::read(&mut file, &mut buf).unwrap(), 4);
    let null = reopen(std::fs::File::open("/dev/null").unwrap()).unwrap();
    assert!(matches!(null, Stdio::AlwaysReady(_)));
    assert_eq!(null.read(&mut buf).unwrap(), 0);
}

#[test]
fn pipe_without_reader_reports_a_broken_pipe() {
    let (read, write) = rustix::pipe::pipe().unwrap();
    drop(read);
    let output = reopen(&write).unwrap();
    assert_eq!(output.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn named_pipe_without_reader_cannot_be_reopened_and_still_works() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let read = rustix::fs::open(&path, OFlags::RDONLY | OFlags::NONBLOCK, rustix::fs::Mode::empty()).unwrap();
    let write = rustix::fs::open(&path, OFlags::WRONLY, rustix::fs::Mode::empty()).unwrap();
    drop(read);
    let output = reopen(&write).unwrap();
    assert!(matches!(output, Stdio::Guarded(_)));
    assert_eq!(output.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn guarded_terminal_neither_blocks_nor_changes_flags() {
    let pty = Pty::open().unwrap();
    let guarded = Stdio::Guarded(pty.slave.try_clone().unwrap());
    let mut buf = [0_u8; 16];
    assert_would_block(guarded.read(&mut buf));
    rustix::io::write(&pty.master, b"line\n").unwrap();
    assert_eq!(guarded.read(&mut buf).unwrap(), 5);
    let chunk = [b'x'; 65536];
    // Nobody reads the master: the terminal fills up and says so instead of blocking.
    let mut written = 0;
    let full = loop {
        match guarded.write(&chunk) {
            Ok(n) => written += n,
            Err(err) => break err,
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    assert!(written > 0 && !is_nonblocking(&pty.slave));
}

#[test]
fn guarded_pipe_never_blocks() {
    let (read, write) = rustix::pipe::pipe().unwrap();
    let guarded = Stdio::Guarded(write);
    let chunk = [b'x'; 65536];
    while guarded.write(&chunk).is_ok() {}
    assert_would_block(guarded.write(&chunk));
    rustix::io::read(&read, &mut [0_u8; 5000]).unwrap();
    assert_eq!(guarded.write(&chunk).unwrap(), 4096);
}

#[test]
fn closed_descriptor_is_an_error() {
    let pty = Pty::open().unwrap();
    drop(pty.master);
    // A hung-up terminal still opens or falls back; reading it is the end, not a block.
    if let Ok(tty) = reopen(&pty.slave) {
        let result = tty.read(&mut [0_u8; 4]);
        assert!(matches!(result, Ok(0)) || result.is_err(), "{result:?}");
    }
}
