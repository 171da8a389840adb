//! A client's bytes on their way to being messages. Keys and passphrases are among them, so every place they stood in
//! is wiped.

use crate::error::AgentError;
use crate::frame::MAX_FRAME;
use zeroize::Zeroizing;

const LENGTH_FIELD: usize = 4;

/// What came from a client and was not yet taken.
#[derive(Default)]
pub struct Inbound {
    bytes: Zeroizing<Vec<u8>>,
}

impl Inbound {
    /// Nothing came yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes, cut anywhere. Room is made for what came alone, whatever length was announced (threat G1).
    pub fn receive(&mut self, bytes: &[u8]) {
        let mut all = Zeroizing::new(Vec::with_capacity(self.bytes.len() + bytes.len()));
        all.extend_from_slice(&self.bytes);
        all.extend_from_slice(bytes);
        self.bytes = all;
    }

    /// The next whole message, without its length field and at least one byte long.
    ///
    /// # Errors
    /// The length is 0 or above [`MAX_FRAME`]; the connection is to be closed.
    pub fn next_message(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, AgentError> {
        let Some(field) = self.bytes.first_chunk::<LENGTH_FIELD>() else { return Ok(None) };
        let announced = u32::from_be_bytes(*field);
        let length = match usize::try_from(announced) {
            Ok(0) => return Err(AgentError::FrameEmpty),
            Ok(length) if length <= MAX_FRAME => length,
            _ => return Err(AgentError::FrameTooLong { length: announced }),
        };
        let end = LENGTH_FIELD + length;
        let Some(message) = self.bytes.get(LENGTH_FIELD..end) else { return Ok(None) };
        let message = Zeroizing::new(message.to_vec());
        let rest = Zeroizing::new(self.bytes.get(end..).unwrap_or_default().to_vec());
        self.bytes = rest;
        Ok(Some(message))
    }

    /// Whether nothing waits, not even part of a message.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn g01_lengths_that_cannot_be_are_refused_on_their_four_bytes() {
        for length in [0, u32::MAX, u32::try_from(MAX_FRAME).unwrap() + 1] {
            let mut inbound = Inbound::new();
            inbound.receive(&length.to_be_bytes());
            assert!(inbound.next_message().is_err(), "{length}");
        }
    }

    #[test]
    fn messages_come_out_whole_however_they_were_cut() {
        let stream = [0, 0, 0, 2, 11, 7, 0, 0, 0, 1, 19];
        for size in 1..=stream.len() {
            let mut inbound = Inbound::new();
            let mut messages = Vec::new();
            for piece in stream.chunks(size) {
                inbound.receive(piece);
                while let Some(message) = inbound.next_message().unwrap() {
                    messages.push(message.to_vec());
                }
            }
            assert_eq!(messages, [vec![11, 7], vec![19]], "{size}");
            assert!(inbound.is_empty());
        }
    }
}
