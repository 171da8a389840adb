//! The plain face on a terminal: lines go by, and below them is the one that is being typed, which
//! no number of incoming lines disturbs. For `/plain`, small terminals and screen readers.

use super::draft::{Draft, History};
use super::keys::{Key, Keys, Motion};
use super::printer::Printer;
use super::width::width_of_glyph;
use super::{Asked, Face, Size};
use nacre_chat::command::Completion;
use nacre_chat::limits::BODY_BYTES;
use nacre_chat::text::{clean, clean_line};
use nacre_chat::{Event, Time};
use unicode_segmentation::UnicodeSegmentation;

/// Stands before the draft.
const PROMPT: &str = "> ";
const PROMPT_WIDTH: u16 = 2;

/// Has the terminal say where a paste begins and ends, and no longer.
const MARK_PASTES: &[u8] = b"\x1b[?2004h";
const LEAVE_PASTES: &[u8] = b"\x1b[?2004l";

/// Stands for a line feed in the draft.
const RETURN: &str = "⏎";

/// Lines on a terminal, with one to type in.
pub struct Typing {
    keys: Keys,
    printer: Printer,
    draft: Draft,
    history: History,
    /// A terminal that knows no sequences at all.
    dumb: bool,
    columns: u16,
    /// Lines to print.
    out: Vec<u8>,
    /// The draft on the screen is not the draft.
    stale: bool,
    /// Columns that the draft takes on the screen.
    drawn: u16,
    /// The terminal was told to mark pastes.
    marks_pastes: bool,
}

impl Typing {
    /// For a terminal of that type and size.
    pub fn new(term: &str, size: Size) -> Self {
        let mut face = Self {
            keys: Keys::default(),
            printer: Printer::new(),
            draft: Draft::default(),
            history: History::default(),
            dumb: matches!(term, "" | "dumb"),
            columns: 80,
            out: Vec::new(),
            stale: true,
            drawn: 0,
            marks_pastes: false,
        };
        face.resize(size);
        face
    }

    fn key(&mut self, key: Key, asked: &mut Vec<Asked>) {
        match key {
            Key::Char(character) => self.draft.insert_what_fits(character.encode_utf8(&mut [0; 4])),
            Key::NewLine => self.draft.insert_what_fits("\n"),
            Key::Paste { text, .. } => self.draft.insert_what_fits(&clean(text.as_bytes())),
            Key::Enter => self.enter(asked),
            // What was typed is easily typed by mistake; who means to go presses it on an empty line.
            Key::Ctrl('c' | 'd') if self.draft.text().is_empty() => asked.push(Asked::End),
            Key::Ctrl('p') | Key::Move { to: Motion::Up, .. } => self.remember(true),
            Key::Ctrl('n') | Key::Move { to: Motion::Down, .. } => self.remember(false),
            Key::Tab => asked.push(Asked::Complete(self.draft.before().to_owned())),
            key if self.draft.edit(&key) => {}
            _ => return,
        }
        self.stale = true;
    }

    fn enter(&mut self, asked: &mut Vec<Asked>) {
        let text = self.draft.text().to_owned();
        self.draft.set("");
        if text.trim().is_empty() {
            return;
        }
        self.history.add(&text);
        asked.push(Asked::Typed(text.into_bytes()));
    }

    /// Shows an older line, or a newer one.
    fn remember(&mut self, older: bool) {
        let text = if older { self.history.older(self.draft.text()) } else { self.history.newer() };
        if let Some(text) = text {
            self.draft.set(&text);
        }
    }

    /// The draft in one row: a part of it around the cursor if it is long. Gives the columns up to the cursor, too.
    fn row(&self) -> (String, u16, u16) {
        let (mut text, prompt) = if self.dumb { (String::new(), 0) } else { (PROMPT.to_owned(), PROMPT_WIDTH) };
        let room = self.columns.saturating_sub(prompt + 1).max(1);
        let (mut start, mut before) = (0, 0);
        for (at, symbol) in self.draft.before().grapheme_indices(true).rev() {
            let width = width_of_glyph(shown(symbol));
            if before + width > room {
                start = at + symbol.len();
                break;
            }
            before += width;
        }
        let mut columns = 0;
        for symbol in self.draft.text().get(start..).unwrap_or_default().graphemes(true).map(shown) {
            let width = width_of_glyph(symbol);
            if columns + width > room {
                break;
            }
            columns += width;
            text.push_str(symbol);
        }
        (text, prompt + before, prompt + columns)
    }

    /// Empties the row of the draft.
    fn erase(&mut self, out: &mut Vec<u8>) {
        if self.dumb {
            if self.drawn > 0 {
                out.push(b'\r');
                out.resize(out.len() + usize::from(self.drawn), b' ');
                out.push(b'\r');
            }
        } else {
            out.extend_from_slice(b"\r\x1b[K");
        }
        self.drawn = 0;
    }
}

/// What stands in the row for a character of the draft.
fn shown(symbol: &str) -> &str {
    match symbol {
        "\n" => RETURN,
        "\t" => " ",
        // A draft that comes back from elsewhere is shown as safely as lines are.
        symbol if symbol.contains(char::is_control) => "\u{fffd}",
        symbol => symbol,
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
            && self.draft.text().is_empty()
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
        match completion.words.as_slice() {
            [] => return,
            [word] => self.draft.replace_from(completion.from, word),
            words => {
                let words: Vec<String> = words.iter().map(|word| clean_line(word.as_bytes(), BODY_BYTES)).collect();
                self.out.extend_from_slice(words.join("  ").as_bytes());
                self.out.extend_from_slice(b"\r\n");
            }
        }
        self.stale = true;
    }

    fn resize(&mut self, size: Size) {
        self.columns = size.columns.clamp(10, 1000);
        self.stale = true;
    }

    fn draw(&mut self, _now: Time, out: &mut Vec<u8>) {
        if !self.stale && self.out.is_empty() {
            return;
        }
        if !self.dumb && !self.marks_pastes {
            out.extend_from_slice(MARK_PASTES);
            self.marks_pastes = true;
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
        if std::mem::take(&mut self.marks_pastes) {
            out.extend_from_slice(LEAVE_PASTES);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::draft::DRAFT_BYTES;
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
        String::from_utf8(out).unwrap().replace("\x1b[?2004h", "")
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
    fn pastes_are_marked_while_the_face_is_there() {
        let (mut face, mut out) = (face("xterm"), Vec::new());
        face.draw(Time(0), &mut out);
        face.leave(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\x1b[?2004h\r\x1b[K> \r\x1b[K\x1b[?2004l");
    }

    #[test]
    fn u08_a_paste_is_cut_at_the_bound() {
        let mut face = face("xterm");
        let paste = format!("\x1b[200~x{}\x1b[201~\r", "é".repeat(DRAFT_BYTES));
        let asked = type_in(&mut face, paste.as_bytes());
        assert_eq!(asked, [Asked::Typed(format!("x{}", "é".repeat((DRAFT_BYTES - 1) / 2)).into_bytes())]);
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
