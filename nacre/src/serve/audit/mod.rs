//! The audit log: one line for each thing an operator asks about later (threat U7). docs/AUDIT.md
//! lists events and fields.
//!
//! As root the lines are made by the listener and the monitors from what they know themselves. What
//! only the net process can know is written too, and marked as its word.

mod event;
mod line;
mod trail;

pub use event::{Event, Happening};
pub use line::{Line, date_and_time, json, one_line};
pub use trail::{End, Trail, WatchedProcess};

use super::log;
use super::login::Ends;
use std::fmt;
use tracing::Level;

/// What connects the lines of one connection, also across a restart that reuses ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// A new one, by chance.
    pub fn new() -> Self {
        Self(nacre_crypto::random_bytes().map(u64::from_be_bytes).unwrap_or_default())
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Writes an event.
pub fn write(event: &Event) {
    log::write(&event.line());
}

/// Something happened to a connection of whose login the caller knows nothing.
pub fn happened(ends: Ends, what: Happening) {
    write(&Event::Connection { ends, user: String::new(), what });
}

/// The configuration or the system keeps out an account that exists.
pub fn not_allowed(user: &str, ends: Option<Ends>, reason: &str) {
    write(&Event::NotAllowed { user: user.to_owned(), ends, reason: reason.to_owned() });
}

/// Something a net process wants in the log. It is believed in nothing: who said it stands before.
pub fn net_says(ends: Ends, level: Level, text: String) {
    write(&Event::NetSays { ends, level, text });
}
