//! The ciphers of OpenSSH's private key format, keyed from a passphrase through bcrypt_pbkdf.

use super::error::KeyError;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

/// What the private part is padded to when nothing encrypts it.
pub(super) const MIN_BLOCK_LEN: usize = 8;

const AES_BLOCK_LEN: usize = 16;

/// A cipher of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    None,
    /// Bytes of key.
    Ctr(usize),
    /// Bytes of key.
    Cbc(usize),
    /// Bytes of key.
    Gcm(usize),
}

const CIPHERS: [(&str, Cipher); 9] = [
    ("none", Cipher::None),
    ("aes256-ctr", Cipher::Ctr(32)),
    ("aes192-ctr", Cipher::Ctr(24)),
    ("aes128-ctr", Cipher::Ctr(16)),
    ("aes256-gcm@openssh.com", Cipher::Gcm(32)),
    ("aes128-gcm@openssh.com", Cipher::Gcm(16)),
    ("aes256-cbc", Cipher::Cbc(32)),
    ("aes192-cbc", Cipher::Cbc(24)),
    ("aes128-cbc", Cipher::Cbc(16)),
];

impl Cipher {
    /// The one that is written.
    pub(super) const WRITTEN: Self = Self::Ctr(32);

    pub(super) fn from_name(name: &[u8]) -> Result<Self, KeyError> {
        let found = CIPHERS.iter().find(|(known, _)| known.as_bytes() == name);
        found.map(|(_, cipher)| *cipher).ok_or_else(|| {
            let name = nacre_wire::text::clean(name, 64);
            KeyError::Unsupported(format!("cipher {name} (`ssh-keygen -p -Z aes256-ctr` changes it)"))
        })
    }

    pub(super) fn name(self) -> &'static str {
        CIPHERS.iter().find(|(_, cipher)| *cipher == self).map_or("none", |(name, _)| name)
    }

    pub(super) const fn block_len(self) -> usize {
        match self {
            Self::None => MIN_BLOCK_LEN,
            _ => AES_BLOCK_LEN,
        }
    }

    pub(super) const fn tag_len(self) -> usize {
        match self {
            Self::Gcm(_) => 16,
            _ => 0,
        }
    }

    const fn key_len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Ctr(len) | Self::Cbc(len) | Self::Gcm(len) => len,
        }
    }

    const fn iv_len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Ctr(_) | Self::Cbc(_) => 16,
            Self::Gcm(_) => 12,
        }
    }
}

/// A cipher with the key and IV that a passphrase gave.
pub(super) struct Derived {
    cipher: Cipher,
    key_and_iv: Zeroizing<Vec<u8>>,
}

impl Derived {
    /// Derives key and IV. The caller has bounded the rounds.
    pub(super) fn new(cipher: Cipher, passphrase: &[u8], salt: &[u8], rounds: u32) -> Result<Self, KeyError> {
        if passphrase.is_empty() {
            return Err(KeyError::WrongPassphrase);
        }
        let mut key_and_iv = Zeroizing::new(vec![0; cipher.key_len() + cipher.iv_len()]);
        bcrypt_pbkdf::bcrypt_pbkdf(passphrase, salt, rounds, &mut key_and_iv)
            .map_err(|_| KeyError::Malformed("kdf options"))?;
        Ok(Self { cipher, key_and_iv })
    }

    fn split(&self) -> Result<(&[u8], &[u8]), KeyError> {
        self.key_and_iv.split_at_checked(self.cipher.key_len()).ok_or(KeyError::Failed)
    }

    fn block_cipher(&self) -> Result<(UnboundCipherKey, FixedLength<16>), KeyError> {
        let (key, iv) = self.split()?;
        let iv: [u8; 16] = iv.try_into().map_err(|_| KeyError::Failed)?;
        Ok((aes_key(key)?, FixedLength::from(iv)))
    }

    /// Decrypts in place; `tag` is empty but for GCM.
    pub(super) fn decrypt(&self, private: &mut [u8], tag: &[u8]) -> Result<(), KeyError> {
        match self.cipher {
            Cipher::None => Ok(()),
            Cipher::Ctr(_) => self.apply_ctr(private),
            Cipher::Cbc(_) => {
                let (key, iv) = self.block_cipher()?;
                let key = DecryptingKey::cbc(key).map_err(|_| KeyError::Failed)?;
                key.decrypt(private, DecryptionContext::Iv128(iv)).map_err(|_| KeyError::Failed)?;
                Ok(())
            }
            Cipher::Gcm(_) => {
                let (key, iv) = self.split()?;
                let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
                let key = LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(|_| KeyError::Failed)?);
                let nonce = Nonce::try_assume_unique_for_key(iv).map_err(|_| KeyError::Failed)?;
                key.open_in_place_separate_tag(nonce, Aad::empty(), tag, private)
                    .map_err(|_| KeyError::WrongPassphrase)?;
                Ok(())
            }
        }
    }

    /// Encrypts in place with the cipher that is written.
    pub(super) fn encrypt(&self, private: &mut [u8]) -> Result<(), KeyError> {
        match self.cipher {
            Cipher::Ctr(_) => self.apply_ctr(private),
            _ => Err(KeyError::Failed),
        }
    }

    fn apply_ctr(&self, private: &mut [u8]) -> Result<(), KeyError> {
        let (key, iv) = self.block_cipher()?;
        let key = EncryptingKey::ctr(key).map_err(|_| KeyError::Failed)?;
        key.less_safe_encrypt(private, EncryptionContext::Iv128(iv)).map_err(|_| KeyError::Failed)?;
        Ok(())
    }
}

/// An AES key of 16, 24 or 32 bytes.
pub(super) fn aes_key(key: &[u8]) -> Result<UnboundCipherKey, KeyError> {
    let algorithm = match key.len() {
        16 => &cipher::AES_128,
        24 => &cipher::AES_192,
        32 => &cipher::AES_256,
        _ => return Err(KeyError::Failed),
    };
    UnboundCipherKey::new(algorithm, key).map_err(|_| KeyError::Failed)
}
