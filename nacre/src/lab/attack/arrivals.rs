//! What is on its way in a play, and what has come and waits for its turn.

/// What is on its way to a socket.
#[derive(Clone, Copy)]
pub enum Coming {
    /// So many bytes.
    Bytes(usize),
    /// The other end is gone.
    End,
}

/// What has come to a socket and waits for its turn.
#[derive(Default)]
pub struct Arrived {
    /// The bytes that wait.
    pub bytes: Vec<u8>,
    /// Nothing more will come.
    pub ended: bool,
}

impl Arrived {
    /// Whether all of it is there. After an end there will be no more.
    pub const fn has(&self, coming: Coming) -> bool {
        match coming {
            Coming::Bytes(count) => self.bytes.len() >= count || self.ended,
            Coming::End => self.ended,
        }
    }

    /// The next bytes, at most so many.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        self.bytes.drain(..count.min(self.bytes.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_what_was_sent_in_one_piece_is_dealt_with_in_one() {
        let mut arrived = Arrived { bytes: b"one".to_vec(), ended: false };
        assert!(arrived.has(Coming::Bytes(3)) && !arrived.has(Coming::Bytes(4)) && !arrived.has(Coming::End));
        arrived.bytes.extend(b"two");
        assert_eq!((arrived.take(3), arrived.take(3)), (b"one".to_vec(), b"two".to_vec()));
        // Of a connection that broke no more will come than there is.
        arrived.ended = true;
        assert!(arrived.has(Coming::Bytes(1)) && arrived.has(Coming::End) && arrived.take(1).is_empty());
    }
}
