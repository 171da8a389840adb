//! Patterns with `*` and `?`, and lists of them with `!` (ssh_config(5), PATTERNS). Matching takes time linear in the
//! text for every pattern whose stars stand between plain words.

/// True when the whole text matches: `*` is any run, `?` any one character, all else itself, case and all.
pub fn matches(text: &str, pattern: &str) -> bool {
    let mut segments = pattern.split('*');
    let Some(first) = segments.next() else { return text.is_empty() };
    let Some(mut text) = strip_segment(text, first) else { return false };
    let mut segments = segments.peekable();
    if segments.peek().is_none() {
        return text.is_empty();
    }
    // The leftmost place is always as good as any later one, so there is nothing to go back to.
    while let Some(segment) = segments.next() {
        if segments.peek().is_none() {
            return ends_with_segment(text, segment);
        }
        match find_segment(text, segment) {
            Some(rest) => text = rest,
            None => return false,
        }
    }
    false
}

/// Takes a segment without stars off the front.
fn strip_segment<'a>(text: &'a str, segment: &str) -> Option<&'a str> {
    if !segment.contains('?') {
        return text.strip_prefix(segment);
    }
    let mut chars = text.chars();
    for wanted in segment.chars() {
        let c = chars.next()?;
        if wanted != '?' && wanted != c {
            return None;
        }
    }
    Some(chars.as_str())
}

fn ends_with_segment(text: &str, segment: &str) -> bool {
    if !segment.contains('?') {
        return text.ends_with(segment);
    }
    let mut chars = text.chars();
    segment.chars().rev().all(|wanted| chars.next_back().is_some_and(|c| wanted == '?' || wanted == c))
}

/// The text after the leftmost place where the segment stands.
fn find_segment<'a>(text: &'a str, segment: &str) -> Option<&'a str> {
    if !segment.contains('?') {
        return text.split_once(segment).map_or(segment.is_empty().then_some(text), |(_, rest)| Some(rest));
    }
    let mut rest = text;
    loop {
        if let Some(after) = strip_segment(rest, segment) {
            return Some(after);
        }
        let mut chars = rest.chars();
        chars.next()?;
        rest = chars.as_str();
    }
}

/// What a list of patterns says about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListMatch {
    /// A pattern matches and no negated one does.
    Yes,
    /// Nothing matches.
    No,
    /// A negated pattern matches: whatever else the list says, the answer is no.
    Negated,
}

/// Matches a comma-separated list; `!pattern` negates. With `fold` the patterns are lower-cased first (host names).
pub fn matches_list(text: &str, list: &str, fold: bool) -> ListMatch {
    let mut found = ListMatch::No;
    for item in list.split(',') {
        let (negated, pattern) = match item.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, item),
        };
        let hit = if fold { matches(text, &pattern.to_ascii_lowercase()) } else { matches(text, pattern) };
        if hit && negated {
            return ListMatch::Negated;
        }
        if hit {
            found = ListMatch::Yes;
        }
    }
    found
}

/// [`matches_list`] for a host name: case does not count.
pub fn matches_host(host: &str, list: &str) -> ListMatch {
    matches_list(&host.to_ascii_lowercase(), list, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (text, pattern, wanted) in [
            ("", "", true),
            ("", "*", true),
            ("a", "", false),
            ("abc", "abc", true),
            ("abc", "a*c", true),
            ("abc", "a?c", true),
            ("abc", "a?", false),
            ("abc", "*", true),
            ("abc", "**", true),
            ("abc", "*b*", true),
            ("abc", "*d*", false),
            ("abc", "?*?", true),
            ("a", "?*?", false),
            ("aXbXc", "a*X?", true),
            ("abab", "*ab", true),
            ("ab", "ab*ab", false),
            ("host.example.com", "*.example.com", true),
            ("example.com", "*.example.com", false),
            ("Abc", "abc", false),
            ("a*c", "a*c", true),
            ("mississippi", "m*si?si*pi", true),
            ("mississippi", "m*si?x*pi", false),
        ] {
            assert_eq!(matches(text, pattern), wanted, "{text:?} against {pattern:?}");
        }
    }

    #[test]
    fn a15_no_pattern_takes_long() {
        let pattern = format!("{}b", "a*".repeat(5_000));
        let text = "a".repeat(10_000);
        let once = |_| {
            let start = std::time::Instant::now();
            assert!(!matches(&text, &pattern));
            start.elapsed()
        };
        // The least of many, for a machine that does other things too; backtracking would take years.
        let least = (0..100).map(once).min();
        assert!(least < Some(std::time::Duration::from_millis(20)), "{least:?}");
    }

    #[test]
    fn lists_and_negation() {
        assert_eq!(matches_list("bob", "alice,bob", false), ListMatch::Yes);
        assert_eq!(matches_list("bob", "*,!bob", false), ListMatch::Negated);
        assert_eq!(matches_list("bob", "!bob,*", false), ListMatch::Negated);
        assert_eq!(matches_list("bob", "!alice", false), ListMatch::No);
        assert_eq!(matches_list("bob", "alice", false), ListMatch::No);
        assert_eq!(matches_host("Web.Example.COM", "*.EXAMPLE.com"), ListMatch::Yes);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_plain_recursive_definition(text in "[ab]{0,8}", pattern in "[ab*?]{0,7}") {
            fn slow(text: &[u8], pattern: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (None, Some(_)) => false,
                    (Some((b'*', rest)), _) => slow(text, rest) || text.split_first().is_some_and(|(_, t)| slow(t, pattern)),
                    (Some((b'?', rest)), Some((_, t))) => slow(t, rest),
                    (Some((p, rest)), Some((c, t))) => p == c && slow(t, rest),
                    (Some(_), None) => false,
                }
            }
            proptest::prop_assert_eq!(matches(&text, &pattern), slow(text.as_bytes(), pattern.as_bytes()));
        }
    }
}
