//! The records as a story in the terminal.

use super::message::hex;
use super::record::{Bytes, Record, Row, Who};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Columns of the story.
const WIDTH: usize = 100;
/// Characters of a value that the story shows; `--json` has all of it.
const MAX_VALUE: usize = 128;

/// Bytes of a message that the story shows.
const MAX_BYTES_SHOWN: usize = 31;

/// Whether the story is coloured.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Use colours.
    pub colour: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The whole story: seven rows, each with what happened in it.
pub fn story(records: &[Record], style: Style) -> String {
    let mut out = String::new();
    for (row, place) in Row::ALL.iter().zip(1..) {
        let inside: Vec<&Record> = records.iter().filter(|record| record.row == *row).collect();
        let _ = writeln!(out, "{}", heading(place, *row, &inside, style));
        if inside.is_empty() {
            let _ = writeln!(out, "    {}", style.paint("2", "not reached"));
        }
        for record in inside {
            tell(&mut out, record, style);
        }
    }
    out
}

fn heading(place: usize, row: Row, inside: &[&Record], style: Style) -> String {
    let steps = match steps_of(inside) {
        steps if steps.is_empty() => steps,
        steps => format!(" {steps}"),
    };
    let title = style.paint("1;36", &format!("{place}. {}", row.title()));
    format!("{title}{}: {}", style.paint("36", &steps), row.purpose())
}

/// Which of the nine steps a row has, in brackets.
pub fn steps_of(inside: &[&Record]) -> String {
    let steps: BTreeSet<u8> = inside.iter().map(|record| record.step).collect();
    let numbers: Vec<String> = steps.iter().map(u8::to_string).collect();
    match numbers.as_slice() {
        [] => String::new(),
        [one] => format!("(step {one})"),
        several => format!("(steps {})", several.join(", ")),
    }
}

/// One record with what it unfolds to.
pub fn tell(out: &mut String, record: &Record, style: Style) {
    let arrow = match record.who {
        Who::Client => "client ->",
        Who::Server => "server <-",
        Who::Both => "both   ==",
    };
    let time = style.paint("2", &format!("{:>8.1} ms", record.at.as_secs_f64() * 1000.0));
    let message = record.message.as_ref().map(|message| format!("{message}: ")).unwrap_or_default();
    let more = match record.times {
        1 => String::new(),
        times => format!(" (and {} more such messages)", times - 1),
    };
    let _ = writeln!(out, "  {time}  {} {message}{}{more}", style.paint("1", arrow), record.text);
    for (label, value) in record.details.iter().chain(&below(record)) {
        for (line, first) in
            wrap(&shortened(value), WIDTH - 34).iter().zip(std::iter::once(true).chain(std::iter::repeat(false)))
        {
            let label = if first { label.as_str() } else { "" };
            let _ = writeln!(out, "{:16}{:<30}  {line}", "", style.paint("2", &format!("{label:<30}")));
        }
    }
}

/// What stands below the fields: the bytes, and how to see the same.
fn below(record: &Record) -> Vec<(String, String)> {
    let bytes = [("on the wire", &record.wire), ("the message in it", &record.plain)];
    let bytes = bytes.into_iter().filter(|(_, bytes)| !bytes.is_empty());
    let bytes = bytes.map(|(label, bytes)| (format!("{label}, {} bytes", bytes.count), start(bytes)));
    bytes.chain(record.check.iter().map(|check| ("check it yourself".to_owned(), check.clone()))).collect()
}

/// The first bytes, as many as fit one line.
fn start(bytes: &Bytes) -> String {
    let shown = bytes.first.get(..MAX_BYTES_SHOWN).unwrap_or(&bytes.first);
    let rest = if shown.len() < bytes.count { "..." } else { "" };
    format!("{}{rest}", hex(shown))
}

/// A long value without blanks (a public value, a hash) by its beginning and its length.
fn shortened(value: &str) -> String {
    if value.len() <= MAX_VALUE || value.contains(' ') {
        return value.to_owned();
    }
    let start: String = value.chars().take(MAX_VALUE / 2).collect();
    format!("{start}... ({} more characters)", value.chars().count() - MAX_VALUE / 2)
}

/// Breaks text at blanks, or within a word that is longer than a line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        let gap = usize::from(!line.is_empty());
        if line.chars().count() + gap + rest.len() > width && gap > 0 {
            lines.push(std::mem::take(&mut line));
        }
        while rest.len() > width {
            lines.push(rest.drain(..width).collect());
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(rest);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn record(row: Row, text: &str) -> Record {
        let details = vec![("value".to_owned(), "ab ".repeat(60))];
        Record::new(Duration::from_micros(1500), (row, 2, Who::Server), "ident", text).details(details)
    }

    #[test]
    fn the_story_has_seven_rows_and_says_what_was_not_reached() {
        let story = story(&[record(Row::Versions, "SSH-2.0-x")], Style { colour: false });
        for (row, place) in Row::ALL.iter().zip(1..) {
            assert!(story.contains(&format!("{place}. {}", row.title())));
        }
        assert_eq!(story.matches("not reached").count(), 6);
        assert!(story.contains("SSH-2.0-x") && !story.contains('\x1b'));
        assert!(story.lines().all(|line| line.chars().count() <= WIDTH + 16));
    }

    #[test]
    fn long_words_are_broken() {
        assert_eq!(wrap("aaaaaaaaaa b", 4), ["aaaa", "aaaa", "aa b"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
