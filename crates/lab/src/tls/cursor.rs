//! Bytes of TLS one after the other: numbers, and vectors with their length before them (RFC 8446 §3).

use crate::Fault;

/// What has not been read yet.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Fault::NotAsStated("a message of TLS"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of `N` bytes, three at most.
    pub fn number<const N: usize>(&mut self) -> Result<usize, Fault> {
        Ok(self.take(N)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// A number of two bytes, as most of TLS's names are.
    pub fn two(&mut self) -> Result<u16, Fault> {
        let bytes = self.take(2)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes)))
    }

    /// A vector whose length has `N` bytes.
    pub fn vector<const N: usize>(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.number::<N>()?;
        self.take(length)
    }

    /// The numbers of two bytes that a vector holds; a byte too many is left out.
    pub fn numbers(vector: &[u8]) -> Vec<u16> {
        vector.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
    }
}
