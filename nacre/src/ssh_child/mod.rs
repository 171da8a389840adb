//! The `ssh` that carries a file transfer: a child process with a pipe to it and a pipe from it.
//!
//! `scp` and `sftp` know nothing of hosts and keys. They start an ssh with the flags that OpenSSH's own programs use, so every
//! option of ssh works and every question is ssh's. It stays in our process group and keeps our standard error and terminal.

pub mod interrupts;

use crate::failure::Failure;
use interrupts::Registered;
use nacre_sys::stdio::widen_pipe;
use rustix::pipe::PipeFlags;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What every transfer's ssh is told first: nothing of a configuration file that would get in the way of the two pipes.
const ALWAYS: [&str; 6] = [
    "-x",
    "-oPermitLocalCommand=no",
    "-oClearAllForwardings=yes",
    "-oRemoteCommand=none",
    "-oRequestTTY=no",
    "-oControlMaster=no",
];
/// Last, so that the person's own option, which comes before, counts.
const UNLESS_ASKED: &str = "-oForwardAgent=no";

/// How long an ssh that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// How ssh is started.
#[derive(Debug, Clone, Default)]
pub struct SshOptions {
    /// `-S`: the program in place of this one's own ssh, looked for in PATH.
    pub program: Option<OsString>,
    /// `-D`: a local SFTP server, program and arguments, in place of any ssh; empty for none.
    pub direct: Vec<OsString>,
    /// Flags for ssh as the command line had them, in its order: `-4`, `-oPort=1`, `-i`, `FILE`, ...
    pub flags: Vec<OsString>,
    /// Whether Ctrl-C leaves it alone: for a program that goes on afterwards.
    pub ignores_interrupts: bool,
}

/// Whom ssh is to reach.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// `-l`.
    pub user: Option<String>,
    /// Host name, address or alias; an IPv6 address without brackets.
    pub host: String,
    /// `-p`.
    pub port: Option<u16>,
}

/// What is to run on the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand<'a> {
    /// A command line for the user's shell there; any bytes.
    Command(&'a [u8]),
    /// A subsystem (RFC 4254 §6.5), such as `sftp`.
    Subsystem(&'a str),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code: the remote command's, or 255 for ssh's own errors.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A running ssh. Dropping it ends it.
#[derive(Debug)]
pub struct SshChild {
    child: Child,
    registered: Registered,
    ended: Option<Ended>,
}

/// Our ends of its pipes, both blocking.
#[derive(Debug)]
pub struct Pipes {
    /// What the far side says.
    pub input: OwnedFd,
    /// What the far side is told.
    pub output: OwnedFd,
}

/// Starts ssh, or the server of `-D` in its place.
///
/// # Errors
/// No pipe or process can be had, or the program cannot be run: says which.
pub fn start(options: &SshOptions, place: &Place, errand: Errand<'_>) -> Result<(SshChild, Pipes), Failure> {
    run(program(options, place, errand))
}

/// As [`start`], with the pipes of another one: each says what the other hears.
///
/// # Errors
/// As [`start`].
pub fn join(options: &SshOptions, place: &Place, errand: Errand<'_>, pipes: Pipes) -> Result<SshChild, Failure> {
    let mut command = program(options, place, errand);
    command.stdin(Stdio::from(pipes.input)).stdout(Stdio::from(pipes.output));
    spawn(command)
}

fn program(options: &SshOptions, place: &Place, errand: Errand<'_>) -> Command {
    let mut command = match options.direct.split_first() {
        Some((server, arguments)) => {
            let mut command = Command::new(server);
            if arguments.is_empty() {
                // OpenSSH's name for it, by which a program of many names knows what to be.
                command.arg0("sftp-server");
            }
            command.args(arguments);
            command
        }
        None => ssh(options, place, errand),
    };
    if options.ignores_interrupts {
        nacre_sys::undisturbed::ignores_interrupts(&mut command);
    }
    command
}

/// A program with a pipe to its standard input and one from its standard output.
///
/// # Errors
/// As [`start`].
pub fn run(mut command: Command) -> Result<(SshChild, Pipes), Failure> {
    let (from_us, output) = pipe()?;
    let (input, to_us) = pipe()?;
    command.stdin(Stdio::from(from_us)).stdout(Stdio::from(to_us));
    Ok((spawn(command)?, Pipes { input, output }))
}

/// Takes the command: it holds the child's ends of pipes, and with them open, their end would never be seen.
fn spawn(mut command: Command) -> Result<SshChild, Failure> {
    let child = command.spawn().map_err(|error| {
        let program = nacre_wire::text::clean_line(command.get_program().as_bytes(), 256);
        Failure::new(format!("cannot run {program}: {error}"))
    })?;
    let registered = Registered::new(&child);
    let child = SshChild { child, registered, ended: None };
    if interrupts::came().is_some() {
        // The signal came before the child was in the list.
        child.terminate();
    }
    Ok(child)
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
        .map_err(|errno| Failure::new(format!("no pipe to ssh: {}", std::io::Error::from(errno))))?;
    widen_pipe(&write);
    Ok((read, write))
}

/// The ssh to start, with its whole command line.
fn ssh(options: &SshOptions, place: &Place, errand: Errand<'_>) -> Command {
    let mut command = own_or(options.program.as_deref(), "ssh");
    command.args(ALWAYS).args(&options.flags).arg(UNLESS_ASKED);
    if let Some(port) = place.port {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &place.user {
        command.arg("-l").arg(user);
    }
    match errand {
        Errand::Command(line) => command.arg("--").arg(&place.host).arg(OsStr::from_bytes(line)),
        Errand::Subsystem(name) => command.arg("-s").arg("--").arg(&place.host).arg(name),
    };
    command
}

/// The program named, or this very one called `name`: by its descriptor's path, so that it is the same even if the file was
/// replaced meanwhile.
pub fn own_or(program: Option<&OsStr>, name: &str) -> Command {
    match program {
        Some(program) => Command::new(program),
        None => {
            let mut command = Command::new("/proc/self/exe");
            command.arg0(name);
            command
        }
    }
}

impl SshChild {
    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.registered.terminate();
    }

    /// Waits for its end. Close the pipes before, or it may wait for us.
    ///
    /// # Errors
    /// The system does not say; the child is gone then.
    pub fn wait(&mut self) -> Result<Ended, Failure> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        let status = self.child.wait().map_err(|error| Failure::new(format!("waiting for ssh: {error}")))?;
        Ok(*self.ended.insert(told(status)))
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten().map(told);
        }
        self.ended
    }
}

fn told(status: std::process::ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

impl Drop for SshChild {
    fn drop(&mut self) {
        if self.try_wait().is_some() {
            return;
        }
        self.terminate();
        let end = Instant::now() + GRACE;
        while self.try_wait().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    fn words(options: &SshOptions, place: &Place, errand: Errand<'_>) -> Vec<String> {
        let command = ssh(options, place, errand);
        command.get_args().skip(ALWAYS.len()).map(|word| word.display().to_string()).collect()
    }

    #[test]
    fn the_host_can_be_no_option() {
        let place = Place { user: Some("me".into()), host: "-oProxyCommand=x".into(), port: Some(22) };
        let options = SshOptions { flags: vec!["-4".into()], ..SshOptions::default() };
        let said = words(&options, &place, Errand::Subsystem("sftp"));
        assert_eq!(said, ["-4", UNLESS_ASKED, "-p", "22", "-l", "me", "-s", "--", "-oProxyCommand=x", "sftp"]);
        let said = words(&options, &Place { host: "h".into(), ..Place::default() }, Errand::Command(b"scp -t -- x"));
        assert_eq!(said, ["-4", UNLESS_ASKED, "--", "h", "scp -t -- x"]);
    }

    #[test]
    fn words_go_to_a_child_and_come_back() {
        let options = SshOptions { direct: vec!["cat".into()], ..SshOptions::default() };
        let (mut child, pipes) = start(&options, &Place::default(), Errand::Subsystem("sftp")).unwrap();
        File::from(pipes.output).write_all(b"there and back").unwrap();
        let mut back = String::new();
        File::from(pipes.input).read_to_string(&mut back).unwrap();
        assert_eq!(back, "there and back");
        assert_eq!(child.wait().unwrap(), Ended::Code(0));
    }

    #[test]
    fn no_child_is_left_behind() {
        let options = SshOptions { direct: vec!["sleep".into(), "1000".into()], ..SshOptions::default() };
        let (child, pipes) = start(&options, &Place::default(), Errand::Subsystem("sftp")).unwrap();
        let process = format!("/proc/{}", child.child.id());
        drop(child);
        drop(pipes);
        assert!(!std::path::Path::new(&process).exists());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let options = SshOptions { program: Some("/nowhere/ssh".into()), ..SshOptions::default() };
        let failure = start(&options, &Place::default(), Errand::Subsystem("sftp")).expect_err("it ran");
        assert!(failure.message().contains("/nowhere/ssh"), "{failure}");
    }
}
