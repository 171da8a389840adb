//! Real key exchanges whose shared secrets begin with zero bytes (threat T12).

use crate::provider::leave_to_inner;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::{CipherAlgorithm, HashAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{CryptoError, KexAnswer, KexClient, KeyMaterial, Open, Provider, Seal, SecretBytes};
use std::sync::Arc;

/// A provider whose shared secrets begin with so many zero bytes. Both ends must use it.
pub struct ForcedZeros {
    inner: Arc<dyn Provider>,
    zeros: usize,
}

impl ForcedZeros {
    /// Over AWS-LC.
    pub fn new(zeros: usize) -> Self {
        Self { inner: Arc::new(AwsLc::default()), zeros }
    }
}

/// Puts zeros in front of a secret.
pub(super) fn force(secret: &SecretBytes, zeros: usize) -> SecretBytes {
    let mut bytes = secret.expose().to_vec();
    bytes.iter_mut().take(zeros).for_each(|b| *b = 0);
    SecretBytes::new(bytes)
}

struct Client {
    inner: Box<dyn KexClient>,
    zeros: usize,
}

impl KexClient for Client {
    fn public(&self) -> &[u8] {
        self.inner.public()
    }

    fn finish(self: Box<Self>, server_public: &[u8]) -> Result<SecretBytes, CryptoError> {
        self.inner.finish(server_public).map(|secret| force(&secret, self.zeros))
    }
}

impl Provider for ForcedZeros {
    leave_to_inner!(random, hash, sealer, opener, verify);

    fn kex_client(&self, method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError> {
        Ok(Box::new(Client { inner: self.inner.kex_client(method)?, zeros: self.zeros }))
    }

    fn kex_server(&self, method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
        let KexAnswer { public, secret } = self.inner.kex_server(method, client_public)?;
        Ok(KexAnswer { public, secret: force(&secret, self.zeros) })
    }
}
