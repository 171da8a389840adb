//! The plain face on a terminal: lines go by, and below them is the one that is being typed, which
//! no number of incoming lines disturbs. For `/plain`, small terminals and screen readers.

use super::keys::{Key, Keys, Motion};
use super::printer::Printer;
use super::{Asked, Face, Size};
use nacre_chat::command::Completion;
use nacre_chat::limits::BODY_BYTES;
use nacre_chat::text::clean_line;
use nacre_chat::{Event, Time};
use std::collections::VecDeque;
use unicode_width::UnicodeWidthChar;

/// Lines that can be had back with the arrows.
const REMEMBERED: usize = 50;

/// A draft's bound, in bytes: a few more than the engine takes, so that it says why it takes no more.
const DRAFT_BYTES: usize = BODY_BYTES + 1024;

/// Stands before the draft.
const PROMPT: &str = "> ";

/// Stands for a line feed in the draft.
const RETURN: char = '⏎';

/// What is being typed.
#[derive(Debug, Default)]
struct Draft {
    text: Vec<char>,
    cursor: usize,
}

impl Draft {
    fn text(&self) -> String {
        self.text.iter().collect()
    }

    fn set(&mut self, text: &str) {
        self.text = text.chars().collect();
        self.cursor = self.text.len();
    }

    fn insert(&mut self, character: char) {
        if self.text.len() < DRAFT_BYTES {
            self.text.insert(self.cursor, character);
            self.cursor += 1;
        }
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.drain(from..to);
        self.cursor = from;
    }

    /// Where the word before the cursor begins.
    fn word_before(&self) -> usize {
        let mut at = self.cursor;
        let is_space = |at: usize| self.text.get(at).is_some_and(|character| character.is_whitespace());
        while at > 0 && is_space(at - 1) {
            at -= 1;
        }
        while at > 0 && !is_space(at - 1) {
            at -= 1;
        }
        at
    }

    /// Where the word after the cursor ends.
    fn word_after(&self) -> usize {
        let after = self.text.iter().enumerate().skip(self.cursor);
        let mut in_word = false;
        for (at, character) in after {
            if character.is_whitespace() && in_word {
                return at;
            }
            in_word |= !character.is_whitespace();
        }
        self.text.len()
    }
}

/// Lines on a terminal, with one to type in.
pub struct Typing {
    keys: Keys,
    printer: Printer,
    draft: Draft,
    /// Lines entered before, the newest last, and which of them is shown.
    before: VecDeque<String>,
    shown: Option<usize>,
    /// A terminal that knows no sequences at all.
    dumb: bool,
    columns: usize,
    /// Lines to print.
    out: Vec<u8>,
    /// The draft on the screen is not the draft.
    stale: bool,
    /// Columns that the draft takes on the screen.
    drawn: usize,
}

impl Typing {
    /// For a terminal of that type and size.
    pub fn new(term: &str, size: Size) -> Self {
        let mut face = Self {
            keys: Keys::default(),
            printer: Printer::new(),
            draft: Draft::default(),
            before: VecDeque::new(),
            shown: None,
            dumb: matches!(term, "" | "dumb"),
            columns: 80,
            out: Vec::new(),
            stale: true,
            drawn: 0,
        };
        face.resize(size);
        face
    }

    fn key(&mut self, key: Key, asked: &mut Vec<Asked>) {
        let (cursor, length) = (self.draft.cursor, self.draft.text.len());
        match key {
            Key::Char(character) => self.draft.insert(character),
            Key::NewLine => self.draft.insert('\n'),
            Key::Paste { text, .. } => text.chars().for_each(|character| self.draft.insert(character)),
            Key::Enter => self.enter(asked),
            Key::Backspace if cursor > 0 => self.draft.remove(cursor - 1, cursor),
            Key::Delete if cursor < length => self.draft.remove(cursor, cursor + 1),
            Key::Ctrl('d') if length == 0 => asked.push(Asked::End),
            Key::Ctrl('d') if cursor < length => self.draft.remove(cursor, cursor + 1),
            // What was typed is easily typed by mistake; who means to go presses it on an empty line.
            Key::Ctrl('c') if length == 0 => asked.push(Asked::End),
            Key::Ctrl('c') => self.draft.remove(0, length),
            Key::Ctrl('u') => self.draft.remove(0, cursor),
            Key::Ctrl('k') => self.draft.remove(cursor, length),
            Key::Ctrl('w') | Key::AltBackspace => self.draft.remove(self.draft.word_before(), cursor),
            Key::Ctrl('a') | Key::Move { to: Motion::Home, .. } => self.draft.cursor = 0,
            Key::Ctrl('e') | Key::Move { to: Motion::End, .. } => self.draft.cursor = length,
            Key::Move { to: Motion::Left, far: true } => self.draft.cursor = self.draft.word_before(),
            Key::Move { to: Motion::Right, far: true } => self.draft.cursor = self.draft.word_after(),
            Key::Ctrl('b') | Key::Move { to: Motion::Left, .. } => self.draft.cursor = cursor.saturating_sub(1),
            Key::Ctrl('f') | Key::Move { to: Motion::Right, .. } => self.draft.cursor = (cursor + 1).min(length),
            Key::Ctrl('p') | Key::Move { to: Motion::Up, .. } => self.remember(true),
            Key::Ctrl('n') | Key::Move { to: Motion::Down, .. } => self.remember(false),
            Key::Tab => asked.push(Asked::Complete(self.draft.text.iter().take(cursor).collect())),
            _ => return,
        }
        self.stale = true;
    }

    fn enter(&mut self, asked: &mut Vec<Asked>) {
        let text = self.draft.text();
        self.draft.set("");
        self.shown = None;
        if text.chars().all(char::is_whitespace) {
            return;
        }
        asked.push(Asked::Typed(text.clone().into_bytes()));
        if self.before.back() != Some(&text) {
            self.before.push_back(text);
        }
        if self.before.len() > REMEMBERED {
            self.before.pop_front();
        }
    }

    /// Shows an older line, or a newer one.
    fn remember(&mut self, older: bool) {
        let next = match (self.shown, older) {
            (None, true) => self.before.len().checked_sub(1),
            (None, false) => return,
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => Some(at + 1).filter(|at| *at < self.before.len()),
        };
        let text = next.and_then(|at| self.before.get(at)).cloned().unwrap_or_default();
        self.draft.set(&text);
        self.shown = next;
    }

    /// The draft in one row: a part of it around the cursor if it is long. Gives the columns up to the cursor, too.
    fn row(&self) -> (String, usize, usize) {
        let prompt = if self.dumb { "" } else { PROMPT };
        let room = self.columns.saturating_sub(prompt.len() + 1).max(1);
        let shown = |character: char| if character == '\n' { RETURN } else { character };
        let width = |character: char| shown(character).width().unwrap_or(0);
        let (mut start, mut before) = (self.draft.cursor, 0);
        while let Some(character) = start.checked_sub(1).and_then(|at| self.draft.text.get(at)) {
            if before + width(*character) > room {
                break;
            }
            before += width(*character);
            start -= 1;
        }
        let (mut text, mut columns) = (prompt.to_owned(), 0);
        for character in self.draft.text.iter().skip(start) {
            columns += width(*character);
            if columns > room {
                columns -= width(*character);
                break;
            }
            // What was pasted may hold what drives a terminal: the engine drops it, and here it is not drawn.
            text.extend(Some(shown(*character)).filter(|character| !character.is_control()));
        }
        (text, prompt.len() + before, prompt.len() + columns)
    }

    /// Empties the row of the draft.
    fn erase(&mut self, out: &mut Vec<u8>) {
        if self.dumb {
            if self.drawn > 0 {
                out.push(b'\r');
                out.resize(out.len() + self.drawn, b' ');
                out.push(b'\r');
            }
        } else {
            out.extend_from_slice(b"\r\x1b[K");
        }
        self.drawn = 0;
    }
}

impl Face for Typing {
    fn typed(&mut self, _now: Time, bytes: &[u8], asked: &mut Vec<Asked>) {
        let mut keys = std::mem::take(&mut self.keys);
        keys.feed(bytes, |key| self.key(key, asked));
        self.keys = keys;
    }

    fn show(&mut self, _now: Time, event: &Event, ring: bool) {
        if let Event::Problem { draft: Some(draft), .. } = event
            && self.draft.text.is_empty()
        {
            self.draft.set(draft);
        }
        if matches!(event, Event::Clear) && !self.dumb {
            self.out.extend_from_slice(b"\x1b[H\x1b[2J");
        }
        for line in self.printer.lines(event) {
            self.out.extend_from_slice(line.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
        if ring {
            self.out.push(0x07);
        }
    }

    fn completed(&mut self, completion: &Completion) {
        let before: String = self.draft.text.iter().take(self.draft.cursor).collect();
        let Some(kept) = before.get(..completion.from) else { return };
        match completion.words.as_slice() {
            [] => return,
            [word] => {
                let rest: String = self.draft.text.iter().skip(self.draft.cursor).collect();
                let done = format!("{kept}{word}");
                let cursor = done.chars().count();
                self.draft.set(&(done + &rest));
                self.draft.cursor = cursor;
            }
            words => {
                let words: Vec<String> = words.iter().map(|word| clean_line(word.as_bytes(), BODY_BYTES)).collect();
                self.out.extend_from_slice(words.join("  ").as_bytes());
                self.out.extend_from_slice(b"\r\n");
            }
        }
        self.stale = true;
    }

    fn resize(&mut self, size: Size) {
        self.columns = usize::from(size.columns).clamp(10, 1000);
        self.stale = true;
    }

    fn draw(&mut self, _now: Time, out: &mut Vec<u8>) {
        if !self.stale && self.out.is_empty() {
            return;
        }
        self.erase(out);
        out.append(&mut self.out);
        let (text, cursor, columns) = self.row();
        out.extend_from_slice(text.as_bytes());
        self.drawn = columns;
        if cursor < columns && !self.dumb {
            out.extend_from_slice(format!("\r\x1b[{cursor}C").as_bytes());
        }
        self.stale = false;
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        self.erase(out);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn face(term: &str) -> Typing {
        Typing::new(term, Size { columns: 20, rows: 5 })
    }

    fn type_in(face: &mut Typing, bytes: &[u8]) -> Vec<Asked> {
        let mut asked = Vec::new();
        face.typed(Time(0), bytes, &mut asked);
        asked
    }

    fn drawn(face: &mut Typing) -> String {
        let mut out = Vec::new();
        face.draw(Time(0), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn notice(text: &str) -> Event {
        Event::Notice { place: None, text: Arc::from(text), at: Time(0) }
    }

    #[test]
    fn a_half_typed_line_stands_below_what_comes() {
        let mut face = face("xterm");
        type_in(&mut face, b"half a li");
        assert_eq!(drawn(&mut face), "\r\x1b[K> half a li");
        for _ in 0..100 {
            face.show(Time(0), &notice("news"), false);
            assert_eq!(drawn(&mut face), "\r\x1b[K[00:00:00] [SYSTEM] news\r\n> half a li");
        }
        assert_eq!(type_in(&mut face, b"ne\r"), [Asked::Typed(b"half a line".to_vec())]);
        assert_eq!(drawn(&mut face), "\r\x1b[K> ");
    }

    #[test]
    fn a_long_line_keeps_to_one_row() {
        let mut face = face("xterm");
        type_in(&mut face, "0123456789abcdefghijklmnü".as_bytes());
        assert_eq!(drawn(&mut face), "\r\x1b[K> 89abcdefghijklmnü");
        type_in(&mut face, b"\x1b[H");
        assert_eq!(drawn(&mut face), "\r\x1b[K> 0123456789abcdefg\r\x1b[2C");
    }

    #[test]
    fn keys_edit() {
        let table: &[(&[u8], &str)] = &[
            (b"abc\x7f\r", "ab"),
            (b"abc\x1b[D\x1b[D\x1b[3~x\r", "axc"),
            (b"one two\x17three\r", "one three"),
            (b"abc\x15d\r", "d"),
            (b"abc\x01\x0bd\r", "d"),
            (b"one two\x1bbX\r", "one Xtwo"),
            (b"ab\x03cd\r", "cd"),
            (b"\x1b[200~two\r\nlines\x1b[201~\r", "two\nlines"),
            (b"a\nb\r", "a\nb"),
        ];
        for (typed, text) in table {
            assert_eq!(type_in(&mut face("xterm"), typed), [Asked::Typed(text.as_bytes().to_vec())], "{typed:?}");
        }
        assert_eq!(type_in(&mut face("xterm"), b"\x04"), [Asked::End]);
        assert_eq!(type_in(&mut face("xterm"), b"\x03"), [Asked::End]);
        assert_eq!(type_in(&mut face("xterm"), b" \r"), []);
    }

    #[test]
    fn older_lines_come_back() {
        let mut face = face("xterm");
        type_in(&mut face, b"one\rtwo\r");
        assert_eq!(type_in(&mut face, b"\x1b[A\x1b[A\r"), [Asked::Typed(b"one".to_vec())]);
        assert_eq!(type_in(&mut face, b"\x1b[A\x1b[Bx\r"), [Asked::Typed(b"x".to_vec())]);
    }

    #[test]
    fn completion_takes_the_place_of_the_word() {
        let mut face = face("xterm");
        assert_eq!(type_in(&mut face, b"hi al\t"), [Asked::Complete("hi al".to_owned())]);
        face.completed(&Completion { from: 3, words: vec!["alice ".to_owned()] });
        assert_eq!(type_in(&mut face, b"\r"), [Asked::Typed(b"hi alice ".to_vec())]);
        type_in(&mut face, b"a\t");
        face.completed(&Completion { from: 0, words: vec!["alice: ".to_owned(), "anna: ".to_owned()] });
        assert_eq!(drawn(&mut face), "\r\x1b[Kalice:  anna:\r\n> a");
    }

    #[test]
    fn u03_a_dumb_terminal_gets_no_sequence() {
        let mut face = face("dumb");
        type_in(&mut face, b"half");
        assert_eq!(drawn(&mut face), "half");
        face.show(Time(0), &notice("news"), false);
        assert_eq!(drawn(&mut face), "\r    \r[00:00:00] [SYSTEM] news\r\nhalf");
    }
}
