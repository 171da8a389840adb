//! Is this the key on record for this host? (threats H5, H6)

use std::sync::Arc;

use super::{Entry, HmacSha1, Marker, record_name};
use crate::error::Warning;
use crate::origin::Origin;

/// What the records say about a host's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This very key is on record.
    Match {
        /// The line that says so.
        origin: Origin,
    },
    /// The host is on record with other keys only, of this or another type: "changed", never "new".
    Mismatch {
        /// The lines that hold the other keys.
        lines: Vec<Origin>,
    },
    /// Nothing is on record.
    Unknown,
    /// The key is marked `@revoked` for this host: nothing else counts.
    Revoked {
        /// The line that says so.
        origin: Origin,
    },
}

/// The good lines of one or more files, and a warning for each bad one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownHosts {
    /// The good lines, in order.
    pub entries: Vec<Entry>,
    /// What was skipped and why.
    pub warnings: Vec<Warning>,
}

impl KnownHosts {
    /// Reads a file's content.
    pub fn parse(file: &str, content: &[u8]) -> Self {
        let mut known = Self::default();
        known.add(file, content);
        known
    }

    /// Adds another file's content after what is there.
    pub fn add(&mut self, file: &str, content: &[u8]) {
        let file: Arc<str> = Arc::from(file);
        for (line, number) in content.split(|b| *b == b'\n').zip(1..) {
            let origin = Origin::File { file: Arc::clone(&file), line: number };
            match Entry::parse(line, origin.clone()) {
                Ok(Some(entry)) => self.entries.push(entry),
                Ok(None) => {}
                Err(error) => self.warnings.push(Warning { origin, text: format!("line skipped: {error}") }),
            }
        }
    }

    /// The lines that speak of a host.
    fn of<'a>(&'a self, name: &'a str, hmac: HmacSha1) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.hosts.matches(name, hmac))
    }

    /// The verdict on a key (its blob) that a host showed. A revoked key is revoked whatever other lines say.
    pub fn lookup(&self, host: &str, port: u16, blob: &[u8], hmac: HmacSha1) -> Verdict {
        let name = record_name(host, port);
        let mut found = None;
        let mut others = Vec::new();
        for entry in self.of(&name, hmac) {
            match (entry.marker, entry.blob == blob) {
                (Marker::Revoked, true) => return Verdict::Revoked { origin: entry.origin.clone() },
                (Marker::None, true) => {
                    found.get_or_insert_with(|| entry.origin.clone());
                }
                (Marker::None, false) => others.push(entry.origin.clone()),
                _ => {}
            }
        }
        match found {
            Some(origin) => Verdict::Match { origin },
            None if others.is_empty() => Verdict::Unknown,
            None => Verdict::Mismatch { lines: others },
        }
    }

    /// [`Self::lookup`] as the client asks it: when nothing is on record for `[host]:port`, a match
    /// under the plain name counts too, as in OpenSSH; a revocation there always does.
    pub fn lookup_for_connection(&self, host: &str, port: u16, blob: &[u8], hmac: HmacSha1) -> Verdict {
        let verdict = self.lookup(host, port, blob, hmac);
        if port == 22 {
            return verdict;
        }
        match (verdict, self.lookup(host, 22, blob, hmac)) {
            // Whatever else is on record for the port.
            (_, revoked @ Verdict::Revoked { .. }) => revoked,
            (Verdict::Unknown, plain @ Verdict::Match { .. }) => plain,
            (verdict, _) => verdict,
        }
    }

    /// The line that trusts this key as a CA for the host (`@cert-authority`), under `[host]:port` or, as with
    /// [`Self::lookup_for_connection`], the plain name. Whether the CA is revoked, and what it signed is good for, is
    /// still to be asked.
    pub fn authority(&self, host: &str, port: u16, ca: &[u8], hmac: HmacSha1) -> Option<Origin> {
        self.authorities(host, port, hmac).into_iter().find(|entry| entry.blob == ca).map(|entry| entry.origin.clone())
    }

    /// True when any CA is trusted for the host: then it is worth asking it for a certificate.
    pub fn has_authority(&self, host: &str, port: u16, hmac: HmacSha1) -> bool {
        !self.authorities(host, port, hmac).is_empty()
    }

    fn authorities(&self, host: &str, port: u16, hmac: HmacSha1) -> Vec<&Entry> {
        let mut names = vec![record_name(host, port), record_name(host, 22)];
        names.dedup();
        let matches = |entry: &&Entry| names.iter().any(|name| entry.hosts.matches(name, hmac));
        self.entries.iter().filter(|entry| entry.marker == Marker::CertAuthority).filter(matches).collect()
    }

    /// The key types on record for a host, in the order of the lines, each once: they go to the front of
    /// HostKeyAlgorithms, so that a host is asked for the key that can be checked (threat H6).
    pub fn key_types(&self, host: &str, port: u16, hmac: HmacSha1) -> Vec<String> {
        let name = record_name(host, port);
        let mut types: Vec<String> = Vec::new();
        for entry in self.of(&name, hmac).filter(|entry| entry.marker == Marker::None) {
            if !types.contains(&entry.key_type) {
                types.push(entry.key_type.clone());
            }
        }
        types
    }
}

/// Orders signature algorithms for a host whose key types are on record: those that the record can check come first,
/// each group in its own order, so that a server with several keys shows the one that is known (threat H6).
pub fn prefer_recorded(algorithms: &[String], key_types: &[String]) -> Vec<String> {
    let recorded = |algorithm: &&String| {
        let key_type = if algorithm.starts_with("rsa-sha2-") { "ssh-rsa" } else { algorithm.as_str() };
        key_types.iter().any(|known| known == key_type)
    };
    let (mut first, rest): (Vec<&String>, Vec<&String>) = algorithms.iter().partition(recorded);
    first.extend(rest);
    first.into_iter().cloned().collect()
}
