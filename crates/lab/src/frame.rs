//! How the protocols cut the stream of bytes into messages.

use crate::Fault;

/// The most bytes in one frame.
pub const MAX_FRAME: usize = 1 << 20;

/// Bytes of a text that a server passes on: sealed and in base64 it is within [`MAX_FRAME`].
pub const MAX_PASSED_ON: usize = 700_000;

/// As much of a text as can be passed on, cut where a character ends.
pub(crate) fn start_of(text: &str) -> &str {
    if text.len() <= MAX_PASSED_ON {
        return text;
    }
    // No character is longer than four bytes.
    (MAX_PASSED_ON - 3..=MAX_PASSED_ON).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

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

    /// Bytes that no frame was made of yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
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

/// Digits of a length in [`Blobs`].
const DIGITS: usize = 10;

/// Frames with a length of ten digits before them, filled up with zeros on the left.
#[derive(Debug)]
pub(crate) struct Blobs {
    waiting: Vec<u8>,
    /// The most bytes in one of them.
    pub(crate) most: usize,
}

impl Default for Blobs {
    fn default() -> Self {
        Self { waiting: Vec::new(), most: MAX_FRAME }
    }
}

impl Blobs {
    /// More bytes of the peer.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next whole blob. A wrong digit is seen before all digits have come.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let seen = self.waiting.get(..DIGITS.min(self.waiting.len())).unwrap_or_default();
        if !seen.iter().all(u8::is_ascii_digit) {
            return Err(Fault::BadHeader);
        }
        if seen.len() < DIGITS {
            return Ok(None);
        }
        let announced = seen.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if length > self.most {
            return Err(Fault::TooLong { announced, most: self.most });
        }
        let Some(blob) = self.waiting.get(DIGITS..DIGITS + length) else { return Ok(None) };
        let blob = blob.to_vec();
        self.waiting.drain(..DIGITS + length);
        Ok(Some(blob))
    }
}

/// `body` with its ten digits before it.
pub(crate) fn blob(body: &[u8]) -> Vec<u8> {
    [format!("{:010}", body.len()).as_bytes(), body].concat()
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
    fn lab_blobs_arrive_in_any_pieces() {
        let stream = [blob(b"one"), blob(b""), blob(b"three")].concat();
        assert!(stream.starts_with(b"0000000003one"));
        for size in 1..stream.len() {
            let mut blobs = Blobs::default();
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                blobs.push(piece);
                while let Some(blob) = blobs.next().unwrap() {
                    found.push(blob);
                }
            }
            assert_eq!(found, [b"one".to_vec(), Vec::new(), b"three".to_vec()]);
        }
    }

    #[test]
    fn lab_a16_a_header_that_asks_for_ten_gigabytes_is_refused() {
        for (header, fault) in [
            ("9999999999", Fault::TooLong { announced: 9_999_999_999, most: MAX_FRAME }),
            ("0001048577", Fault::TooLong { announced: 1_048_577, most: MAX_FRAME }),
            ("00000x", Fault::BadHeader),
            ("-000000001", Fault::BadHeader),
            (" 000000001", Fault::BadHeader),
        ] {
            let mut blobs = Blobs::default();
            blobs.push(header.as_bytes());
            assert_eq!(blobs.next(), Err(fault), "{header}");
        }
    }

    #[test]
    fn lab_a_huge_length_is_refused_before_its_bytes_come() {
        let mut frames = Frames::default();
        frames.push(&[0, 16, 0, 1]);
        assert_eq!(frames.next(), Err(Fault::TooLong { announced: (1 << 20) + 1, most: MAX_FRAME }));
    }
}
