//! Where lines come from: a person at a terminal, a file, or whatever standard input is.

use super::editor::Editor;
use super::session::{Session, Trouble};
use crate::failure::{Failure, SSH};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// The lines of a session.
pub(super) enum Input {
    /// From a terminal; the editor comes with the first line.
    Person(Option<Box<Editor>>),
    /// From anything else.
    Lines(Box<dyn BufRead>),
}

impl Input {
    /// `batch` is the file of `-b`; `-` for standard input.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(batch: Option<&Path>) -> Result<Self, Failure> {
        let standard = || Self::Lines(Box::new(BufReader::new(io::stdin())));
        match batch {
            None if io::stdin().is_terminal() => Ok(Self::Person(None)),
            None => Ok(standard()),
            Some(path) if path.as_os_str() == "-" => Ok(standard()),
            Some(path) => match File::open(path) {
                Ok(file) => Ok(Self::Lines(Box::new(BufReader::new(file)))),
                Err(error) => {
                    let path = path.display();
                    Err(Failure::with_code(SSH, format!("sftp: {path}: {}", super::local::reason(&error))))
                }
            },
        }
    }

    /// The next line without its line feed; none at the end.
    pub fn next(&mut self, session: &Session<'_>) -> Result<Option<Vec<u8>>, Trouble> {
        match self {
            Self::Person(Some(editor)) => editor.next(),
            Self::Person(editor) => editor.insert(Box::new(Editor::new(session)?)).next(),
            Self::Lines(lines) => {
                let mut line = Vec::new();
                let read = lines.take(MAX_LINE).read_until(b'\n', &mut line);
                let count = read.map_err(|error| Trouble::Say(format!("reading commands: {error}")))?;
                while matches!(line.last(), Some(b'\n' | b'\r')) {
                    line.pop();
                }
                Ok((count > 0).then_some(line))
            }
        }
    }
}
