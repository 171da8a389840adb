//! Long lines become rows: broken at spaces and between wide characters, further rows set in.

use super::super::width::width_of_glyph;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

/// What is drawn in one place: a character with its marks.
struct Glyph<'a> {
    symbol: &'a str,
    style: Style,
    width: u16,
}

/// Breaks spans into rows of at most `width` cells. Rows but the first begin with `indent` spaces, so that a long line
/// cannot make one of its rows look like a line of somebody else (threat U4).
pub(super) fn wrap(spans: &[Span<'_>], width: u16, indent: u16) -> Vec<Line<'static>> {
    let width = width.max(4);
    let indent = indent.min(width / 2);
    let glyphs: Vec<Glyph<'_>> = spans.iter().flat_map(glyphs).collect();
    let mut rows = Vec::new();
    let mut left = glyphs.as_slice();
    while !left.is_empty() || rows.is_empty() {
        let set_in = if rows.is_empty() { 0 } else { indent };
        let (row, rest) = left.split_at(row_length(left, width - set_in));
        rows.push(row_of(row, set_in));
        left = skip_spaces(rest);
    }
    rows
}

fn glyphs<'a>(span: &'a Span<'_>) -> impl Iterator<Item = Glyph<'a>> {
    let glyph = |symbol: &'a str| Glyph { symbol, style: span.style, width: width_of_glyph(symbol) };
    span.content.graphemes(true).map(glyph).filter(|glyph| glyph.width > 0)
}

/// How many glyphs make the next row: at least one, if there is one.
fn row_length(glyphs: &[Glyph<'_>], room: u16) -> usize {
    let (mut used, mut fits) = (0u16, 0);
    for glyph in glyphs {
        used = used.saturating_add(glyph.width);
        if used > room {
            break;
        }
        fits += 1;
    }
    if fits == glyphs.len() {
        return fits;
    }
    let may_break = |at: &usize| {
        let (before, after) = (at.checked_sub(1).and_then(|before| glyphs.get(before)), glyphs.get(*at));
        let (Some(before), Some(after)) = (before, after) else { return false };
        before.symbol == " " || after.symbol == " " || (before.width > 1 && after.width > 1)
    };
    // A word as long as most of the row is broken rather than leave the row empty.
    let lowest = fits / 3;
    (lowest + 1..=fits).rev().find(may_break).unwrap_or(fits).max(1)
}

fn skip_spaces<'a, 'b>(glyphs: &'a [Glyph<'b>]) -> &'a [Glyph<'b>] {
    let spaces = glyphs.iter().take_while(|glyph| glyph.symbol == " ").count();
    glyphs.get(spaces..).unwrap_or_default()
}

fn row_of(glyphs: &[Glyph<'_>], set_in: u16) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    if set_in > 0 {
        spans.push(Span::raw(" ".repeat(usize::from(set_in))));
    }
    for glyph in glyphs {
        match spans.last_mut().filter(|span| span.style == glyph.style) {
            Some(span) => span.content.to_mut().push_str(glyph.symbol),
            None => spans.push(Span::styled(glyph.symbol.to_owned(), glyph.style)),
        }
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::super::super::width::width_of;
    use super::*;

    fn rows(text: &str, width: u16, indent: u16) -> Vec<String> {
        wrap(&[Span::raw(text)], width, indent).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(rows("one two three", 8, 2), ["one two ", "  three"]);
        assert_eq!(rows("one  two", 4, 0), ["one ", "two"]);
        assert_eq!(rows("abcdefghijkl", 5, 1), ["abcde", " fghi", " jkl"]);
        assert_eq!(rows("a bcdefghijkl", 6, 0), ["a bcde", "fghijk", "l"]);
        assert_eq!(rows("", 5, 0), [""]);
    }

    #[test]
    fn wide_characters_are_not_halved() {
        assert_eq!(rows("日本語日本", 5, 0), ["日本", "語日", "本"]);
        assert_eq!(rows("👩‍🔬👩‍🔬👩‍🔬", 4, 0), ["👩‍🔬👩‍🔬", "👩‍🔬"]);
    }

    #[test]
    fn no_row_is_longer_than_it_may_be() {
        let text = "e\u{301}x 日本 👍🏽 ".repeat(50);
        for width in 4..90 {
            for row in rows(&text, width, 6) {
                assert!(width_of(&row) <= width, "{width}: {row:?}");
            }
        }
    }
}
