//! The exchange hash and the keys, RFC 4253 §7.2 and §8.

use crate::algorithm::{HashAlgorithm, KexMethod, ValueEncoding};
use crate::crypto::{KeyMaterial, Provider, SecretBytes};
use crate::negotiate::DirectionAlgorithms;
use nacre_wire::{Role, WriteExt};

/// H of RFC 4253 §8: the hash over everything both sides said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeHash(pub(crate) Vec<u8>);

impl ExchangeHash {
    /// The bytes, 32 to 64 of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The exchange hash of the first key exchange (RFC 4253 §7.2); it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(pub(crate) Vec<u8>);

impl SessionId {
    /// The bytes, 32 to 64 of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What goes into the exchange hash, in the order of RFC 4253 §8.
pub(crate) struct Transcript<'a> {
    pub client_ident: &'a [u8],
    pub server_ident: &'a [u8],
    pub client_kexinit: &'a [u8],
    pub server_kexinit: &'a [u8],
    pub host_key: &'a [u8],
    pub client_public: &'a [u8],
    pub server_public: &'a [u8],
}

/// Encodes the raw shared secret the way the method's document says.
pub(crate) fn encode_secret(method: KexMethod, raw: &SecretBytes) -> SecretBytes {
    let mut out = Vec::with_capacity(raw.expose().len() + 5);
    match method.encoding() {
        ValueEncoding::AllString => out.put_string(raw.expose()),
        ValueEncoding::AllMpint | ValueEncoding::SecretMpint => out.put_mpint(raw.expose()),
    }
    SecretBytes::new(out)
}

/// Appends a public value the way the method's document says.
pub(crate) fn put_public(method: KexMethod, value: &[u8], out: &mut Vec<u8>) {
    match method.encoding() {
        ValueEncoding::AllMpint => out.put_mpint(value),
        _ => out.put_string(value),
    }
}

/// H. `secret` is the encoded one.
pub(crate) fn exchange_hash(
    provider: &dyn Provider,
    method: KexMethod,
    transcript: &Transcript<'_>,
    secret: &SecretBytes,
) -> ExchangeHash {
    let mut text = Vec::new();
    text.put_string(transcript.client_ident);
    text.put_string(transcript.server_ident);
    text.put_string(transcript.client_kexinit);
    text.put_string(transcript.server_kexinit);
    text.put_string(transcript.host_key);
    put_public(method, transcript.client_public, &mut text);
    put_public(method, transcript.server_public, &mut text);
    ExchangeHash(provider.hash(method.hash(), &[&text, secret.expose()]))
}

/// Everything the keys are made from.
pub(crate) struct KeySource<'a> {
    pub provider: &'a dyn Provider,
    pub hash: HashAlgorithm,
    pub secret: &'a SecretBytes,
    pub exchange_hash: &'a ExchangeHash,
    pub session_id: &'a SessionId,
}

impl KeySource<'_> {
    /// The keys with which `sender` sends: letters A, C, E for the client, B, D, F for the server.
    pub(crate) fn keys_of(&self, sender: Role, algorithms: DirectionAlgorithms) -> KeyMaterial {
        let (iv, key, mac) = match sender {
            Role::Client => (b'A', b'C', b'E'),
            Role::Server => (b'B', b'D', b'F'),
        };
        KeyMaterial {
            iv: self.derive(iv, algorithms.cipher.iv_len()),
            key: self.derive(key, algorithms.cipher.key_len()),
            mac_key: self.derive(mac, algorithms.mac.map_or(0, |m| m.key_len())),
        }
    }

    /// RFC 4253 §7.2: K1 = HASH(K || H || X || session_id), Kn = HASH(K || H || K1 || ... || Kn-1).
    fn derive(&self, letter: u8, len: usize) -> SecretBytes {
        let (k, h) = (self.secret.expose(), self.exchange_hash.as_bytes());
        let mut out = Vec::new();
        while out.len() < len {
            let next = if out.is_empty() {
                self.provider.hash(self.hash, &[k, h, &[letter], self.session_id.as_bytes()])
            } else {
                self.provider.hash(self.hash, &[k, h, &out])
            };
            if next.is_empty() {
                break;
            }
            out.extend_from_slice(&next);
        }
        out.truncate(len);
        SecretBytes::new(out)
    }
}
