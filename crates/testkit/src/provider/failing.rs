//! Fails at a chosen call: what an empty pool of randomness or of memory looks like (threat H2).

use crate::provider::leave_to_inner;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::{CipherAlgorithm, HashAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{CryptoError, KexAnswer, KexClient, KeyMaterial, Open, Provider, Seal};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A part of a provider that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `random`.
    Random,
    /// `kex_client` and `kex_server`.
    Kex,
    /// `sealer`.
    Sealer,
    /// `opener`.
    Opener,
    /// `verify`.
    Verify,
}

impl Call {
    /// Every part that can fail.
    pub const ALL: [Self; 5] = [Self::Random, Self::Kex, Self::Sealer, Self::Opener, Self::Verify];
}

/// A provider over AWS-LC of which one kind of call fails once.
pub struct Failing {
    inner: AwsLc,
    call: Call,
    at: usize,
    seen: AtomicUsize,
}

impl Failing {
    /// Call number `at` (from 0) of `call` fails.
    pub fn new(call: Call, at: usize) -> Self {
        Self { inner: AwsLc::default(), call, at, seen: AtomicUsize::new(0) }
    }

    /// True when the failure has happened.
    pub fn has_failed(&self) -> bool {
        self.seen.load(Ordering::Relaxed) > self.at
    }

    fn pass(&self, call: Call) -> Result<(), CryptoError> {
        let fails = call == self.call && self.seen.fetch_add(1, Ordering::Relaxed) == self.at;
        if fails { Err(CryptoError) } else { Ok(()) }
    }
}

impl Provider for Failing {
    leave_to_inner!(hash);

    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.pass(Call::Random)?;
        self.inner.random(out)
    }

    fn kex_client(&self, method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError> {
        self.pass(Call::Kex)?;
        self.inner.kex_client(method)
    }

    fn kex_server(&self, method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
        self.pass(Call::Kex)?;
        self.inner.kex_server(method, client_public)
    }

    fn sealer(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Seal>, CryptoError> {
        self.pass(Call::Sealer)?;
        self.inner.sealer(cipher, mac, keys)
    }

    fn opener(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Open>, CryptoError> {
        self.pass(Call::Opener)?;
        self.inner.opener(cipher, mac, keys)
    }

    fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.pass(Call::Verify)?;
        self.inner.verify(algorithm, public_key, message, signature)
    }
}
