//! Patterns with `*` and `?` over bytes, as peers send them: users of destination constraints, hosts that a certificate names
//! (ssh_config(5), PATTERNS).

/// Whether the whole of `text` fits `pattern`: `*` is any run, `?` any one byte, all else itself. A `*` is never tried again once a
/// later one has matched, so the steps are at most the product of the lengths, which callers bound (threat G4).
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = retry else { return false };
                retry = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_what_they_should() {
        for (pattern, text) in
            [("", ""), ("*", ""), ("*", "x"), ("a*c", "abbc"), ("a?c", "abc"), ("*b*", "abc"), ("**", "x")]
        {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in [("", "x"), ("?", ""), ("a*c", "abcd"), ("a?c", "ac"), ("abc", "ab"), ("*b", "abc")] {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn g04_a_pattern_of_many_stars_is_quick() {
        let pattern = [b"a*".repeat(512), b"b".to_vec()].concat();
        let text = vec![b'a'; 10 * 1024];
        let once = |_| {
            let start = std::time::Instant::now();
            assert!(!matches(&pattern, &text));
            start.elapsed()
        };
        // The least of many, for a machine that does other things too; backtracking would take years.
        let least = (0..100).map(once).min();
        assert!(least < Some(std::time::Duration::from_millis(20)), "{least:?}");
    }
}
