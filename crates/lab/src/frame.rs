//! How the protocols cut the stream of bytes into messages.

use crate::Fault;

/// The most bytes in one frame.
pub const MAX_FRAME: usize = 1 << 20;

/// Frames with a length of four bytes, most significant first, before them.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    waiting: Vec<u8>,
}

impl Frames {
    /// More bytes of the peer.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let Some((header, rest)) = self.waiting.split_first_chunk::<4>() else { return Ok(None) };
        let announced = u64::from(u32::from_be_bytes(*header));
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            return Err(Fault::TooLong { announced, most: MAX_FRAME });
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let frame = frame.to_vec();
        self.waiting.drain(..4 + length);
        Ok(Some(frame))
    }
}

/// `body` with its length before it.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), body].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lab_frames_arrive_in_any_pieces() {
        let stream = [framed(b"one"), framed(b""), framed(b"three")].concat();
        for size in 1..stream.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                frames.push(piece);
                while let Some(frame) = frames.next().unwrap() {
                    found.push(frame);
                }
            }
            assert_eq!(found, [b"one".to_vec(), Vec::new(), b"three".to_vec()]);
        }
    }

    #[test]
    fn lab_a_huge_length_is_refused_before_its_bytes_come() {
        let mut frames = Frames::default();
        frames.push(&[0, 16, 0, 1]);
        assert_eq!(frames.next(), Err(Fault::TooLong { announced: (1 << 20) + 1, most: MAX_FRAME }));
    }
}
