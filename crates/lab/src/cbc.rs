//! AES in CBC with PKCS#7 and the initialization vector in front: the messages of `dh-chat` and `rsa-chat`, and what
//! is inside the tokens of `mini-ssh`. Nothing here proves that they were not changed on the way.

use crate::fix::Cipher;
use crate::{Fault, Moment, Randomness};
use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

/// Bytes of a key for AES-256.
pub(crate) const KEY_LEN: usize = 32;
/// Bytes of a block, and of an initialization vector.
const BLOCK: usize = 16;

/// A key.
pub(crate) enum CbcKey {
    Aes128([u8; KEY_LEN / 2]),
    Aes256([u8; KEY_LEN]),
}

impl CbcKey {
    /// A key for AES-256.
    pub(crate) const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self::Aes256(bytes)
    }

    fn unbound(&self) -> Result<UnboundCipherKey, Fault> {
        let key = match self {
            Self::Aes128(bytes) => UnboundCipherKey::new(&AES_128, bytes),
            Self::Aes256(bytes) => UnboundCipherKey::new(&AES_256, bytes),
        };
        key.map_err(|_| Fault::Cryptography)
    }

    /// The initialization vector and the ciphertext.
    pub(crate) fn seal_under(&self, iv: [u8; BLOCK], text: &[u8]) -> Result<Vec<u8>, Fault> {
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(self.unbound()?).map_err(|_| Fault::Cryptography)?;
        let mut body = text.to_vec();
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        key.less_safe_encrypt(&mut body, context).map_err(|_| Fault::Cryptography)?;
        Ok([iv.as_slice(), &body].concat())
    }

    /// The text, or nothing where length or padding are wrong.
    pub(crate) fn open_text(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (iv, body) = sealed.split_first_chunk::<BLOCK>()?;
        if body.is_empty() || !body.len().is_multiple_of(BLOCK) {
            return None;
        }
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(self.unbound().ok()?).ok()?;
        let mut body = body.to_vec();
        let context = DecryptionContext::Iv128(FixedLength::from(*iv));
        key.decrypt(&mut body, context).ok().map(|text| text.to_vec())
    }
}

impl Cipher for CbcKey {
    fn of(key: [u8; KEY_LEN]) -> Self {
        Self::new(key)
    }

    /// Under a fresh initialization vector.
    fn seal(&self, text: &[u8], _now: Moment, random: &mut Randomness) -> Result<Vec<u8>, Fault> {
        self.seal_under(random.array()?, text)
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        self.open_text(sealed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    /// NIST SP 800-38A F.2.5 (CBC-AES256.Encrypt), its first two blocks.
    #[test]
    fn lab_cbc_opens_the_published_blocks() {
        let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let cipher = hex("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d");
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let key = CbcKey::new(key.try_into().unwrap());
        // What was published has no padding: the sealed text has the same blocks and one more.
        let sealed = key.seal_under(iv.clone().try_into().unwrap(), &plain).unwrap();
        assert_eq!(sealed[..48], [iv, cipher].concat());
        assert_eq!(key.open(&sealed).unwrap(), plain);
    }

    #[test]
    fn lab_cbc_takes_back_what_it_sealed_and_nothing_that_is_cut() {
        let key = CbcKey::new([7; 32]);
        let mut random = Randomness::new(Some(1));
        for length in [0, 1, 15, 16, 17, 1000] {
            let text = vec![b'x'; length];
            let sealed = key.seal(&text, Moment::FIXED, &mut random).unwrap();
            assert_eq!(sealed.len(), 16 + (length / 16 + 1) * 16);
            assert_eq!(key.open(&sealed).unwrap(), text);
            for cut in [0, 15, 16, sealed.len() - 1] {
                assert!(key.open(&sealed[..cut]).is_none());
            }
        }
    }

    /// A bit turned in the initialization vector is a bit turned in the text, unseen.
    #[test]
    fn lab_a07_cbc_does_not_see_a_turned_bit() {
        let key = CbcKey::new([7; 32]);
        let mut sealed = key.seal(b"to Bob", Moment::FIXED, &mut Randomness::new(Some(1))).unwrap();
        for (place, (from, to)) in (3..).zip(b"Bob".iter().zip(b"Eve")) {
            sealed[place] ^= from ^ to;
        }
        assert_eq!(key.open(&sealed).unwrap(), b"to Eve");
    }
}
