//! What a server connection is to be like, as plain values that can travel to another process.

use crate::packed_fields;
use crate::server::AnnouncedKey;
use nacre_proto::algorithm::{CipherAlgorithm, CompressionMethod, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::Provider;
use nacre_proto::{HostKey, Keepalive, RekeyPolicy, ServerConfig, TransportConfig};
use std::sync::Arc;
use std::time::Duration;

/// The most bytes of data in one message that clients may send. OpenSSH's shared connections (`-O proxy`) end when a message with its
/// head is larger than 256 KiB; this leaves out a page.
const MAX_DATA: u32 = nacre_proto::limits::MAX_CHANNEL_DATA - 4096;

/// What a server connection is to be like. Algorithms by name; names that this build does not have
/// are left out, and were told of when the server started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Comment of the identification line.
    pub comment: String,
    /// Key exchange methods, best first.
    pub kex: Vec<String>,
    /// Host key algorithms.
    pub host_key_algorithms: Vec<String>,
    /// Ciphers, best first.
    pub ciphers: Vec<String>,
    /// MACs, best first.
    pub macs: Vec<String>,
    /// Compression, best first.
    pub compression: Vec<String>,
    /// Signature algorithms taken from users.
    pub user_algorithms: Vec<String>,
    /// Bytes after which keys are renewed.
    pub rekey_bytes: Option<u64>,
    /// Time after which keys are renewed.
    pub rekey_time: Option<Duration>,
    /// After so much silence a probe is sent.
    pub alive_interval: Option<Duration>,
    /// Probes without an answer before the connection is given up.
    pub alive_count_max: u32,
    /// The smallest RSA key, in bits.
    pub required_rsa_bits: usize,
    /// How long a login may take.
    pub login_timeout: Option<Duration>,
    /// How long a connection may stay without a channel.
    pub unused_timeout: Option<Duration>,
    /// The public halves of the host keys, with the algorithms of each.
    pub host_keys: Vec<(Vec<u8>, Vec<SignatureAlgorithm>)>,
    /// Up to which level messages are logged: 0 none to 5 all.
    pub log_level: u32,
}

packed_fields!(ConnectionSettings {
    comment,
    kex,
    host_key_algorithms,
    ciphers,
    macs,
    compression,
    user_algorithms,
    rekey_bytes,
    rekey_time,
    alive_interval,
    alive_count_max,
    required_rsa_bits,
    login_timeout,
    unused_timeout,
    host_keys,
    log_level,
});

impl ConnectionSettings {
    /// The configuration of the protocol.
    pub fn server_config(&self, provider: Arc<dyn Provider>) -> ServerConfig {
        let transport = TransportConfig {
            comment: self.comment.clone(),
            kex: known(&self.kex, KexMethod::from_name),
            host_key_algorithms: known(&self.host_key_algorithms, SignatureAlgorithm::from_name),
            ciphers: known(&self.ciphers, CipherAlgorithm::from_name),
            macs: known(&self.macs, MacAlgorithm::from_name),
            compression: known(&self.compression, CompressionMethod::from_name),
            rekey: RekeyPolicy { bytes: self.rekey_bytes, time: self.rekey_time },
            keepalive: self.alive_interval.map(|interval| Keepalive { interval, count_max: self.alive_count_max }),
            max_packet: MAX_DATA,
            ..TransportConfig::default()
        };
        let host_key =
            |(blob, algorithms): &(Vec<u8>, Vec<_>)| HostKey { algorithms: algorithms.clone(), blob: blob.clone() };
        ServerConfig {
            transport: Arc::new(transport),
            provider,
            host_keys: self.host_keys.iter().map(host_key).collect(),
            user_algorithms: known(&self.user_algorithms, SignatureAlgorithm::from_name),
            login_timeout: self.login_timeout,
            unused_timeout: self.unused_timeout,
            observer: None,
        }
    }

    /// The host keys as they are announced after login (OpenSSH PROTOCOL §2.5).
    pub fn announced(&self) -> Vec<AnnouncedKey> {
        let announce = |(blob, algorithms): &(Vec<u8>, Vec<SignatureAlgorithm>)| {
            let algorithm = *algorithms.first().filter(|algorithm| !algorithm.is_certificate())?;
            Some(AnnouncedKey { blob: blob.clone(), algorithm })
        };
        self.host_keys.iter().filter_map(announce).collect()
    }
}

fn known<T>(names: &[String], from_name: impl Fn(&str) -> Option<T>) -> Vec<T> {
    names.iter().filter_map(|name| from_name(name)).collect()
}
