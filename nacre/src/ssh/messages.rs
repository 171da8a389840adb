//! The last words: what a person reads when a connection ends, and the exit code that goes with it.

use super::connect::{peer, plain};
use super::log::Log;
use super::owner::{End, Story};
use super::proxy::{Fate, Kind};
use super::session::Exit;
use crate::failure::SSH;
use nacre_config::client::{ClientOptions, LogLevel};
use nacre_net::Ended;
use nacre_proto::Error;
use nacre_proto::error::{Incompatibility, Timer};
use nacre_wire::text::clean_line;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;

/// What a shell reports after Ctrl-C.
const INTERRUPTED: u8 = 130;
/// The longest text of the server that is shown, in bytes.
const MAX_TEXT: usize = 1024;

/// What carried the connection.
#[derive(Debug, Default)]
pub struct Line {
    /// Whom the socket reached.
    pub address: Option<SocketAddr>,
    /// What became of the program in between, if there was one.
    pub fate: Option<Fate>,
}

/// Tells how the connection ended and gives the exit code.
pub fn conclude(options: &ClientOptions, carrier: &Line, story: &Story, ended: &Ended, log: &Log) -> u8 {
    let line = match &story.end {
        Some(end) => of_ours(end, options),
        None => of_proxy(carrier, &ended.error, story.authenticated).unwrap_or_else(|| {
            of_error(&ended.error, ended.io.as_ref(), story.authenticated, options, carrier.address)
        }),
    };
    if let Some((level, line)) = line {
        log.say(level, &line);
    }
    if let Some(Exit::Signal(text)) = &story.exit {
        log.info(text);
    }
    if story.had_terminal && matches!(story.end, Some(End::Done)) {
        log.info(&format!("Connection to {} closed.", options.host_name));
    }
    code(story)
}

/// The exit code: the remote command's, or ours.
fn code(story: &Story) -> u8 {
    match (&story.end, &story.exit) {
        (Some(End::Interrupted), _) => INTERRUPTED,
        // What a shell would make of it: the low eight bits.
        (Some(End::Done), Some(Exit::Status(status))) => status.to_be_bytes().last().copied().unwrap_or(SSH),
        // A connection without a session has no status to bring.
        _ => SSH,
    }
}

fn of_ours(end: &End, options: &ClientOptions) -> Option<(LogLevel, String)> {
    match end {
        End::Done | End::Interrupted => None,
        End::Signal(number) => Some((LogLevel::Verbose, format!("Killed by signal {number}."))),
        End::Failed(line) => Some((LogLevel::Fatal, line.clone())),
        End::Refused(what) => Some((LogLevel::Fatal, format!("{}: {what}", options.host_name))),
    }
}

/// The line for a program in between that ended before anybody was logged in: it is the cause.
fn of_proxy(carrier: &Line, error: &Error, authenticated: bool) -> Option<Option<(LogLevel, String)>> {
    let Some(Fate::Ended(kind, status)) = carrier.fate else { return None };
    if authenticated || !matches!(error, Error::ConnectionLost) {
        return None;
    }
    let peer = peer(carrier.address);
    match (kind, status.code()) {
        // It has told what happened.
        (Kind::Jump, Some(code)) if code == i32::from(SSH) => {
            Some(Some((LogLevel::Verbose, format!("Connection closed by {peer}"))))
        }
        (Kind::Jump, _) => None,
        (Kind::Command, Some(code)) => {
            Some(Some((LogLevel::Fatal, format!("Connection closed by {peer}: ProxyCommand ended with code {code}"))))
        }
        (Kind::Command, None) => {
            let signal = status.signal().unwrap_or_default();
            Some(Some((
                LogLevel::Fatal,
                format!("Connection closed by {peer}: ProxyCommand was ended by signal {signal}"),
            )))
        }
    }
}

/// The line for an end that was not our wish.
fn of_error(
    error: &Error,
    io: Option<&io::Error>,
    authenticated: bool,
    options: &ClientOptions,
    address: Option<SocketAddr>,
) -> Option<(LogLevel, String)> {
    let (user, host) = (&options.user, &options.host_name);
    let peer = peer(address);
    let fatal = |line: String| Some((LogLevel::Fatal, line));
    match error {
        Error::HostKeyRefused => fatal("Host key verification failed.".to_owned()),
        Error::AuthFailed { methods } => {
            let methods = clean_line(methods.join(",").as_bytes(), MAX_TEXT);
            fatal(format!("{user}@{host}: Permission denied ({methods})."))
        }
        Error::Disconnected { reason, description } => {
            let text = clean_line(description.as_bytes(), MAX_TEXT);
            fatal(format!("Received disconnect from {peer}:{reason}: {text}\nDisconnected from {peer}"))
        }
        Error::TimedOut(Timer::Keepalive) => fatal(format!("Timeout, server {host} not responding.")),
        Error::TimedOut(Timer::FirstKex) => {
            Some((LogLevel::Error, format!("Connection to {peer} timed out during the handshake")))
        }
        Error::TimedOut(_) => fatal(format!("Connection to {peer} timed out")),
        Error::PeerIncompatible(Incompatibility::NoCommon { what, theirs, .. }) => {
            fatal(format!("Unable to negotiate with {peer}: no matching {what} found. Their offer: {theirs}"))
        }
        Error::ConnectionLost => match (io, authenticated) {
            (Some(error), false) => fatal(format!("{} by {peer}", reset(error))),
            (Some(error), true) => fatal(format!("Read from remote host {host}: {}", plain(error))),
            (None, false) => fatal(format!("Connection closed by {peer}")),
            (None, true) => Some((LogLevel::Info, format!("Connection to {host} closed by remote host."))),
        },
        other => fatal(format!("ssh: connection with {peer}: {}", clean_line(other.to_string().as_bytes(), MAX_TEXT))),
    }
}

fn reset(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset => "Connection reset".to_owned(),
        _ => format!("{}: connection ended", plain(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ssh::offer::client_sets;
    use crate::world::Machine;
    use nacre_config::client::{Invocation, resolve};

    fn line(error: Error, io: Option<io::Error>, authenticated: bool) -> String {
        let options = vec!["User u".to_owned()];
        let invocation = Invocation { host: "h".to_owned(), options, ..Invocation::default() };
        let options = resolve(&Machine, &client_sets(), &invocation).unwrap();
        let address = Some("192.0.2.1:22".parse().unwrap());
        of_error(&error, io.as_ref(), authenticated, &options, address).unwrap().1
    }

    #[test]
    fn one_clear_line_each() {
        let methods = vec!["publickey".to_owned(), "password".to_owned()];
        assert_eq!(line(Error::AuthFailed { methods }, None, false), "u@h: Permission denied (publickey,password).");
        assert_eq!(line(Error::HostKeyRefused, None, false), "Host key verification failed.");
        assert_eq!(line(Error::ConnectionLost, None, false), "Connection closed by 192.0.2.1 port 22");
        assert_eq!(line(Error::ConnectionLost, None, true), "Connection to h closed by remote host.");
        let reset = || Some(io::Error::from_raw_os_error(104));
        assert_eq!(line(Error::ConnectionLost, reset(), false), "Connection reset by 192.0.2.1 port 22");
        assert_eq!(line(Error::ConnectionLost, reset(), true), "Read from remote host h: Connection reset by peer");
        assert_eq!(line(Error::TimedOut(Timer::Keepalive), None, true), "Timeout, server h not responding.");
    }

    #[test]
    fn u01_a_disconnect_cannot_draw_on_the_terminal() {
        let description = "bye\x1b[2J\u{9b}\r\nu@h's password: ".to_owned();
        let text = line(Error::Disconnected { reason: 2, description }, None, true);
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(text.starts_with("Received disconnect from 192.0.2.1 port 22:2: bye"), "{text:?}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn exit_codes() {
        let story = |end, exit| Story { end: Some(end), exit, had_terminal: false, authenticated: true };
        assert_eq!(code(&story(End::Done, Some(Exit::Status(0)))), 0);
        assert_eq!(code(&story(End::Done, Some(Exit::Status(7)))), 7);
        assert_eq!(code(&story(End::Done, Some(Exit::Status(0x103)))), 3);
        assert_eq!(code(&story(End::Done, None)), 255);
        assert_eq!(code(&story(End::Done, Some(Exit::Signal(String::new())))), 255);
        assert_eq!(code(&story(End::Interrupted, None)), 130);
        assert_eq!(code(&story(End::Signal(15), Some(Exit::Status(0)))), 255);
    }
}
