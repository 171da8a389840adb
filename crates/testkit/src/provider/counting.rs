//! Counts calls, so that equal work can be shown without a clock (threat A12).

use nacre_crypto::AwsLc;
use nacre_proto::algorithm::{CipherAlgorithm, HashAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{CryptoError, KexAnswer, KexClient, KeyMaterial, Open, Provider, Seal};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often each part of a provider was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// `random`.
    pub random: usize,
    /// `kex_client` and `kex_server`.
    pub kex: usize,
    /// `hash`.
    pub hash: usize,
    /// `sealer` and `opener`.
    pub keys: usize,
    /// `verify`.
    pub verify: usize,
}

/// A provider over AWS-LC that counts.
#[derive(Default)]
pub struct Counting {
    inner: AwsLc,
    calls: Arc<[AtomicUsize; 5]>,
}

impl Counting {
    /// All calls so far.
    pub fn counts(&self) -> Counts {
        let [random, kex, hash, keys, verify] = self.calls.each_ref().map(|n| n.load(Ordering::Relaxed));
        Counts { random, kex, hash, keys, verify }
    }

    fn count(&self, which: usize) {
        self.calls[which].fetch_add(1, Ordering::Relaxed);
    }
}

impl Provider for Counting {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.count(0);
        self.inner.random(out)
    }

    fn kex_client(&self, method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError> {
        self.count(1);
        self.inner.kex_client(method)
    }

    fn kex_server(&self, method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
        self.count(1);
        self.inner.kex_server(method, client_public)
    }

    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Vec<u8> {
        self.count(2);
        self.inner.hash(algorithm, parts)
    }

    fn sealer(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Seal>, CryptoError> {
        self.count(3);
        self.inner.sealer(cipher, mac, keys)
    }

    fn opener(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Open>, CryptoError> {
        self.count(3);
        self.inner.opener(cipher, mac, keys)
    }

    fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.count(4);
        self.inner.verify(algorithm, public_key, message, signature)
    }
}
