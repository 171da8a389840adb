//! What the protocol is made of: numbers for pencil and paper, or with F6 X25519, AES-256-CBC and Ed25519 in the same
//! places of the same lines.

use super::cipher;
use super::numbers::{G, P, PublicKey, SigningKey, decimal, draw, power};
use crate::cbc::CbcKey;
use crate::fix::{Cipher as _, Fix, Fixes, Identity};
use crate::x25519::Pair;
use crate::{Fault, Moment, Randomness};
use data_encoding::{BASE64, HEXLOWER};
use std::sync::Arc;

/// What a key of F6 is for.
const INFO: &str = "toy-socket key";

/// One end's own values.
pub(super) enum Suite {
    /// As described.
    Toy { private: u32, signing: SigningKey, bits: u32 },
    /// With F6.
    Strong { pair: Pair, signing: Arc<Identity> },
}

/// The key of the cipher.
pub(super) enum Secret {
    Toy(u16),
    Strong(CbcKey),
}

/// What the peer's signatures are checked with.
pub(super) enum PeerKey {
    Toy(PublicKey),
    Strong(Vec<u8>),
}

impl Suite {
    /// Fresh values.
    pub(super) fn new(bits: u32, fixes: Fixes, random: &mut Randomness) -> Result<Self, Fault> {
        if !super::SIZES.contains(&bits) {
            return Err(Fault::Refused { what: "the size of the primes", why: "it is 9 to 12 bits" });
        }
        if fixes.has(Fix::F6) {
            return Ok(Self::Strong { pair: Pair::new(random)?, signing: Arc::new(Identity::generate(random)?) });
        }
        Ok(Self::Toy { private: draw(random)?, signing: SigningKey::generate(bits, random)?, bits })
    }

    /// The line with our public value.
    pub(super) fn public(&self) -> String {
        match self {
            Self::Toy { private, .. } => power(G, *private, P).to_string(),
            Self::Strong { pair, .. } => BASE64.encode(pair.public()),
        }
    }

    /// Our private value, for a step that is told.
    pub(super) fn private(&self) -> String {
        match self {
            Self::Toy { private, .. } => private.to_string(),
            Self::Strong { pair, .. } => HEXLOWER.encode(pair.secret()),
        }
    }

    /// The key that a peer's public value makes with ours, and how it is shown; nothing if the line is not as stated.
    pub(super) fn agree(&self, line: &str) -> Option<(Secret, String)> {
        match self {
            Self::Toy { private, .. } => {
                let theirs = decimal(line).filter(|value| (1..P).contains(value))?;
                // Below P, which has 16 bits.
                let key = u16::try_from(power(theirs, *private, P)).ok()?;
                Some((Secret::Toy(key), format!("{key:04x}")))
            }
            Self::Strong { pair, .. } => {
                let key = pair.agree(&BASE64.decode(line.as_bytes()).ok()?, INFO).ok()?.key;
                Some((Secret::Strong(CbcKey::new(key)), HEXLOWER.encode(&key)))
            }
        }
    }

    /// The line with what our signatures are checked with.
    pub(super) fn verifier(&self) -> String {
        match self {
            Self::Toy { signing, .. } => format!("{},{}", signing.public.e, signing.public.n),
            Self::Strong { signing, .. } => BASE64.encode(signing.public()),
        }
    }

    /// A peer's such line; nothing if it is not as stated.
    pub(super) fn read_verifier(&self, line: &str) -> Option<PeerKey> {
        match self {
            Self::Toy { bits, .. } => PublicKey::read(line, *bits).map(PeerKey::Toy),
            Self::Strong { .. } => {
                let key = BASE64.decode(line.as_bytes()).ok()?;
                (key.len() == 32).then_some(PeerKey::Strong(key))
            }
        }
    }

    /// Signs a ciphertext, or in the toy its hash.
    pub(super) fn sign(&self, ciphertext: &[u8]) -> Vec<u8> {
        match self {
            Self::Toy { signing, .. } => signing.sign(cipher::hash(ciphertext)).to_vec(),
            Self::Strong { signing, .. } => signing.sign(ciphertext),
        }
    }
}

impl Secret {
    /// A ciphertext.
    pub(super) fn seal(&self, text: &[u8], random: &mut Randomness) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Toy(key) => Ok(cipher::encrypt(*key, text)),
            Self::Strong(key) => key.seal(text, Moment::FIXED, random),
        }
    }

    /// The text, or nothing where length or padding are wrong.
    pub(super) fn open(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Toy(key) => cipher::decrypt(*key, ciphertext),
            Self::Strong(key) => key.open(ciphertext),
        }
    }
}

impl PeerKey {
    /// Whether a signature is this ciphertext's.
    pub(super) fn verifies(&self, signature: &[u8], ciphertext: &[u8]) -> bool {
        match self {
            Self::Toy(key) => {
                let signature = <[u8; 3]>::try_from(signature);
                signature.is_ok_and(|signature| key.verifies(signature, cipher::hash(ciphertext)))
            }
            Self::Strong(key) => Identity::verifies(key, signature, ciphertext),
        }
    }
}
