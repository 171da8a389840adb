//! What anybody on the way can read of one direction: lines of text, then packets, up to the one after which everything is
//! encrypted (RFC 4253 §4.2, §6, §7.3).

use nacre_proto::limits::{MAX_PACKET_LENGTH, MAX_PRE_IDENT_LINE};
use nacre_wire::number;

/// What an identification line begins with.
pub const IDENT: &[u8] = b"SSH-";
/// Bytes of a packet's length, and of the number that says how much padding is in it.
const LENGTH: usize = 4;
const HEADER: usize = LENGTH + 1;

/// Something that was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// A line with its end.
    Line(Vec<u8>),
    /// A packet, and the message in it.
    Packet { wire: Vec<u8>, payload: Vec<u8> },
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Lines,
    Packets,
    Hidden,
    /// It is no SSH.
    Strange,
}

/// One direction.
#[derive(Debug, Default)]
pub struct Clear {
    pending: Vec<u8>,
    stage: Stage,
    /// Bytes after the switch to keys.
    pub hidden: usize,
}

impl Clear {
    /// Whether the keys are in use.
    pub fn is_hidden(&self) -> bool {
        self.stage == Stage::Hidden
    }

    /// Takes what came next; `count` says how many bytes came, of which these are the first.
    pub fn hear(&mut self, bytes: &[u8], count: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.pending.extend_from_slice(bytes);
        while let Some(piece) = self.next() {
            pieces.push(piece);
        }
        if self.is_hidden() {
            self.hidden += self.pending.len() + (count - bytes.len().min(count));
        }
        if matches!(self.stage, Stage::Hidden | Stage::Strange) {
            self.pending.clear();
        }
        pieces
    }

    fn next(&mut self) -> Option<Piece> {
        match self.stage {
            Stage::Lines => self.line(),
            Stage::Packets => self.packet(),
            Stage::Hidden | Stage::Strange => None,
        }
    }

    fn line(&mut self) -> Option<Piece> {
        let Some(end) = self.pending.iter().take(MAX_PRE_IDENT_LINE).position(|byte| *byte == b'\n') else {
            if self.pending.len() >= MAX_PRE_IDENT_LINE {
                self.stage = Stage::Strange;
            }
            return None;
        };
        let line: Vec<u8> = self.pending.drain(..=end).collect();
        if line.starts_with(IDENT) {
            self.stage = Stage::Packets;
        }
        Some(Piece::Line(line))
    }

    fn packet(&mut self) -> Option<Piece> {
        let [a, b, c, d, padding] = *self.pending.first_chunk::<HEADER>()?;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let payload = length.checked_sub(1 + usize::from(padding)).filter(|_| length <= MAX_PACKET_LENGTH);
        let Some(payload) = payload else {
            self.stage = Stage::Strange;
            return None;
        };
        if self.pending.len() < LENGTH + length {
            return None;
        }
        let wire: Vec<u8> = self.pending.drain(..LENGTH + length).collect();
        let payload: Vec<u8> = wire.iter().skip(HEADER).take(payload).copied().collect();
        if payload.first() == Some(&number::NEWKEYS) {
            self.stage = Stage::Hidden;
        }
        Some(Piece::Packet { wire, payload })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 5).unwrap().to_be_bytes();
        [&length[..], &[4], payload, &[0; 4]].concat()
    }

    fn said() -> Vec<u8> {
        [b"hello\r\n", &b"SSH-2.0-x\r\n"[..], &packet(&[20, 1, 2]), &packet(&[21]), &[9; 100]].concat()
    }

    #[test]
    fn all_is_read_up_to_the_keys_however_it_is_cut() {
        let whole = Clear::default().hear(&said(), said().len());
        assert_eq!(whole.len(), 4);
        assert_eq!(whole.first(), Some(&Piece::Line(b"hello\r\n".to_vec())));
        assert!(
            matches!(whole.get(2), Some(Piece::Packet { payload, wire }) if payload == &[20, 1, 2] && wire.len() == 12)
        );
        let mut clear = Clear::default();
        let pieces: Vec<Piece> = said().iter().flat_map(|byte| clear.hear(&[*byte], 1)).collect();
        assert_eq!(pieces, whole);
        assert!(clear.is_hidden() && clear.hidden == 100);
        clear.hear(b"", 5000);
        assert_eq!(clear.hidden, 5100);
    }

    #[test]
    fn what_is_no_ssh_is_left_alone() {
        for strange in [
            [&[b'x'; 9000][..], b"\n"].concat(),
            b"SSH-2.0-x\n\xff\xff\xff\xff\x04".to_vec(),
            b"SSH-2.0-x\n\0\0\0\x01\x04".to_vec(),
        ] {
            let mut clear = Clear::default();
            clear.hear(&strange, strange.len());
            assert!(clear.stage == Stage::Strange && clear.hear(&said(), said().len()).is_empty());
        }
    }
}
