//! The one text cleaner of chat: what people say becomes what may reach other people's terminals
//! (threats U3 and U4).
//!
//! The bytes are read as UTF-8 first and judged as characters, never as bytes: 0x9C is both the C1
//! string terminator and a part of many common characters. Clean text holds no control character
//! but line feed and tab, nothing that reorders or hides text, and is in NFC. Cleaning it again
//! changes nothing.

use crate::limits::MARKS;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Zero width joiner: part of emoji sequences, invisible elsewhere.
const JOINER: char = '\u{200d}';
/// Ends a sequence of tags after [`BLACK_FLAG`].
const END_OF_TAGS: char = '\u{e007f}';
/// The one emoji that is followed by tags: flags of regions.
const BLACK_FLAG: char = '\u{1f3f4}';
/// Letters of a region's code are at most this many tags.
const TAGS: usize = 8;

/// Cleans a text of several lines: what ends a line anywhere becomes a line feed, what may not be
/// shown is dropped, invalid UTF-8 becomes U+FFFD. Empty lines and spaces at the end go.
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.bytes().all(|byte| byte == b'\n' || byte == b'\t' || (0x20..0x7f).contains(&byte)) {
        return text.trim_end().to_owned();
    }
    let kept = keep_visible(&text);
    let mut normal: String = match is_nfc_quick(kept.chars()) {
        IsNormalized::Yes => kept,
        _ => kept.nfc().collect(),
    };
    normal.truncate(normal.trim_end().len());
    normal
}

/// Cleans a text of one line: [`clean`], line feeds and tabs become spaces, spaces at both ends go,
/// and at most `max_bytes` come out, a cut shown by `…` beyond them.
pub fn clean_line(bytes: &[u8], max_bytes: usize) -> String {
    let text = clean(bytes).replace(['\n', '\t'], " ");
    let text = text.trim();
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let mut end = max_bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = text.get(..end).unwrap_or_default().trim_end().to_owned();
    cut.push('…');
    cut
}

/// The characters that may be seen, before normalisation.
fn keep_visible(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut marks = None;
    let mut last = None;
    let mut rest: &[char] = &chars;
    while let Some((&c, after)) = rest.split_first() {
        rest = after;
        if let Some(newline) = end_of_line(c, &mut rest) {
            out.push(newline);
            (last, marks) = (None, None);
            continue;
        }
        if c == BLACK_FLAG
            && let Some(tags) = tag_sequence(rest)
        {
            out.push(c);
            out.extend(rest.iter().take(tags));
            rest = rest.get(tags..).unwrap_or_default();
            (last, marks) = (Some(c), Some(0));
            continue;
        }
        if is_selector(c) || c == JOINER {
            if joins(last, c, rest) {
                out.push(c);
                last = Some(c);
            }
            continue;
        }
        if c.is_control() && c != '\t' || is_invisible(c) {
            continue;
        }
        if is_combining_mark(c) {
            // A mark without a base would settle on whatever a face draws before the text.
            if let Some(count) = marks.as_mut().filter(|count| **count < MARKS) {
                *count += 1;
                out.push(c);
            }
            continue;
        }
        out.push(c);
        last = Some(c);
        marks = if c == '\t' { None } else { Some(0) };
    }
    out
}

/// If `c` ends a line: a line feed, having eaten the line feed of CR LF.
fn end_of_line(c: char, rest: &mut &[char]) -> Option<char> {
    match c {
        '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\r' => {
            if let Some(after) = rest.strip_prefix(&['\n']) {
                *rest = after;
            }
            Some('\n')
        }
        _ => None,
    }
}

/// How many tags follow the black flag, the ending one included, if they are a flag's.
fn tag_sequence(rest: &[char]) -> Option<usize> {
    let end = rest.iter().take(TAGS + 1).position(|c| *c == END_OF_TAGS)?;
    let letters = rest.get(..end)?;
    let good = |c: &char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    (end > 0 && letters.iter().all(good)).then_some(end + 1)
}

/// Variation selectors 15 and 16: text or emoji look.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Whether a selector or joiner is part of an emoji sequence here.
fn joins(last: Option<char>, c: char, rest: &[char]) -> bool {
    let Some(last) = last else { return false };
    let next = rest.first().copied();
    match c {
        JOINER => (is_emoji(last) || is_selector(last)) && next.is_some_and(is_emoji),
        // Digits, # and * only as keycaps: `1`, selector, U+20E3.
        _ if matches!(last, '0'..='9' | '#' | '*') => next == Some('\u{20e3}'),
        _ => is_emoji(last),
    }
}

/// Characters that emoji sequences are made of (UTS #51), by their blocks.
fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}'
        | '\u{25a0}'..='\u{25ff}' | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}'
        | '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{24c2}'
        | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}')
}

/// Format characters, fillers, tags, selectors and what is no character: nothing a reader can see.
fn is_invisible(c: char) -> bool {
    let noncharacter = u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}');
    noncharacter
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
            | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Case folded for comparing: NFKC of the lower case, good for whole words (mentions, names).
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        clean(text.as_bytes())
    }

    #[test]
    fn u03_no_control_byte_survives_at_any_place() {
        for byte in 0..=255u8 {
            for place in 0..5 {
                let mut text = "añ✀b".as_bytes().to_vec();
                text.insert(place, byte);
                let out = clean(&text);
                assert!(
                    out.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()),
                    "{byte:#x} at {place}: {out:?}"
                );
            }
        }
    }

    #[test]
    fn u04_what_emoji_need_stays_and_only_there() {
        for whole in ["👩‍🔬", "❤️‍🔥", "🏳️‍🌈", "👍🏽", "1️⃣", "#️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "❄️ x", "👨‍👩‍👧‍👦"]
        {
            assert_eq!(cleaned(whole), whole, "{whole:?}");
        }
        for (dirty, out) in [
            ("a\u{200d}b", "ab"),
            ("a\u{fe0f}", "a"),
            ("👩\u{200d}", "👩"),
            ("👩\u{200d}x", "👩x"),
            ("🏴\u{e0067}\u{e0062}", "🏴"),
            ("x\u{e0041}\u{e007f}", "x"),
            ("1\u{fe0f}", "1"),
            ("❄\u{fe0f}\u{fe0f}\u{fe0f}", "❄\u{fe0f}"),
        ] {
            assert_eq!(cleaned(dirty), out, "{dirty:?}");
        }
    }

    #[test]
    fn u04_marks_are_capped_and_need_a_base() {
        let zalgo = format!("a{}b", "\u{336}".repeat(1000));
        assert_eq!(cleaned(&zalgo), format!("a{}b", "\u{336}".repeat(MARKS)));
        assert_eq!(cleaned("\u{301}a\n\u{301}b\t\u{301}"), "a\nb");
        assert_eq!(cleaned("e\u{301}"), "é");
    }

    #[test]
    fn u04_one_line_stays_one_line() {
        assert_eq!(cleaned("a\r\nb\rc\u{2028}d\u{85}e\n\n"), "a\nb\nc\nd\ne");
        assert_eq!(clean_line(b"  a\r\nb\tc \n", 100), "a b c");
        assert_eq!(clean_line("ééé".as_bytes(), 3), "é…");
    }

    #[test]
    fn folding_makes_case_and_width_equal() {
        assert_eq!(fold("ÉCOLE"), fold("école"));
        assert_eq!(fold("Ａlice"), "alice");
    }
}
