//! The agent's process: in front, in the background, or beside a command.

use super::failure;
use super::service::{self, Settings};
use super::shell;
use super::socket::Socket;
use crate::cli::agent::AgentArgs;
use crate::failure::Failure;
use crate::output;
use nacre_sys::forked::fork_into;
use nacre_sys::privileges::set_dumpable;
use rustix::fs::{Mode, OFlags};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Exit code of an agent that was told to end, as ssh-agent's.
const TOLD_TO_END: u8 = 2;

/// Serves in this process until a signal.
pub fn foreground(args: &AgentArgs, debug: bool) -> Result<ExitCode, Failure> {
    let (socket, listener) = Socket::listen(args.path.as_deref())?;
    let lines = shell::lines(args.shell, &socket.path, std::process::id(), true);
    if let Err(failure) = output::print(&lines) {
        socket.remove();
        return Err(failure);
    }
    serve(args, &socket, listener, None, debug).map_err(failure)?;
    Ok(ExitCode::from(TOLD_TO_END))
}

/// Leaves an agent behind, and says how to reach it.
pub fn background(args: &AgentArgs) -> Result<(), Failure> {
    let (socket, listener) = Socket::listen(args.path.as_deref())?;
    let process = start(args, &socket, listener, None)?;
    output::print(&shell::lines(args.shell, &socket.path, process, false))
}

/// Becomes `command`, with an agent beside it that ends with it. Comes back only when that failed.
pub fn command(args: &AgentArgs, command: &[OsString]) -> Failure {
    let Some((program, words)) = command.split_first() else { return failure("no command") };
    let started = Socket::listen(args.path.as_deref()).and_then(|(socket, listener)| {
        let this = pidfd_open(getpid(), PidfdFlags::empty()).map_err(failure);
        let process = this.and_then(|this| start(args, &socket, listener, Some(this)))?;
        Ok((socket, process))
    });
    let (socket, process) = match started {
        Ok(started) => started,
        Err(failure) => return failure,
    };
    let mut command = Command::new(program);
    command.args(words).env(shell::SOCKET, &socket.path).env(shell::PROCESS, process.to_string());
    let error = command.exec();
    failure(format!("{}: {error}", program.display()))
}

/// Starts the agent's process: a session of its own, without descriptors of ours.
fn start(args: &AgentArgs, socket: &Socket, listener: UnixListener, company: Option<OwnedFd>) -> Result<u32, Failure> {
    hide_memory();
    let mut given = vec![OwnedFd::from(listener)];
    given.extend(company);
    let child = fork_into(given, &[], |given| {
        let mut given = given.into_iter();
        let served = detach().and_then(|()| match given.next() {
            Some(listener) => serve(args, socket, listener.into(), given.next(), false),
            None => Ok(()),
        });
        i32::from(served.is_err())
    });
    match child {
        Ok(child) => Ok(child.pid().unsigned_abs()),
        Err(error) => {
            socket.remove();
            Err(failure(error))
        }
    }
}

/// Leaves the terminal's descriptors and the folder it was started in, which may be unmounted some day.
fn detach() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    std::env::set_current_dir("/")
}

fn serve(
    args: &AgentArgs,
    socket: &Socket,
    listener: UnixListener,
    company: Option<OwnedFd>,
    debug: bool,
) -> io::Result<()> {
    hide_memory();
    let settings = Settings { lifetime: args.lifetime, fingerprint: args.fingerprint, debug };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.and_then(|runtime| {
        let served = runtime.block_on(service::serve(listener, company, settings));
        // A question that stands on the screen must not keep us.
        runtime.shutdown_background();
        served
    });
    socket.remove();
    served
}

/// Keys will be in this memory (threat G5). A new process inherits this, so it holds from its first moment; a command that is
/// started gets its own back. A kernel that refuses changes nothing else.
fn hide_memory() {
    let _ = set_dumpable(false);
}
