//! Printing that survives a reader who has gone away.
//!
//! Rust ignores SIGPIPE, and its print macros panic when the reader of a pipe has closed it
//! (`nacre man ssh | head -1`). Here that is an ordinary, quiet end.

use crate::failure::Failure;
use std::io::{self, IsTerminal, Write};

/// Writes `text` to standard output as it stands.
///
/// # Errors
/// A closed pipe becomes the quiet [`Failure::closed_pipe`]; a full disk and the like say so.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// [`print()`] for bytes.
///
/// # Errors
/// As [`print()`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::closed_pipe(),
        _ => Failure::new(format!("cannot write to standard output: {error}")),
    })
}

/// Whether what goes there may have colours: it is a terminal, and nobody set NO_COLOR.
pub fn in_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Writes one line to standard error. A failure is ignored: there is nowhere left to say so.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
