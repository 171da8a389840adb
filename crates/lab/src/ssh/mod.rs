//! SSH itself, beside the protocols of the classroom: a server and a client around `nacre_proto`, so that what is done
//! to the others can be done to it.
//!
//! Without F9 it is SSH as it was before 2024: no strict key exchange, and a cipher that numbers its packets by the
//! connection's own count. Both ends tell the numbers of what the server sends until somebody may log in.

mod client;
mod end;
mod numbers;
mod server;

pub use client::Client;
pub use server::Server;

use crate::Fault;
use nacre_crypto::{KeyKind, PrivateKey};
use nacre_proto::TransportConfig;
use nacre_proto::algorithm::CipherAlgorithm;
use std::sync::Arc;
use std::time::Instant;

/// Who logs in.
const USER: &str = "alice";

/// What both ends of a connection are made of.
#[derive(Clone)]
pub struct Settings {
    strict: bool,
    host_key: Arc<PrivateKey>,
    user_key: Arc<PrivateKey>,
    now: Instant,
}

impl Settings {
    /// Fresh keys; no strict key exchange. No timer runs, so that it is always `now`.
    ///
    /// # Errors
    /// The system's generator failed.
    pub fn new(now: Instant) -> Result<Self, Fault> {
        let key = || PrivateKey::generate(KeyKind::Ed25519, None).map(Arc::new).map_err(|_| Fault::Cryptography);
        Ok(Self { strict: false, host_key: key()?, user_key: key()?, now })
    }

    /// The same with or without strict key exchange (F9).
    #[must_use]
    pub fn with_strict(&self, strict: bool) -> Self {
        Self { strict, ..self.clone() }
    }

    fn transport(&self) -> Arc<TransportConfig> {
        let config = TransportConfig { ciphers: vec![CipherAlgorithm::ChaCha20Poly1305], ..TransportConfig::default() };
        Arc::new(if self.strict { config } else { config.dangerous_without_strict_kex() })
    }
}
