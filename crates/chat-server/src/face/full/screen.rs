//! What the terminal shows, and the bytes that make it show something else: rows that changed, each at its place, so
//! that a text a terminal draws wider than we think moves nothing else.

use super::brush::{Painted, Row};
use std::io::Write as _;
use std::sync::Arc;

/// Takes the terminal: another screen, no wrapping of long rows, pastes marked, all in the default style.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?7l\x1b[?2004h\x1b[m";
/// Gives it back as it was.
const LEAVE: &[u8] = b"\x1b[m\x1b[?7h\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// A frame begins: terminals that know this show it in one piece.
const BEGIN: &[u8] = b"\x1b[?2026h\x1b[?25l";
/// A frame ends.
const END: &[u8] = b"\x1b[?25h\x1b[?2026l";

/// Where what is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Cells of the lists beside the lines, with the one of their border; 0 if there is no room.
    pub side: u16,
    /// Cells of the lines.
    pub text_width: u16,
    /// Rows above the lines: the title, or none.
    pub top: u16,
    /// Rows of the lines.
    pub height: u16,
    /// Rows of the draft.
    pub prompt: u16,
}

/// Columns from which there are lists beside the lines.
const SIDE_FROM: u16 = 60;

impl Layout {
    /// For a terminal of `columns` and `rows`, and a draft that wants `wanted` rows.
    pub fn new(columns: u16, rows: u16, wanted: u16) -> Self {
        let side = if columns < SIDE_FROM { 0 } else { (columns / 5).clamp(14, 26) };
        let top = u16::from(rows >= 6);
        let prompt = wanted.clamp(1, (rows / 3).max(1));
        let height = rows.saturating_sub(top + 1 + prompt);
        Self { side, text_width: columns - side, top, height, prompt }
    }
}

/// What the terminal shows: a hash of each row.
#[derive(Debug, Default)]
pub(super) struct Screen {
    shown: Vec<u64>,
    entered: bool,
    /// What the bars and lists were painted to last.
    pub side: Arc<Painted>,
    pub title: Arc<Painted>,
    pub status: Arc<Painted>,
    pub prompt: Arc<Painted>,
    /// For which layout.
    pub painted_for: Option<Layout>,
    /// Where the cursor was put.
    cursor: (u16, u16),
}

/// One row: what is at its left, and what follows from a column on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<'a> {
    /// At the left edge.
    pub left: Row<'a>,
    /// From `column` on, to the end.
    pub right: Row<'a>,
    /// Counted from 0.
    pub column: u16,
}

impl Screen {
    /// Nothing is known of what the terminal shows: all is drawn again.
    pub fn forget(&mut self) {
        self.shown.clear();
    }

    /// Appends what turns the shown rows into these; `cursor` is a row and a column, counted from 0.
    pub fn show<'a>(&mut self, rows: impl Iterator<Item = Whole<'a>>, cursor: (u16, u16), out: &mut Vec<u8>) {
        if !self.entered {
            out.extend_from_slice(ENTER);
            self.entered = true;
        }
        let start = out.len();
        out.extend_from_slice(BEGIN);
        let begun = out.len();
        let mut count = 0;
        for (number, row) in rows.enumerate() {
            let hash = row.left.hash ^ row.right.hash.rotate_left(1) ^ u64::from(row.column);
            match self.shown.get_mut(number) {
                Some(shown) if *shown == hash => {}
                Some(shown) => {
                    *shown = hash;
                    draw(number, &row, out);
                }
                None => {
                    self.shown.push(hash);
                    draw(number, &row, out);
                }
            }
            count = number + 1;
        }
        self.shown.truncate(count);
        let drawn = out.len() > begun;
        if !drawn {
            out.truncate(start);
        }
        if drawn || cursor != self.cursor {
            self.cursor = cursor;
            place(usize::from(cursor.0), cursor.1, out);
        }
        if drawn {
            out.extend_from_slice(END);
        }
    }

    /// Appends what gives the terminal back.
    pub fn leave(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.entered) {
            out.extend_from_slice(LEAVE);
        }
        self.forget();
    }
}

/// The row is emptied first: a terminal that has drawn something wider than we thought keeps nothing of it.
fn draw(number: usize, row: &Whole<'_>, out: &mut Vec<u8>) {
    place(number, 0, out);
    out.extend_from_slice(b"\x1b[K");
    out.extend_from_slice(row.left.bytes);
    if row.column > 0 {
        place(number, row.column, out);
        out.extend_from_slice(row.right.bytes);
    }
}

fn place(row: usize, column: u16, out: &mut Vec<u8>) {
    let _ = write!(out, "\x1b[{};{}H", row + 1, u32::from(column) + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_a_layout() {
        for columns in 1..=300 {
            for rows in 1..=100 {
                for wanted in [1, 3, 200] {
                    let layout = Layout::new(columns, rows, wanted);
                    assert!(layout.text_width > 0 && layout.text_width + layout.side == columns);
                    let used = layout.top + layout.height + layout.prompt + 1;
                    assert!(used == rows.max(2), "{columns}x{rows}: {layout:?}");
                }
            }
        }
        assert_eq!(Layout::new(80, 24, 1), Layout { side: 16, text_width: 64, top: 1, height: 21, prompt: 1 });
        assert_eq!(Layout::new(40, 10, 1), Layout { side: 0, text_width: 40, top: 1, height: 7, prompt: 1 });
    }
}
