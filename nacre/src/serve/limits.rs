//! What `Match User` and the like may change of a connection that stands: it counts from the login on.

use nacre_config::server::ConnectionOptions;
use nacre_proto::{ConnectionLimits, Keepalive, RekeyPolicy};
use nacre_wire::{Reader, names};
use std::time::Duration;

/// The limits of a connection under this configuration.
pub fn of(options: &ConnectionOptions) -> ConnectionLimits {
    let interval = Some(options.client_alive_interval).filter(|interval| !interval.is_zero());
    ConnectionLimits {
        rekey: RekeyPolicy {
            bytes: Some(options.rekey_limit.bytes).filter(|bytes| *bytes > 0),
            time: Some(options.rekey_limit.seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs),
        },
        keepalive: interval.map(|interval| Keepalive { interval, count_max: options.client_alive_count_max }),
        unused_timeout: options.unused_connection_timeout,
    }
}

/// The length of an RSA key in bits (RFC 4253 §6.6); `None` for keys of other kinds.
pub fn rsa_bits(blob: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(blob);
    if reader.string("key type").ok()? != names::SSH_RSA.as_bytes() {
        return None;
    }
    let _exponent = reader.mpint("e").ok()?;
    let modulus = reader.mpint("n").ok()?;
    let unused = modulus.first().map_or(0, |first| first.leading_zeros());
    Some(modulus.len() * 8 - usize::try_from(unused).unwrap_or(0))
}
