//! AES-GCM as RFC 5647 describes it and OpenSSH negotiates it (PROTOCOL §1.6): the length is
//! additional data and stays in clear.

use super::{LENGTH_LEN, read_length};
use crate::provider::refuse;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use nacre_proto::crypto::{CryptoError, KeyMaterial, Open, PacketShape, Seal};

const TAG_LEN: usize = 16;

const SHAPE: PacketShape =
    PacketShape { block_len: 16, length_in_block: false, head_len: LENGTH_LEN, tag_len: TAG_LEN };

/// One direction. The nonce is 4 fixed bytes and a 64-bit counter that goes up by one a packet
/// and wraps within its 8 bytes (RFC 5647 §7.1); keys are renewed long before it comes round.
pub(super) struct Gcm {
    key: LessSafeKey,
    fixed: [u8; 4],
    counter: u64,
}

/// The parts of a packet that the primitive treats differently.
struct Parts<'a> {
    length: [u8; LENGTH_LEN],
    body: &'a mut [u8],
    tag: &'a mut [u8],
}

impl Gcm {
    pub(super) fn new(keys: &KeyMaterial) -> Result<Self, CryptoError> {
        let key = keys.key.expose();
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            _ => return Err(CryptoError),
        };
        let (fixed, counter) = keys.iv.expose().split_first_chunk().ok_or(CryptoError)?;
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(refuse)?),
            fixed: *fixed,
            counter: u64::from_be_bytes(counter.try_into().map_err(refuse)?),
        })
    }

    fn next_nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        let (fixed, counter) = nonce.split_at_mut(self.fixed.len());
        fixed.copy_from_slice(&self.fixed);
        counter.copy_from_slice(&self.counter.to_be_bytes());
        self.counter = self.counter.wrapping_add(1);
        Nonce::assume_unique_for_key(nonce)
    }
}

fn split(packet: &mut [u8]) -> Result<Parts<'_>, CryptoError> {
    let (length, rest) = packet.split_first_chunk_mut().ok_or(CryptoError)?;
    let body_len = rest.len().checked_sub(TAG_LEN).ok_or(CryptoError)?;
    let (body, tag) = rest.split_at_mut_checked(body_len).ok_or(CryptoError)?;
    Ok(Parts { length: *length, body, tag })
}

impl Seal for Gcm {
    fn shape(&self) -> PacketShape {
        SHAPE
    }

    fn seal(&mut self, _sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let parts = split(packet)?;
        let nonce = self.next_nonce();
        self.key.seal_in_place_scatter(nonce, Aad::from(parts.length), parts.body, &[], parts.tag).map_err(refuse)
    }
}

impl Open for Gcm {
    fn shape(&self) -> PacketShape {
        SHAPE
    }

    fn packet_length(&mut self, _sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        read_length(head)
    }

    fn open(&mut self, _sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let parts = split(packet)?;
        let nonce = self.next_nonce();
        self.key
            .open_in_place_separate_tag(nonce, Aad::from(parts.length), parts.tag, parts.body)
            .map(|_| ())
            .map_err(refuse)
    }
}
