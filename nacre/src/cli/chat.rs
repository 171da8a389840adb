//! `nacre chat`: the rows of the command table.

use super::serve;
use clap::Command;

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("chat")
        .about("A chat that every ssh can join")
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .subcommands([serve::chat_command()])
}
