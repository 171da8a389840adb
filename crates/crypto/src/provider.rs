//! The provider itself: which file answers for which part of the trait.

use crate::{kex, packet, verify};
use aws_lc_rs::digest;
use nacre_proto::algorithm::{CipherAlgorithm, HashAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{CryptoError, KexAnswer, KexClient, KeyMaterial, Open, Provider, Seal};

/// The smallest RSA modulus that is ever accepted, in bits (threat A19).
pub(crate) const RSA_FLOOR_BITS: usize = 2048;

/// The largest RSA modulus that is ever looked at, in bits: AWS-LC's own limit (threat T22).
pub(crate) const RSA_CEILING_BITS: usize = 8192;

/// The provider that ships, on top of AWS-LC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwsLc {
    min_rsa_bits: usize,
}

impl AwsLc {
    /// A provider that refuses RSA keys of fewer than `min_rsa_bits` bits when it verifies. The
    /// bound can be raised only: less than 2048 counts as 2048.
    pub fn new(min_rsa_bits: usize) -> Self {
        Self { min_rsa_bits: min_rsa_bits.max(RSA_FLOOR_BITS) }
    }
}

impl Default for AwsLc {
    fn default() -> Self {
        Self::new(RSA_FLOOR_BITS)
    }
}

/// Any library's error as ours, which says nothing.
pub(crate) fn refuse<E>(_: E) -> CryptoError {
    CryptoError
}

/// Fills `out` from the system's generator.
pub(crate) fn fill_random(out: &mut [u8]) -> Result<(), CryptoError> {
    aws_lc_rs::rand::fill(out).map_err(refuse)
}

/// `N` bytes fit for keys.
///
/// # Errors
/// The system's generator failed.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut out = [0; N];
    fill_random(&mut out)?;
    Ok(out)
}

impl Provider for AwsLc {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        fill_random(out)
    }

    fn kex_client(&self, method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError> {
        kex::client(method)
    }

    fn kex_server(&self, method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
        kex::server(method, client_public)
    }

    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = digest::Context::new(match algorithm {
            HashAlgorithm::Sha256 => &digest::SHA256,
            HashAlgorithm::Sha384 => &digest::SHA384,
            HashAlgorithm::Sha512 => &digest::SHA512,
        });
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().to_vec()
    }

    fn sealer(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Seal>, CryptoError> {
        packet::sealer(cipher, mac, keys)
    }

    fn opener(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Open>, CryptoError> {
        packet::opener(cipher, mac, keys)
    }

    fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        verify::verify(self.min_rsa_bits, algorithm, public_key, message, signature)
    }
}
