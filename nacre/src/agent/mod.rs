//! `nacre agent`: holds private keys and signs for those who may ask.
//!
//! The protocol is `nacre_agent::server`'s; here are its socket ([`socket`]), its processes ([`launch`]), the loop that
//! serves clients ([`service`]) and the cryptography ([`vault`]).

mod confirm;
mod launch;
mod service;
pub(crate) mod shell;
pub(crate) mod socket;
mod vault;

use crate::cli::agent::{AgentAction, AgentArgs};
use crate::failure::Failure;
use crate::{output, version};
use std::process::ExitCode;

/// Runs the subcommand.
///
/// # Errors
/// The agent cannot start, or not be ended; exit code 1.
pub fn run(args: &AgentArgs) -> Result<ExitCode, Failure> {
    match &args.action {
        AgentAction::Version => output::complain(&version::compatible()),
        AgentAction::Kill => shell::kill(args.shell)?,
        AgentAction::Background => launch::background(args)?,
        AgentAction::Foreground { debug } => return launch::foreground(args, *debug),
        AgentAction::Command(command) => return Err(launch::command(args, command)),
    }
    Ok(ExitCode::SUCCESS)
}

fn failure(text: impl std::fmt::Display) -> Failure {
    Failure::new(format!("agent: {text}"))
}
