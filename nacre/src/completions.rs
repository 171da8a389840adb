//! `nacre completions`: shell completions drawn from the command table.

use crate::failure::Failure;
use crate::{cli, output};
use clap_complete::Shell;

/// Prints the completions for `shell`.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::table(), "nacre", &mut script);
    output::print_bytes(&script)
}
