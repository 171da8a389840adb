//! The word that was probably meant.

use strsim::osa_distance;

/// The nearest of `words` to `typed`, if it is near: at most one change for every three letters,
/// and at least one. Swapped neighbours are one change.
pub fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed: String = typed.chars().flat_map(char::to_lowercase).take(32).collect();
    let most = (typed.chars().count() / 3).max(1);
    let near = words.map(|word| (osa_distance(&typed, word), word));
    near.filter(|(changes, _)| *changes <= most).min_by_key(|(changes, _)| *changes).map(|(_, word)| word)
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
