//! A set of serial numbers, kept as ranges.

use super::RevocationError;
use std::collections::BTreeMap;

/// The most ranges that are kept of all CAs together. A list of single numbers that long would have 32 MB.
pub(super) const MAX_RANGES: usize = 4_000_000;

/// Ranges by their first number, both ends included. None touches another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Serials(BTreeMap<u64, u64>);

impl Serials {
    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a range; what it meets becomes one with it.
    pub(super) fn insert(&mut self, mut first: u64, mut last: u64) -> Result<(), RevocationError> {
        while let Some((known_first, known_last)) = self.meeting(first, last) {
            self.0.remove(&known_first);
            first = first.min(known_first);
            last = last.max(known_last);
        }
        if self.0.len() == MAX_RANGES {
            return Err(RevocationError::TooMany);
        }
        self.0.insert(first, last);
        Ok(())
    }

    /// A range that overlaps or touches this one: of those that begin in time the last ends last.
    fn meeting(&self, first: u64, last: u64) -> Option<(u64, u64)> {
        let (known_first, known_last) = self.0.range(..=last.saturating_add(1)).next_back()?;
        (known_last.saturating_add(1) >= first).then_some((*known_first, *known_last))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranges_become_one_where_they_meet() {
        let mut serials = Serials::default();
        for (first, last) in [(10, 20), (30, 40), (22, 28), (1, 1), (u64::MAX, u64::MAX), (21, 21)] {
            serials.insert(first, last).unwrap();
        }
        assert_eq!(serials.ranges().collect::<Vec<_>>(), [(1, 1), (10, 28), (30, 40), (u64::MAX, u64::MAX)]);
        serials.insert(5, u64::MAX - 1).unwrap();
        assert_eq!(serials.ranges().collect::<Vec<_>>(), [(1, 1), (5, u64::MAX)]);
        assert!(serials.contains(1) && !serials.contains(2) && serials.contains(5) && serials.contains(u64::MAX));
        assert!(!Serials::default().contains(0));
    }
}
