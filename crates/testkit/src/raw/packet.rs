//! Packets of the raw peer: made to the letter, or forged.

use nacre_proto::crypto::{Open, PacketShape, Seal};

/// RFC 4253 §6 before the first NEWKEYS.
const PLAIN: PacketShape = PacketShape { block_len: 8, length_in_block: true, head_len: 4, tag_len: 0 };

/// What makes a compressed payload.
type Deflate = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

/// What the raw peer sends.
#[derive(Default)]
pub struct Sending {
    sealer: Option<Box<dyn Seal>>,
    sequence: u32,
    pub deflate: Option<Deflate>,
}

impl Sending {
    /// The shape of the packets now.
    pub fn shape(&self) -> PacketShape {
        self.sealer.as_ref().map_or(PLAIN, |s| s.shape())
    }

    /// Takes new keys.
    pub fn rekey(&mut self, sealer: Box<dyn Seal>, strict: bool) {
        self.sealer = Some(sealer);
        if strict {
            self.sequence = 0;
        }
    }

    /// A packet to the letter.
    pub fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        let deflated = self.deflate.as_mut().map(|deflate| deflate(payload));
        let payload = deflated.as_deref().unwrap_or(payload);
        let shape = self.shape();
        let counted = 1 + payload.len() + if shape.length_in_block { 4 } else { 0 };
        let mut padding = shape.block_len - counted % shape.block_len;
        if padding < 4 {
            padding += shape.block_len;
        }
        let length = u32::try_from(1 + payload.len() + padding).expect("a length");
        self.forge(length, u8::try_from(padding).expect("a padding length"), &[payload, &vec![0; padding]].concat())
    }

    /// A packet with any length field, any padding length and any body, sealed as if it were one.
    pub fn forge(&mut self, length: u32, padding: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = length.to_be_bytes().to_vec();
        packet.push(padding);
        packet.extend_from_slice(body);
        packet.resize(packet.len() + self.shape().tag_len, 0);
        if let Some(sealer) = &mut self.sealer {
            sealer.seal(self.sequence, &mut packet).expect("sealing");
        }
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}

/// What the raw peer receives.
#[derive(Default)]
pub struct Receiving {
    opener: Option<Box<dyn Open>>,
    sequence: u32,
    /// Bytes not opened yet.
    pub bytes: Vec<u8>,
}

impl Receiving {
    /// Takes new keys.
    pub fn rekey(&mut self, opener: Box<dyn Open>, strict: bool) {
        self.opener = Some(opener);
        if strict {
            self.sequence = 0;
        }
    }

    /// The next payload. The machine under test forms whole packets only, and what it forms must
    /// keep to RFC 4253 §6.
    pub fn open(&mut self) -> Option<Vec<u8>> {
        let shape = self.opener.as_ref().map_or(PLAIN, |o| o.shape());
        if self.bytes.is_empty() {
            return None;
        }
        let head = self.bytes.get_mut(..shape.head_len).expect("a whole packet");
        let length = match &mut self.opener {
            Some(opener) => opener.packet_length(self.sequence, head).expect("a length"),
            None => u32::from_be_bytes(head[..4].try_into().expect("four bytes")),
        } as usize;
        let total = 4 + length + shape.tag_len;
        assert!(self.bytes.len() >= total, "a packet of {total} bytes, {} are there", self.bytes.len());
        let mut packet: Vec<u8> = self.bytes.drain(..total).collect();
        if let Some(opener) = &mut self.opener {
            opener.open(self.sequence, &mut packet).expect("the machine's tag");
        }
        self.sequence = self.sequence.wrapping_add(1);
        let padding = usize::from(packet[4]);
        let padded = length + if shape.length_in_block { 4 } else { 0 };
        assert!(padding >= 4 && padded.is_multiple_of(shape.block_len), "length {length}, padding {padding}");
        Some(packet[5..4 + length - padding].to_vec())
    }
}
