//! `nacre add`: gives private keys to an agent, lists them, takes them away.
//!
//! The words on standard error and the exit codes are ssh-add's, because scripts read them: 0, 1 when something failed
//! or the agent holds no key, 2 when there is no agent.

mod destinations;
mod files;
mod give;
pub mod link;
mod list;
mod lock;
mod remove;
mod test;

use crate::cli::add::{AddAction, AddArgs};
use crate::failure::Failure;
use crate::{output, state};
use link::Link;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The files that are taken when none is named, in the order of ssh-add; those of security keys are not among them.
const USUAL: [&str; 3] = ["id_rsa", "id_ecdsa", "id_ed25519"];

/// Runs the subcommand.
///
/// # Errors
/// There is no agent (2), or a question was interrupted.
pub fn run(args: &AddArgs) -> Result<ExitCode, Failure> {
    let mut link = Link::open(args)?;
    let well = match args.action {
        AddAction::Add => give::run(args, &mut link)?,
        AddAction::Remove => remove::files(args, &mut link)?,
        AddAction::RemoveAll => remove::all(args, &mut link),
        AddAction::Fingerprints => list::run(args, &mut link, false)?,
        AddAction::PublicKeys => list::run(args, &mut link, true)?,
        AddAction::Test => test::run(args, &mut link),
        AddAction::Lock => lock::lock(&mut link)?,
        AddAction::Unlock => lock::unlock(&mut link)?,
    };
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Does something for each file named, or for each of the usual ones that is there. True when it went well for all of
/// them, and there was one.
fn each_file(args: &AddArgs, mut act: impl FnMut(&Path) -> Result<bool, Failure>) -> Result<bool, Failure> {
    let files = if args.files.is_empty() { usual_files()? } else { args.files.clone() };
    let mut well = !files.is_empty();
    for file in files {
        well &= act(&file)?;
    }
    Ok(well)
}

fn usual_files() -> Result<Vec<PathBuf>, Failure> {
    let folder = state::home()?.join(".ssh");
    Ok(USUAL.iter().map(|name| folder.join(name)).filter(|path| path.exists()).collect())
}

/// Prints a line that is left out under `-q`.
fn tell(args: &AddArgs, line: &str) {
    if !args.quiet {
        output::complain(line);
    }
}

/// Text of a key file or of the agent made fit for a terminal.
fn shown(text: &str) -> String {
    nacre_wire::text::clean_line(text.as_bytes(), 1024)
}
