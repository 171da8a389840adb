//! Keys out of the bytes that a terminal sends.
//!
//! The state between two reads is a few bytes, whatever comes (threat U8): an escape sequence that
//! is longer than any key's is dropped as it passes, and a paste has a bound.

use std::fmt;

/// Parameters of a sequence that are kept; the sequences of keys are shorter.
const PARAMETERS: usize = 16;

/// Bytes of a paste that are kept: more than one message may hold, so that the engine can say so.
pub const PASTE_BYTES: usize = 64 * 1024;

/// What ends a paste.
const PASTE_END: &[u8] = b"\x1b[201~";

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A character that prints.
    Char(char),
    /// With Ctrl held, as a small letter or one of `[\]^_@`. Enter, Tab and Backspace have names of their own.
    Ctrl(char),
    /// With Alt held.
    Alt(char),
    /// Return.
    Enter,
    /// Return with Alt held, or Ctrl-J: a new line within the text.
    NewLine,
    /// Tab.
    Tab,
    /// Tab with Shift held.
    BackTab,
    /// What deletes to the left.
    Backspace,
    /// What deletes to the left with Alt held: a word.
    AltBackspace,
    /// What deletes under the cursor.
    Delete,
    /// An arrow, or a key of its block, with Ctrl or Alt held or not.
    Move {
        /// Which way.
        to: Motion,
        /// Ctrl or Alt was held: by words.
        far: bool,
    },
    /// A text in one piece, from the clipboard. Line ends are line feeds.
    Paste {
        /// The text, as it came, with invalid UTF-8 replaced.
        text: String,
        /// Something is missing at its end.
        cut: bool,
    },
}

/// Where a key moves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// One character back.
    Left,
    /// One character on.
    Right,
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
}

/// Where the decoder is.
#[derive(Default)]
enum State {
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// After ESC O.
    Single,
    /// After ESC [, with the parameters so far.
    Sequence { parameters: [u8; PARAMETERS], length: usize },
    /// Within a string that a terminal sends as an answer; until BEL or ESC.
    Answer,
    /// Within a paste; what came of it, and how much of what ends it.
    Paste { bytes: Vec<u8>, cut: bool },
}

/// Turns bytes into keys.
#[derive(Default)]
pub struct Keys {
    state: State,
    /// A character of which the beginning came.
    partial: [u8; 4],
    partial_length: usize,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Takes bytes and calls back with each key.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Key)) {
        for &byte in bytes {
            if let Some(key) = self.take(byte) {
                each(key);
            }
        }
    }

    fn take(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte),
            State::Escape => self.escaped(byte),
            State::Single => letter(byte, false),
            State::Sequence { parameters, length } => self.sequence(byte, parameters, length),
            State::Answer => {
                match byte {
                    0x07 => {}
                    0x1b => self.state = State::Escape,
                    _ => self.state = State::Answer,
                }
                None
            }
            State::Paste { bytes, cut } => self.paste(byte, bytes, cut),
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        if byte >= 0x80 {
            return self.part_of_character(byte);
        }
        self.partial_length = 0;
        match byte {
            b'\r' => Some(Key::Enter),
            b'\n' => Some(Key::NewLine),
            b'\t' => Some(Key::Tab),
            0x08 | 0x7f => Some(Key::Backspace),
            0x1b => {
                self.state = State::Escape;
                None
            }
            0x00 => Some(Key::Ctrl('@')),
            0x01..=0x1a => Some(Key::Ctrl(char::from(byte + 0x60))),
            0x1c..=0x1f => Some(Key::Ctrl(char::from(byte + 0x40))),
            _ => Some(Key::Char(char::from(byte))),
        }
    }

    /// UTF-8 may be cut anywhere between two reads. What is none is dropped.
    fn part_of_character(&mut self, byte: u8) -> Option<Key> {
        if byte >= 0xc0 {
            self.partial_length = 0;
        }
        let place = self.partial.get_mut(self.partial_length)?;
        *place = byte;
        self.partial_length += 1;
        let so_far = self.partial.get(..self.partial_length)?;
        match std::str::from_utf8(so_far) {
            Ok(text) => {
                let character = text.chars().next();
                self.partial_length = 0;
                character.filter(|character| !character.is_control()).map(Key::Char)
            }
            Err(error) => {
                if error.error_len().is_some() {
                    self.partial_length = 0;
                }
                None
            }
        }
    }

    fn escaped(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'[' => self.state = State::Sequence { parameters: [0; PARAMETERS], length: 0 },
            b'O' => self.state = State::Single,
            b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::Answer,
            0x1b => self.state = State::Escape,
            // The end of a terminal's answer.
            b'\\' => {}
            b'\r' | b'\n' => return Some(Key::NewLine),
            0x08 | 0x7f => return Some(Key::AltBackspace),
            b'b' => return Some(Key::Move { to: Motion::Left, far: true }),
            b'f' => return Some(Key::Move { to: Motion::Right, far: true }),
            0x20..=0x7e => return Some(Key::Alt(char::from(byte))),
            _ => return self.ground(byte),
        }
        None
    }

    fn sequence(&mut self, byte: u8, mut parameters: [u8; PARAMETERS], length: usize) -> Option<Key> {
        match byte {
            0x20..=0x3f => {
                if let Some(place) = parameters.get_mut(length) {
                    *place = byte;
                }
                // One that is too long stays so, and means nothing at its end.
                self.state = State::Sequence { parameters, length: (length + 1).min(PARAMETERS + 1) };
                None
            }
            0x40..=0x7e => self.sequence_ended(byte, parameters.get(..length)?),
            0x1b => {
                self.state = State::Escape;
                None
            }
            _ => None,
        }
    }

    fn sequence_ended(&mut self, last: u8, parameters: &[u8]) -> Option<Key> {
        let text = std::str::from_utf8(parameters).ok()?;
        let mut numbers = text.split(';').map(|number| number.parse::<u32>().unwrap_or(0));
        let (first, modifier) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        // 1 more than the sum of Shift 1, Alt 2, Ctrl 4.
        let far = modifier.saturating_sub(1) & 6 != 0;
        match (last, first) {
            (b'~', 200) => {
                self.state = State::Paste { bytes: Vec::new(), cut: false };
                None
            }
            (b'~', 1 | 7) => Some(Key::Move { to: Motion::Home, far }),
            (b'~', 4 | 8) => Some(Key::Move { to: Motion::End, far }),
            (b'~', 3) => Some(Key::Delete),
            (b'~', 5) => Some(Key::Move { to: Motion::PageUp, far }),
            (b'~', 6) => Some(Key::Move { to: Motion::PageDown, far }),
            (b'Z', _) => Some(Key::BackTab),
            _ => letter(last, far),
        }
    }

    fn paste(&mut self, byte: u8, mut bytes: Vec<u8>, mut cut: bool) -> Option<Key> {
        bytes.push(byte);
        if bytes.ends_with(PASTE_END) {
            bytes.truncate(bytes.len() - PASTE_END.len());
            bytes.truncate(PASTE_BYTES);
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n");
            return Some(Key::Paste { text, cut });
        }
        // Beyond the bound only as much is kept as may be the beginning of the end.
        if bytes.len() > PASTE_BYTES + PASTE_END.len() {
            bytes.remove(PASTE_BYTES);
            cut = true;
        }
        self.state = State::Paste { bytes, cut };
        None
    }
}

/// The last letter of an arrow's sequence.
fn letter(byte: u8, far: bool) -> Option<Key> {
    let to = match byte {
        b'A' => Motion::Up,
        b'B' => Motion::Down,
        b'C' => Motion::Right,
        b'D' => Motion::Left,
        b'H' => Motion::Home,
        b'F' => Motion::End,
        b'M' => return Some(Key::Enter),
        _ => return None,
    };
    Some(Key::Move { to, far })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let (mut decoder, mut out) = (Keys::default(), Vec::new());
        decoder.feed(bytes, |key| out.push(key));
        out
    }

    fn chars(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    #[test]
    fn keys_of_usual_terminals() {
        let moved = |to, far| Key::Move { to, far };
        let table: &[(&[u8], Key)] = &[
            (b"\r", Key::Enter),
            (b"\n", Key::NewLine),
            (b"\x1b\r", Key::NewLine),
            (b"\x1bOM", Key::Enter),
            (b"\x7f", Key::Backspace),
            (b"\x1b\x7f", Key::AltBackspace),
            (b"\x03", Key::Ctrl('c')),
            (b"\x1c", Key::Ctrl('\\')),
            (b"\x1b[A", moved(Motion::Up, false)),
            (b"\x1bOA", moved(Motion::Up, false)),
            (b"\x1b[1;5C", moved(Motion::Right, true)),
            (b"\x1b[1;2C", moved(Motion::Right, false)),
            (b"\x1bb", moved(Motion::Left, true)),
            (b"\x1b[H", moved(Motion::Home, false)),
            (b"\x1b[4~", moved(Motion::End, false)),
            (b"\x1b[6~", moved(Motion::PageDown, false)),
            (b"\x1b[3~", Key::Delete),
            (b"\x1b[Z", Key::BackTab),
            (b"\x1bx", Key::Alt('x')),
            ("é".as_bytes(), Key::Char('é')),
            ("👩".as_bytes(), Key::Char('👩')),
        ];
        for (bytes, key) in table {
            assert_eq!(keys(bytes), std::slice::from_ref(key), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_key_leaves_nothing_behind() {
        for noise in [
            &b"\x1b[?62;22c"[..],
            b"\x1b]11;rgb:0000/0000/0000\x07",
            b"\x1bP1$r0m\x1b\\",
            b"\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13A",
            b"\xff\xfe\x80",
            b"\xc3",
            b"\xc2\x9b",
            b"\x1b[12;24R",
        ] {
            assert_eq!(keys(&[noise, b"ok"].concat()), chars("ok"), "{noise:?}");
        }
    }

    #[test]
    fn a_character_may_be_cut_anywhere() {
        let text = "aé👩‍🔬z";
        for at in 0..text.len() {
            let (mut decoder, mut out) = (Keys::default(), Vec::new());
            let (before, after) = text.as_bytes().split_at(at);
            decoder.feed(before, |key| out.push(key));
            decoder.feed(after, |key| out.push(key));
            assert_eq!(out, chars(text));
        }
    }

    #[test]
    fn u08_a_sequence_without_end_keeps_nothing() {
        let mut decoder = Keys::default();
        decoder.feed(b"\x1b[", |_| {});
        decoder.feed(&vec![b'1'; 1_000_000], |key| unreachable!("{key:?}"));
        let mut out = Vec::new();
        decoder.feed(b"Aok", |key| out.push(key));
        assert_eq!(out, chars("ok"));
    }

    #[test]
    fn a_paste_is_one_text() {
        let pasted = keys(b"\x1b[200~one\r\ntwo\rthree \x1b[A\x1b[201~.");
        let text = "one\ntwo\nthree \x1b[A".to_owned();
        assert_eq!(pasted, [Key::Paste { text, cut: false }, Key::Char('.')]);
    }

    #[test]
    fn u08_a_huge_paste_is_cut() {
        let mut decoder = Keys::default();
        decoder.feed(b"\x1b[200~", |_| {});
        decoder.feed(&vec![b'x'; 10_000_000], |key| unreachable!("{key:?}"));
        let mut out = Vec::new();
        decoder.feed(b"\x1b[201~", |key| out.push(key));
        assert_eq!(out, [Key::Paste { text: "x".repeat(PASTE_BYTES), cut: true }]);
    }
}
