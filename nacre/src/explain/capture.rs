//! The bytes of a connection for Wireshark: what passed, and the keys that open it.

use super::message::hex;
use nacre_proto::observe::{KexSecret, Observer, Packet, Step};
use nacre_wire::Role;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Bytes of a connection that are kept.
const MAX_CAPTURED: usize = 64 * 1024 * 1024;

/// Bytes that passed at once.
#[derive(Debug, Clone)]
pub struct Segment {
    /// When.
    pub at: Instant,
    /// Who sent them.
    pub by: Role,
    /// All of them.
    pub bytes: Vec<u8>,
}

/// What was captured, shared with the observer inside the connection.
#[derive(Clone, Default)]
pub struct Capture(Arc<Mutex<Captured>>);

#[derive(Default)]
struct Captured {
    segments: Vec<Segment>,
    /// Their bytes.
    size: usize,
    key_log: String,
}

impl Capture {
    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The beginning of what passed, 64 MiB at most, in order.
    pub fn segments(&self) -> Vec<Segment> {
        self.lock().segments.clone()
    }

    /// Lines of Wireshark's SSH key log.
    pub fn key_log(&self) -> String {
        self.lock().key_log.clone()
    }
}

impl Observer for Capture {
    fn step(&mut self, _: Instant, _: &Step<'_>) {}

    fn dangerous_wants_packets(&self) -> bool {
        true
    }

    fn dangerous_packet(&mut self, at: Instant, packet: &Packet<'_>) {
        let mut captured = self.lock();
        captured.size = captured.size.saturating_add(packet.wire.len());
        if captured.size <= MAX_CAPTURED {
            captured.segments.push(Segment { at, by: packet.by, bytes: packet.wire.to_vec() });
        }
    }

    /// Wireshark 4.0 takes private values of X25519 and nothing else; shared secrets are read from 4.2 on.
    fn dangerous_kex_secret(&mut self, _: Instant, secret: &KexSecret<'_>) {
        let cookie = hex(secret.cookie);
        let _ = match secret.private {
            Some(private) => writeln!(self.lock().key_log, "{cookie} {}", hex(private)),
            None => writeln!(self.lock().key_log, "{cookie} SHARED_SECRET {}", hex(secret.shared)),
        };
    }
}
