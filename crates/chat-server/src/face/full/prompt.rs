//! The rows in which the draft is typed.

use super::super::width::{width_of, width_of_glyph};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Stands before the first row; as many spaces before the others.
const SIGN: &str = "> ";
const SIGN_WIDTH: u16 = 2;

/// A draft laid out for a width.
#[derive(Debug)]
pub(super) struct Prompt {
    /// The bytes of the draft that each row shows.
    rows: Vec<Range<usize>>,
    /// In which of them the cursor is.
    cursor_row: usize,
    /// The cursor's cell in it.
    cursor_column: u16,
    /// Cells of text in a row.
    room: u16,
}

impl Prompt {
    /// Lays `text` out in rows of `width` cells, with the cursor before the byte `cursor`.
    pub fn new(text: &str, cursor: usize, width: u16) -> Self {
        let room = width.saturating_sub(SIGN_WIDTH + 1).max(2);
        let rows = rows(text, room);
        let cursor_row = rows.iter().rposition(|row| row.start <= cursor).unwrap_or(0);
        let start = rows.get(cursor_row).map_or(0, |row| row.start);
        let cursor_column = text.get(start..cursor).map_or(0, typed_width);
        Self { rows, cursor_row, cursor_column, room }
    }

    /// How many rows.
    pub fn len(&self) -> u16 {
        u16::try_from(self.rows.len()).unwrap_or(u16::MAX)
    }

    /// The first row to show when there is place for `most`, so that the cursor's is among them.
    pub fn top(&self, most: u16) -> usize {
        (self.cursor_row + 1).saturating_sub(usize::from(most.max(1)))
    }

    /// The rows to show.
    pub fn lines(&self, text: &str, most: u16) -> Vec<Line<'static>> {
        let top = self.top(most);
        let shown = self.rows.iter().enumerate().skip(top).take(usize::from(most.max(1)));
        let line = |(number, row): (usize, &Range<usize>)| {
            let sign = if number == 0 { SIGN } else { "  " };
            let text = text.get(row.clone()).unwrap_or_default().replace(['\t', '\n'], " ");
            Line::from(vec![Span::raw(sign), Span::styled(text, Style::new())])
        };
        shown.map(line).collect()
    }

    /// The cursor's row among those shown, and its column.
    pub fn cursor(&self, most: u16) -> (u16, u16) {
        let row = u16::try_from(self.cursor_row - self.top(most)).unwrap_or(0);
        (row, SIGN_WIDTH + self.cursor_column.min(self.room))
    }

    /// Where the cursor comes to a row above or below, as a byte of the draft; none beyond the first and last.
    pub fn beside(&self, text: &str, up: bool) -> Option<usize> {
        let row = if up { self.cursor_row.checked_sub(1)? } else { self.cursor_row + 1 };
        let range = self.rows.get(row)?.clone();
        let (mut at, mut column) = (range.start, 0);
        for symbol in text.get(range)?.graphemes(true) {
            if symbol == "\n" || column >= self.cursor_column {
                break;
            }
            column += typed_width(symbol);
            at += symbol.len();
        }
        Some(at)
    }
}

/// The cells of what is typed; a tab takes one.
fn typed_width(text: &str) -> u16 {
    let tabs = u16::try_from(text.matches('\t').count()).unwrap_or(u16::MAX);
    width_of(text).saturating_add(tabs)
}

/// Breaks a text into rows, anywhere: what is typed need not look nice but must not jump. A row's line feed is its last
/// byte. At the end there is a place for the cursor.
fn rows(text: &str, room: u16) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let (mut start, mut used) = (0, 0u16);
    for (at, symbol) in text.grapheme_indices(true) {
        let width = if symbol == "\t" { 1 } else { width_of_glyph(symbol) };
        if used + width > room {
            rows.push(start..at);
            (start, used) = (at, 0);
        }
        used += width;
        if symbol == "\n" {
            rows.push(start..at + 1);
            (start, used) = (at + 1, 0);
        }
    }
    rows.push(start..text.len());
    if used >= room {
        rows.push(text.len()..text.len());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, cursor: usize, width: u16, most: u16) -> (Vec<String>, (u16, u16)) {
        let prompt = Prompt::new(text, cursor, width);
        (prompt.lines(text, most).iter().map(ToString::to_string).collect(), prompt.cursor(most))
    }

    #[test]
    fn rows_and_cursor() {
        let rows = |list: &[&str]| list.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
        assert_eq!(shown("", 0, 10, 5), (rows(&["> "]), (0, 2)));
        assert_eq!(shown("abc", 3, 10, 5), (rows(&["> abc"]), (0, 5)));
        assert_eq!(shown("abcdefg", 7, 10, 5), (rows(&["> abcdefg", "  "]), (1, 2)));
        assert_eq!(shown("abcdefgh", 8, 10, 5), (rows(&["> abcdefg", "  h"]), (1, 3)));
        assert_eq!(shown("a\nb", 3, 10, 5), (rows(&["> a ", "  b"]), (1, 3)));
        assert_eq!(shown("a\nb", 1, 10, 5), (rows(&["> a ", "  b"]), (0, 3)));
        assert_eq!(shown("a\nb\nc", 5, 10, 2), (rows(&["  b ", "  c"]), (1, 3)));
        assert_eq!(shown("日本語日本語", 9, 10, 5), (rows(&["> 日本語", "  日本語"]), (1, 2)));
    }

    #[test]
    fn up_and_down_keep_the_column() {
        let text = "abcdef\nxy\nlonger";
        let at = |cursor, up| Prompt::new(text, cursor, 40).beside(text, up);
        assert_eq!(at(15, true), Some(9));
        assert_eq!(at(9, true), Some(2));
        assert_eq!(at(2, true), None);
        assert_eq!(at(2, false), Some(9));
        assert_eq!(at(15, false), None);
    }
}
