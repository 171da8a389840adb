//! Emoji as words, for terminals that draw them badly and readers that read them out: `/emoji text`.

use unicode_segmentation::UnicodeSegmentation;

/// The text with each emoji as `:its name:`.
pub(super) fn in_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for symbol in text.graphemes(true) {
        // Digits and signs are emoji's beginnings too, and mean themselves.
        match emojis::get(symbol).filter(|_| !symbol.is_ascii()) {
            Some(emoji) => out.extend([":", emoji.shortcode().unwrap_or(emoji.name()), ":"]),
            None => out.push_str(symbol),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_get_their_names_and_nothing_else_does() {
        assert_eq!(in_words("go 🚀 now"), "go :rocket: now");
        assert_eq!(in_words("#1 é 日本 שלום"), "#1 é 日本 שלום");
        assert_eq!(in_words("👩‍🔬!"), ":woman_scientist:!");
    }
}
