//! The one place where a peer's bytes become text that a terminal or a log may see (threat U1).

/// Makes peer text harmless: invalid UTF-8 becomes U+FFFD; control characters other than line
/// feed and tab (C0, DEL, and C1 whether as bytes or as U+0080 to U+009F) become U+FFFD too, and
/// so do the bidirectional controls that can make text read as something else. At most
/// `max_bytes` of UTF-8 come out; a cut is shown by `…`.
pub fn clean(bytes: &[u8], max_bytes: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len().min(max_bytes));
    for c in text.chars() {
        let c = if is_harmless(c) { c } else { '\u{fffd}' };
        if out.len() + c.len_utf8() > max_bytes {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

/// [`clean`] for one line: line feeds and tabs become spaces as well (threat U7).
pub fn clean_line(bytes: &[u8], max_bytes: usize) -> String {
    clean(bytes, max_bytes).replace(['\n', '\t'], " ")
}

fn is_harmless(c: char) -> bool {
    matches!(c, '\n' | '\t')
        || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u01_no_control_byte_survives_at_any_place() {
        for byte in 0..=255u8 {
            for place in 0..4 {
                let mut text = b"abcd".to_vec();
                text.insert(place, byte);
                let out = clean(&text, 100);
                for c in out.chars() {
                    assert!(c == '\n' || c == '\t' || !c.is_control(), "byte {byte:#x} came out as {c:?}");
                }
                assert!(!clean_line(&text, 100).contains(['\n', '\t']));
            }
        }
        for code in 0x80..=0x9fu32 {
            let text: String = char::from_u32(code).into_iter().collect();
            assert_eq!(clean(text.as_bytes(), 10), "\u{fffd}");
        }
    }

    #[test]
    fn u01_length_is_capped() {
        let out = clean(&vec![b'x'; 10_000], 100);
        assert_eq!(out.len(), 100 + '…'.len_utf8());
    }
}
