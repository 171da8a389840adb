//! `known_hosts`: which keys belong to which hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

mod edit;
mod line;
mod lookup;

pub use edit::{Found, Hashed, Removed, find, hash_names, remove};
pub use line::{Entry, HashedName, Hosts, LineError, MAX_LINE, Marker};
pub use lookup::{KnownHosts, Verdict, prefer_recorded};

/// HMAC-SHA1 of data under a key, for hashed host names.
pub type HmacSha1 = fn(key: &[u8], data: &[u8]) -> [u8; 20];

/// The name a host is recorded under: lower case, and `[name]:port` when the port is not 22.
pub fn record_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 || port == 0 { host } else { format!("[{host}]:{port}") }
}

/// A line to append, with its line feed: `names` are [`record_name`]s. With a salt (fresh random bytes per line) the
/// one name is hashed; a salt goes with exactly one name, so further names are left out then.
pub fn new_line(names: &[&str], key_type: &str, blob: &[u8], salt: Option<(&[u8; 20], HmacSha1)>) -> String {
    let hosts = match (salt, names.first()) {
        (Some((salt, hmac)), Some(name)) => HashedName::new(name, *salt, hmac).to_string(),
        _ => names.join(","),
    };
    format!("{hosts} {key_type} {}\n", crate::blob::encode(blob))
}
