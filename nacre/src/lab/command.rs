//! A command that a `mini-ssh` server was told to really execute.

use super::program::Happening;
use nacre_lab::console::ConnectionId;
use nacre_lab::mini_ssh::MAX_OUTPUT;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command line in a shell; its output happens later. When the task is aborted the shell and what it started die.
pub fn run(id: ConnectionId, command: String, happenings: mpsc::Sender<Happening>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let output = match timeout(PATIENCE, output(&command)).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => format!("cannot run it: {error}\n").into_bytes(),
            Err(_) => format!("stopped after {} s\n", PATIENCE.as_secs()).into_bytes(),
        };
        let _ = happenings.send(Happening::Ran(id, output)).await;
    })
}

/// Standard output, then standard error.
async fn output(command: &str) -> std::io::Result<Vec<u8>> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let mut group = Group(Some(Pid::from_child(&child)));
    let (stdout, stderr) = (child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from));
    // Begun at once, so that the shell is waited for also when this task is aborted.
    let ended = spawn_blocking(move || child.wait());
    let (mut output, errors) = tokio::join!(start_of(stdout), start_of(stderr));
    output.extend_from_slice(&errors);
    // What prints more than an answer holds writes into a closed pipe from here on.
    ended.await??;
    group.0 = None;
    Ok(output)
}

/// A shell and what it started, ended with this unless all went well.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// As much as an answer holds.
async fn start_of(pipe: Option<OwnedFd>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = pipe.and_then(|pipe| Receiver::from_owned_fd(pipe).ok()) {
        let most = u64::try_from(MAX_OUTPUT).unwrap_or(u64::MAX);
        let _ = stream.take(most).read_to_end(&mut bytes).await;
    }
    bytes
}
