//! How many cells of a terminal a text takes.

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;

/// The cells that a text takes.
pub(super) fn width_of(text: &str) -> u16 {
    text.graphemes(true).map(width_of_glyph).fold(0, u16::saturating_add)
}

/// The cells of one character with its marks; none for what is not drawn.
pub(super) fn width_of_glyph(symbol: &str) -> u16 {
    if symbol.contains(char::is_control) { 0 } else { symbol.cell_width() }
}
