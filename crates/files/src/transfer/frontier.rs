//! How far a file is whole from its beginning, while its pieces come in any order.

use std::collections::BTreeMap;

/// Everything before [`Self::at`] is there; some pieces after it may be.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    at: u64,
    /// Pieces beyond: start to end.
    beyond: BTreeMap<u64, u64>,
}

impl Frontier {
    pub(super) fn new(at: u64) -> Self {
        Self { at, beyond: BTreeMap::new() }
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether there are pieces beyond a gap.
    pub(super) fn has_gap(&self) -> bool {
        !self.beyond.is_empty()
    }

    /// A piece is there.
    pub(super) fn add(&mut self, start: u64, end: u64) {
        if start > self.at {
            self.beyond.insert(start, end);
            return;
        }
        self.at = self.at.max(end);
        while let Some(piece) = self.beyond.first_entry().filter(|piece| *piece.key() <= self.at) {
            self.at = self.at.max(piece.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_a_whole() {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let mut frontier = Frontier::new(10);
            let mut there = [false; 4];
            for piece in order {
                frontier.add(10 + piece * 5, 15 + piece * 5);
                if let Some(there) = there.get_mut(usize::try_from(piece).unwrap_or(9)) {
                    *there = true;
                }
                let whole = there.iter().take_while(|there| **there).count() as u64;
                assert_eq!(frontier.at(), 10 + whole * 5);
                assert_eq!(frontier.has_gap(), there.iter().skip(usize::try_from(whole).unwrap_or(9)).any(|t| *t));
            }
        }
    }
}
