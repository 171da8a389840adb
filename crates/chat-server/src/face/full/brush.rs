//! Rows of styled text become the bytes that draw them.
//!
//! A row is laid out in a ratatui buffer of one row, which lives only while it is painted, so a member keeps bytes and
//! no cells. What comes out holds no control character but our own SGR sequences (threat U3): the buffer takes none.

use ratatui::buffer::{Buffer, Cell, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use std::hash::{BuildHasher, RandomState};
use std::io::Write as _;
use std::sync::LazyLock;

/// One for all threads, so that the hash of a row is the same wherever it is drawn; keyed anew in each process, so that
/// nobody can write two rows that pass for one.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Rows ready to be sent.
#[derive(Debug, Default)]
pub(super) struct Painted {
    bytes: Box<[u8]>,
    /// The hash of each row and where it ends.
    rows: Box<[(u64, usize)]>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// Equal for equal rows.
    pub hash: u64,
    /// Text and SGR sequences; the style is the default one before and after.
    pub bytes: &'a [u8],
}

impl Painted {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes held, about.
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.rows.len() * size_of::<(u64, usize)>()
    }

    /// A row from the top; an empty one beyond the last.
    pub fn row(&self, at: usize) -> Row<'_> {
        let start = at.checked_sub(1).and_then(|before| self.rows.get(before)).map_or(0, |(_, end)| *end);
        let row =
            self.rows.get(at).and_then(|(hash, end)| Some(Row { hash: *hash, bytes: self.bytes.get(start..*end)? }));
        row.unwrap_or(Row { hash: 0, bytes: &[] })
    }
}

/// Paints; keeps its buffer from one row to the next.
#[derive(Debug, Default)]
pub(super) struct Brush {
    cells: Buffer,
}

impl Brush {
    /// Paints lines, each as one row of at most `width` cells; what does not fit is cut.
    pub fn paint(&mut self, width: u16, lines: &[Line<'_>], colours: bool) -> Painted {
        let (mut bytes, mut rows) = (Vec::new(), Vec::with_capacity(lines.len()));
        for line in lines {
            let start = bytes.len();
            self.row(width, line, colours, &mut bytes);
            rows.push((HASHES.hash_one(bytes.get(start..)), bytes.len()));
        }
        Painted { bytes: bytes.into(), rows: rows.into() }
    }

    fn row(&mut self, width: u16, line: &Line<'_>, colours: bool, out: &mut Vec<u8>) {
        let area = Rect::new(0, 0, width, 1);
        self.cells.resize(area);
        self.cells.reset();
        self.cells.set_style(area, line.style);
        self.cells.set_line(0, 0, line, width);
        let used = self.cells.content().iter().rposition(seen).map_or(0, |last| last + 1);
        let mut now = Style::new();
        let mut hidden = 0;
        for cell in self.cells.content().iter().take(used) {
            // A wide character hides the cells after it.
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            let style = Style { fg: Some(cell.fg), bg: Some(cell.bg), add_modifier: cell.modifier, ..Style::new() };
            if style != now {
                select(style, colours, out);
                now = style;
            }
            out.extend_from_slice(cell.symbol().as_bytes());
            hidden = cell.cell_width().saturating_sub(1);
        }
        out.extend_from_slice(b"\x1b[m");
    }
}

/// Whether a cell is more than an erased one.
fn seen(cell: &Cell) -> bool {
    cell.symbol() != " "
        || cell.bg != Color::Reset
        || cell.modifier.intersects(Modifier::REVERSED | Modifier::UNDERLINED)
}

/// Appends the sequence that selects a style from any other.
fn select(style: Style, colours: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[0");
    let codes = [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::ITALIC, ";3"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::REVERSED, ";7"),
    ];
    for (modifier, code) in codes {
        if style.add_modifier.contains(modifier) {
            out.extend_from_slice(code.as_bytes());
        }
    }
    // A bar of another background must still be one without colours.
    let barred = style.bg.is_some_and(|bg| bg != Color::Reset);
    if !colours && barred {
        out.extend_from_slice(b";7");
    }
    if colours {
        colour(style.fg, 30, out);
        colour(style.bg, 40, out);
    }
    out.push(b'm');
}

/// A colour of the terminal's 8 or of the 256; `base` is 30 for the text and 40 for what is behind.
fn colour(colour: Option<Color>, base: u8, out: &mut Vec<u8>) {
    let _ = match colour {
        Some(Color::Red) => write!(out, ";{}", base + 1),
        Some(Color::Indexed(number)) => write!(out, ";{};5;{number}", base + 8),
        _ => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::text::Span;

    fn painted(line: &Line<'_>, colours: bool) -> String {
        let painted = Brush::default().paint(10, std::slice::from_ref(line), colours);
        String::from_utf8_lossy(painted.row(0).bytes).into_owned()
    }

    #[test]
    fn u03_no_control_character_passes() {
        let line = Line::from("a\x1b[2J\u{9b}31m\x07b\rc\n");
        assert_eq!(painted(&line, true), "\x1b[0ma[2J31mbc\x1b[m");
    }

    #[test]
    fn styles_end_with_the_row_and_colours_may_be_missing() {
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        let line = Line::from(vec![Span::raw("a"), Span::styled("b", red)]);
        assert_eq!(painted(&line, true), "\x1b[0ma\x1b[0;1;31mb\x1b[m");
        assert_eq!(painted(&line, false), "\x1b[0ma\x1b[0;1mb\x1b[m");
        let bar = Line::styled("x", Style::new().bg(Color::Indexed(237)));
        assert_eq!(painted(&bar, false), "\x1b[0;7mx         \x1b[m");
    }

    #[test]
    fn what_does_not_fit_is_cut_and_a_wide_character_is_never_halved() {
        assert_eq!(painted(&Line::from("あいうえおか"), true), "\x1b[0mあいうえお\x1b[m");
        assert_eq!(painted(&Line::from("xあいうえおか"), true), "\x1b[0mxあいうえ\x1b[m");
        assert_eq!(painted(&Line::from("👩‍🔬é"), true), "\x1b[0m👩‍🔬é\x1b[m");
    }
}
