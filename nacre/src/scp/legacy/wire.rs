//! The two descriptors of the old protocol: lines, answers and file contents.

use super::control::MAX_LINE;
use nacre_wire::text::clean_line;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;

/// Bytes of a file that move at once.
pub const CHUNK: usize = 256 * 1024;

/// The most of a peer's message that is shown, in bytes.
const MAX_SHOWN: usize = 1024;

/// What the peer says to what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Good,
    /// This one failed, the rest may go on: its message, cleaned.
    Failed(String),
    /// Nothing goes on: its message, cleaned.
    Fatal(String),
}

/// The far side.
#[derive(Debug)]
pub struct Wire {
    input: BufReader<File>,
    output: File,
}

impl Wire {
    /// Over `input`, where its bytes come from, and `output`; both block.
    pub fn new(input: OwnedFd, output: OwnedFd) -> Self {
        Self { input: BufReader::with_capacity(CHUNK, File::from(input)), output: File::from(output) }
    }

    /// The next line without its end; `None` at the end of the stream.
    ///
    /// # Errors
    /// It cannot be read, is cut, or is longer than a line may be.
    pub fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.input.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) if line.len() + 1 == MAX_LINE => Err(wrong("the far side's line is too long")),
            Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// The stream ends or fails.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let mut first = [0];
        self.input.read_exact(&mut first)?;
        let [first] = first;
        if first == 0 {
            return Ok(Answer::Good);
        }
        let line = self.line()?.unwrap_or_default();
        let text = |line: &[u8]| clean_line(line, MAX_SHOWN);
        Ok(match first {
            1 => Answer::Failed(text(&line)),
            2 => Answer::Fatal(text(&line)),
            // Something else than scp speaks: a message of a login file, as a rule.
            other => Answer::Fatal(text(&[&[other], line.as_slice()].concat())),
        })
    }

    /// Says that all is well.
    ///
    /// # Errors
    /// The stream fails.
    pub fn good(&mut self) -> io::Result<()> {
        self.output.write_all(&[0])
    }

    /// Says that something failed and the rest may go on.
    ///
    /// # Errors
    /// The stream fails.
    pub fn failed(&mut self, message: &str) -> io::Result<()> {
        self.output.write_all(format!("\u{1}scp: {}\n", clean_line(message.as_bytes(), MAX_SHOWN)).as_bytes())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The stream fails.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)
    }

    /// Reads some bytes of a file, at least one.
    ///
    /// # Errors
    /// The stream ends or fails.
    pub fn receive<'a>(&mut self, space: &'a mut [u8]) -> io::Result<&'a [u8]> {
        loop {
            match self.input.read(space) {
                Ok(0) if !space.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => return Ok(space.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The far side breaks the protocol.
pub fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn saying(words: &[u8]) -> Wire {
        let (read, write) = rustix::pipe::pipe().unwrap();
        File::from(write).write_all(words).unwrap();
        Wire::new(read, File::open("/dev/null").unwrap().into())
    }

    #[test]
    fn answers_and_lines_are_told_apart() {
        let mut wire = saying(b"\0\x01scp: a\x1b[2J\n\x02end\nC0644 1 a\nMotd!\ncut");
        assert_eq!(wire.answer().unwrap(), Answer::Good);
        let Answer::Failed(text) = wire.answer().unwrap() else { unreachable!() };
        assert!(text.starts_with("scp: a") && !text.chars().any(char::is_control), "{text:?}");
        assert_eq!(wire.answer().unwrap(), Answer::Fatal("end".into()));
        assert_eq!(wire.line().unwrap().unwrap(), b"C0644 1 a");
        assert_eq!(wire.answer().unwrap(), Answer::Fatal("Motd!".into()));
        assert_eq!(wire.line().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(wire.line().unwrap(), None);
    }

    #[test]
    fn f10_a_line_without_end_is_not_collected() {
        let mut wire = saying(&[b'C'; 3 * MAX_LINE]);
        assert_eq!(wire.line().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
