//! The buffer that sealed packets are formed in.

/// Bytes on their way to the socket. Packets are built in place at the end and taken from the
/// front; memory is zeroed once when the buffer grows and then reused, so forming a packet costs
/// neither an allocation nor a fill.
#[derive(Debug, Default)]
pub struct TransmitBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl TransmitBuffer {
    /// An empty buffer that has allocated nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes wait to be sent.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What waits, in order.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Drops `n` bytes from the front: they were sent.
    pub fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Appends bytes as they are.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.spare(bytes.len()).copy_from_slice(bytes);
        self.advance(bytes.len());
    }

    /// Exactly `n` bytes of room after what waits; their content is left over from earlier use.
    pub(crate) fn spare(&mut self, n: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < n {
            self.make_room(n);
        }
        self.bytes.get_mut(self.end..self.end + n).unwrap_or_default()
    }

    fn make_room(&mut self, n: usize) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() - self.end < n {
            self.bytes.resize((self.end + n).next_power_of_two(), 0);
        }
    }

    /// Counts `n` bytes of the room as waiting.
    pub(crate) fn advance(&mut self, n: usize) {
        self.end = (self.end + n).min(self.bytes.len());
    }

    /// Gives memory back when nothing waits.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_across_growth_and_reuse() {
        let mut buffer = TransmitBuffer::new();
        let mut want = Vec::new();
        let mut got = Vec::new();
        for round in 0..200u8 {
            let piece = vec![round; usize::from(round) * 7];
            want.extend_from_slice(&piece);
            buffer.extend(&piece);
            let n = buffer.len() / 2;
            got.extend(buffer.as_slice().iter().take(n));
            buffer.consume(n);
        }
        got.extend_from_slice(buffer.as_slice());
        assert_eq!(got, want);
    }
}
