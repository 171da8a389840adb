//! What the protocol needs from cryptography, as traits (the core owns no primitive).
//!
//! A provider is handed to a connection as a value. `nacre-crypto` is the one that ships; tests
//! bring others (a key exchange with a chosen secret, for example), which is also why every
//! function here is about bytes and never about a library's own types.

use crate::algorithm::{CipherAlgorithm, HashAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A primitive refused its input or failed. It says nothing more on purpose: a peer must not
/// learn which check stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoError;

impl std::fmt::Display for CryptoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cryptographic operation failed")
    }
}

impl std::error::Error for CryptoError {}

/// Bytes that are wiped when dropped and never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Default)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes ownership of secret bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes themselves; the caller must not copy them anywhere that outlives the use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

/// The client's half of a key exchange: its ephemeral public value and the way to finish.
pub trait KexClient: Send {
    /// The client's public value: a curve point or hybrid blob as it goes on the wire; for a
    /// finite-field group the big-endian magnitude without leading zeros.
    fn public(&self) -> &[u8];

    /// The private value, for an observer that asks for secrets; nothing where it cannot be told.
    fn dangerous_private(&self) -> Option<SecretBytes> {
        None
    }

    /// Checks the server's public value and yields the raw shared secret (big-endian magnitude,
    /// fixed-width point or hybrid hash, *not* yet encoded as mpint or string).
    ///
    /// # Errors
    /// The value is malformed, degenerate or off the curve (threat T9).
    fn finish(self: Box<Self>, server_public: &[u8]) -> Result<SecretBytes, CryptoError>;
}

/// The server's half, done in one step: its public value and the raw shared secret.
pub struct KexAnswer {
    /// Same form as [`KexClient::public`].
    pub public: Vec<u8>,
    /// Same form as the result of [`KexClient::finish`].
    pub secret: SecretBytes,
}

/// The letters A to F of RFC 4253 §7.2 for one direction.
pub struct KeyMaterial {
    /// Initial IV, as long as the cipher asks (empty for chacha20-poly1305).
    pub iv: SecretBytes,
    /// Encryption key.
    pub key: SecretBytes,
    /// Integrity key; empty for an AEAD.
    pub mac_key: SecretBytes,
}

/// The shape of packets under one cipher, RFC 4253 §6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketShape {
    /// What the padded part must be a multiple of, in bytes (at least 8).
    pub block_len: usize,
    /// True when the 4 length bytes count in that multiple (encrypt-and-MAC and plain text);
    /// false for AEAD and encrypt-then-MAC modes, where the length stands apart.
    pub length_in_block: bool,
    /// Bytes that must be at hand before [`Open::packet_length`] can be asked.
    pub head_len: usize,
    /// Bytes of authentication tag that follow the packet.
    pub tag_len: usize,
}

/// Seals the outbound packets of one direction, in order.
pub trait Seal: Send {
    /// The shape of the packets this makes.
    fn shape(&self) -> PacketShape;

    /// Seals one packet in place. `packet` holds `uint32 packet_length, byte padding_length,
    /// payload, padding` and then `tag_len` bytes of room.
    ///
    /// # Errors
    /// Only when the primitive itself fails; the connection is then over.
    fn seal(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError>;
}

/// Opens the inbound packets of one direction, in order.
pub trait Open: Send {
    /// The shape of the packets this reads.
    fn shape(&self) -> PacketShape;

    /// Reads the packet length from the first `head_len` bytes. Called exactly once a packet; a
    /// mode that has to decrypt its first block does so in place here.
    ///
    /// # Errors
    /// Only when the primitive itself fails. The length is *not* authenticated yet.
    fn packet_length(&mut self, sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError>;

    /// Checks the tag and decrypts in place. `packet` is `4 + packet_length + tag_len` bytes, its
    /// head as [`Open::packet_length`] left it; afterwards `packet[4..4 + packet_length]` is
    /// plain text. The value of the four length bytes afterwards is unspecified.
    ///
    /// # Errors
    /// The tag does not match; nothing of `packet` may be used.
    fn open(&mut self, sequence: u32, packet: &mut [u8]) -> Result<(), CryptoError>;
}

/// Everything cryptographic that a connection asks for.
pub trait Provider: Send + Sync {
    /// Fills `out` with bytes fit for keys.
    ///
    /// # Errors
    /// The system's generator failed.
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError>;

    /// Begins a key exchange as the client, with a fresh ephemeral key.
    ///
    /// # Errors
    /// The method is not available here, or key generation failed.
    fn kex_client(&self, method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError>;

    /// Answers a client's public value as the server.
    ///
    /// # Errors
    /// As [`KexClient::finish`].
    fn kex_server(&self, method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError>;

    /// Hashes the parts as if they stood one after another.
    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Vec<u8>;

    /// The sealing half of a cipher; `mac` is `None` exactly for an AEAD.
    ///
    /// # Errors
    /// Key material of the wrong length, or a combination that does not exist.
    fn sealer(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Seal>, CryptoError>;

    /// The opening half of a cipher.
    ///
    /// # Errors
    /// As [`Provider::sealer`].
    fn opener(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Open>, CryptoError>;

    /// Verifies a signature made by the key in `public_key` (an SSH public key blob) over
    /// `message`. The blob's key type, its curve and the format name inside `signature` must all
    /// be the ones `algorithm` names (threats H3, A6), and RSA keys must have an odd exponent of
    /// 3 or more in 32 bits and a modulus within the provider's bounds (T22).
    ///
    /// # Errors
    /// Anything is malformed, mismatched, too weak, or the signature is wrong.
    fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError>;
}
