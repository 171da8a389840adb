//! Learning a host's other keys (`UpdateHostKeys`; OpenSSH PROTOCOL §2.5), so that a host that
//! retires a key is still known by the next.

use super::log::Log;
use super::records::{self, Records};
use nacre_config::client::{ClientOptions, Keyword, UpdateHostKeys};
use nacre_config::known_hosts::Verdict;
use nacre_config::origin::Origin;
use nacre_crypto::{AwsLc, PublicKey};
use nacre_net::Port;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::Provider;
use nacre_wire::{Reader, WriteExt, names};
use std::path::PathBuf;

/// The most keys looked at in one announcement.
const MAX_KEYS: usize = 16;

/// The learning of keys in one connection.
pub struct HostKeyUpdate {
    file: Option<PathBuf>,
    hashed: bool,
    accepted: Vec<SignatureAlgorithm>,
    min_rsa_bits: usize,
    /// Keys whose proof was asked for, and the name to record them under.
    asked: Vec<PublicKey>,
    name: String,
    done: bool,
    log: Log,
}

impl HostKeyUpdate {
    /// Learns where the options allow it: by default only as long as the user's own file is the
    /// usual one (ssh_config(5), UpdateHostKeys).
    pub fn new(options: &ClientOptions, log: Log) -> Self {
        let by_default = options.origin(Keyword::UpdateHostKeys) == Origin::Default;
        let own_file = options.origin(Keyword::UserKnownHostsFile) != Origin::Default;
        let wanted = options.update_host_keys == UpdateHostKeys::Yes && !(by_default && own_file);
        if options.update_host_keys == UpdateHostKeys::Ask {
            log.verbose("UpdateHostKeys ask: no other keys of the host are learned.");
        }
        Self {
            file: options.user_known_hosts_files.first().filter(|_| wanted).map(PathBuf::from),
            hashed: options.hash_known_hosts,
            accepted: super::offer::by_name(&options.host_key_algorithms, SignatureAlgorithm::from_name),
            min_rsa_bits: usize::try_from(options.required_rsa_size).unwrap_or(usize::MAX),
            asked: Vec::new(),
            name: String::new(),
            done: false,
            log,
        }
    }

    /// The server told which keys it has. Those that are new must be proved.
    pub fn on_announcement(&mut self, port: &mut Port<'_>, data: &[u8], records: &Records) {
        if self.file.is_none() || std::mem::replace(&mut self.done, true) {
            return;
        }
        let mut data = Reader::new(data);
        while data.remaining() > 0 && self.asked.len() < MAX_KEYS {
            let Ok(blob) = data.string("host key") else { return self.asked.clear() };
            let Ok(key) = PublicKey::from_blob(blob, "") else { continue };
            let wanted = self.accepted.iter().any(|algorithm| algorithm.key_type() == key.key_type());
            let is_new = matches!(records.verdict(blob), Verdict::Mismatch { .. } | Verdict::Unknown);
            if wanted && is_new && !self.asked.contains(&key) {
                self.asked.push(key);
            }
        }
        if self.asked.is_empty() {
            return;
        }
        self.name = records.recorded_name();
        let mut request = Vec::new();
        self.asked.iter().for_each(|key| request.put_string(key.blob()));
        let _ = port.connection.global_request(port.now, names::HOSTKEYS_PROVE, &request, true);
    }

    /// The proofs came, in the order of the keys: all must hold, or nothing is learned.
    pub fn on_proof(&mut self, port: &Port<'_>, data: Option<&[u8]>) {
        let keys = std::mem::take(&mut self.asked);
        let session_id = port.connection.session_id().map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let (Some(data), Some(file)) = (data, &self.file) else { return };
        if !self.all_proved(&keys, &session_id, data) {
            self.log.error("The host could not prove that it holds the other keys it told of; none is recorded.");
            return;
        }
        let both: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.key_type(), key.blob())).collect();
        let names = [self.name.clone()];
        match records::lines(&names, &both, self.hashed).and_then(|lines| records::append(file, &lines)) {
            Ok(()) => {
                let learned: Vec<&str> = keys.iter().map(PublicKey::type_label).collect();
                self.log.info(&format!("Learned new hostkey of {}: {}", self.name, learned.join(", ")));
            }
            Err(error) => self.log.error(&format!("{}: {}", file.display(), super::connect::plain(&error))),
        }
    }

    fn all_proved(&self, keys: &[PublicKey], session_id: &[u8], data: &[u8]) -> bool {
        let mut data = Reader::new(data);
        let each = keys.iter().all(|key| {
            let Ok(signature) = data.string("signature") else { return false };
            self.proved(key, session_id, signature)
        });
        each && data.remaining() == 0
    }

    fn proved(&self, key: &PublicKey, session_id: &[u8], signature: &[u8]) -> bool {
        let Ok(format) = Reader::new(signature).text("signature format") else { return false };
        let Some(algorithm) = SignatureAlgorithm::from_name(format) else { return false };
        if !self.accepted.contains(&algorithm) || algorithm.key_type() != key.key_type() {
            return false;
        }
        let mut text = Vec::new();
        text.put_string(names::HOSTKEYS_PROVE);
        text.put_string(session_id);
        text.put_string(key.blob());
        AwsLc::new(self.min_rsa_bits).verify(algorithm, key.blob(), &text, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ssh::offer::client_sets;
    use crate::world::Machine;
    use nacre_config::client::{Invocation, LogLevel, resolve};
    use nacre_crypto::{KeyKind, PrivateKey};

    fn update(lines: &[&str]) -> HostKeyUpdate {
        let options = lines.iter().map(|line| (*line).to_owned()).collect();
        let invocation = Invocation { host: "h".to_owned(), options, ..Invocation::default() };
        let options = resolve(&Machine, &client_sets(), &invocation).unwrap();
        HostKeyUpdate::new(&options, Log::new(LogLevel::Quiet, None).unwrap())
    }

    #[test]
    fn h06_a_file_that_was_named_is_not_added_to_unasked() {
        assert!(update(&[]).file.is_some());
        assert!(update(&["UserKnownHostsFile /tmp/x"]).file.is_none());
        assert!(update(&["UserKnownHostsFile /tmp/x", "UpdateHostKeys yes"]).file.is_some());
        assert!(update(&["UpdateHostKeys no"]).file.is_none());
    }

    #[test]
    fn h06_every_key_must_be_proved_for_this_session() {
        let update = update(&[]);
        let (one, two) = (
            PrivateKey::generate(KeyKind::Ed25519, None).unwrap(),
            PrivateKey::generate(KeyKind::Rsa, Some(2048)).unwrap(),
        );
        let keys = [one.public_key(), two.public_key()];
        let proof = |key: &PrivateKey, algorithm, session: &[u8]| {
            let mut text = Vec::new();
            text.put_string(names::HOSTKEYS_PROVE);
            text.put_string(session);
            text.put_string(key.public_blob());
            key.sign(algorithm, &text).unwrap()
        };
        let data = |signatures: &[Vec<u8>]| {
            let mut out = Vec::new();
            signatures.iter().for_each(|signature| out.put_string(signature));
            out
        };
        let (ed, rsa) = (SignatureAlgorithm::Ed25519, SignatureAlgorithm::RsaSha512);
        let good = [proof(&one, ed, b"s"), proof(&two, rsa, b"s")];
        assert!(update.all_proved(&keys, b"s", &data(&good)));
        assert!(!update.all_proved(&keys, b"other session", &data(&good)));
        assert!(!update.all_proved(&keys, b"s", &data(&good[..1])));
        assert!(!update.all_proved(&keys, b"s", &data(&[good[1].clone(), good[0].clone()])));
        assert!(!update.all_proved(&keys, b"s", &data(&[good[0].clone(), good[0].clone()])));
        assert!(!update.all_proved(&keys, b"s", &data(&[good[0].clone(), good[1].clone(), good[0].clone()])));
        assert!(!update.all_proved(&keys, b"s", b""));
    }
}
