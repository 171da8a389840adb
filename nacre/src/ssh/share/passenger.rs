//! This process as the guest of a master: its session runs over the master's connection, with the descriptors of this
//! process, while this process waits for the end.

use super::super::connect::plain;
use super::super::log::Log;
use super::super::plan::{self, Plan};
use super::super::signals::{Came, Signals};
use super::command::{Purpose, forwards, reach};
use super::ends;
use super::link::{Answer, Link, NoLink};
use crate::failure::SSH;
use nacre_config::client::{ClientOptions, ControlMaster, Endpoint, LogLevel};
use nacre_sys::background;
use nacre_sys::terminal::RawMode;
use nacre_wire::session::SessionRequest;
use nacre_wire::share::{NewSession, Reply, Request, next_frame};
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::task::Poll;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// A session that the master carries for us.
struct Ride {
    link: Link,
    /// The master's process, which learns of window changes by a signal.
    master: Option<rustix::process::Pid>,
    session: u32,
    /// With a terminal, which is ours to make raw.
    terminal: bool,
    /// How long a forwarding of standard input takes is nobody's failure.
    succeeds: bool,
}

/// Runs everything over a master's connection, where there is one and it may be used. `None`: make one of your own.
///
/// # Errors
/// The line to end with.
pub fn join(options: &ClientOptions, plan: &Plan, log: &Log) -> Result<Option<u8>, String> {
    let Some(path) = options.control_path.as_deref().filter(|_| options.control_master.joins()) else {
        return Ok(None);
    };
    let link = match Link::connect(options, path) {
        Ok(link) => link,
        Err(NoLink::Other(line)) if line.starts_with("ControlPath too long") => return Err(line),
        Err(NoLink::Other(line)) => {
            log.error(&line);
            return Ok(None);
        }
        Err(NoLink::System(error)) => {
            no_master(options, path, &error, log);
            return Ok(None);
        }
    };
    log.debug(|| format!("using the connection shared at {path}"));
    ride(options, plan, link, log)
}

/// Nobody is there. A socket that a dead master left is replaced by who puts its own there.
fn no_master(options: &ClientOptions, path: &str, error: &io::Error, log: &Log) {
    match error.kind() {
        ErrorKind::NotFound => log.debug(|| format!("Control socket \"{path}\" does not exist")),
        ErrorKind::ConnectionRefused if options.control_master != ControlMaster::No => {
            log.debug(|| format!("Stale control socket {path}"));
        }
        _ => log.error(&format!("Control socket connect({path}): {}", plain(error))),
    }
}

/// As [`join`], over the connection that another process of this call has made just now.
///
/// # Errors
/// The line to end with.
pub fn join_own(options: &ClientOptions, plan: &Plan, log: &Log) -> Result<u8, String> {
    let path = options.control_path.as_deref().unwrap_or_default();
    let gone = || "Failed to connect to new control master".to_owned();
    let link = Link::connect(options, path).map_err(|_| gone())?;
    ride(options, plan, link, log)?.ok_or_else(gone)
}

/// `-O proxy`: as [`join`], and never without a master.
///
/// # Errors
/// The line to end with.
pub fn join_only(options: &ClientOptions, plan: &Plan, log: &Log) -> Result<u8, String> {
    let link = reach(options)?;
    ride(options, plan, link, log)?.ok_or_else(|| "the master did not take the session".to_owned())
}

fn ride(options: &ClientOptions, plan: &Plan, mut link: Link, log: &Log) -> Result<Option<u8>, String> {
    let lost = |error: io::Error| format!("read from master failed: {}", plain(&error));
    let id = link.number();
    let master = match link.ask(&Request::AliveCheck { id }, &[]) {
        Ok(Answer::Done(Reply::Alive { pid, .. })) => {
            i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(rustix::process::Pid::from_raw)
        }
        Ok(_) => return Err("master alive check failed".to_owned()),
        Err(error) => {
            log.error(&lost(error));
            return Ok(None);
        }
    };
    let input = input(plan).map_err(|error| format!("ssh: {}", plain(&error)))?;
    if let Some(to) = &plan.stdio_forward {
        let session = stdio_forward(&mut link, to, &input)?;
        // With this one open as well, whoever reads would never see the end of one direction alone.
        let null = File::options().write(true).open("/dev/null");
        null.and_then(|null| Ok(rustix::stdio::dup2_stdout(&null)?)).map_err(|error| format!("ssh: {error}"))?;
        let ride = Ride { link, master, session, terminal: false, succeeds: true };
        return wait(options, plan, ride, log).map(Some);
    }
    if !forwards(options, &mut link, Purpose::Session, log) {
        log.error("master forward request failed");
        return Ok(None);
    }
    if plan.start.is_none() {
        let ride = Ride { link, master, session: u32::MAX, terminal: false, succeeds: false };
        return wait(options, plan, ride, log).map(Some);
    }
    let id = link.number();
    let request = Request::NewSession { id, session: wanted(options, plan) };
    match link.ask(&request, &[input.as_fd(), io::stdout().as_fd(), io::stderr().as_fd()]) {
        Ok(Answer::Done(Reply::SessionOpened { session, .. })) => {
            let ride = Ride { link, master, session, terminal: plan.terminal, succeeds: false };
            wait(options, plan, ride, log).map(Some)
        }
        Ok(Answer::Done(_)) => Err("unexpected response from master".to_owned()),
        Ok(Answer::Denied(reason)) => {
            log.error(&format!("Master refused session request: {reason}"));
            Ok(None)
        }
        Ok(Answer::Failed(reason)) => {
            log.error(&format!("mux_client_request_session: session request failed: {reason}"));
            Ok(None)
        }
        Err(error) => {
            log.error(&lost(error));
            Ok(None)
        }
    }
}

/// What is handed over as standard input.
fn input(plan: &Plan) -> io::Result<OwnedFd> {
    match plan.stdin_null {
        true => Ok(File::open("/dev/null")?.into()),
        false => io::stdin().as_fd().try_clone_to_owned(),
    }
}

/// The session as the protocol has it.
fn wanted(options: &ClientOptions, plan: &Plan) -> NewSession {
    let (subsystem, command) = match &plan.start {
        Some(SessionRequest::Subsystem { name }) => (true, name.clone().into_bytes()),
        Some(SessionRequest::Exec { command }) => (false, command.clone()),
        _ => (false, Vec::new()),
    };
    let variables = plan::environment(options, std::env::vars_os()).into_iter().filter_map(|request| match request {
        SessionRequest::Env { name, value } => Some([name, value].join(&b'=')),
        _ => None,
    });
    NewSession {
        tty: plan.terminal,
        x11: false,
        agent: options.forward_agent.is_some(),
        subsystem,
        escape: options.escape_char,
        term: std::env::var("TERM").unwrap_or_default(),
        command,
        variables: variables.take(nacre_wire::share::MAX_VARIABLES).collect(),
    }
}

fn stdio_forward(link: &mut Link, to: &Endpoint, input: &OwnedFd) -> Result<u32, String> {
    let id = link.number();
    let request = Request::NewStdioForward { id, to: ends::end_to_wire(to) };
    match link.ask(&request, &[input.as_fd(), io::stdout().as_fd()]) {
        Ok(Answer::Done(Reply::SessionOpened { session, .. })) => Ok(session),
        Ok(Answer::Done(_)) => Err("unexpected response from master".to_owned()),
        Ok(Answer::Denied(reason)) => Err(format!("Master refused stdio forwarding request: {reason}")),
        Ok(Answer::Failed(reason)) => Err(format!("Stdio forwarding request failed: {reason}")),
        Err(error) => Err(format!("read from master failed: {}", plain(&error))),
    }
}

/// Waits for the end, in the background with `-f`; gives the exit code.
fn wait(options: &ClientOptions, plan: &Plan, ride: Ride, log: &Log) -> Result<u8, String> {
    let fatal = |error: io::Error| format!("ssh: {}", plain(&error));
    if plan.background {
        background::fork_and_wait().and_then(|front| front.release(false, 0)).map_err(fatal)?;
    }
    let raw = (ride.terminal && !plan.background).then(|| RawMode::enter(io::stdin()).ok()).flatten();
    log.set_raw(raw.is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fatal)?;
    let (succeeds, terminal) = (ride.succeeds, ride.terminal);
    let status = runtime.block_on(until_the_end(ride, raw, log)).map_err(fatal)?;
    log.set_raw(false);
    if terminal && log.wants(LogLevel::Info) {
        log.tell(&format!("Shared connection to {} closed.", options.host_name));
    }
    Ok(match (status, succeeds) {
        (_, true) => 0,
        (Some(status), false) => status.to_be_bytes().last().copied().unwrap_or(SSH),
        (None, false) => SSH,
    })
}

/// Until the master hangs up, or a signal ends us: then the session ends too, for the master sees us go. Gives what the
/// remote process returned.
async fn until_the_end(ride: Ride, mut raw: Option<RawMode>, log: &Log) -> io::Result<Option<u32>> {
    let (stream, mut inbound) = ride.link.into_parts();
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    let mut signals = Signals::new()?;
    let mut exit = None;
    loop {
        while let Some(frame) = next_frame(&mut inbound).map_err(io::Error::other)? {
            match Reply::decode(&frame).map_err(io::Error::other)? {
                Reply::ExitMessage { session, status } if session == ride.session => exit = Some(status),
                Reply::TtyAllocFail { session } if session == ride.session => {
                    raw = None;
                    log.set_raw(false);
                }
                _ => return Err(io::Error::other("the master says something that was not asked for")),
            }
        }
        tokio::select! {
            read = stream.read_buf(&mut inbound) => match read {
                Ok(0) => break,
                Ok(_) => {}
                // A master that was killed has hung up too.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error),
            },
            came = poll_fn(|cx| signals.poll(cx).map_or(Poll::Pending, Poll::Ready)) => match came {
                Came::End(_) => return Ok(None),
                Came::WindowChanged => {
                    if let Some(master) = ride.master {
                        let _ = rustix::process::kill_process(master, rustix::process::Signal::WINCH);
                    }
                }
            },
        }
    }
    drop(raw);
    Ok(exit)
}
