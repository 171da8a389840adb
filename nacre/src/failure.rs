//! How a subcommand fails: one line that says what, one that says what to do, and an exit code.

use crate::output;
use std::process::ExitCode;

/// Exit code of a command line that cannot be understood.
pub const USAGE: u8 = 2;
/// Exit code that `ssh` keeps for its own errors, so that a remote command's codes stand apart.
pub const SSH: u8 = 255;
/// What a shell reports for a program ended by SIGPIPE.
const CLOSED_PIPE: u8 = 141;

/// The reason a subcommand ends without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    message: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// A failure with exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self::with_code(1, message)
    }

    /// A failure with the exit code given.
    pub fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), hint: None }
    }

    /// A failure whose message has been printed already, or that needs none.
    pub const fn silent(code: u8) -> Self {
        Self { code, message: None, hint: None }
    }

    /// The reader of our standard output has gone: nothing to say, and nobody to say it to.
    pub const fn closed_pipe() -> Self {
        Self::silent(CLOSED_PIPE)
    }

    /// The same failure with another exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// The same failure with a second line that says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code.
    pub const fn exit_code(&self) -> u8 {
        self.code
    }

    /// The first line without the leading `nacre: `; empty when there is nothing to say.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// The second line, if any.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Prints the failure on standard error and yields the process's exit code.
    pub fn report(&self) -> ExitCode {
        if let Some(message) = &self.message {
            output::complain(&format!("nacre: {message}"));
        }
        if let Some(hint) = &self.hint {
            output::complain(&format!("  hint: {hint}"));
        }
        ExitCode::from(self.code)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Failure {}
