//! Is this the host that was asked for? (threats H1, H2, H6)

use super::ask::{self, Echo, Interrupted};
use super::log::Log;
use super::records::{self, Records};
use crate::revocations;
use nacre_config::client::{ClientOptions, StrictHostKeyChecking};
use nacre_config::known_hosts::Verdict;
use nacre_config::origin::Origin;
use nacre_crypto::{Certificate, PublicKey};
use nacre_proto::certificate::split;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What came of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The key is on record.
    Known {
        /// It stands in a file of the user, so that the host may tell of its other keys (H6).
        by_user: bool,
    },
    /// The key is new and was accepted.
    New,
    /// The host has other keys on record, and StrictHostKeyChecking is off: nothing that the host
    /// could misuse may be shown to it.
    Distrusted,
    /// No.
    Refused,
}

/// What is needed to judge a host key.
pub struct HostKeys<'a> {
    /// The options.
    pub options: &'a ClientOptions,
    /// What is on record.
    pub records: &'a Records,
    /// Whom the socket reached; unknown behind a proxy.
    pub address: Option<SocketAddr>,
    /// Where to say things.
    pub log: &'a Log,
}

impl HostKeys<'_> {
    /// Judges a key that the host has proved to hold, asking the person if need be.
    ///
    /// # Errors
    /// The person pressed Ctrl-C at the question.
    pub async fn check(&self, blob: &[u8]) -> Result<Checked, Interrupted> {
        let certificate = match split(blob).is_ok().then(|| Certificate::from_blob(blob)).transpose() {
            Ok(certificate) => certificate,
            Err(error) => {
                self.log.error(&format!("The host's certificate cannot be used: {error}"));
                return Ok(Checked::Refused);
            }
        };
        let plain = certificate.as_ref().map_or_else(|| PublicKey::from_blob(blob, ""), |c| Ok(c.key().clone()));
        let Ok(key) = plain else {
            self.log.error("The host key is of a type that is not known here.");
            return Ok(Checked::Refused);
        };
        self.log.debug(|| format!("host key: {} {}", key.key_type(), key.fingerprint_sha256()));
        if let Some(why) = self.revoked_by_file(blob, certificate.as_ref()) {
            self.log.error(&format!("The {} host key {}: {why}", key.type_label(), self.fingerprint(&key)));
            return Ok(Checked::Refused);
        }
        let local = self.address.is_some_and(|address| address.ip().is_loopback());
        let named = self.options.host_key_alias.is_some();
        if self.options.no_host_authentication_for_localhost && local && !named {
            self.log.debug(|| "the host is this machine: its key is not checked".to_owned());
            return Ok(Checked::New);
        }
        // What does not hold as a certificate is still a key that may be on record.
        if let Some(checked) = certificate.and_then(|certificate| self.certified(&certificate)) {
            return Ok(checked);
        }
        match self.records.verdict(key.blob()) {
            Verdict::Match { origin } => Ok(self.known(&key, &origin)),
            Verdict::Revoked { origin } => Ok(self.revoked(&key, &origin)),
            Verdict::Mismatch { lines } => Ok(self.changed(&key, &lines)),
            Verdict::Unknown => self.unknown(&key).await,
        }
    }

    /// Judges a certificate; `None` when it says nothing about the host and its key alone counts (threats H6, H7).
    fn certified(&self, certificate: &Certificate) -> Option<Checked> {
        self.log.debug(|| format!("host certificate: {}", certificate.describe()));
        for key in [certificate.ca(), certificate.key()] {
            if let Verdict::Revoked { origin } = self.records.verdict(key.blob()) {
                return Some(self.revoked(key, &origin));
            }
        }
        let Some(origin) = self.records.authority(certificate.ca().blob()) else {
            self.log.debug(|| "no CA on record for the host signed it".to_owned());
            return None;
        };
        match self.refusal(certificate) {
            None => {
                self.log.debug(|| format!("the host's certificate is from the CA at {origin}"));
                // The record knows a CA, not this host: the host may not write its keys there.
                Some(Checked::Known { by_user: false })
            }
            Some(why) => {
                let host = &self.records.name;
                self.log
                    .error(&format!("Certificate invalid for host {host}: {why} (its CA is at {})", origin.place()));
                None
            }
        }
    }

    fn refusal(&self, certificate: &Certificate) -> Option<String> {
        let signed = certificate.ca_algorithm().name();
        if !self.options.ca_signature_algorithms.iter().any(|name| name == signed) {
            return Some(format!("its CA signed with {signed}, which CASignatureAlgorithms leaves out"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs());
        certificate.check_host(&self.records.name, now).err().map(|why| why.to_string())
    }

    fn known(&self, key: &PublicKey, origin: &Origin) -> Checked {
        self.log.debug(|| format!("the host key is on record at {origin}"));
        if self.options.visual_host_key {
            self.log.info(&format!("Host key fingerprint is {}\n{}", self.fingerprint(key), key.randomart()));
        }
        if self.address_differs(key) {
            return Checked::Refused;
        }
        Checked::Known { by_user: self.records.is_users(origin) }
    }

    /// `CheckHostIP`: the name is right, but its address is on record with another key. That is told;
    /// under strict checking it is reason enough to stop.
    fn address_differs(&self, key: &PublicKey) -> bool {
        let Some(address) = self.recorded_address() else { return false };
        let Verdict::Mismatch { lines } = self.records.verdict_of_address(&address, key.blob()) else { return false };
        let place = lines.first().map(Origin::place).unwrap_or_default();
        let (host, kind) = (&self.options.host_name, key.type_label());
        self.log.error(&format!(
            "Warning: the {kind} host key for '{host}' differs from the key for the IP address '{address}'\n\
             Offending key for IP in {place}"
        ));
        self.options.strict_host_key_checking == StrictHostKeyChecking::Yes
    }

    /// The address, when it is to be on record beside the name.
    fn recorded_address(&self) -> Option<String> {
        let address = self.address.map(|address| address.ip().to_string());
        let wanted = self.options.check_host_ip && self.options.host_key_alias.is_none();
        address.filter(|address| wanted && *address != self.records.name)
    }

    /// `RevokedHostKeys`.
    fn revoked_by_file(&self, blob: &[u8], certificate: Option<&Certificate>) -> Option<String> {
        let path = self.options.revoked_host_keys.as_ref()?;
        revocations::refusal("RevokedHostKeys", path, blob, certificate)
    }

    fn revoked(&self, key: &PublicKey, origin: &Origin) -> Checked {
        let (host, kind) = (&self.options.host_name, key.type_label());
        self.log.error(&format!(
            "{}\nThe {kind} key that {host} uses is marked as revoked in {}.\n\
             Somebody else may hold it: this may not be {host} at all.",
            banner("WARNING: REVOKED HOST KEY DETECTED!"),
            origin.place(),
        ));
        Checked::Refused
    }

    fn changed(&self, key: &PublicKey, lines: &[Origin]) -> Checked {
        self.log.error(&self.alarm(key, lines));
        if self.options.strict_host_key_checking != StrictHostKeyChecking::Off {
            return Checked::Refused;
        }
        self.log.error(
            "StrictHostKeyChecking is off, so the connection goes on; passwords and answers to the \
             host's questions are not offered to it.",
        );
        Checked::Distrusted
    }

    /// The text about a key that is not the one on record: what differs, where that is written, and
    /// what to do in either case.
    fn alarm(&self, key: &PublicKey, lines: &[Origin]) -> String {
        let (name, shown) = (self.records.recorded_name(), key.type_label());
        let mut text = format!(
            "{}\nThe host key of {name} is not the one on record.\n\
             Somebody may be between you and the host, reading along; or the host was set up anew.\n\
             It shows an {shown} key with the fingerprint\n{}\nOn record is:\n",
            banner("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"),
            self.fingerprint(key),
        );
        let mut same_type = false;
        for origin in lines {
            let kind = self.records.key_type_at(origin).unwrap_or("a key");
            same_type |= kind == key.key_type();
            text.push_str(&format!("  {kind} in {}:{}\n", origin.file(), line_of(origin)));
        }
        if !same_type {
            text.push_str(&format!(
                "No {shown} key is on record. A host that you know does not begin to show a key of \
                 another type by itself: it should offer one of the types above.\n"
            ));
        }
        text.push_str(
            "Ask whoever looks after the host for its fingerprint, by another way than this connection.\n\
             If it has new keys, take the old ones off the record:\n",
        );
        let mut files: Vec<&str> = lines.iter().map(Origin::file).collect();
        files.dedup();
        for file in files {
            text.push_str(&format!("  nacre keygen -f '{file}' -R '{name}'\n"));
        }
        text
    }

    async fn unknown(&self, key: &PublicKey) -> Result<Checked, Interrupted> {
        let (host, kind) = (&self.options.host_name, key.type_label());
        match self.options.strict_host_key_checking {
            StrictHostKeyChecking::Yes => {
                self.log
                    .error(&format!("No {kind} host key is known for {host} and you have requested strict checking."));
                return Ok(Checked::Refused);
            }
            StrictHostKeyChecking::Ask => {
                if self.options.batch_mode {
                    self.log.error(&format!("The host key of {host} is not on record, and BatchMode asks nothing."));
                    return Ok(Checked::Refused);
                }
                if !self.confirmed(key).await? {
                    return Ok(Checked::Refused);
                }
            }
            StrictHostKeyChecking::AcceptNew | StrictHostKeyChecking::Off => {}
        }
        self.record(key);
        Ok(Checked::New)
    }

    /// Shows the fingerprint and its picture and asks. Yes, no, or the fingerprint as it is known
    /// from elsewhere, which is compared here.
    async fn confirmed(&self, key: &PublicKey) -> Result<bool, Interrupted> {
        let fingerprint = self.fingerprint(key);
        let mut question = self.introduction(key, &fingerprint);
        loop {
            let Some(answer) = ask::ask(question, Echo::Visible).await? else { return Ok(false) };
            match verdict_of(&String::from_utf8_lossy(&answer), &fingerprint) {
                Some(verdict) => return Ok(verdict),
                None => question = "Please type 'yes', 'no' or the fingerprint: ".to_owned(),
            }
        }
    }

    fn introduction(&self, key: &PublicKey, fingerprint: &str) -> String {
        let name = self.records.recorded_name();
        let address = self.address.map(|address| address.ip().to_string());
        let address = address.unwrap_or_else(|| "<no hostip for proxy command>".to_owned());
        let kind = key.type_label();
        let mut text = format!("The authenticity of host '{name} ({address})' can't be established.\n");
        text.push_str(&format!("{kind} key fingerprint is {fingerprint}\n{}\n", key.randomart()));
        match self.records.other_names(key.blob()).as_slice() {
            [] => text.push_str("This key is not known by any other names.\n"),
            names => {
                text.push_str("This host key is known by the following other names/addresses:\n");
                names.iter().take(8).for_each(|name| text.push_str(&format!("    {name}\n")));
            }
        }
        text.push_str("Are you sure you want to continue connecting (yes/no/[fingerprint])? ");
        text
    }

    fn fingerprint(&self, key: &PublicKey) -> String {
        match self.options.fingerprint_sha256 {
            true => key.fingerprint_sha256(),
            false => key.fingerprint_md5(),
        }
    }

    /// Writes the key into the user's first file.
    fn record(&self, key: &PublicKey) {
        let Some(path) = self.options.user_known_hosts_files.first() else { return };
        let mut names = vec![self.records.recorded_name()];
        if let Some(address) = self.recorded_address() {
            names.push(nacre_config::known_hosts::record_name(&address, self.records.port));
        }
        let written = records::lines(&names, &[(key.key_type(), key.blob())], self.options.hash_known_hosts)
            .and_then(|lines| records::append(Path::new(path), &lines));
        let names = names.join(",");
        match written {
            Ok(()) => self.log.info(&format!(
                "Warning: Permanently added '{names}' ({}) to the list of known hosts.",
                key.type_label()
            )),
            Err(error) => self.log.error(&format!(
                "Failed to add the host to the list of known hosts ({path}): {}",
                super::connect::plain(&error)
            )),
        }
    }
}

fn line_of(origin: &Origin) -> u32 {
    match origin {
        Origin::File { line, .. } => *line,
        Origin::Default | Origin::CommandLine => 0,
    }
}

/// What an answer means; `None` when it has to be asked for again, as after a fingerprint that is
/// not the key's.
fn verdict_of(answer: &str, fingerprint: &str) -> Option<bool> {
    let answer = answer.trim();
    match answer.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "" | "no" => Some(false),
        _ if answer == fingerprint => Some(true),
        _ => None,
    }
}

/// A headline in the frame that people, and tools that read along, look for.
fn banner(headline: &str) -> String {
    let rule = "@".repeat(59);
    format!("{rule}\n@{headline:^57}@\n{rule}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_the_first_question() {
        for yes in ["yes", "YES", " yes ", "SHA256:abc"] {
            assert_eq!(verdict_of(yes, "SHA256:abc"), Some(true), "{yes:?}");
        }
        for no in ["no", "No", ""] {
            assert_eq!(verdict_of(no, "SHA256:abc"), Some(false), "{no:?}");
        }
        for nothing in ["y", "n", "ye", "SHA256:ABC", "sha256:abc", "SHA256:abd"] {
            assert_eq!(verdict_of(nothing, "SHA256:abc"), None, "{nothing:?}");
        }
    }

    #[test]
    fn the_headline_stands_in_its_frame() {
        let text = banner("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!");
        assert!(text.lines().all(|line| line.len() == 59), "{text}");
    }
}
