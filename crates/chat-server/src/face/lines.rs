//! The plain face without a terminal: lines in, lines out. `ssh -T`, and programs that read text.

use super::printer::Printer;
use super::{Asked, Face};
use nacre_chat::limits::BODY_BYTES;
use nacre_chat::{Event, Time};

/// Bytes of a line that are kept: a few more than the engine takes, so that it says why it takes no more.
const LINE_BYTES: usize = BODY_BYTES + 1024;

/// Cuts what arrives into lines, each within a bound.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    line: Vec<u8>,
}

impl LineReader {
    /// Takes bytes and calls back with each line, without its end. What is beyond the bound is left out.
    pub(super) fn feed(&mut self, bytes: &[u8], most: usize, mut each: impl FnMut(Vec<u8>)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = most.saturating_sub(self.line.len()).min(text.len());
            self.line.extend_from_slice(text.get(..room).unwrap_or_default());
            if ended {
                let mut line = std::mem::take(&mut self.line);
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                each(line);
            }
        }
    }
}

/// Lines in, lines out.
#[derive(Debug)]
pub struct Lines {
    reader: LineReader,
    printer: Printer,
    out: Vec<u8>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { reader: LineReader::default(), printer: Printer::new(), out: Vec::new() }
    }
}

impl Face for Lines {
    fn typed(&mut self, _now: Time, bytes: &[u8], asked: &mut Vec<Asked>) {
        self.reader.feed(bytes, LINE_BYTES, |line| {
            if !line.iter().all(u8::is_ascii_whitespace) {
                asked.push(Asked::Typed(line));
            }
        });
    }

    fn show(&mut self, _now: Time, event: &Event, _ring: bool) {
        for line in self.printer.lines(event) {
            self.out.extend_from_slice(line.as_bytes());
            self.out.push(b'\n');
        }
    }

    fn draw(&mut self, _now: Time, out: &mut Vec<u8>) {
        out.append(&mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn typed(pieces: &[&[u8]]) -> Vec<Asked> {
        let (mut face, mut asked) = (Lines::default(), Vec::new());
        for piece in pieces {
            face.typed(Time(0), piece, &mut asked);
        }
        asked
    }

    #[test]
    fn lines_are_what_ends_with_a_line_feed() {
        let said = |text: &str| Asked::Typed(text.as_bytes().to_vec());
        assert_eq!(typed(&[b"one\r\ntw", b"o\n \n\nthree"]), [said("one"), said("two")]);
    }

    #[test]
    fn u08_a_line_without_end_is_kept_within_a_bound() {
        let mut face = Lines::default();
        let mut asked = Vec::new();
        for _ in 0..1000 {
            face.typed(Time(0), &[b'x'; 10_000], &mut asked);
        }
        assert!(asked.is_empty() && face.reader.line.capacity() <= 2 * LINE_BYTES);
        face.typed(Time(0), b"\nnext\n", &mut asked);
        assert_eq!(asked, [Asked::Typed(vec![b'x'; LINE_BYTES]), Asked::Typed(b"next".to_vec())]);
    }

    #[test]
    fn events_are_lines() {
        let mut face = Lines::default();
        face.show(Time(0), &Event::Notice { place: None, text: Arc::from("one\ntwo"), at: Time(0) }, true);
        let mut out = Vec::new();
        face.draw(Time(0), &mut out);
        let text = String::from_utf8_lossy(&out);
        assert!(text.starts_with("[00:00:00] [SYSTEM] one\n") && text.ends_with("two\n"), "{text}");
    }
}
