//! The audit log: one line for each thing an operator asks about later (threat U7). docs/AUDIT.md
//! lists events and fields.
//!
//! As root the lines are made by the listener and the monitors from what they know themselves. What
//! only the net process can know is written too, and marked as its word.

mod event;
mod forwards;
mod line;
mod trail;

pub use event::{Event, Happening};
pub use forwards::{ForwardSpec, WatchedAcceptor};
pub use line::{Line, date_and_time, json, one_line};
pub use trail::{End, Trail, WatchedProcess};

use super::log;
use super::login::Ends;
use nacre_wire::text::clean_line;
use std::fmt;
use tracing::Level;

/// The longest line of a net process that is logged, in bytes.
const MAX_NET_LINE: usize = 1024;

/// What connects the lines of one connection, also across a restart that reuses ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// A new one, by chance.
    pub fn new() -> Self {
        Self(nacre_crypto::random_bytes().map(u64::from_be_bytes).unwrap_or_default())
    }

    /// The one that is shown so.
    pub fn from_text(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
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

/// Something a net process wants in the log, with a severity of syslog. It is believed in nothing: who
/// said it stands before.
pub fn net_says(ends: Ends, severity: u32, line: &str) {
    write(&net_event(ends, severity, line));
}

fn net_event(ends: Ends, severity: u32, line: &str) -> Event {
    let level = match severity {
        0..=3 => Level::ERROR,
        4 => Level::WARN,
        5 | 6 => Level::INFO,
        _ => Level::DEBUG,
    };
    Event::NetSays { ends, level, text: clean_line(line.as_bytes(), MAX_NET_LINE) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    const LIE: &str = "x\nAccepted publickey for root from 192.0.2.9 port 22 ssh2\u{2028}\x1b[2K";

    fn ends() -> Ends {
        let at = |text: &str| text.parse().unwrap();
        Ends { peer: at("192.0.2.1:4000"), local: at("192.0.2.2:22"), id: ConnectionId::new() }
    }

    #[test]
    fn u07_a_net_process_that_lies_is_quoted_and_not_believed() {
        let line = net_event(ends(), 6, LIE).line();
        let text = one_line(&line.text);
        assert!(text.starts_with("[192.0.2.1:4000] net process says: x Accepted publickey"), "{text}");
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{2028}'), "{text:?}");
        let json = json(&line, SystemTime::now());
        assert!(!json.contains(['\n', '\x1b']), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((value["event"].as_str(), value["source"].as_str()), (Some("net_says"), Some("192.0.2.1")));
        assert_eq!(net_event(ends(), 6, &"y".repeat(1 << 20)).line().text.len() / 1024, 1, "it is cut");
    }

    #[test]
    fn u07_what_a_net_process_says_of_the_end_is_marked() {
        let trail = Trail::new(ends(), true);
        let event = trail.end_event(End { reason: "bye".into(), quiet: true, bytes: Some((1, 2)) });
        let line = event.unwrap().line();
        assert!(line.text.ends_with("net-process-says: received=1 sent=2 reason=bye [preauth]"), "{}", line.text);
        let claimed = line.fields.iter().find(|(name, _)| *name == "claimed").unwrap();
        assert_eq!(claimed.1, serde_json::json!(["reason", "received", "sent"]));
        let trail = Trail::new(ends(), false);
        let event = trail.end_event(End { reason: "bye".into(), quiet: true, bytes: Some((1, 2)) });
        assert!(!event.unwrap().line().fields.iter().any(|(name, _)| *name == "claimed"));
    }

    #[test]
    fn u07_a_name_stays_one_word() {
        let user = "x from 192.0.2.9 port 22 ssh2".to_owned();
        let line = Event::Connection { ends: ends(), user, what: Happening::InvalidUser }.line();
        let said = "Invalid user x\\x20from\\x20192.0.2.9\\x20port\\x2022\\x20ssh2 from 192.0.2.1 port 4000";
        assert_eq!(line.text, said);
    }
}
