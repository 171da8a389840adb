//! Replies on their way out, one after the other in one buffer.

use nacre_sftp::reply::{DATA_HEAD, Reply};
use nacre_sftp::{MAX_PACKET, packet};

/// When so many bytes of replies wait, they are written before the next request is answered.
pub const ENOUGH: usize = 256 * 1024;

/// The buffer. It is as long as it can become from the beginning, so that a file is read straight into its place and nothing
/// is cleared for it first.
pub struct Output {
    buffer: Vec<u8>,
    filled: usize,
    /// Where small replies are made.
    scratch: Vec<u8>,
}

impl Default for Output {
    fn default() -> Self {
        Self { buffer: vec![0; ENOUGH + packet::LENGTH + MAX_PACKET], filled: 0, scratch: Vec::new() }
    }
}

impl Output {
    /// What is to be written.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// It was written.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// It is time to write.
    pub fn is_enough(&self) -> bool {
        self.filled >= ENOUGH
    }

    /// Appends what `write` makes.
    pub(super) fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.scratch.clear();
        let result = write(&mut self.scratch);
        let end = self.filled + self.scratch.len();
        if end > self.buffer.len() {
            self.buffer.resize(end, 0);
        }
        if let Some(place) = self.buffer.get_mut(self.filled..end) {
            place.copy_from_slice(&self.scratch);
            self.filled = end;
        }
        result
    }

    /// Appends a reply.
    pub(super) fn reply(&mut self, id: u32, reply: &Reply<'_>) {
        self.append(|out| reply.encode(id, out));
    }

    /// Appends DATA that `fill` puts straight into its place: it has `length` bytes of space and says how many it filled. With
    /// none, or an error, nothing is appended.
    pub(super) fn data<E>(
        &mut self,
        id: u32,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let start = self.filled + DATA_HEAD;
        if start + length > self.buffer.len() {
            self.buffer.resize(start + length, 0);
        }
        let space = self.buffer.get_mut(start..start + length).unwrap_or_default();
        let count = fill(space)?.min(length);
        if count > 0 {
            let head = Reply::data_head(id, u32::try_from(count).unwrap_or(u32::MAX));
            if let Some(place) = self.buffer.get_mut(self.filled..start) {
                place.copy_from_slice(&head);
            }
            self.filled = start + count;
        }
        Ok(count)
    }
}
