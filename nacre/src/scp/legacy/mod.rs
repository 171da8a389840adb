//! The old scp protocol: what `-O` asks for, and what `scp -t` and `scp -f` speak when a server runs them.

mod control;
mod incoming;
mod pace;
mod request;
mod sink;
mod source;
mod tell;
mod wire;

pub use pace::Pace;
pub use request::Request;
pub use sink::{Receiving, receive};
pub use source::{Sending, send};
pub use tell::{Tell, line, reason};
pub use wire::{Answer, Wire};

use crate::cli::scp::{Role, ScpArgs};
use crate::failure::Failure;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use tell::Silent;

/// Runs as the end that a server started: the far side is on standard input and output.
///
/// # Errors
/// There are no descriptors left. What happens to files is told to the far side.
pub fn run_role(args: &ScpArgs) -> Result<ExitCode, Failure> {
    let copy = |fd: &dyn AsFd| fd.as_fd().try_clone_to_owned().map_err(|error| Failure::new(format!("scp: {error}")));
    let (input, output) = (copy(&io::stdin())?, copy(&io::stdout())?);
    nacre_sys::stdio::widen_pipe(&input);
    nacre_sys::stdio::widen_pipe(&output);
    let (mut wire, mut pace, mut tell) = (Wire::new(input, output), Pace::new(args.limit), Silent::default());
    let result = match args.role {
        Role::Sink => as_sink(args, &mut wire, &mut pace, &mut tell),
        _ => as_source(args, &mut wire, &mut pace, &mut tell),
    };
    // The far side knows already, or has gone.
    Ok(if result.is_ok() && !tell.any_failed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_sink(args: &ScpArgs, wire: &mut Wire, pace: &mut Pace, tell: &mut Silent) -> io::Result<()> {
    let [target] = args.words.as_slice() else {
        return wire.failed("ambiguous target").and_then(|()| Err(io::ErrorKind::InvalidInput.into()));
    };
    let receiving =
        Receiving { recursive: args.recursive, preserve: args.preserve, folder: args.target_is_folder, request: None };
    receive(wire, Path::new(target), &receiving, pace, tell)
}

fn as_source(args: &ScpArgs, wire: &mut Wire, pace: &mut Pace, tell: &mut Silent) -> io::Result<()> {
    let sending = Sending { recursive: args.recursive, preserve: args.preserve };
    let paths: Vec<&Path> = args.words.iter().map(Path::new).collect();
    match wire.answer()? {
        Answer::Good => send(wire, &paths, sending, pace, tell),
        _ => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}
