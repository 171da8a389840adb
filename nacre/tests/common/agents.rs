//! Agents on a socket in a test's folder, ours and OpenSSH's, and the programs that use them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{Scratch, program};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Whose agent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Ours,
    OpenSsh,
}

/// A running agent.
pub struct Agent {
    pub child: Child,
    pub socket: PathBuf,
}

/// What came of a program.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Agent {
    /// Starts one with these flags and variables.
    pub fn start(whose: Whose, place: &Scratch, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let socket = place.path(if whose == Whose::Ours { "ours" } else { "theirs" });
        let mut command = match whose {
            Whose::Ours => {
                let mut command = crate::common::nacre();
                command.arg("agent");
                command
            }
            Whose::OpenSsh => program("ssh-agent"),
        };
        command.arg("-D").args(flags).arg("-a").arg(&socket).envs(variables.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let agent = Self { child, socket };
        eventually("the agent's socket", || std::os::unix::net::UnixStream::connect(&agent.socket).is_ok());
        agent
    }

    /// A program that uses this agent.
    pub fn client(&self, name: &str) -> Command {
        let mut command = if name == "nacre" { crate::common::nacre() } else { program(name) };
        command.env("SSH_AUTH_SOCK", &self.socket).stdin(Stdio::null());
        command
    }

    /// OpenSSH's ssh-add with these words.
    pub fn ssh_add(&self, words: &[&str]) -> Done {
        done(self.client("ssh-add").args(words))
    }

    /// `nacre add` with these words.
    pub fn nacre_add(&self, words: &[&str]) -> Done {
        done(self.client("nacre").arg("add").args(words))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs to the end.
#[track_caller]
pub fn done(command: &mut Command) -> Done {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

/// Waits until `check` says yes.
#[track_caller]
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < end, "{what}: did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Makes a key with ssh-keygen and gives its path.
pub fn key(place: &Scratch, name: &str, more: &[&str]) -> String {
    let path = place.path(name);
    let passphrase: &[&str] = if more.contains(&"-N") { &[] } else { &["-N", ""] };
    let comment = format!("{name} of the test");
    let made =
        done(program("ssh-keygen").args(["-q", "-C", &comment]).args(more).args(passphrase).arg("-f").arg(&path));
    assert_eq!(made.code, 0, "{}", made.err);
    path.to_str().unwrap().to_owned()
}

/// Makes a certificate beside a key.
pub fn certify(place: &Scratch, authority: &str, key: &str, words: &[&str]) {
    let made =
        done(program("ssh-keygen").args(["-q", "-s"]).arg(place.path(authority)).args(words).arg(format!("{key}.pub")));
    assert_eq!(made.code, 0, "{}", made.err);
}

/// Writes a program for SSH_ASKPASS that notes what it is asked and answers with the file `answer`'s content.
pub fn askpass(place: &Scratch) -> String {
    let (log, answer) = (place.path("asked"), place.path("answer"));
    let text =
        format!("#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT|$1\" >> '{}'\ncat '{}'\n", log.display(), answer.display());
    let path = place.write("askpass", &text);
    set_mode(&path, 0o755);
    path.to_str().unwrap().to_owned()
}

pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
