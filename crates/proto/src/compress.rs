//! `zlib@openssh.com`: payloads of one direction through one zlib stream (RFC 4253 §6.2, RFC 1950), begun when the
//! login is done and anew with each set of keys. A packet ends with a partial flush, so that nothing waits.

use crate::error::{Error, Limit, Misbehaviour};
use crate::limits;
use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// zlib's own default, and OpenSSH's.
const LEVEL: u32 = 6;
/// Bytes of payload that are filled at a time: what waits to be deflated is kept as long as the stream.
const FILL: usize = 32 * 1024;
/// Bytes the inflated form of a packet is first given.
const FIRST_ROOM: usize = 512;

/// Deflates the payloads of one direction.
pub(crate) struct Deflater {
    stream: Compress,
    /// Where a payload is written that is made in place otherwise.
    unpacked: Vec<u8>,
}

impl Deflater {
    pub(crate) fn new() -> Self {
        Self { stream: Compress::new(Compression::new(LEVEL), true), unpacked: Vec::new() }
    }

    /// Bytes that a payload of `len` may become, all that zlib adds included.
    pub(crate) fn bound(len: usize) -> usize {
        len + len / 8 + 64
    }

    /// Deflates one payload into `space` and returns how many bytes it became; 0 where `space` was too small.
    pub(crate) fn deflate(&mut self, payload: &[u8], space: &mut [u8]) -> usize {
        let (read, written) = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.compress(payload, space, FlushCompress::Partial);
        let read = usize::try_from(self.stream.total_in() - read).unwrap_or(0);
        let written = usize::try_from(self.stream.total_out() - written).unwrap_or(0);
        // A full space may hide what has not come out yet.
        if status.is_ok() && read == payload.len() && written < space.len() { written } else { 0 }
    }

    /// Lets `fill` write up to `max` bytes of a payload, of which [`FILL`] are taken at most, and hands them to `seal`
    /// together with this stream. Nothing filled is nothing sealed. Returns how many bytes were filled.
    pub(crate) fn fill(
        &mut self,
        max: usize,
        fill: impl FnOnce(&mut [u8]) -> usize,
        seal: impl FnOnce(&mut Self, &[u8]) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let mut unpacked = std::mem::take(&mut self.unpacked);
        unpacked.resize(FILL, 0);
        let space = unpacked.get_mut(..max.min(FILL)).unwrap_or_default();
        let filled = fill(space).min(space.len());
        let result = match space.get(..filled) {
            Some(payload) if filled > 0 => seal(self, payload),
            _ => Ok(()),
        };
        self.unpacked = unpacked;
        result.map(|()| filled)
    }
}

/// Inflates the payloads of one direction.
pub(crate) struct Inflater {
    stream: Decompress,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { stream: Decompress::new(true) }
    }

    /// Inflates one payload, all of it.
    ///
    /// # Errors
    /// It is no zlib stream, ends it, is empty, or is larger than a packet may be (threat T15).
    pub(crate) fn inflate(&mut self, packed: &[u8]) -> Result<Bytes, Error> {
        const BAD: Error = Error::PeerMisbehaved(Misbehaviour::BadCompression);
        // One byte more than a packet may hold, so that a larger one is seen without being made.
        let most = limits::MAX_PACKET_LENGTH + 1;
        let mut out = vec![0; (2 * packed.len()).clamp(FIRST_ROOM, most)];
        let (mut read, mut written) = (0, 0);
        loop {
            let (from, to) = (packed.get(read..).unwrap_or_default(), out.get_mut(written..).unwrap_or_default());
            let before = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(from, to, FlushDecompress::Sync).map_err(|_| BAD)?;
            read += usize::try_from(self.stream.total_in() - before.0).map_err(|_| BAD)?;
            written += usize::try_from(self.stream.total_out() - before.1).map_err(|_| BAD)?;
            if status == Status::StreamEnd {
                return Err(BAD);
            }
            if written < out.len() {
                break;
            }
            if written == most {
                return Err(Error::Limit(Limit::Inflated));
            }
            out.resize((2 * written).min(most), 0);
        }
        if read < packed.len() || written == 0 {
            return Err(BAD);
        }
        out.truncate(written);
        Ok(Bytes::from(out))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn packed(deflater: &mut Deflater, payload: &[u8]) -> Vec<u8> {
        let mut space = vec![0; Deflater::bound(payload.len())];
        let n = deflater.deflate(payload, &mut space);
        assert!(n > 0);
        space.truncate(n);
        space
    }

    /// Bytes that do not compress, the same each time.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn t15_what_was_deflated_comes_out_whole_whatever_it_is() {
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        let most = limits::MAX_PACKET_LENGTH;
        let noise = noise(most);
        for len in [1, 2, 9, 511, 512, 513, 1023, 4096, 16_383, 16_384, 32_768, 35_000, 65_536, most - 1, most] {
            // Of zeros many times a packet's bytes, of noise a few more than there were, of text three times.
            let text: Vec<u8> = b"the quick brown fox, ".iter().copied().cycle().take(len).collect();
            for payload in [&vec![0; len][..], &noise[..len], &text] {
                let packed = packed(&mut deflater, payload);
                assert_eq!(inflater.inflate(&packed).unwrap(), payload, "{len} bytes");
            }
        }
    }

    #[test]
    fn a_flush_at_each_packet_costs_a_few_bytes() {
        let mut deflater = Deflater::new();
        packed(&mut deflater, b"first");
        for key in 0..100u8 {
            let len = packed(&mut deflater, &[94, 0, 0, 0, 0, 0, 0, 0, 1, key]).len();
            assert!(len <= 12, "a key's echo of 10 bytes becomes {len}");
        }
    }

    #[test]
    fn t15_a_bomb_ends_at_the_size_of_a_packet() {
        let mut stream = Compress::new(Compression::best(), true);
        let mut bomb = vec![0; 512 * 1024];
        let zeros = vec![0; 255 << 20];
        stream.compress(&zeros, &mut bomb, FlushCompress::Sync).unwrap();
        assert_eq!(stream.total_in(), 255 << 20);
        bomb.truncate(usize::try_from(stream.total_out()).unwrap());
        assert!(bomb.len() < 512 * 1024);
        assert_eq!(Inflater::new().inflate(&bomb), Err(Error::Limit(Limit::Inflated)));
    }

    #[test]
    fn t15_one_byte_more_than_a_packet_is_too_many() {
        let payload = vec![7; limits::MAX_PACKET_LENGTH + 1];
        let packed = packed(&mut Deflater::new(), &payload);
        assert_eq!(Inflater::new().inflate(&packed), Err(Error::Limit(Limit::Inflated)));
    }

    #[test]
    fn t15_what_is_no_stream_or_says_nothing_ends_the_connection() {
        let bad = Err(Error::PeerMisbehaved(Misbehaviour::BadCompression));
        let mut ended = vec![0; 64];
        let mut stream = Compress::new(Compression::best(), true);
        stream.compress(b"all", &mut ended, FlushCompress::Finish).unwrap();
        ended.truncate(usize::try_from(stream.total_out()).unwrap());
        for packed in [&b""[..], b"\x78", b"\x78\x9c", b"garbage", b"\x78\xbb\0\0\0\0", &ended] {
            assert_eq!(Inflater::new().inflate(packed), bad, "{packed:?}");
        }
        // A flush alone after something real.
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        inflater.inflate(&packed(&mut deflater, b"x")).unwrap();
        assert_eq!(inflater.inflate(&[0, 0, 0, 0xff, 0xff]), bad);
    }
}
