//! An agent for one test.

use crate::programs::system;
use crate::run::{run, until};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// OpenSSH's agent, until it is dropped.
pub struct Agent {
    folder: TempDir,
    child: Child,
}

impl Agent {
    /// Starts one that holds nothing.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(system("ssh-agent"));
        command.arg("-D").arg("-a").arg(folder.path().join("socket")).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let agent = Self { folder, child };
        until("an agent", || UnixStream::connect(agent.socket()).ok());
        agent
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Gives it a key.
    pub fn add(&self, key: &Path) {
        let done = run(Command::new(system("ssh-add")).arg("-q").arg(key).env("SSH_AUTH_SOCK", self.socket()), b"");
        assert_eq!(done.code, 0, "{}", done.errors());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
