//! Keeping up with a host's keys (`UpdateHostKeys`; OpenSSH PROTOCOL §2.5): others that it proves to
//! hold are learned, those that it holds no longer go, so that a host that retires a key is known by the next.

use super::ask::{self, Echo};
use super::host_key_changes::{self, Changes, Names};
use super::log::Log;
use super::records::{self, Records};
use nacre_config::client::{ClientOptions, Keyword, UpdateHostKeys};
use nacre_config::known_hosts::{Verdict, record_name};
use nacre_config::origin::Origin;
use nacre_crypto::{AwsLc, PublicKey};
use nacre_net::Port;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::Provider;
use nacre_wire::{Reader, WriteExt, names};
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::Sleep;

/// The most keys looked at in one announcement.
const MAX_KEYS: usize = 64;
/// How often the question is asked when the answer is neither yes nor no.
const MAX_QUESTIONS: u32 = 3;
/// How long a session that is over waits for the proof, from when it was asked for.
const PROOF_PATIENCE: Duration = Duration::from_secs(10);

/// The keeping up with a host's keys in one connection.
pub struct HostKeyUpdate {
    wish: UpdateHostKeys,
    files: Vec<PathBuf>,
    hashed: bool,
    check_host_ip: bool,
    may_ask: bool,
    accepted: Vec<SignatureAlgorithm>,
    /// They are a list of the person's own: keys of other types than theirs leave the record, as with OpenSSH.
    own_list: bool,
    min_rsa_bits: usize,
    /// What was announced, once it was.
    announced: Option<Announced>,
    /// The proof was asked for and has not come; until when a short session waits for it.
    proof: Option<Pin<Box<Sleep>>>,
    /// It was proved, and a person is to be asked about it.
    to_ask: bool,
    log: Log,
}

/// An announcement that changes something.
struct Announced {
    names: Names,
    keys: Vec<PublicKey>,
    changes: Changes,
}

impl Announced {
    /// The keys whose proof is asked for, in order.
    fn new_keys(&self) -> Vec<&PublicKey> {
        self.changes.new.iter().filter_map(|place| self.keys.get(*place)).collect()
    }
}

impl HostKeyUpdate {
    /// Keeps up where the options allow it: by default only as long as the user's own file is the
    /// usual one (ssh_config(5), UpdateHostKeys).
    pub fn new(options: &ClientOptions, log: Log) -> Self {
        let by_default = options.origin(Keyword::UpdateHostKeys) == Origin::Default;
        let own_file = options.origin(Keyword::UserKnownHostsFile) != Origin::Default;
        let wish = if by_default && own_file { UpdateHostKeys::No } else { options.update_host_keys };
        let files = options.user_known_hosts_files.iter().filter(|_| wish != UpdateHostKeys::No);
        Self {
            wish,
            files: files.map(PathBuf::from).collect(),
            hashed: options.hash_known_hosts,
            check_host_ip: options.check_host_ip && options.host_key_alias.is_none(),
            may_ask: !options.batch_mode && !options.fork_after_authentication,
            accepted: super::offer::by_name(&options.host_key_algorithms, SignatureAlgorithm::from_name),
            own_list: options.host_key_algorithms_set,
            min_rsa_bits: usize::try_from(options.required_rsa_size).unwrap_or(usize::MAX),
            announced: None,
            proof: None,
            to_ask: false,
            log,
        }
    }

    /// The server told which keys it has. Those that are new must be proved.
    pub fn on_announcement(&mut self, port: &mut Port<'_>, data: &[u8], records: &Records, address: Option<IpAddr>) {
        if self.files.is_empty() || self.announced.is_some() {
            return;
        }
        let Some(keys) = self.read(data, records) else { return };
        let address = address.map(|ip| ip.to_string()).filter(|ip| self.check_host_ip && *ip != records.name);
        let address = address.map(|address| record_name(&address, records.port));
        let names = Names { host: records.recorded_name(), address };
        let changes = match self.survey(&names, &keys) {
            Ok(changes) => changes,
            Err(reason) => {
                self.log.debug(|| format!("the host's other keys are left alone: {reason}"));
                return;
            }
        };
        let announced = self.announced.insert(Announced { names, keys, changes });
        if announced.changes.is_empty() {
            return;
        }
        if announced.changes.new.is_empty() {
            return self.settle();
        }
        let mut request = Vec::new();
        announced.new_keys().iter().for_each(|key| request.put_string(key.blob()));
        if port.connection.global_request(port.now, names::HOSTKEYS_PROVE, &request, true).is_ok() {
            self.proof = Some(Box::pin(tokio::time::sleep(PROOF_PATIENCE)));
        }
    }

    /// Whether the connection should not end yet: the proof is under way.
    pub fn is_waiting(&self) -> bool {
        self.proof.is_some()
    }

    /// True once, when a proof has not come in time.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let late = self.proof.as_mut().is_some_and(|patience| patience.as_mut().poll(cx).is_ready());
        if late {
            self.proof = None;
        }
        late
    }

    /// The announced keys that could be used with this host. A list that cannot be read, or is longer than any
    /// host's, says nothing: a key that was left out of it would look retired.
    fn read(&self, data: &[u8], records: &Records) -> Option<Vec<PublicKey>> {
        let (mut data, mut keys, mut count) = (Reader::new(data), Vec::new(), 0);
        while data.remaining() > 0 {
            let blob = data.string("host key").ok()?;
            count += 1;
            if count > MAX_KEYS {
                return None;
            }
            let Ok(key) = PublicKey::from_blob(blob, "") else { continue };
            let wanted = self.accepted.iter().any(|algorithm| algorithm.key_type() == key.key_type());
            let revoked = matches!(records.verdict(blob), Verdict::Revoked { .. });
            if wanted && !revoked && !keys.contains(&key) {
                keys.push(key);
            }
        }
        Some(keys)
    }

    fn survey(&self, names: &Names, keys: &[PublicKey]) -> Result<Changes, &'static str> {
        let contents: Result<Vec<_>, _> = self.files.iter().map(|file| records::content(file)).collect();
        let mut changes = host_key_changes::survey(&contents.map_err(|_| "the record cannot be read")?, names, keys)?;
        // A key of a type that this program does not use was not read from the announcement, so it is not known to be gone.
        let used = |blob: &Vec<u8>| {
            let key = PublicKey::from_blob(blob, "");
            key.is_ok_and(|key| self.accepted.iter().any(|algorithm| algorithm.key_type() == key.key_type()))
        };
        changes.old.retain(|blob| self.own_list || used(blob));
        Ok(changes)
    }

    /// The proofs came, in the order of the keys: all must hold, or nothing changes.
    pub fn on_proof(&mut self, port: &Port<'_>, data: Option<&[u8]>) {
        self.proof = None;
        let session_id = port.connection.session_id().map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let (Some(data), Some(announced)) = (data, &self.announced) else { return };
        let keys: Vec<PublicKey> = announced.new_keys().into_iter().cloned().collect();
        if !self.all_proved(&keys, &session_id, data) {
            self.log.error("The host could not prove that it holds the other keys it told of; none is recorded.");
            return;
        }
        self.settle();
    }

    /// Everything is proved: the record is changed now, or when the person has agreed.
    fn settle(&mut self) {
        match self.wish {
            UpdateHostKeys::No => {}
            UpdateHostKeys::Yes => self.write(),
            UpdateHostKeys::Ask => self.to_ask = self.may_ask,
        }
    }

    /// `ask`: asks the person, at the end of the session, when nothing else is on the terminal.
    pub async fn ask(&mut self) {
        let Some(announced) = self.announced.as_ref().filter(|_| std::mem::take(&mut self.to_ask)) else { return };
        let mut question = format!(
            "The server has updated its host keys.\n\
             These changes were verified by the server's existing trusted key.\n{}\n\
             Accept updated hostkeys? (yes/no): ",
            told(announced).join("\n")
        );
        for _ in 0..MAX_QUESTIONS {
            let Ok(Some(answer)) = ask::ask(question, Echo::Visible).await else { return };
            match answer.to_ascii_lowercase().as_slice() {
                b"yes" => return self.write(),
                b"no" => return,
                _ => question = "Please respond yes or no: ".to_owned(),
            }
        }
    }

    /// Changes the files: new keys into the first, retired ones out of all.
    fn write(&self) {
        let Some(announced) = &self.announced else { return };
        let Announced { names, changes, .. } = announced;
        // Another program may have written meanwhile: what was found must still hold.
        if self.survey(names, &announced.keys).as_ref() != Ok(changes) {
            self.log.debug(|| "the record of the host keys has changed meanwhile and is left alone".to_owned());
            return;
        }
        let both: Vec<(&str, &[u8])> =
            announced.new_keys().into_iter().map(|key| (key.key_type(), key.blob())).collect();
        // New keys go in first, so that the host is known at every moment.
        for (place, file) in self.files.iter().enumerate() {
            let added = match place {
                0 if !both.is_empty() => {
                    records::lines(&names.all(), &both, self.hashed).and_then(|lines| records::append(file, &lines))
                }
                _ => Ok(()),
            };
            let done = added.and_then(|()| match changes.old.is_empty() {
                true => Ok(()),
                false => records::rewrite(file, |content| host_key_changes::without(content, names, &changes.old)),
            });
            if let Err(error) = done {
                return self.log.error(&format!("{}: {}", file.display(), super::connect::plain(&error)));
            }
        }
        self.log.info(&told(announced).join("\n"));
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

/// What changes, a line each.
fn told(announced: &Announced) -> Vec<String> {
    let host = &announced.names.host;
    let line = |what: &str, key: &PublicKey| {
        format!("{what} hostkey of {host}: {} {}", key.type_label(), key.fingerprint_sha256())
    };
    let old = announced.changes.old.iter().filter_map(|blob| PublicKey::from_blob(blob, "").ok());
    let new = announced.new_keys().into_iter().map(|key| line("Learned new", key));
    new.chain(old.map(|key| line("Deprecating obsolete", &key))).collect()
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
        HostKeyUpdate::new(&options, Log::new(LogLevel::Quiet, None, None).unwrap())
    }

    #[test]
    fn h06_a_file_that_was_named_is_not_added_to_unasked() {
        assert!(!update(&[]).files.is_empty());
        assert!(update(&["UserKnownHostsFile /tmp/x"]).files.is_empty());
        assert!(!update(&["UserKnownHostsFile /tmp/x", "UpdateHostKeys yes"]).files.is_empty());
        assert!(update(&["UpdateHostKeys no"]).files.is_empty());
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
