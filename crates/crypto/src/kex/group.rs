//! Finite-field Diffie-Hellman in fixed groups (RFC 4253 §8, RFC 8268).

use super::primes;
use crate::provider::{fill_random, refuse};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd, Resize};
use nacre_proto::crypto::{CryptoError, KexClient, SecretBytes};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Public values with fewer bits set than this are refused, as OpenSSH does: such a value is a
/// small power of the generator, which no honest exponent gives.
const MIN_BITS_SET: u32 = 4;

/// How many exponents to draw before giving up. One is enough but for a broken generator.
const MAX_DRAWS: usize = 4;

/// A group; the generator is always 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Modp2048,
    Modp4096,
    Modp8192,
}

impl Group {
    const fn bits(self) -> u32 {
        match self {
            Self::Modp2048 => 2048,
            Self::Modp4096 => 4096,
            Self::Modp8192 => 8192,
        }
    }

    /// Bytes of private exponent: at least twice the group's strength in bits (RFC 4419 §6.2).
    const fn exponent_len(self) -> usize {
        match self {
            Self::Modp2048 => 32,
            Self::Modp4096 | Self::Modp8192 => 64,
        }
    }

    /// The group's Montgomery parameters, worked out once a process.
    fn params(self) -> Result<&'static BoxedMontyParams, CryptoError> {
        static CACHE: [OnceLock<Option<BoxedMontyParams>>; 3] = [const { OnceLock::new() }; 3];
        let (cache, prime) = match self {
            Self::Modp2048 => (CACHE.first(), primes::GROUP14),
            Self::Modp4096 => (CACHE.get(1), primes::GROUP16),
            Self::Modp8192 => (CACHE.get(2), primes::GROUP18),
        };
        let load = || {
            let prime = Option::from(BoxedUint::from_be_hex(prime, self.bits()))?;
            let prime = Option::from(Odd::new(prime))?;
            Some(BoxedMontyParams::new_vartime(prime))
        };
        cache.and_then(|c| c.get_or_init(load).as_ref()).ok_or(CryptoError)
    }

    /// Reads a public value and checks that it is in `2 ..= p - 2` with enough bits set
    /// (RFC 4253 §8, threat T9).
    fn read_public(self, params: &BoxedMontyParams, bytes: &[u8]) -> Result<BoxedUint, CryptoError> {
        let ones: u32 = bytes.iter().map(|b| b.count_ones()).sum();
        if bytes.first().is_none_or(|b| *b == 0) || ones < MIN_BITS_SET {
            return Err(CryptoError);
        }
        let value = BoxedUint::from_be_slice(bytes, self.bits()).map_err(refuse)?;
        let one = BoxedUint::one_with_precision(self.bits());
        let most = params.modulus().as_ref().wrapping_sub(&one);
        if value <= one || value >= most {
            return Err(CryptoError);
        }
        Ok(value)
    }
}

/// One side's ephemeral key pair.
pub(super) struct Client {
    group: Group,
    exponent: Zeroizing<BoxedUint>,
    public: Vec<u8>,
}

impl Client {
    /// A fresh key pair.
    pub(super) fn new(group: Group) -> Result<Self, CryptoError> {
        let params = group.params()?;
        let generator = BoxedMontyForm::new(BoxedUint::from(2u8).resize(group.bits()), params);
        for _ in 0..MAX_DRAWS {
            let exponent = draw_exponent(group)?;
            let public = generator.pow(&exponent).retrieve().to_be_bytes_trimmed_vartime().into_vec();
            if group.read_public(params, &public).is_ok() {
                return Ok(Self { group, exponent, public });
            }
        }
        Err(CryptoError)
    }

    /// The shared secret, as wide as the prime.
    pub(super) fn agree(&self, peer: &[u8]) -> Result<SecretBytes, CryptoError> {
        let params = self.group.params()?;
        let peer = self.group.read_public(params, peer)?;
        let shared = Zeroizing::new(BoxedMontyForm::new(peer, params).pow(&self.exponent));
        let shared = Zeroizing::new(shared.retrieve());
        Ok(SecretBytes::new(shared.to_be_bytes().into_vec()))
    }

    /// The public value, by value.
    pub(super) fn into_public(self) -> Vec<u8> {
        self.public
    }
}

fn draw_exponent(group: Group) -> Result<Zeroizing<BoxedUint>, CryptoError> {
    let mut bytes = Zeroizing::new(vec![0; group.exponent_len()]);
    fill_random(&mut bytes)?;
    let bits = u32::try_from(bytes.len() * 8).map_err(refuse)?;
    Ok(Zeroizing::new(BoxedUint::from_be_slice(&bytes, bits).map_err(refuse)?))
}

impl KexClient for Client {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, server_public: &[u8]) -> Result<SecretBytes, CryptoError> {
        self.agree(server_public)
    }
}
