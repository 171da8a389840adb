//! The exchange hash and the keys, written a second time from RFC 4253 §7.2 and §8: an answer that
//! the core's own must agree with.

use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm, ValueEncoding};
use nacre_proto::crypto::{KeyMaterial, Provider, SecretBytes};
use nacre_wire::WriteExt;

/// A secret or a public value as it stands in the hash.
fn value(as_mpint: bool, bytes: &[u8]) -> Vec<u8> {
    let mut digits = bytes.to_vec();
    if as_mpint {
        // RFC 4251 §5: no needless zeros, but one where the number would look negative.
        let zeros = digits.iter().take_while(|b| **b == 0).count();
        digits.drain(..zeros);
        if digits.first().is_some_and(|b| b & 0x80 != 0) {
            digits.insert(0, 0);
        }
    }
    let mut out = u32::try_from(digits.len()).expect("a length").to_be_bytes().to_vec();
    out.extend(digits);
    out
}

/// K as it enters the hash and the derivation.
pub fn secret(method: KexMethod, raw: &[u8]) -> Vec<u8> {
    value(!matches!(method.encoding(), ValueEncoding::AllString), raw)
}

/// A public value as it stands in the message and in the hash.
pub fn public(method: KexMethod, raw: &[u8]) -> Vec<u8> {
    value(matches!(method.encoding(), ValueEncoding::AllMpint), raw)
}

/// H = HASH(V_C || V_S || I_C || I_S || K_S || Q_C || Q_S || K); `strings` are the first five.
pub fn exchange_hash(
    provider: &dyn Provider,
    method: KexMethod,
    strings: [&[u8]; 5],
    publics: [&[u8]; 2],
    secret: &[u8],
) -> Vec<u8> {
    let mut text = Vec::new();
    for string in strings {
        text.put_string(string);
    }
    for value in publics {
        text.extend(public(method, value));
    }
    text.extend_from_slice(secret);
    provider.hash(method.hash(), &[&text])
}

/// Everything the six keys come from.
pub struct Keys<'a> {
    /// The cryptography.
    pub provider: &'a dyn Provider,
    /// The method, for its hash.
    pub method: KexMethod,
    /// K, encoded.
    pub secret: &'a [u8],
    /// H.
    pub hash: &'a [u8],
    /// The session identifier.
    pub session_id: &'a [u8],
}

impl Keys<'_> {
    fn letter(&self, letter: char, len: usize) -> SecretBytes {
        let hash = |tail: &[u8]| {
            let text = [self.secret, self.hash, tail].concat();
            self.provider.hash(self.method.hash(), &[&text])
        };
        let mut key = hash(&[&[letter as u8], self.session_id].concat());
        while key.len() < len {
            let more = hash(&key);
            key.extend(more);
        }
        key.truncate(len);
        SecretBytes::new(key)
    }

    /// The keys of one direction, given its letters for IV, encryption and integrity.
    pub fn of(&self, letters: [char; 3], cipher: CipherAlgorithm, mac: Option<MacAlgorithm>) -> KeyMaterial {
        let [iv, key, integrity] = letters;
        KeyMaterial {
            iv: self.letter(iv, cipher.iv_len()),
            key: self.letter(key, cipher.key_len()),
            mac_key: self.letter(integrity, mac.map_or(0, MacAlgorithm::key_len)),
        }
    }
}
