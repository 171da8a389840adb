//! `nacre man`: manual pages drawn from the command table.

use crate::cli::pages::ManRequest;
use crate::failure::{Failure, USAGE};
use crate::{cli, output};
use clap::Command;
use std::fs;
use std::path::Path;

/// The program's name, and the first part of every page's.
const PROGRAM: &str = "nacre";

/// Prints one page, or writes all of them.
///
/// # Errors
/// There is no such command, or a file cannot be written.
pub fn run(request: &ManRequest) -> Result<(), Failure> {
    match request {
        ManRequest::One(None) => output::print_bytes(&page(&named(cli::table()))),
        ManRequest::One(Some(name)) => {
            match pages().find(|command| command.get_name() == format!("{PROGRAM}-{name}")) {
                Some(command) => output::print_bytes(&page(&command)),
                None => {
                    let known: Vec<_> = cli::table().get_subcommands().map(|c| c.get_name().to_owned()).collect();
                    let message = format!("man: there is no command '{}'", name.escape_debug());
                    Err(Failure::with_code(USAGE, message).hint(format!("known: {}", known.join(", "))))
                }
            }
        }
        ManRequest::All(directory) => write_all(directory),
    }
}

fn write_all(directory: &Path) -> Result<(), Failure> {
    let failed = |what: &Path, error: std::io::Error| Failure::new(format!("man: {}: {error}", what.display()));
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    for command in std::iter::once(named(cli::table())).chain(pages()) {
        let path = directory.join(format!("{}.1", command.get_name()));
        fs::write(&path, page(&command)).map_err(|error| failed(&path, error))?;
        output::print(&format!("{}\n", path.display()))?;
    }
    Ok(())
}

/// Every subcommand as a command of its own, named as its page is: `nacre-ssh`.
fn pages() -> impl Iterator<Item = Command> {
    cli::table().get_subcommands().map(|c| named(c.clone())).collect::<Vec<_>>().into_iter()
}

/// Gives a row of the table the name and the description its page has. What `--help` prints
/// last, so that the flags come first, a manual page says first.
fn named(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let description = match (command.get_about(), command.get_after_help()) {
        (Some(about), Some(more)) => format!("{about}.\n\n{more}"),
        (about, more) => about.or(more).map(ToString::to_string).unwrap_or_default(),
    };
    let command = command.long_about(description).after_help("");
    if name == PROGRAM {
        return command;
    }
    let page_name = format!("{PROGRAM}-{name}");
    command
        .bin_name(format!("{PROGRAM} {name}"))
        .display_name(page_name.clone())
        .name(page_name)
        .version(crate::version::VERSION)
        .disable_version_flag(true)
}

/// The page in roff. The synopsis is the one line of `--help` in place of every flag.
fn page(command: &Command) -> Vec<u8> {
    let man = clap_mangen::Man::new(command.clone()).source(format!("Nacre {}", crate::version::VERSION));
    let usage = command.clone().render_usage().to_string();
    let mut synopsis = roff::Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]).text([roff::roman(usage.trim_start_matches("Usage: "))]);
    let mut out = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = man
        .render_title(&mut out)
        .and_then(|()| man.render_name_section(&mut out))
        .and_then(|()| synopsis.to_writer(&mut out))
        .and_then(|()| man.render_description_section(&mut out))
        .and_then(|()| man.render_options_section(&mut out))
        .and_then(|()| match command.has_subcommands() {
            true => man.render_subcommands_section(&mut out),
            false => Ok(()),
        });
    out
}
