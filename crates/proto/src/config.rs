//! What the owner of a connection decides before it starts.

use crate::algorithm::{CipherAlgorithm, CompressionMethod, KexMethod, MacAlgorithm, SignatureAlgorithm};
use std::time::Duration;

/// When keys are renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RekeyPolicy {
    /// Bytes in one direction; `None` leaves it to the cipher.
    pub bytes: Option<u64>,
    /// Time since the last exchange; `None` sets no limit.
    pub time: Option<Duration>,
}

impl Default for RekeyPolicy {
    fn default() -> Self {
        Self { bytes: None, time: Some(Duration::from_secs(3600)) }
    }
}

/// How a silent peer is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// After this much silence a probe is sent.
    pub interval: Duration,
    /// After this many probes without an answer the connection is given up.
    pub count_max: u32,
}

/// What may change of a connection once it is known who has logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// When keys are renewed.
    pub rekey: RekeyPolicy,
    /// How a silent peer is noticed.
    pub keepalive: Option<Keepalive>,
    /// How long the connection may stand without any channel.
    pub unused_timeout: Option<Duration>,
}

/// What both ends decide about the transport.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// Software name of the identification line.
    pub software: String,
    /// Comment of the identification line.
    pub comment: String,
    /// Key exchange methods offered, best first.
    pub kex: Vec<KexMethod>,
    /// Host key algorithms: for a client those it accepts, for a server a filter on its keys.
    pub host_key_algorithms: Vec<SignatureAlgorithm>,
    /// Ciphers offered, best first.
    pub ciphers: Vec<CipherAlgorithm>,
    /// MACs offered, best first.
    pub macs: Vec<MacAlgorithm>,
    /// Compression offered, best first.
    pub compression: Vec<CompressionMethod>,
    /// When keys are renewed.
    pub rekey: RekeyPolicy,
    /// How long the first key exchange may take: a client's without the time that the question about the host key
    /// waits, a server's until its reply has left.
    pub kex_timeout: Duration,
    /// How a silent peer is noticed, after login only.
    pub keepalive: Option<Keepalive>,
    /// The most data asked for in one channel message, in bytes.
    pub max_packet: u32,
    /// Leaves strict key exchange out of the offer, so that the Terrapin attack works again. For
    /// teaching only.
    pub dangerous_without_strict_kex: bool,
}

impl Default for TransportConfig {
    fn default() -> Self {
        use CipherAlgorithm as C;
        Self {
            software: concat!("Nacre_", env!("CARGO_PKG_VERSION")).to_owned(),
            comment: String::new(),
            kex: default_kex(),
            host_key_algorithms: default_host_key_algorithms(),
            ciphers: vec![C::Aes256Gcm, C::ChaCha20Poly1305, C::Aes128Gcm, C::Aes256Ctr, C::Aes192Ctr, C::Aes128Ctr],
            macs: vec![MacAlgorithm::HmacSha256Etm, MacAlgorithm::HmacSha512Etm],
            compression: vec![CompressionMethod::None],
            rekey: RekeyPolicy::default(),
            kex_timeout: Duration::from_secs(10),
            keepalive: None,
            max_packet: crate::limits::MAX_CHANNEL_DATA,
            dangerous_without_strict_kex: false,
        }
    }
}

impl TransportConfig {
    /// Leaves strict key exchange out of the offer, so that the Terrapin attack works again. For
    /// teaching only.
    #[must_use]
    pub fn dangerous_without_strict_kex(mut self) -> Self {
        self.dangerous_without_strict_kex = true;
        self
    }
}

/// The key exchange methods offered unless configured otherwise.
pub fn default_kex() -> Vec<KexMethod> {
    use KexMethod as K;
    vec![K::MlKem768X25519, K::Sntrup761X25519, K::Sntrup761X25519OpenSsh, K::Curve25519, K::Curve25519LibSsh]
}

/// The signature algorithms accepted unless configured otherwise.
pub fn default_host_key_algorithms() -> Vec<SignatureAlgorithm> {
    use SignatureAlgorithm as S;
    vec![S::Ed25519, S::EcdsaNistp256, S::EcdsaNistp384, S::EcdsaNistp521, S::RsaSha512, S::RsaSha256]
}
