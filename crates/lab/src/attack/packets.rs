//! A direction of SSH as somebody on the way sees it: lines, packets that can be read, and from NEWKEYS on bytes that
//! cannot be told apart (RFC 4253 §4.2 and §6).

use nacre_wire::number;

/// Bytes of a packet's length.
const LENGTH: usize = 4;
/// Where the number of its message stands.
const NUMBER: usize = 5;
/// RFC 4253 §6: packets before the keys are a multiple of this.
const BLOCK: usize = 8;
/// RFC 4253 §6: the least padding.
const PADDING: usize = 4;

/// What has come, in pieces.
#[derive(Default)]
pub(super) struct Packets {
    waiting: Vec<u8>,
    stage: Stage,
}

#[derive(Default, Clone, Copy)]
enum Stage {
    #[default]
    Lines,
    Plain,
    Sealed,
}

impl Packets {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next line or packet, or all that is there of what cannot be read.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let length = match self.stage {
            Stage::Lines => self.waiting.iter().position(|byte| *byte == b'\n')? + 1,
            Stage::Plain => {
                let length = self.waiting.first_chunk::<LENGTH>().copied().map(u32::from_be_bytes)?;
                LENGTH.saturating_add(usize::try_from(length).ok()?)
            }
            Stage::Sealed => self.waiting.len(),
        };
        if length == 0 || length > self.waiting.len() {
            return None;
        }
        let piece: Vec<u8> = self.waiting.drain(..length).collect();
        self.stage = match self.stage {
            Stage::Lines if piece.starts_with(b"SSH-") => Stage::Plain,
            Stage::Plain if number_of(&piece) == Some(number::NEWKEYS) => Stage::Sealed,
            stage => stage,
        };
        Some(piece)
    }
}

/// The number of the message in a packet that can be read.
pub(super) fn number_of(packet: &[u8]) -> Option<u8> {
    packet.get(NUMBER).copied().filter(|_| !packet.starts_with(b"SSH-"))
}

/// A packet that is not sealed.
pub(super) fn plain(payload: &[u8]) -> Vec<u8> {
    let over = (LENGTH + 1 + payload.len() + PADDING) % BLOCK;
    let padding = PADDING + (BLOCK - over) % BLOCK;
    let head = [1 + payload.len() + padding, padding];
    let [length, padding_length] = head.map(|value| u32::try_from(value).unwrap_or_default().to_be_bytes());
    [&length[..], &padding_length[3..], payload, &vec![0; padding]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_packets_are_cut_whatever_the_split() {
        let ignore = plain(&[number::IGNORE, 0, 0, 0, 0]);
        assert_eq!(ignore, [0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let newkeys = plain(&[number::NEWKEYS]);
        let pieces = [b"hello\r\n".to_vec(), b"SSH-2.0-x\r\n".to_vec(), ignore, newkeys];
        let (mut packets, mut got) = (Packets::default(), Vec::new());
        for byte in pieces.concat() {
            packets.push(&[byte]);
            got.extend(packets.next());
        }
        assert_eq!(got, pieces);
        assert!(got.iter().skip(1).map(|piece| number_of(piece)).eq([None, Some(2), Some(21)]));
        packets.push(b"sealed");
        assert_eq!((packets.next(), packets.next()), (Some(b"sealed".to_vec()), None));
    }
}
