//! `~I`: what was agreed with the server.

use nacre_crypto::PublicKey;
use nacre_proto::{Connection, DirectionAlgorithms};
use nacre_wire::text::clean_line;
use std::fmt::Write as _;

/// The longest text of the peer in a line, in bytes.
const MAX_TEXT: usize = 256;

/// A line for each thing; nothing before the first key exchange is done.
pub fn of(connection: &Connection) -> String {
    let mut out = String::from("Connection information:");
    let mut say = |what: &str, value: &str| {
        let _ = write!(out, "\n  {what:<15} {value}");
    };
    if let Some(ident) = connection.peer_ident() {
        say("server", &clean_line(ident.as_bytes(), MAX_TEXT));
    }
    if let Some(user) = connection.user() {
        say("user", &clean_line(user, MAX_TEXT));
    }
    if let Some(key) = connection.host_key().and_then(plain) {
        say("host key", &format!("{} {}", key.type_label(), key.fingerprint_sha256()));
    }
    if let Some(agreed) = connection.negotiated() {
        say("key exchange", agreed.kex.name());
        say("signed by", agreed.host_key.name());
        say("to the server", &direction(&agreed.client_to_server));
        say("from the server", &direction(&agreed.server_to_client));
    }
    say("channels", &connection.channel_count().to_string());
    out
}

fn plain(blob: &[u8]) -> Option<PublicKey> {
    PublicKey::from_blob(&nacre_proto::certificate::plain_key(blob), "").ok()
}

fn direction(algorithms: &DirectionAlgorithms) -> String {
    let mac = algorithms.mac.map(|mac| format!(", {}", mac.name())).unwrap_or_default();
    format!("{}{mac}, compression {}", algorithms.cipher.name(), algorithms.compression.name())
}
