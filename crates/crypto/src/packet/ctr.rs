//! AES in counter mode (RFC 4344 §4) with HMAC (RFC 6668), in the two orders: over the plain
//! text (RFC 4253 §6.4) and over the cipher text (OpenSSH PROTOCOL §1.5).

use super::{LENGTH_LEN, read_length};
use crate::provider::refuse;
use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use nacre_proto::algorithm::MacAlgorithm;
use nacre_proto::crypto::{CryptoError, KeyMaterial, Open, PacketShape, Seal};

const BLOCK_LEN: usize = 16;

/// A key stream. The library's streaming key works out of place only, so the counter is kept
/// here and handed over for each call.
struct KeyStream {
    key: EncryptingKey,
    counter: u128,
}

impl KeyStream {
    fn new(keys: &KeyMaterial) -> Result<Self, CryptoError> {
        let key = keys.key.expose();
        let algorithm = match key.len() {
            16 => &AES_128,
            24 => &AES_192,
            32 => &AES_256,
            _ => return Err(CryptoError),
        };
        let key = UnboundCipherKey::new(algorithm, key).map_err(refuse)?;
        let iv = keys.iv.expose().try_into().map_err(refuse)?;
        Ok(Self { key: EncryptingKey::ctr(key).map_err(refuse)?, counter: u128::from_be_bytes(iv) })
    }

    /// Encrypts or decrypts whole blocks (in counter mode the two are one).
    fn apply(&mut self, blocks: &mut [u8]) -> Result<(), CryptoError> {
        if !blocks.len().is_multiple_of(BLOCK_LEN) {
            return Err(CryptoError);
        }
        let iv = EncryptionContext::Iv128(FixedLength::from(self.counter.to_be_bytes()));
        self.key.less_safe_encrypt(blocks, iv).map_err(refuse)?;
        let used = u128::try_from(blocks.len() / BLOCK_LEN).map_err(refuse)?;
        self.counter = self.counter.wrapping_add(used);
        Ok(())
    }
}

/// HMAC over the sequence number and a packet.
struct Mac {
    key: hmac::Key,
    len: usize,
}

impl Mac {
    fn new(algorithm: MacAlgorithm, keys: &KeyMaterial) -> Self {
        let hash = match algorithm {
            MacAlgorithm::HmacSha256 | MacAlgorithm::HmacSha256Etm => hmac::HMAC_SHA256,
            MacAlgorithm::HmacSha512 | MacAlgorithm::HmacSha512Etm => hmac::HMAC_SHA512,
        };
        Self { key: hmac::Key::new(hash, keys.mac_key.expose()), len: algorithm.tag_len() }
    }

    fn compute(&self, sequence: u32, bytes: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&sequence.to_be_bytes());
        context.update(bytes);
        context.sign()
    }

    fn write(&self, sequence: u32, bytes: &[u8], tag: &mut [u8]) -> Result<(), CryptoError> {
        let computed = self.compute(sequence, bytes);
        if tag.len() != computed.as_ref().len() {
            return Err(CryptoError);
        }
        tag.copy_from_slice(computed.as_ref());
        Ok(())
    }

    fn check(&self, sequence: u32, bytes: &[u8], tag: &[u8]) -> Result<(), CryptoError> {
        verify_slices_are_equal(self.compute(sequence, bytes).as_ref(), tag).map_err(refuse)
    }

    /// Splits the tag off a packet.
    fn split<'a>(&self, packet: &'a mut [u8]) -> Result<(&'a mut [u8], &'a mut [u8]), CryptoError> {
        let at = packet.len().checked_sub(self.len).ok_or(CryptoError)?;
        packet.split_at_mut_checked(at).ok_or(CryptoError)
    }
}

/// The MAC covers the plain text, and the length is encrypted with the rest, so the first block
/// has to be decrypted before the packet's length is known.
pub(super) struct EncryptAndMac {
    stream: KeyStream,
    mac: Mac,
}

impl EncryptAndMac {
    pub(super) fn new(mac: MacAlgorithm, keys: &KeyMaterial) -> Result<Self, CryptoError> {
        Ok(Self { stream: KeyStream::new(keys)?, mac: Mac::new(mac, keys) })
    }

    const fn packet_shape(&self) -> PacketShape {
        PacketShape { block_len: BLOCK_LEN, length_in_block: true, head_len: BLOCK_LEN, tag_len: self.mac.len }
    }
}

impl Seal for EncryptAndMac {
    fn shape(&self) -> PacketShape {
        self.packet_shape()
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (plain, tag) = self.mac.split(packet)?;
        self.mac.write(sequence, plain, tag)?;
        self.stream.apply(plain)
    }
}

impl Open for EncryptAndMac {
    fn shape(&self) -> PacketShape {
        self.packet_shape()
    }

    fn packet_length(&mut self, _sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        let block = head.get_mut(..BLOCK_LEN).ok_or(CryptoError)?;
        self.stream.apply(block)?;
        read_length(block)
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (sealed, tag) = self.mac.split(packet)?;
        self.stream.apply(sealed.get_mut(BLOCK_LEN..).ok_or(CryptoError)?)?;
        self.mac.check(sequence, sealed, tag)
    }
}

/// The MAC covers the length in clear and the cipher text, and is checked before anything is
/// decrypted.
pub(super) struct EncryptThenMac {
    stream: KeyStream,
    mac: Mac,
}

impl EncryptThenMac {
    pub(super) fn new(mac: MacAlgorithm, keys: &KeyMaterial) -> Result<Self, CryptoError> {
        Ok(Self { stream: KeyStream::new(keys)?, mac: Mac::new(mac, keys) })
    }

    const fn packet_shape(&self) -> PacketShape {
        PacketShape { block_len: BLOCK_LEN, length_in_block: false, head_len: LENGTH_LEN, tag_len: self.mac.len }
    }
}

impl Seal for EncryptThenMac {
    fn shape(&self) -> PacketShape {
        self.packet_shape()
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (sealed, tag) = self.mac.split(packet)?;
        self.stream.apply(sealed.get_mut(LENGTH_LEN..).ok_or(CryptoError)?)?;
        self.mac.write(sequence, sealed, tag)
    }
}

impl Open for EncryptThenMac {
    fn shape(&self) -> PacketShape {
        self.packet_shape()
    }

    fn packet_length(&mut self, _sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        read_length(head)
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError> {
        let (sealed, tag) = self.mac.split(packet)?;
        self.mac.check(sequence, sealed, tag)?;
        self.stream.apply(sealed.get_mut(LENGTH_LEN..).ok_or(CryptoError)?)
    }
}
