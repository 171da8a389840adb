//! The known word that looks most like an unknown one.

use strsim::osa_distance;

/// The candidate within a small edit distance of `word` (a third of its length, at least 1 and at most 3 edits,
/// a swap of neighbours counting as one), or none. Letters' case does not count. The first of equals wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().take(65).count();
    if !(1..=64).contains(&letters) {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let bound = (letters / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.chars().count().abs_diff(letters) > bound {
            continue;
        }
        let distance = osa_distance(&word, &candidate.to_ascii_lowercase());
        if distance <= bound && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
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
}
