//! Records of TLS 1.3: cut out of a stream, and opened with one direction's secret (RFC 8446 §5).

use super::cursor::Cursor;
use crate::Fault;
use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, KeyType, Prk};

/// Bytes before a record's content.
const HEADER: usize = 5;
/// The longest content, sealed.
const MOST: usize = (1 << 14) + 256;

/// What is in a record.
pub const CHANGE_CIPHER_SPEC: u8 = 20;
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const APPLICATION_DATA: u8 = 23;

/// A record: its header and its content.
type Record = ([u8; HEADER], Vec<u8>);

/// Cuts the first whole record off.
pub fn next(stream: &mut Vec<u8>) -> Result<Option<Record>, Fault> {
    let Some(header) = stream.first_chunk::<HEADER>().copied() else { return Ok(None) };
    let length = Cursor(&header[3..]).number::<2>()?;
    if length > MOST {
        return Err(Fault::TooLong { announced: u64::try_from(length).unwrap_or(u64::MAX), most: MOST });
    }
    if stream.len() < HEADER + length {
        return Ok(None);
    }
    let content = stream.drain(..HEADER + length).skip(HEADER).collect();
    Ok(Some((header, content)))
}

/// How the records of a connection are sealed.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// Its name in the registry.
    pub name: &'static str,
    hash: hkdf::Algorithm,
    cipher: &'static aead::Algorithm,
}

impl Suite {
    /// The suite of this number, one of TLS 1.3's.
    pub fn from_number(number: u16) -> Option<Self> {
        let (name, hash, cipher) = match number {
            0x1301 => ("TLS_AES_128_GCM_SHA256", hkdf::HKDF_SHA256, &aead::AES_128_GCM),
            0x1302 => ("TLS_AES_256_GCM_SHA384", hkdf::HKDF_SHA384, &aead::AES_256_GCM),
            0x1303 => ("TLS_CHACHA20_POLY1305_SHA256", hkdf::HKDF_SHA256, &aead::CHACHA20_POLY1305),
            _ => return None,
        };
        Some(Self { name, hash, cipher })
    }
}

/// Bytes that HKDF is to give.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// What opens the records of one direction.
pub struct Keys {
    key: LessSafeKey,
    iv: [u8; aead::NONCE_LEN],
    /// Records so far.
    count: u64,
}

impl Keys {
    /// From the secret of the direction (RFC 8446 §7.3).
    pub fn new(suite: Suite, secret: &[u8]) -> Result<Self, Fault> {
        let mut key = vec![0; suite.cipher.key_len()];
        let mut iv = [0; aead::NONCE_LEN];
        let secret = Prk::new_less_safe(suite.hash, secret);
        expand_label(&secret, "key", &mut key)?;
        expand_label(&secret, "iv", &mut iv)?;
        let key = UnboundKey::new(suite.cipher, &key).map_err(|_| Fault::Cryptography)?;
        Ok(Self { key: LessSafeKey::new(key), iv, count: 0 })
    }

    /// A record's true kind and content.
    pub fn open(&mut self, header: [u8; HEADER], mut content: Vec<u8>) -> Result<(u8, Vec<u8>), Fault> {
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(self.count.to_be_bytes().iter().rev()) {
            *byte ^= number;
        }
        self.count += 1;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(header), &mut content);
        let mut inner = opened.map_err(|_| Fault::Undecryptable)?.to_vec();
        // Zeros may follow the kind, to hide the length.
        while inner.last() == Some(&0) {
            inner.pop();
        }
        let kind = inner.pop().ok_or(Fault::NotAsStated("a record of TLS"))?;
        Ok((kind, inner))
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 §7.1).
fn expand_label(secret: &Prk, label: &str, out: &mut [u8]) -> Result<(), Fault> {
    let label = format!("tls13 {label}");
    let lengths = (u16::try_from(out.len()), u8::try_from(label.len()));
    let (Ok(length), Ok(label_length)) = lengths else { return Err(Fault::Cryptography) };
    let (length, label_length) = (length.to_be_bytes(), [label_length]);
    let info = [&length[..], &label_length, label.as_bytes(), &[0]];
    let expanded = secret.expand(&info, Length(out.len()));
    expanded.and_then(|expanded| expanded.fill(out)).map_err(|_| Fault::Cryptography)
}
