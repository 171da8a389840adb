//! `-O`: what is asked of a master without a session.

use super::super::connect::plain;
use super::super::log::Log;
use super::ends;
use super::link::{Answer, Link, NoLink};
use crate::output;
use nacre_config::client::{ClientOptions, LogLevel};
use nacre_wire::share::{Reply, Request};
use std::io;

/// What forwardings are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A session that follows.
    Session,
    /// Themselves: a port that the server chose is printed.
    Themselves,
    /// To be taken back.
    Cancel,
}

/// Asks the master for what the word says; gives the exit code.
///
/// # Errors
/// The line to end with.
pub fn run(word: &str, options: &ClientOptions, log: &Log) -> Result<u8, String> {
    match word {
        "check" | "exit" | "stop" | "forward" | "cancel" => {}
        "conninfo" | "channels" => return Err(format!("ssh: -O {word} is not done here")),
        _ => return Err("Invalid multiplex command.".to_owned()),
    }
    let mut link = reach(options)?;
    match word {
        "check" => check(&mut link, log),
        "exit" => told(&mut link, log, |id| Request::Terminate { id }, "termination request", "Exit request sent."),
        "stop" => {
            let request = |id| Request::StopListening { id };
            told(&mut link, log, request, "stop listening request", "Stop listening request sent.")
        }
        "forward" if !forwards(options, &mut link, Purpose::Themselves, log) => {
            Err("master forward request failed".to_owned())
        }
        "cancel" if !forwards(options, &mut link, Purpose::Cancel, log) => {
            // As ssh ends then.
            log.error("master cancel forward request failed");
            Ok(0)
        }
        _ => Ok(0),
    }
}

/// The master that must be there.
pub fn reach(options: &ClientOptions) -> Result<Link, String> {
    let Some(path) = options.control_path.as_deref() else {
        return Err("No ControlPath specified for \"-O\" command".to_owned());
    };
    Link::connect(options, path).map_err(|error| match error {
        NoLink::System(error) => format!("Control socket connect({path}): {}", plain(&error)),
        NoLink::Other(line) => line,
    })
}

fn check(link: &mut Link, log: &Log) -> Result<u8, String> {
    let id = link.number();
    match link.ask(&Request::AliveCheck { id }, &[]) {
        Ok(Answer::Done(Reply::Alive { pid, .. })) => {
            log.tell(&format!("Master running (pid={pid})"));
            Ok(0)
        }
        _ => Err("master alive check failed".to_owned()),
    }
}

/// A request that needs no more than a yes.
fn told(link: &mut Link, log: &Log, request: impl Fn(u32) -> Request, what: &str, done: &str) -> Result<u8, String> {
    let id = link.number();
    match link.ask(&request(id), &[]) {
        Ok(Answer::Done(_)) => {}
        Ok(Answer::Denied(reason)) => return Err(format!("Master refused {what}: {reason}")),
        Ok(Answer::Failed(reason)) => return Err(format!("{what} failed: {reason}")),
        // One that ended at once had no time to say so.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Err(error) => return Err(format!("read from master failed: {}", plain(&error))),
    }
    if log.wants(LogLevel::Fatal) {
        log.tell(done);
    }
    Ok(0)
}

/// Asks for every forwarding of the configuration, or takes each back. False when one could not be had; that is told.
pub fn forwards(options: &ClientOptions, link: &mut Link, purpose: Purpose, log: &Log) -> bool {
    let mut fine = true;
    for (kind, forward) in &options.forwards {
        let (id, forward) = (link.number(), ends::to_wire(*kind, forward));
        let request = match purpose {
            Purpose::Cancel => Request::CloseForward { id, forward },
            Purpose::Session | Purpose::Themselves => Request::OpenForward { id, forward },
        };
        match link.ask(&request, &[]) {
            Ok(Answer::Done(Reply::RemotePort { port, .. })) => {
                log.verbose(&format!("Allocated port {port} for remote forward"));
                if purpose == Purpose::Themselves {
                    let _ = output::print(&format!("{port}\n"));
                }
            }
            Ok(Answer::Done(_)) => {}
            Ok(Answer::Denied(reason)) => {
                log.error(&format!("Master refused forwarding request: {reason}"));
                fine = false;
            }
            Ok(Answer::Failed(reason)) => {
                log.error(&format!("forwarding request failed: {reason}"));
                fine = false;
            }
            Err(error) => {
                log.error(&format!("read from master failed: {}", plain(&error)));
                return false;
            }
        }
    }
    fine
}
