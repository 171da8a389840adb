//! `nacre lab challenge` and `nacre lab verify`: flags behind ports of this machine.

mod flags;
mod play;

use super::attack::tell::paragraph;
use super::{failed, undecided, within};
use crate::cli::lab::ChallengeArgs;
use crate::failure::Failure;
use crate::output;
use nacre_lab::Fixes;
use nacre_lab::challenge::Challenge;
use std::fmt::Write as _;
use std::process::ExitCode;

/// A challenge and its number.
#[derive(Clone, Copy)]
struct Numbered {
    number: u8,
    challenge: &'static Challenge,
}

impl Numbered {
    fn new(number: u8) -> Result<Self, Failure> {
        let challenge = Challenge::from_number(usize::from(number));
        let challenge = challenge.ok_or_else(|| failed(format!("there is no challenge {number}")))?;
        Ok(Self { number, challenge })
    }
}

/// Lists the challenges, gives a hint, or opens one until it is told to stop.
///
/// # Errors
/// A port is taken, or the state's folder cannot be used.
pub fn run(args: &ChallengeArgs) -> Result<ExitCode, Failure> {
    let Some(number) = args.number else { return list().map(|()| ExitCode::SUCCESS) };
    let numbered = Numbered::new(number)?;
    match args.hint {
        Some(hint) => hinted(numbered, hint).map(|()| ExitCode::SUCCESS),
        None => within(play::run(numbered, args)),
    }
}

/// Whether this is the flag of a game that was opened here: 0, or 1 when it is not. Whoever cannot tell says 3.
///
/// # Errors
/// It is not; there was no such game, or the state's folder cannot be used.
pub fn verify(number: u8, flag: &str) -> Result<ExitCode, Failure> {
    let Numbered { challenge, .. } = Numbered::new(number)?;
    if !flags::is_right(number, flag.trim()).map_err(undecided)? {
        return Err(failed(format!("this is not the flag of challenge {number}")));
    }
    flags::solve(number).map_err(undecided)?;
    let mut out = format!("Right: challenge {number}, {}, is solved.\n\n", challenge.title);
    out += &paragraph("WHY", challenge.solution);
    let command = format!("nacre lab attack {} --on {}", challenge.attack, challenge.protocol.name());
    out += &paragraph("SEE", &format!("`{command}` does the same, and again with the fix."));
    output::print(&out).map(|()| ExitCode::SUCCESS)
}

fn list() -> Result<(), Failure> {
    let mut out = String::from("Challenges (nacre lab challenge N opens one):\n");
    for (challenge, number) in Challenge::ALL.iter().zip(1..) {
        let solved = if flags::is_solved(number)? { "solved" } else { "" };
        let Challenge { title, difficulty, protocol, .. } = challenge;
        let line = format!("  {number:>2}  {difficulty:<7} {title:<22} {:<11} {solved}", protocol.name());
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str("Attack with what you like. When you have a flag: nacre lab verify N FLAG\n");
    output::print(&out)
}

fn hinted(Numbered { number, challenge }: Numbered, hint: u8) -> Result<(), Failure> {
    let text = usize::from(hint).checked_sub(1).and_then(|place| challenge.hints.get(place));
    let text = text.ok_or_else(|| failed(format!("there is no hint {hint}")))?;
    output::print(&paragraph(&format!("HINT {number}.{hint}"), text))
}

/// What somebody is told who opens one, with its ports.
fn told(Numbered { number, challenge }: Numbered, ports: &[u16]) -> String {
    let with = if challenge.fixes == Fixes::NONE { String::new() } else { format!(" with {}", challenge.fixes) };
    let (title, difficulty, name) = (challenge.title, challenge.difficulty, challenge.protocol.name());
    let mut out = format!("Challenge {number}: {title} ({difficulty}, {name}{with})\n\n");
    out += &paragraph("STORY", challenge.story);
    out.push('\n');
    for (gate, port) in challenge.gates.iter().zip(ports) {
        let _ = writeln!(out, "  127.0.0.1 port {port:<5}  {}", gate.about());
    }
    let _ = write!(
        out,
        "\nWhen you have the flag:  nacre lab verify {number} FLAG\n\
         One of three hints:      nacre lab challenge {number} --hint 1\n\
         The protocol, in bytes:  docs/LAB.md. Ctrl-C ends the challenge.\n",
    );
    out
}
