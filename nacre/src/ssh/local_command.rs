//! Commands that are run on this side: LocalCommand, and `!` at the command line of `~C`.

use super::log::Log;
use std::path::Path;
use std::process::Command;

/// Runs a command line by the person's shell and waits for it, as ssh does. Its exit status changes nothing.
pub fn run(line: &str, log: &Log) {
    let shell = std::env::var_os("SHELL").filter(|shell| Path::new(shell).is_absolute());
    log.debug(|| format!("executing {line}"));
    let run = Command::new(shell.unwrap_or_else(|| "/bin/sh".into())).arg("-c").arg(line).status();
    if let Err(error) = run {
        log.error(&format!("Couldn't execute the local command: {}", super::connect::plain(&error)));
    }
}
