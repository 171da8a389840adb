//! `ProxyCommand` and `ProxyJump`: a program that makes the connection, and its pipes as the stream.

use super::connect::{Link, NotConnected, Reached, plain};
use super::log::Log;
use crate::ssh_child::own_or;
use nacre_config::Origin;
use nacre_config::client::{ClientOptions, Keyword, LogLevel};
use nacre_sys::stdio::widen_pipe;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{Receiver, Sender};

mod descriptor;

/// How long the program gets to end by itself once its pipes are closed, and again after SIGHUP.
const GRACE: Duration = Duration::from_millis(500);
/// The same for one that closed its own end first, and whose code is to be told.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How often its end is looked for meanwhile.
const PACE: Duration = Duration::from_millis(5);

/// What kind of program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The person's own (`ProxyCommand`).
    Command,
    /// An ssh of ours to the host before (`ProxyJump`); it tells its errors itself.
    Jump,
}

/// A program to start.
pub struct Call {
    kind: Kind,
    command: Command,
    passes_descriptor: bool,
}

/// The program that the options ask for, if any.
pub fn call(options: &ClientOptions, config_file: Option<&Path>) -> Option<Call> {
    if let Some(command) = jump(options, config_file) {
        return Some(Call { kind: Kind::Jump, command, passes_descriptor: false });
    }
    let line = options.proxy_command.as_ref()?;
    // As ssh does: the shell makes way for the command, so that a signal reaches it.
    let mut command = Command::new(shell());
    command.arg("-c").arg(format!("exec {line}"));
    Some(Call { kind: Kind::Command, command, passes_descriptor: options.proxy_use_fdpass })
}

fn shell() -> OsString {
    std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into())
}

/// The ssh to the last stop before the host. It finds its own way there by the stops before that.
fn jump(options: &ClientOptions, config_file: Option<&Path>) -> Option<Command> {
    let (last, before) = options.proxy_jump.split_last()?;
    let mut command = own_or(None, "ssh");
    if let Some(user) = &last.user {
        command.arg("-l").arg(user);
    }
    if let Some(port) = last.port {
        command.arg("-p").arg(port.to_string());
    }
    if !before.is_empty() {
        let stops: Vec<String> = before.iter().map(ToString::to_string).collect();
        command.arg("-J").arg(stops.join(","));
    }
    if let Some(file) = config_file {
        command.arg("-F").arg(file);
    }
    match options.log_level {
        LogLevel::Debug1 => command.arg("-v"),
        LogLevel::Debug2 => command.arg("-vv"),
        LogLevel::Debug3 => command.arg("-vvv"),
        _ => &mut command,
    };
    command.arg("-W").arg(format!("[{}]:{}", options.host_name, options.port)).arg("--").arg(&last.host);
    Some(command)
}

/// Starts the program and takes its pipes, or the socket that it hands over.
///
/// # Errors
/// It cannot be run, or hands nothing over.
pub async fn connect(mut call: Call, options: &ClientOptions, log: &Log) -> Result<Reached, NotConnected> {
    refuse_circle(options)?;
    let shown: Vec<_> = call.command.get_args().map(|word| word.to_string_lossy()).collect();
    log.debug(|| format!("starting {}: {}", call.kind.name(), shown.join(" ")));
    let failed = |kind: Kind, error: &io::Error| NotConnected(format!("ssh: {}: {}", kind.name(), plain(error)));
    let kind = call.kind;
    let reached = match call.passes_descriptor {
        false => piped(&mut call),
        true => handed_over(&mut call, options.connect_timeout).await,
    };
    reached.map_err(|error| failed(kind, &error))
}

/// A file's ProxyJump that holds for the stop itself would start one ssh after the other without end.
fn refuse_circle(options: &ClientOptions) -> Result<(), NotConnected> {
    let origin = options.origin(Keyword::ProxyJump);
    match options.proxy_jump.as_slice() {
        [stop] if stop.host == options.original_host && origin != Origin::CommandLine => {
            let (host, place) = (&options.original_host, origin.place());
            Err(NotConnected(format!("{place}: ProxyJump {host} holds for {host} itself: write ProxyJump none for it")))
        }
        _ => Ok(()),
    }
}

fn piped(call: &mut Call) -> io::Result<Reached> {
    let mut child = call.command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let pipes = (child.stdin.take(), child.stdout.take());
    let proxy = Proxy { kind: call.kind, child: Some(child) };
    let (Some(input), Some(output)) = pipes else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let stream = ProxyStream::new(input, output)?;
    Ok(Reached { stream: Link::Proxy(stream), address: None, proxy: Some(proxy) })
}

/// `ProxyUseFdpass`: the program's standard input and output are one socket, over which it sends another.
async fn handed_over(call: &mut Call, patience: Option<Duration>) -> io::Result<Reached> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let theirs = OwnedFd::from(theirs);
    let child = call.command.stdin(theirs.try_clone()?).stdout(theirs).spawn()?;
    let proxy = Proxy { kind: call.kind, child: Some(child) };
    // The command still holds the other end; with that open, the child's end would never be seen.
    call.command = Command::new("/");
    ours.set_nonblocking(true)?;
    let received = descriptor::receive(UnixStream::from_std(ours)?);
    let socket = match patience {
        Some(time) => {
            tokio::time::timeout(time, received).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        }
        None => received.await,
    }?;
    let stream = std::net::TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    // Some sockets are no TCP; nothing depends on it.
    let _ = stream.set_nodelay(true);
    Ok(Reached { stream: Link::Socket(stream), address: None, proxy: Some(proxy) })
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Command => "ProxyCommand",
            Self::Jump => "ProxyJump",
        }
    }
}

/// The pipes of a program, as one stream.
pub struct ProxyStream {
    input: Receiver,
    output: Option<Sender>,
}

impl ProxyStream {
    fn new(input: ChildStdin, output: ChildStdout) -> io::Result<Self> {
        widen_pipe(&input);
        widen_pipe(&output);
        Ok(Self {
            input: Receiver::from_owned_fd(OwnedFd::from(output))?,
            output: Some(Sender::from_owned_fd(OwnedFd::from(input))?),
        })
    }
}

impl AsyncRead for ProxyStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_read(cx, buf)
    }
}

impl AsyncWrite for ProxyStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.output {
            Some(output) => Pin::new(output).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the pipe: that is how the program learns that nothing more comes.
    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output = None;
        Poll::Ready(Ok(()))
    }
}

/// How a program in between came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// By itself.
    Ended(Kind, ExitStatus),
    /// We ended it.
    Stopped,
}

/// A running program. It does not outlive the connection.
pub struct Proxy {
    kind: Kind,
    child: Option<Child>,
}

impl Proxy {
    /// Ends it, once its pipes are closed. `by_itself`: it was the first to close them.
    pub async fn finish(mut self, by_itself: bool) -> Fate {
        if let Some(status) = self.await_end(if by_itself { LAST_WORDS } else { GRACE }).await {
            return Fate::Ended(self.kind, status);
        }
        self.hang_up();
        let _ = self.await_end(GRACE).await;
        Fate::Stopped
    }

    async fn await_end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        let end = tokio::time::Instant::now() + patience;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    self.child = None;
                    return Some(status);
                }
                Ok(None) if tokio::time::Instant::now() < end => tokio::time::sleep(PACE).await,
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn hang_up(&self) {
        let pid = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::HUP);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // One that does not mind SIGHUP is left to init, as ssh leaves it.
        self.hang_up();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ssh::options::effective_for;

    fn words(lines: &[&str], config_file: Option<&str>) -> Vec<String> {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let options = effective_for("web".to_owned(), lines, String::new(), Some(Path::new("none"))).unwrap();
        let call = call(&options, config_file.map(Path::new)).unwrap();
        call.command.get_args().map(|word| word.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_command_is_run_by_the_shell() {
        assert_eq!(words(&["ProxyCommand nc %h %p"], None), ["-c", "exec nc web 22"]);
    }

    #[test]
    fn a_jump_is_an_ssh_that_no_shell_sees() {
        assert_eq!(words(&["ProxyJump hop"], None), ["-W", "[web]:22", "--", "hop"]);
        let lines = ["ProxyJump x,u@y:1,ann@[::1]:2200", "HostName w;x", "LogLevel DEBUG2", "Port 7"];
        let wanted = ["-l", "ann", "-p", "2200", "-J", "x,u@y:1", "-F", "/f", "-vv", "-W", "[w;x]:7", "--", "::1"];
        assert_eq!(words(&lines, Some("/f")), wanted);
    }
}
