//! Replies on their way out, one after the other in one buffer.

use super::exchange::write_all;
use super::lending::{Lending, WORTH_IT, settle};
use nacre_sftp::reply::{DATA_HEAD, Reply};
use nacre_sftp::{MAX_PACKET, packet};
use std::io;
use std::os::fd::BorrowedFd;

/// When so many bytes of replies wait, they are written before the next request is answered.
pub const ENOUGH: usize = 256 * 1024;

/// The buffer. It is as long as it can become from the beginning, so that a file is read straight into its place and nothing
/// is cleared for it first.
pub struct Output {
    buffer: Vec<u8>,
    filled: usize,
    /// Where small replies are made.
    scratch: Vec<u8>,
    /// The way by which bytes of files need not come into the buffer.
    lending: Option<Lending>,
    /// After how many bytes of the buffer so many lent ones come.
    lent: Vec<(usize, usize)>,
    /// Something may still be lent, here or on its way.
    unsettled: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            buffer: vec![0; ENOUGH + packet::LENGTH + MAX_PACKET],
            filled: 0,
            scratch: Vec::new(),
            lending: None,
            lent: Vec::new(),
            unsettled: false,
        }
    }
}

impl Output {
    /// For a client behind this descriptor.
    pub(super) fn to(output: BorrowedFd<'_>) -> Self {
        Self { lending: Lending::new(output), ..Self::default() }
    }

    /// Writes everything, in its order.
    pub(super) fn deliver(&mut self, output: BorrowedFd<'_>) -> io::Result<()> {
        let mut from = 0;
        for (end, count) in std::mem::take(&mut self.lent) {
            write_all(output, self.buffer.get(from..end).unwrap_or_default())?;
            if let Some(lending) = &self.lending {
                lending.pass_on(output, count)?;
            }
            from = end;
        }
        write_all(output, self.buffer.get(from..self.filled).unwrap_or_default())?;
        self.filled = 0;
        Ok(())
    }

    /// Whether bytes of files are lent that the client may not have taken yet.
    pub(super) fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// Waits until the client has taken what was delivered.
    pub(super) fn settle(&mut self, output: BorrowedFd<'_>) {
        settle(output);
        self.unsettled = false;
    }

    /// Appends DATA of up to `length` bytes that stay in their file. `None`: that cannot be done.
    pub(super) fn lend(&mut self, id: u32, file: BorrowedFd<'_>, offset: u64, length: usize) -> Option<usize> {
        let lending = self.lending.as_ref().filter(|_| length >= WORTH_IT)?;
        let count = lending.take(file, offset, length)?;
        let head = Reply::data_head(id, u32::try_from(count).unwrap_or(u32::MAX));
        self.append(|out| out.extend_from_slice(&head));
        self.lent.push((self.filled, count));
        self.unsettled = true;
        Some(count)
    }

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
        self.filled + self.lent.iter().map(|(_, count)| count).sum::<usize>() >= ENOUGH
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
