//! chacha20-poly1305@openssh.com (OpenSSH PROTOCOL.chacha20poly1305): the length is encrypted
//! under a key of its own, the nonce is the sequence number.
//!
//! AWS-LC has the construction whole; large packets go another way where that is faster.

use super::LENGTH_LEN;
use super::chacha_wide::{LEAST, Wide};
use crate::provider::refuse;
use aws_lc_rs::aead::chacha20_poly1305_openssh::{OpeningKey, SealingKey, TAG_LEN};
use nacre_proto::crypto::{CryptoError, KeyMaterial, Open, PacketShape, Seal};

const SHAPE: PacketShape = PacketShape { block_len: 8, length_in_block: false, head_len: LENGTH_LEN, tag_len: TAG_LEN };

/// What is encrypted, and the tag over it.
pub(super) struct Parts<'a> {
    /// Length and body.
    pub(super) sealed: &'a mut [u8],
    pub(super) tag: &'a mut [u8; TAG_LEN],
}

/// Splits the tag off. What stays holds a length at least, which the library relies on.
fn split(packet: &mut [u8]) -> Result<Parts<'_>, CryptoError> {
    let (sealed, tag) = packet.split_last_chunk_mut().ok_or(CryptoError)?;
    if sealed.len() < LENGTH_LEN { Err(CryptoError) } else { Ok(Parts { sealed, tag }) }
}

/// The sealing half.
pub(super) struct Sealer {
    key: SealingKey,
    wide: Option<Wide>,
}

impl Sealer {
    pub(super) fn new(keys: &KeyMaterial) -> Result<Self, CryptoError> {
        let key = SealingKey::new(keys.key.expose().try_into().map_err(refuse)?);
        Ok(Self { key, wide: Wide::new(keys)? })
    }
}

impl Seal for Sealer {
    fn shape(&self) -> PacketShape {
        SHAPE
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let parts = split(packet)?;
        match &self.wide {
            Some(wide) if parts.sealed.len() >= LEAST => wide.seal(sequence, parts)?,
            _ => self.key.seal_in_place(sequence, parts.sealed, parts.tag),
        }
        Ok(())
    }
}

/// The opening half.
pub(super) struct Opener {
    key: OpeningKey,
    wide: Option<Wide>,
}

impl Opener {
    pub(super) fn new(keys: &KeyMaterial) -> Result<Self, CryptoError> {
        let key = OpeningKey::new(keys.key.expose().try_into().map_err(refuse)?);
        Ok(Self { key, wide: Wide::new(keys)? })
    }
}

impl Open for Opener {
    fn shape(&self) -> PacketShape {
        SHAPE
    }

    fn packet_length(&mut self, sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        // The bytes stay encrypted where they are: the tag covers them so.
        let encrypted = head.first_chunk().ok_or(CryptoError)?;
        Ok(u32::from_be_bytes(self.key.decrypt_packet_length(sequence, *encrypted)))
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let parts = split(packet)?;
        match &self.wide {
            Some(wide) if parts.sealed.len() >= LEAST => wide.open(sequence, parts),
            _ => self.key.open_in_place(sequence, parts.sealed, parts.tag).map(|_| ()).map_err(refuse),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation)]
    use super::*;
    use nacre_proto::crypto::SecretBytes;

    fn keys() -> KeyMaterial {
        let secret = |bytes: Vec<u8>| SecretBytes::new(bytes);
        KeyMaterial { iv: secret(Vec::new()), key: secret((0..64).collect()), mac_key: secret(Vec::new()) }
    }

    /// Lengths at the edges of blocks, of groups of blocks and of the smallest large packet.
    const LENGTHS: &[usize] = &[LEAST, LEAST + 1, LEAST + 15, LEAST + 16, 4096, 5000, 32_768 + 63, 65_600, 262_196];

    #[test]
    fn both_ways_make_the_same_packets() {
        let mut wide = Sealer::new(&keys()).unwrap();
        let mut plain = Sealer { wide: None, ..Sealer::new(&keys()).unwrap() };
        for (turn, &len) in LENGTHS.iter().enumerate() {
            let sequence = u32::MAX.wrapping_add(turn as u32);
            let clear: Vec<u8> = (0..len + TAG_LEN).map(|i| (i * 7) as u8).collect();
            let (mut one, mut other) = (clear.clone(), clear.clone());
            wide.seal(sequence, &mut one).unwrap();
            plain.seal(sequence, &mut other).unwrap();
            assert!(one == other, "{len} bytes");
            let mut opener = Opener::new(&keys()).unwrap();
            opener.open(sequence, &mut one).unwrap();
            assert!(one[LENGTH_LEN..len] == clear[LENGTH_LEN..len], "{len} bytes");
        }
    }

    #[test]
    fn t07_a_large_packet_that_was_changed_is_not_decrypted() {
        let mut sealed = vec![0; 65_600 + TAG_LEN];
        Sealer::new(&keys()).unwrap().seal(3, &mut sealed).unwrap();
        let mut opener = Opener::new(&keys()).unwrap();
        for place in [0, 4, 5_000, 65_599, 65_600, 65_600 + TAG_LEN - 1] {
            let mut changed = sealed.clone();
            changed[place] ^= 0x10;
            let before = changed.clone();
            assert!(opener.open(3, &mut changed).is_err(), "byte {place}");
            assert!(changed == before, "byte {place}");
        }
        assert!(opener.open(4, &mut sealed.clone()).is_err());
        opener.open(3, &mut sealed).unwrap();
    }
}
