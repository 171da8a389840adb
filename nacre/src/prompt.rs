//! Questions to the person at the terminal, with the fall-backs that scripts rely on.

use crate::failure::Failure;
use crate::output;
use nacre_sys::terminal::Tty;
use std::io::{self, BufRead, IsTerminal};
use zeroize::Zeroizing;

/// The longest line taken from a pipe, in bytes.
const LONGEST: u64 = 8192;

/// Asks with the answer not shown: on the terminal, or without one the next line of standard
/// input. `None` is end of file.
///
/// # Errors
/// The question was interrupted, or nobody can be asked.
pub fn hidden(question: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    match Tty::open() {
        Ok(tty) => tty.ask_hidden(question).map_err(interrupted),
        Err(_) => {
            output::complain(question.trim_end());
            stdin_line()
        }
    }
}

/// Asks on standard output and reads the answer from standard input, as `ssh-keygen` does for
/// names and for yes or no. `None` is end of file.
///
/// # Errors
/// Standard input or output failed.
pub fn visible(question: &str) -> Result<Option<String>, Failure> {
    output::print(question)?;
    let line = stdin_line()?;
    Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned()))
}

/// The next line of standard input without its end; `None` at its end.
///
/// # Errors
/// It cannot be read, or the line is too long to be an answer.
pub fn stdin_line() -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    // Room for the whole line at once: no reallocation leaves a copy of a secret behind.
    let mut line = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST).unwrap_or_default() + 2));
    let mut input = io::Read::take(io::stdin().lock(), LONGEST + 1);
    input.read_until(b'\n', &mut line).map_err(|error| Failure::new(format!("standard input: {error}")))?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if u64::try_from(line.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(Failure::new("the line on standard input is too long"));
    }
    Ok(Some(line))
}

/// Whether a person sits at standard input.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

fn interrupted(error: io::Error) -> Failure {
    match error.kind() {
        // What a shell reports after Ctrl-C; the terminal has moved to a new line already.
        io::ErrorKind::Interrupted => Failure::silent(130),
        _ => Failure::new(error.to_string()),
    }
}
