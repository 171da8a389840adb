//! Emoji as words, for terminals that draw them badly and readers that read them out: `/emoji text`.

use std::cmp::Ordering;
use unicode_segmentation::UnicodeSegmentation;

/// An emoji, a tab and its name on each line, sorted; made by `build.rs`.
static LINES: &str = include_str!(concat!(env!("OUT_DIR"), "/emoji.txt"));

/// The text with each emoji as `:its name:`.
pub(super) fn in_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for symbol in text.graphemes(true) {
        // Digits and signs are emoji's beginnings too, and mean themselves.
        match name(symbol).filter(|_| !symbol.is_ascii()) {
            Some(name) => out.extend([":", name, ":"]),
            None => out.push_str(symbol),
        }
    }
    out
}

/// The name of an emoji: its line is found by halving.
fn name(symbol: &str) -> Option<&'static str> {
    let mut lines = LINES;
    while !lines.is_empty() {
        let middle =
            lines.as_bytes().get(..lines.len() / 2)?.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (before, rest) = lines.split_at_checked(middle)?;
        let (line, after) = rest.split_once('\n')?;
        let (emoji, name) = line.split_once('\t')?;
        lines = match symbol.cmp(emoji) {
            Ordering::Equal => return Some(name),
            Ordering::Less => before,
            Ordering::Greater => after,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_get_their_names_and_nothing_else_does() {
        assert_eq!(in_words("go 🚀 now"), "go :rocket: now");
        assert_eq!(in_words("#1 é 日本 שלום"), "#1 é 日本 שלום");
        assert_eq!(in_words("👩‍🔬!"), ":woman_scientist:!");
        for line in LINES.lines() {
            let (emoji, known) = line.split_once('\t').unwrap_or_default();
            assert_eq!(name(emoji), Some(known), "{emoji}");
        }
        assert_eq!([name(""), name("\u{10ffff}"), name("🚀🚀")], [None; 3]);
    }
}
