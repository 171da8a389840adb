//! chacha20-poly1305@openssh.com (OpenSSH PROTOCOL.chacha20poly1305): the length is encrypted
//! under a key of its own, the nonce is the sequence number.

use super::LENGTH_LEN;
use crate::provider::refuse;
use aws_lc_rs::aead::chacha20_poly1305_openssh::{OpeningKey, SealingKey, TAG_LEN};
use nacre_proto::crypto::{CryptoError, KeyMaterial, Open, PacketShape, Seal};

const SHAPE: PacketShape = PacketShape { block_len: 8, length_in_block: false, head_len: LENGTH_LEN, tag_len: TAG_LEN };

/// Splits the tag off. What stays holds a length at least, which the library relies on.
fn split(packet: &mut [u8]) -> Result<(&mut [u8], &mut [u8; TAG_LEN]), CryptoError> {
    let (sealed, tag) = packet.split_last_chunk_mut().ok_or(CryptoError)?;
    if sealed.len() < LENGTH_LEN { Err(CryptoError) } else { Ok((sealed, tag)) }
}

/// The sealing half.
pub(super) struct Sealer(SealingKey);

impl Sealer {
    pub(super) fn new(keys: &KeyMaterial) -> Result<Self, CryptoError> {
        Ok(Self(SealingKey::new(keys.key.expose().try_into().map_err(refuse)?)))
    }
}

impl Seal for Sealer {
    fn shape(&self) -> PacketShape {
        SHAPE
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (sealed, tag) = split(packet)?;
        self.0.seal_in_place(sequence, sealed, tag);
        Ok(())
    }
}

/// The opening half.
pub(super) struct Opener(OpeningKey);

impl Opener {
    pub(super) fn new(keys: &KeyMaterial) -> Result<Self, CryptoError> {
        Ok(Self(OpeningKey::new(keys.key.expose().try_into().map_err(refuse)?)))
    }
}

impl Open for Opener {
    fn shape(&self) -> PacketShape {
        SHAPE
    }

    fn packet_length(&mut self, sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        // The bytes stay encrypted where they are: the tag covers them so.
        let encrypted = head.first_chunk().ok_or(CryptoError)?;
        Ok(u32::from_be_bytes(self.0.decrypt_packet_length(sequence, *encrypted)))
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (sealed, tag) = split(packet)?;
        self.0.open_in_place(sequence, sealed, tag).map(|_| ()).map_err(refuse)
    }
}
