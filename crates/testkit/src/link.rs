//! One direction of a stream between two ends, with the faults that a network or a man in the
//! middle can add.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A fault, at an offset in bytes from the start of the stream as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The byte at this offset arrives with these bits turned over.
    Flip {
        /// Offset of the byte.
        at: usize,
        /// Bits to turn over.
        mask: u8,
    },
    /// From this offset on nothing arrives, and the stream ends.
    Cut {
        /// Offset of the first byte that is lost.
        at: usize,
    },
    /// These bytes never arrive.
    Drop {
        /// Offset of the first.
        at: usize,
        /// How many.
        len: usize,
    },
    /// These bytes arrive before the byte at this offset, though nobody sent them.
    Inject {
        /// Offset of the byte that comes after them.
        at: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// One direction.
#[derive(Debug, Default)]
pub struct Link {
    /// How many bytes arrive at once at most; 1 splits everything.
    pub chunk: usize,
    /// How long bytes are on their way.
    pub delay: Duration,
    faults: Vec<Fault>,
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    sent: usize,
    cut: bool,
    ended: bool,
    /// Everything that was sent, when asked for.
    pub recorded: Option<Vec<u8>>,
}

impl Link {
    /// A link that splits at `chunk` bytes and has no faults.
    pub fn new(chunk: usize) -> Self {
        Self { chunk, ..Self::default() }
    }

    /// Adds a fault.
    pub fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Takes bytes from the sender.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) {
        if let Some(recorded) = &mut self.recorded {
            recorded.extend_from_slice(bytes);
        }
        let mut arriving = Vec::with_capacity(bytes.len());
        if self.faults.is_empty() {
            arriving.extend_from_slice(bytes);
        } else {
            for (at, byte) in (self.sent..).zip(bytes) {
                self.pass(at, *byte, &mut arriving);
            }
        }
        self.sent += bytes.len();
        if !arriving.is_empty() {
            self.on_the_way.push_back((now + self.delay, arriving));
        }
    }

    fn pass(&mut self, at: usize, byte: u8, arriving: &mut Vec<u8>) {
        let mut byte = byte;
        let mut lost = false;
        for fault in &self.faults {
            match fault {
                Fault::Flip { at: place, mask } if *place == at => byte ^= mask,
                Fault::Cut { at: place } if at >= *place => self.cut = true,
                Fault::Drop { at: place, len } if (*place..place + len).contains(&at) => lost = true,
                Fault::Inject { at: place, bytes } if *place == at => arriving.extend_from_slice(bytes),
                _ => {}
            }
        }
        if !lost && !self.cut {
            arriving.push(byte);
        }
    }

    /// The sender sends no more.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// What arrives now.
    pub fn pull(&mut self, now: Instant) -> Vec<u8> {
        let Some((due, bytes)) = self.on_the_way.front_mut() else { return Vec::new() };
        if *due > now {
            return Vec::new();
        }
        if bytes.len() <= self.chunk {
            return self.on_the_way.pop_front().map(|(_, bytes)| bytes).unwrap_or_default();
        }
        let rest = bytes.split_off(self.chunk);
        std::mem::replace(bytes, rest)
    }

    /// True when nothing is on its way and nothing will come.
    pub fn is_at_end(&self) -> bool {
        (self.cut || self.ended) && self.on_the_way.is_empty()
    }

    /// When the next bytes arrive.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.on_the_way.front().map(|(due, _)| *due)
    }

    /// Bytes that the sender has sent so far.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// True when the stream was cut.
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}
