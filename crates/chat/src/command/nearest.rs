//! The word that was probably meant.

/// The nearest of `words` to `typed`, if it is near: at most one change for every three letters,
/// and at least one. Swapped neighbours are one change.
pub fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = typed.chars().flat_map(char::to_lowercase).take(32).collect();
    let most = (typed.len() / 3).max(1);
    let near = words.map(|word| (distance(&typed, &word.chars().collect::<Vec<_>>()), word));
    near.filter(|(changes, _)| *changes <= most).min_by_key(|(changes, _)| *changes).map(|(_, word)| word)
}

/// Optimal string alignment: insertions, deletions, changes and swaps of neighbours.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut left_one = None;
    for (row, a) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut left_other = None;
        for (column, b) in other.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX / 2);
            let changed = at(&last, column) + usize::from(a != b);
            let mut least = changed.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if column > 0 && left_one == Some(b) && left_other == Some(a) {
                least = least.min(at(&before, column - 1) + 1);
            }
            current.push(least);
            left_other = Some(b);
        }
        before = std::mem::replace(&mut last, current);
        left_one = Some(a);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found() {
        let words = || ["list", "join", "ignore", "invite", "quit", "pm"].into_iter();
        assert_eq!(nearest("lsit", words()), Some("list"));
        assert_eq!(nearest("LIST", words()), Some("list"));
        assert_eq!(nearest("ignroe", words()), Some("ignore"));
        assert_eq!(nearest("qut", words()), Some("quit"));
        assert_eq!(nearest("p", words()), Some("pm"));
        assert_eq!(nearest("frobnicate", words()), None);
    }
}
