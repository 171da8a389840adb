//! Text that a browser shows as it is.

use std::fmt::Write as _;

/// Bytes of a line.
const LINE: usize = 16;

/// Text without anything that a browser would take for markup, in an element or in a quoted attribute.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Lines of place, bytes and text, ready for a page.
pub fn hex_dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (line, at) in bytes.chunks(LINE).zip((0..).step_by(LINE)) {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        let text: String = line.iter().map(shown).collect();
        let _ = writeln!(out, "{at:04x}  {:<48}{}", hex.join(" "), escaped(&text));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_that_means_something_is_left() {
        let all: String = (0..0x300u32).filter_map(char::from_u32).collect();
        let out = escaped(&all);
        assert!(!out.contains(['<', '>', '"', '\'', '\u{1b}', '\0', '\u{9b}']));
        assert_eq!(escaped("a & b"), "a &amp; b");
    }

    #[test]
    fn bytes_stand_in_lines_of_sixteen() {
        let dump = hex_dump(b"SSH-2.0-<x>\r\nmore than one line");
        let mut lines = dump.lines();
        assert_eq!(lines.next(), Some("0000  53 53 48 2d 32 2e 30 2d 3c 78 3e 0d 0a 6d 6f 72 SSH-2.0-&lt;x&gt;..mor"));
        assert_eq!(lines.count(), 1);
    }
}
