//! The known word that looks most like an unknown one.

/// The candidate within a small edit distance of `word` (a third of its length, at least 1 and at most 3 edits,
/// a swap of neighbours counting as one), or none. Letters' case does not count. The first of equals wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(65).map(|c| c.to_ascii_lowercase()).collect();
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let bound = (word.len() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate.chars().map(|c| c.to_ascii_lowercase()).collect();
        if other.len().abs_diff(word.len()) > bound {
            continue;
        }
        let distance = distance(&word, &other);
        if distance <= bound && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: insert, delete, replace, swap neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut previous_b = None;
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, j) + usize::from(x != y);
            let mut least = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if previous_a == Some(y) && previous_b == Some(x) && j > 0 {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
            previous_b = Some(y);
        }
        before = std::mem::replace(&mut last, row);
        previous_a = Some(x);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let words = ["HostName", "HostKeyAlias", "Port", "ProxyJump", "IdentityFile"];
        assert_eq!(nearest("Hostnmae", words), Some("HostName"));
        assert_eq!(nearest("Prot", words), Some("Port"));
        assert_eq!(nearest("ProxyJumps", words), Some("ProxyJump"));
        assert_eq!(nearest("identityfiles", words), Some("IdentityFile"));
        assert_eq!(nearest("Frobnicate", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest(&"x".repeat(100_000), words), None);
    }

    #[test]
    fn distances_are_the_textbook_ones() {
        let of = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!(of("kitten", "sitting"), 3);
        assert_eq!(of("ab", "ba"), 1);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("abc", ""), 3);
        assert_eq!(of("same", "same"), 0);
    }
}
