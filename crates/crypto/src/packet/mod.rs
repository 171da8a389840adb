//! Packet protection: one file for each construction, dispatched by algorithm.

mod chacha;
mod chacha_wide;
mod ctr;
mod gcm;

use nacre_proto::algorithm::{CipherAlgorithm, MacAlgorithm};
use nacre_proto::crypto::{CryptoError, KeyMaterial, Open, Seal};

/// Bytes of the `packet_length` field.
const LENGTH_LEN: usize = 4;

/// Makes the sealing half of a cipher.
pub(crate) fn sealer(
    cipher: CipherAlgorithm,
    mac: Option<MacAlgorithm>,
    keys: &KeyMaterial,
) -> Result<Box<dyn Seal>, CryptoError> {
    check_lengths(cipher, mac, keys)?;
    Ok(match (cipher, mac) {
        (CipherAlgorithm::Aes256Gcm | CipherAlgorithm::Aes128Gcm, None) => Box::new(gcm::Gcm::new(keys)?),
        (CipherAlgorithm::ChaCha20Poly1305, None) => Box::new(chacha::Sealer::new(keys)?),
        (CipherAlgorithm::Aes256Ctr | CipherAlgorithm::Aes192Ctr | CipherAlgorithm::Aes128Ctr, Some(mac)) => {
            if mac.is_etm() {
                Box::new(ctr::EncryptThenMac::new(mac, keys)?)
            } else {
                Box::new(ctr::EncryptAndMac::new(mac, keys)?)
            }
        }
        _ => return Err(CryptoError),
    })
}

/// Makes the opening half of a cipher.
pub(crate) fn opener(
    cipher: CipherAlgorithm,
    mac: Option<MacAlgorithm>,
    keys: &KeyMaterial,
) -> Result<Box<dyn Open>, CryptoError> {
    check_lengths(cipher, mac, keys)?;
    Ok(match (cipher, mac) {
        (CipherAlgorithm::Aes256Gcm | CipherAlgorithm::Aes128Gcm, None) => Box::new(gcm::Gcm::new(keys)?),
        (CipherAlgorithm::ChaCha20Poly1305, None) => Box::new(chacha::Opener::new(keys)?),
        (CipherAlgorithm::Aes256Ctr | CipherAlgorithm::Aes192Ctr | CipherAlgorithm::Aes128Ctr, Some(mac)) => {
            if mac.is_etm() {
                Box::new(ctr::EncryptThenMac::new(mac, keys)?)
            } else {
                Box::new(ctr::EncryptAndMac::new(mac, keys)?)
            }
        }
        _ => return Err(CryptoError),
    })
}

/// Key material must be exactly as long as the algorithms say: a key cut short or left over
/// means that two sides derived different things.
fn check_lengths(cipher: CipherAlgorithm, mac: Option<MacAlgorithm>, keys: &KeyMaterial) -> Result<(), CryptoError> {
    let fits = keys.key.expose().len() == cipher.key_len()
        && keys.iv.expose().len() == cipher.iv_len()
        && keys.mac_key.expose().len() == mac.map_or(0, MacAlgorithm::key_len);
    if fits { Ok(()) } else { Err(CryptoError) }
}

/// The first four bytes as a number.
fn read_length(head: &[u8]) -> Result<u32, CryptoError> {
    head.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(CryptoError)
}
