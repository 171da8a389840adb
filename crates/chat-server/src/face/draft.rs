//! What is being typed, and what was typed before.

use super::keys::{Key, Motion};
use nacre_chat::limits::BODY_BYTES;
use std::collections::VecDeque;
use unicode_segmentation::UnicodeSegmentation;

/// A draft's bound, in bytes: a few more than one message may have, for a command before it.
pub(super) const DRAFT_BYTES: usize = BODY_BYTES + 1024;
/// Texts that can be had back.
const REMEMBERED: usize = 50;
/// Bytes of them all.
const REMEMBERED_BYTES: usize = 16 * 1024;

/// A text with a cursor.
#[derive(Debug, Default)]
pub(super) struct Draft {
    text: String,
    /// Where the cursor is, in bytes; between two characters.
    cursor: usize,
    /// What was cut out last.
    cut: String,
}

impl Draft {
    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    fn after(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    /// Replaces all of it; the cursor is at the end.
    pub fn set(&mut self, text: &str) {
        self.text = text.to_owned();
        self.cursor = self.text.len();
    }

    /// Puts a text in at the cursor; false, and nothing done, if there is no room.
    pub fn insert(&mut self, text: &str) -> bool {
        if self.text.len() + text.len() > DRAFT_BYTES {
            return false;
        }
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
        true
    }

    /// Puts in as much of a text as there is room for.
    pub fn insert_what_fits(&mut self, text: &str) {
        let room = DRAFT_BYTES.saturating_sub(self.text.len());
        let end = (0..=room.min(text.len())).rfind(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.insert(text.get(..end).unwrap_or_default());
    }

    /// Emacs' keys and those of the keyboard's blocks, within the text; false for any other.
    pub fn edit(&mut self, key: &Key) -> bool {
        match key {
            Key::Backspace => drop(self.delete(self.left())),
            Key::Delete | Key::Ctrl('d') => drop(self.delete(self.right())),
            Key::Ctrl('k') => self.cut(if self.end() == self.cursor { self.right() } else { self.end() }),
            Key::Ctrl('u') => self.cut(self.home()),
            Key::Ctrl('w') | Key::AltBackspace => self.cut(self.word_left()),
            Key::Alt('d') => self.cut(self.word_right()),
            Key::Ctrl('y') => drop(self.paste_back()),
            Key::Ctrl('c') => {
                self.move_to(self.text.len());
                self.cut(0);
            }
            Key::Ctrl('a') | Key::Move { to: Motion::Home, .. } => self.move_to(self.home()),
            Key::Ctrl('e') | Key::Move { to: Motion::End, .. } => self.move_to(self.end()),
            Key::Move { to: Motion::Left, far: true } | Key::Alt('b') => self.move_to(self.word_left()),
            Key::Move { to: Motion::Right, far: true } | Key::Alt('f') => self.move_to(self.word_right()),
            Key::Ctrl('b') | Key::Move { to: Motion::Left, .. } => self.move_to(self.left()),
            Key::Ctrl('f') | Key::Move { to: Motion::Right, .. } => self.move_to(self.right()),
            _ => return false,
        }
        true
    }

    /// Replaces what is between `from` (in bytes) and the cursor.
    pub fn replace_from(&mut self, from: usize, text: &str) {
        if self.text.get(from..self.cursor).is_some() && self.text.len() + text.len() <= DRAFT_BYTES {
            self.text.replace_range(from..self.cursor, text);
            self.cursor = from + text.len();
        }
    }

    /// Puts the cursor there, if that is between two characters.
    pub fn move_to(&mut self, at: usize) {
        if self.text.is_char_boundary(at) {
            self.cursor = at;
        }
    }

    /// One character back.
    pub fn left(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    /// One character on.
    pub fn right(&self) -> usize {
        self.cursor + self.after().graphemes(true).next().map_or(0, str::len)
    }

    /// Where the word before the cursor begins.
    pub fn word_left(&self) -> usize {
        let word = self.before().trim_end();
        word.char_indices().rfind(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8())
    }

    /// Where the word after the cursor ends.
    pub fn word_right(&self) -> usize {
        let after = self.after();
        let spaces = after.len() - after.trim_start().len();
        let word = after.get(spaces..).unwrap_or_default();
        self.cursor + spaces + word.find(char::is_whitespace).unwrap_or(word.len())
    }

    /// Where the line of the cursor begins.
    pub fn home(&self) -> usize {
        self.before().rfind('\n').map_or(0, |at| at + 1)
    }

    /// Where the line of the cursor ends.
    pub fn end(&self) -> usize {
        self.cursor + self.after().find('\n').unwrap_or(self.after().len())
    }

    /// Takes out what is between the cursor and there.
    pub fn delete(&mut self, to: usize) -> String {
        let (from, to) = (to.min(self.cursor), to.max(self.cursor));
        if self.text.get(from..to).is_none() {
            return String::new();
        }
        self.cursor = from;
        self.text.drain(from..to).collect()
    }

    /// The same, to be had back by [`Draft::paste_back`].
    pub fn cut(&mut self, to: usize) {
        let cut = self.delete(to);
        if !cut.is_empty() {
            self.cut = cut;
        }
    }

    /// Puts in what was cut out last.
    pub fn paste_back(&mut self) -> bool {
        let cut = std::mem::take(&mut self.cut);
        let fits = self.insert(&cut);
        self.cut = cut;
        fits
    }
}

/// Texts entered before, the newest last.
#[derive(Debug, Default)]
pub(super) struct History {
    texts: VecDeque<String>,
    /// Which of them is shown, and what was being typed then.
    shown: Option<(usize, String)>,
}

impl History {
    /// One was entered.
    pub fn add(&mut self, text: &str) {
        self.shown = None;
        if self.texts.back().is_none_or(|last| last != text) {
            self.texts.push_back(text.to_owned());
        }
        while self.texts.len() > REMEMBERED || self.texts.iter().map(String::len).sum::<usize>() > REMEMBERED_BYTES {
            self.texts.pop_front();
        }
    }

    /// The one before the one shown; `draft` comes back after the newest.
    pub fn older(&mut self, draft: &str) -> Option<String> {
        let at = self.shown.as_ref().map_or(self.texts.len(), |(at, _)| *at).checked_sub(1)?;
        let text = self.texts.get(at)?.clone();
        let kept = self.shown.take().map_or_else(|| draft.to_owned(), |(_, kept)| kept);
        self.shown = Some((at, kept));
        Some(text)
    }

    /// The one after the one shown, or what was being typed.
    pub fn newer(&mut self) -> Option<String> {
        let (at, kept) = self.shown.take()?;
        let Some(text) = self.texts.get(at + 1) else { return Some(kept) };
        self.shown = Some((at + 1, kept));
        Some(text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_moves_by_what_is_seen() {
        let mut draft = Draft::default();
        draft.set("aé👩‍🔬 word");
        draft.move_to(draft.word_left());
        assert_eq!(draft.before(), "aé👩‍🔬 ");
        draft.move_to(draft.left());
        draft.move_to(draft.left());
        assert_eq!(draft.before(), "aé");
        draft.delete(draft.right());
        assert_eq!(draft.text(), "aé word");
        draft.cut(draft.end());
        assert_eq!(draft.text(), "aé");
        assert!(draft.paste_back() && draft.paste_back());
        assert_eq!(draft.text(), "aé word word");
        draft.set("one\ntwo");
        draft.move_to(draft.home());
        assert_eq!(draft.before(), "one\n");
        draft.move_to(draft.left());
        assert_eq!((draft.home(), draft.end()), (0, 3));
        draft.move_to(draft.word_right());
        assert_eq!(draft.before(), "one\ntwo");
    }

    #[test]
    fn u08_a_draft_is_bounded() {
        let mut draft = Draft::default();
        while draft.insert("xyz ") {}
        assert!(draft.text().len() <= DRAFT_BYTES);
        let mut history = History::default();
        for number in 0..100 {
            history.add(&format!("{number}{}", draft.text()));
        }
        assert!(history.texts.iter().map(String::len).sum::<usize>() <= REMEMBERED_BYTES);
    }

    #[test]
    fn what_was_typed_comes_back_after_the_newest() {
        let mut history = History::default();
        for text in ["one", "two", "two"] {
            history.add(text);
        }
        assert_eq!(history.older("half").as_deref(), Some("two"));
        assert_eq!(history.older("two").as_deref(), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer().as_deref(), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("half"));
        assert_eq!(history.newer(), None);
    }
}
