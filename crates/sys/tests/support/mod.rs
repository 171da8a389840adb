//! What the tests of this crate share: starting a program and collecting what it says.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nacre_sys::spawn::{Child, ChildStdio, ExitStatus, SpawnSpec, pipe_from_child, pipe_to_child, spawn};

pub const PATIENCE: Duration = Duration::from_secs(180);

/// Says that a test was not run, so that a green result without root is not mistaken for proof.
pub fn root_or_say_so(test: &str) -> bool {
    let root = nacre_sys::privileges::is_root();
    if !root {
        eprintln!("{test}: NOT RUN because not root");
    }
    root
}

pub fn env() -> Vec<(OsString, OsString)> {
    vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into())]
}

pub fn spec(script: &str, stdio: ChildStdio) -> SpawnSpec {
    SpawnSpec {
        program: "/bin/sh".into(),
        arg0: "sh".into(),
        args: vec!["-c".into(), script.into()],
        env: env(),
        cwd: "/".into(),
        stdio,
        credentials: None,
        umask: None,
    }
}

pub struct Piped {
    pub child: Child,
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

pub fn start(script: &str, change: impl FnOnce(&mut SpawnSpec)) -> io::Result<Piped> {
    let (stdin, stdout, stderr) = (pipe_to_child().unwrap(), pipe_from_child().unwrap(), pipe_from_child().unwrap());
    let stdio = ChildStdio::Fds { stdin: stdin.child, stdout: stdout.child, stderr: stderr.child };
    let mut spec = spec(script, stdio);
    change(&mut spec);
    Ok(Piped { child: spawn(spec)?, stdin: stdin.parent, stdout: stdout.parent, stderr: stderr.parent })
}

pub fn poll_in(fd: impl AsFd) {
    let fd = fd.as_fd();
    let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
    let limit = rustix::event::Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    assert_ne!(rustix::event::poll(&mut fds, Some(&limit)).unwrap(), 0, "nothing came within {PATIENCE:?}");
}

/// Reads to end of file; EIO is a pty's end of file.
pub fn drain(fd: impl AsFd) -> String {
    let mut all = Vec::new();
    let mut buf = [0_u8; 65536];
    loop {
        poll_in(&fd);
        match rustix::io::read(&fd, &mut buf) {
            Ok(0) | Err(rustix::io::Errno::IO) => return String::from_utf8(all).unwrap(),
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(rustix::io::Errno::AGAIN) => {}
            Err(err) => panic!("read: {err}"),
        }
    }
}

/// Reads until `wanted` has come.
pub fn read_until(fd: impl AsFd, wanted: &str) -> String {
    let (mut all, start) = (String::new(), Instant::now());
    let mut buf = [0_u8; 4096];
    while !all.contains(wanted) {
        assert!(start.elapsed() < PATIENCE, "no {wanted:?} in {all:?}");
        poll_in(&fd);
        match rustix::io::read(&fd, &mut buf) {
            Ok(n) if n > 0 => all.push_str(std::str::from_utf8(&buf[..n]).unwrap()),
            Err(rustix::io::Errno::AGAIN) => {}
            other => panic!("{other:?} before {wanted:?}; so far {all:?}"),
        }
    }
    all
}

/// Awaits the end through the pidfd, as an event loop would.
pub fn finish(child: &Child) -> ExitStatus {
    poll_in(child);
    child.try_wait().unwrap().expect("the pidfd is readable")
}

pub fn run(script: &str, change: impl FnOnce(&mut SpawnSpec)) -> (ExitStatus, String) {
    let piped = start(script, change).unwrap();
    drop(piped.stdin);
    let text = drain(&piped.stdout);
    let errors = drain(&piped.stderr);
    (finish(&piped.child), text + &errors)
}
