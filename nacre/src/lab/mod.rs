//! `nacre lab`: the classroom protocols on sockets of this machine.
//!
//! What they do is in `nacre_lab`; here are the sockets, the terminal and the clock.

pub mod attack;
mod challenge;
mod clock;
mod command;
mod compare;
mod cost;
mod identity;
mod join;
mod lines;
mod link;
mod program;
mod screen;
mod serve;
#[cfg(feature = "tls")]
pub mod tls;
mod trace;
mod watch;
mod wire;

use crate::cli::lab::{LabArgs, PartArgs};
use crate::failure::Failure;
use crate::output;
use nacre_lab::{Protocol, Randomness, dh_chat, mini_ssh};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Exit code of an attack that could not be performed, and of a flag that nothing can be said of.
const UNDECIDED: u8 = 3;

/// Does what is asked.
///
/// # Errors
/// There is no such port or server, or a flag's value cannot be had.
pub fn run(args: &LabArgs) -> Result<ExitCode, Failure> {
    match args {
        LabArgs::Overview => output::print(&overview()).map(|()| ExitCode::SUCCESS),
        LabArgs::Serve(part) => within(serve::run(part)),
        LabArgs::Watch { json, part } => watch::run(part, *json).map(|()| ExitCode::SUCCESS),
        LabArgs::Attack(args) => within(attack::run(args)).map_err(undecided),
        LabArgs::Compare { json, tls } => compare::run(*json, *tls).map(|()| ExitCode::SUCCESS),
        LabArgs::Matrix => attack::matrix().map(|()| ExitCode::SUCCESS),
        LabArgs::AttackSsh { what, kind, json } => attack::ssh::run(*what, *kind, *json).map_err(undecided),
        LabArgs::Challenge(args) => challenge::run(args),
        LabArgs::Verify { number, flag } => challenge::verify(*number, flag),
        LabArgs::Cost(args) => cost::run(args).map(|()| ExitCode::SUCCESS),
        LabArgs::Attacks => attack::list().map(|()| ExitCode::SUCCESS),
        LabArgs::Join { host, part } => within(join::run(host, part)),
    }
}

fn within(part: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| failed(format!("cannot start the runtime: {error}")))?.block_on(part)
}

/// What there is, for somebody who has just typed `nacre lab`.
fn overview() -> String {
    let mut out = String::from(
        "nacre lab - the protocols that people learn from, to run, to watch and to break\n\n\
         The protocols, each as its description has it:\n",
    );
    for protocol in Protocol::CLASSROOM {
        let _ = writeln!(out, "  {:<11} port {:<6} {}", protocol.name(), protocol.port(), protocol.about());
    }
    out.push_str(
        "\nThree commands to begin with:\n  \
         nacre lab watch dh-chat            both ends of it, and what each does step by step\n  \
         nacre lab attack A2 --on dh-chat   why that is not enough, and what mends it\n  \
         nacre lab attacks                  the other attacks, and the fixes\n\n\
         To guess before you are told: `nacre lab attack A2 --ask`. What bits are worth: `nacre lab cost`.\n\
         Your turn, in any language: `nacre lab challenge` lists ten challenges.\n\
         To take part: `nacre lab serve dh-chat` in one terminal, `nacre lab join dh-chat` in another.\n\
         Everything stays on 127.0.0.1. None of these protocols is safe, and none is for use.\n",
    );
    out
}

fn failed(message: impl std::fmt::Display) -> Failure {
    Failure::new(format!("lab: {message}"))
}

/// An attack that could not be performed is not one that fails, nor is a flag wrong that could not be checked.
fn undecided(failure: Failure) -> Failure {
    match failure.exit_code() {
        1 => failure.code(UNDECIDED),
        _ => failure,
    }
}

/// SSH is in the laboratory to be attacked; to be used it has commands of its own.
fn not_of_the_classroom() -> Failure {
    failed("SSH is served by `nacre serve` and joined by `nacre ssh`")
}

fn randomness(part: &PartArgs) -> Randomness {
    Randomness::new(part.seed)
}

fn dh_chat_settings(part: &PartArgs) -> dh_chat::Settings {
    let usual = dh_chat::Settings::default();
    dh_chat::Settings {
        bits: part.bits.unwrap_or(usual.bits),
        iterations: part.iterations.unwrap_or(usual.iterations),
        checks: !part.no_checks,
        quiet_errors: part.quiet_errors,
    }
}

fn mini_ssh_settings(part: &PartArgs) -> mini_ssh::Settings {
    let usual = mini_ssh::Settings::default();
    mini_ssh::Settings {
        user: part.user.clone().unwrap_or(usual.user),
        password: part.password.clone().unwrap_or(usual.password),
        really_exec: part.really_exec,
    }
}
