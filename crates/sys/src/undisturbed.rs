//! A child in our own process group that Ctrl-C does not end.
//!
//! It has to stay in the group, or it could not ask for a passphrase on the terminal; so it ignores the signal.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigHandler, Signal, signal};

/// Makes the program that `command` starts ignore SIGINT from its first instruction on.
pub fn ignores_interrupts(command: &mut Command) {
    let ignore = || {
        // SAFETY: SIG_IGN runs no code of ours.
        unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) }?;
        Ok(())
    };
    // SAFETY: runs between fork and exec; signal(2) is async-signal-safe, and nothing is allocated or locked.
    unsafe { command.pre_exec(ignore) };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_interrupt_passes_such_a_child_by() {
        let ends = |undisturbed: bool| {
            // Whoever runs the tests may ignore the signal, which is handed down.
            let mut command = Command::new("env");
            let shell = ["sh", "-c", "kill -INT $$; exit 7"];
            command.args((!undisturbed).then_some("--default-signal=INT")).args(shell);
            if undisturbed {
                ignores_interrupts(&mut command);
            }
            command.status().unwrap().code()
        };
        assert_eq!(ends(true), Some(7));
        assert_eq!(ends(false), None);
    }
}
