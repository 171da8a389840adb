//! `nacre man`: manual pages drawn from the command table.

use crate::cli::pages::ManRequest;
use crate::failure::{Failure, USAGE};
use crate::{cli, output};
use clap::Command;
use std::fs;
use std::path::Path;

/// Prints one page, or writes all of them.
///
/// # Errors
/// There is no such command, or a file cannot be written.
pub fn run(request: &ManRequest) -> Result<(), Failure> {
    match request {
        ManRequest::One(None) => output::print_bytes(&page(&named(cli::table()))),
        ManRequest::One(Some(name)) => match pages().find(|command| command.get_name() == format!("nacre-{name}")) {
            Some(command) => output::print_bytes(&page(&command)),
            None => {
                let known: Vec<_> = cli::table().get_subcommands().map(|c| c.get_name().to_owned()).collect();
                let message = format!("man: there is no command '{}'", name.escape_debug());
                Err(Failure::with_code(USAGE, message).hint(format!("known: {}", known.join(", "))))
            }
        },
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

fn named(command: Command) -> Command {
    let name = command.get_name().to_owned();
    if name == "nacre" {
        return command;
    }
    command
        .bin_name(format!("nacre {name}"))
        .display_name(format!("nacre-{name}"))
        .name(format!("nacre-{name}"))
        .version(crate::version::VERSION)
        .disable_version_flag(true)
}

fn page(command: &Command) -> Vec<u8> {
    let mut roff = Vec::new();
    // Writing to a Vec cannot fail.
    let _ =
        clap_mangen::Man::new(command.clone()).source(format!("Nacre {}", crate::version::VERSION)).render(&mut roff);
    roff
}
