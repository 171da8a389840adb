//! What arrived for a descriptor that does not take it yet.

use std::cell::RefCell;
use std::collections::VecDeque;

/// The size of a piece of the thread's store, in bytes.
const PIECE: usize = 256 * 1024;
/// From so many bytes on, data goes into a piece of the thread's store.
const LARGE: usize = 16 * 1024;
/// The least room of a piece, in bytes: a peer that sends a byte at a time must not cost a piece for each.
const SMALL: usize = 1024;
/// The most pieces that a thread keeps for the next one who needs them. A reader that is a little slower than the peer
/// has some waiting all the time, and memory fresh from the kernel costs more than the copy.
const KEPT: usize = 64;

thread_local! {
    static STORE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes in the order they came. They are copies, so that a few waiting bytes do not pin the buffer a whole read came in.
#[derive(Default)]
pub(crate) struct Backlog {
    pieces: VecDeque<Vec<u8>>,
    /// How much of the first piece is gone.
    start: usize,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum::<usize>() - self.start
    }

    /// Adds bytes behind the others.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        if let Some(last) = self.pieces.back_mut() {
            let room = last.capacity() - last.len();
            let (fitting, rest) = bytes.split_at(room.min(bytes.len()));
            last.extend_from_slice(fitting);
            bytes = rest;
        }
        for part in bytes.chunks(PIECE) {
            let mut piece = if part.len() < LARGE { Vec::with_capacity(part.len().max(SMALL)) } else { large_piece() };
            piece.extend_from_slice(part);
            self.pieces.push_back(piece);
        }
    }

    /// The first bytes, some of them; empty when there are none.
    pub(crate) fn first(&self) -> &[u8] {
        self.pieces.front().and_then(|piece| piece.get(self.start..)).unwrap_or_default()
    }

    /// Removes so many of the first bytes, not more than [`Backlog::first`] shows.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.pieces.front().is_some_and(|piece| self.start >= piece.len()) {
            self.start = 0;
            if let Some(piece) = self.pieces.pop_front() {
                keep(piece);
            }
        }
    }

    /// Removes everything and says how many bytes that was.
    pub(crate) fn clear(&mut self) -> usize {
        let bytes = self.len();
        self.start = 0;
        self.pieces.drain(..).for_each(keep);
        bytes
    }
}

fn large_piece() -> Vec<u8> {
    STORE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(PIECE))
}

fn keep(mut piece: Vec<u8>) {
    if piece.capacity() >= PIECE {
        piece.clear();
        STORE.with_borrow_mut(|store| {
            if store.len() < KEPT {
                store.push(piece);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(backlog: &mut Backlog, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !backlog.is_empty() {
            let first = backlog.first();
            let count = step.min(first.len());
            out.extend_from_slice(first.get(..count).unwrap_or_default());
            backlog.consume(count);
        }
        out
    }

    #[test]
    fn c06_single_bytes_share_their_pieces() {
        let mut backlog = Backlog::default();
        for _ in 0..10 * SMALL {
            backlog.push(&[7]);
        }
        assert_eq!((backlog.len(), backlog.pieces.len()), (10 * SMALL, 10));
        assert_eq!(drain(&mut backlog, 3), vec![7; 10 * SMALL]);
    }

    #[test]
    fn bytes_leave_in_the_order_they_came() {
        for step in [1, 1000, PIECE, usize::MAX] {
            let (mut backlog, mut all) = (Backlog::default(), Vec::new());
            for (round, size) in [1, LARGE, 3, PIECE * 2 + 5, 0, LARGE - 1, 70_000].into_iter().enumerate() {
                let bytes = vec![u8::try_from(round).unwrap_or(0); size];
                backlog.push(&bytes);
                all.extend(bytes);
            }
            assert!(drain(&mut backlog, step) == all, "{step}");
            assert!(backlog.first().is_empty());
        }
    }

    #[test]
    fn what_is_cleared_is_counted_and_large_pieces_are_kept_within_bounds() {
        let mut backlog = Backlog::default();
        backlog.push(&vec![1; PIECE * (KEPT + 4)]);
        backlog.consume(10);
        assert_eq!(backlog.clear(), PIECE * (KEPT + 4) - 10);
        assert_eq!((backlog.is_empty(), backlog.clear()), (true, 0));
        assert_eq!(STORE.with_borrow(Vec::len), KEPT);
        backlog.push(&[0; LARGE]);
        assert_eq!(STORE.with_borrow(Vec::len), KEPT - 1);
        backlog.push(b"a few more go beside it");
        assert_eq!(backlog.pieces.len(), 1);
    }
}
