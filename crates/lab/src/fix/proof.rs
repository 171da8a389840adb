//! F1 and F7: an end proves who it is by signing all that both sides sent in the exchange. Whoever stands in between
//! sent something else to each of them, so no signature serves at both ends.

use crate::{Fault, Randomness};
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::BASE64_NOPAD;
use nacre_crypto::sha256;
use nacre_wire::Role;
use std::fmt;

const KEY: usize = 32;
/// Bytes of a proof: an Ed25519 public key and a signature.
const PROOF: usize = KEY + 64;

/// What an end proves itself with: an Ed25519 key pair.
pub struct Identity(Ed25519KeyPair);

impl Identity {
    /// The key pair of a private key of 32 bytes.
    ///
    /// # Errors
    /// The system's cryptography failed.
    pub fn new(private: &[u8; KEY]) -> Result<Self, Fault> {
        Ed25519KeyPair::from_seed_unchecked(private).map(Self).map_err(|_| Fault::Cryptography)
    }

    /// A fresh one.
    ///
    /// # Errors
    /// The system's generator failed.
    pub fn generate(random: &mut Randomness) -> Result<Self, Fault> {
        Self::new(&random.array()?)
    }

    /// What others know it by: `SHA256:` and the base64 of its public key's hash.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.public())
    }

    /// The public key.
    pub(crate) fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The private key.
    pub(crate) fn private(&self) -> Result<Vec<u8>, Fault> {
        let seed = self.0.seed().and_then(|seed| seed.as_be_bytes());
        seed.map(|bytes| bytes.as_ref().to_vec()).map_err(|_| Fault::Cryptography)
    }

    /// A signature.
    pub(crate) fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }

    /// Whether a signature is that of the key with this public half.
    pub(crate) fn verifies(public: &[u8], signature: &[u8], text: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, public).verify(text, signature).is_ok()
    }

    pub(super) fn prove(&self, role: Role, transcript: &Transcript) -> Vec<u8> {
        [self.public(), &self.sign(&transcript.signed(role))].concat()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint())
    }
}

fn fingerprint(public: &[u8]) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(&sha256(public)))
}

/// All that both sides sent in the exchange, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript(Vec<u8>);

impl Transcript {
    /// One more value that either side sent.
    pub(crate) fn add(&mut self, value: &[u8]) {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
    }

    /// What an end with this role signs.
    fn signed(&self, role: Role) -> Vec<u8> {
        [whose(role).as_bytes(), &sha256(&self.0)].concat()
    }
}

/// What an end's key is called; also what its signature begins with, so that none serves in place of the other's.
pub(super) const fn whose(role: Role) -> &'static str {
    match role {
        Role::Server => "the server's key",
        Role::Client => "the user's key",
    }
}

/// Checks a proof: the fingerprint of the key that made it.
pub(super) fn check(role: Role, transcript: &Transcript, proof: &[u8]) -> Result<String, Fault> {
    let what = "the proof";
    let wrong = Fault::WrongLength { what, got: proof.len(), want: PROOF };
    let (public, signature) = proof.split_at_checked(KEY).filter(|_| proof.len() == PROOF).ok_or(wrong)?;
    match Identity::verifies(public, signature, &transcript.signed(role)) {
        true => Ok(fingerprint(public)),
        false => Err(Fault::Refused { what, why: "it does not sign what was sent and came here" }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lab_a02_a_proof_holds_for_one_exchange_and_one_role() {
        let mut random = Randomness::new(Some(1));
        let (ours, other) = (Identity::generate(&mut random).unwrap(), Identity::generate(&mut random).unwrap());
        let mut transcript = Transcript::default();
        transcript.add(b"one");
        transcript.add(b"two");
        let proof = ours.prove(Role::Server, &transcript);
        assert_eq!(proof.len(), PROOF);
        assert_eq!(check(Role::Server, &transcript, &proof).unwrap(), ours.fingerprint());
        assert_ne!(ours.fingerprint(), other.fingerprint());
        assert!(check(Role::Client, &transcript, &proof).is_err());
        let mut joined = Transcript::default();
        joined.add(b"onetwo");
        for (transcript, proof) in [
            (&joined, proof.clone()),
            (&transcript, proof.get(1..).unwrap().to_vec()),
            (&transcript, [proof.as_slice(), b"x"].concat()),
            (
                &transcript,
                [other.prove(Role::Server, &transcript).get(..KEY).unwrap(), proof.get(KEY..).unwrap()].concat(),
            ),
        ] {
            assert!(check(Role::Server, transcript, &proof).is_err());
        }
    }
}
