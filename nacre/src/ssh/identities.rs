//! The keys that can be shown to the server, in the order in which they are tried.

use super::agent::Identity;
use super::certificates;
use super::log::Log;
use crate::keyfile::{self, KeyFileError};
use nacre_config::client::ClientOptions;
use nacre_crypto::{KeyError, PrivateKey, PublicKey};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate::{plain_key, split};
use nacre_wire::names;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The most keys of the agent that are tried: more than any server lets anyone ask about.
const MAX_AGENT_KEYS: usize = 20;

/// A key to try.
pub struct Candidate {
    /// The public key blob, or a certificate of it; `None` for a file whose public half nobody knows before it is
    /// opened.
    pub public_key: Option<Vec<u8>>,
    /// What the agent knows the key by, when that is not what is shown: it has the key and a file the certificate.
    pub agent_key: Option<Vec<u8>>,
    /// What to call it.
    pub name: String,
    /// Who can sign with it.
    pub signer: Signer,
}

/// Who can sign.
pub enum Signer {
    /// The agent.
    Agent,
    /// A key file that needed no passphrase.
    Loaded(Box<PrivateKey>),
    /// A key file that is still to be opened.
    File(PathBuf),
}

/// Reads what can be read without asking anybody, and puts everything in order: certificates first, as with OpenSSH, then
/// 1. keys of IdentityFile when somebody named them, as the agent's if the agent has them;
/// 2. the agent's other keys, unless IdentitiesOnly;
/// 3. the default files.
///
/// A named key comes before the agent's others, so that a full agent does not use up the attempts
/// that a server allows.
pub fn candidates(options: &ClientOptions, mut agent: Vec<Identity>, log: &Log) -> Vec<Candidate> {
    let named = certificates::named(options, log);
    let (mut files, mut certified) = (Vec::new(), Vec::new());
    for path in options.identity_files.iter().map(Path::new) {
        let known = agent_key_of(path, &mut agent);
        let Some(candidate) = known.or_else(|| from_file(path, options.identity_files_set, log)) else { continue };
        certified.extend(certificates::of_agent(&candidate, &mut agent));
        certified.extend(certificates::of_file(path, &candidate, &named, log));
        files.push(candidate);
    }
    if options.identities_only {
        agent.clear();
    }
    agent.truncate(MAX_AGENT_KEYS);
    let others: Vec<Candidate> = agent.into_iter().map(from_agent).collect();
    certified.extend(others.iter().flat_map(|candidate| certificates::matching(candidate, &named)));
    let others = others.into_iter();
    let all: Vec<Candidate> = match options.identity_files_set {
        true => files.into_iter().chain(others).collect(),
        false => {
            // The defaults that the agent has go first, as keys that are known to be wanted.
            let (ready, rest): (Vec<_>, Vec<_>) = files.into_iter().partition(|c| matches!(c.signer, Signer::Agent));
            ready.into_iter().chain(others).chain(rest).collect()
        }
    };
    let mut all: Vec<Candidate> = certified.into_iter().chain(all).collect();
    certificates::drop_doubles(&mut all);
    for candidate in &all {
        log.debug(|| format!("will try the key {}", describe(candidate)));
    }
    all
}

/// The candidate's name with its fingerprint, for messages.
pub fn describe(candidate: &Candidate) -> String {
    let from = if matches!(candidate.signer, Signer::Agent) { " (agent)" } else { "" };
    match &candidate.public_key {
        Some(blob) => format!("{} {}{from}", candidate.name, nacre_crypto::fingerprint_sha256(&plain_key(blob))),
        None => format!("{}{from}", candidate.name),
    }
}

fn from_agent(identity: Identity) -> Candidate {
    Candidate { public_key: Some(identity.public_key), agent_key: None, name: identity.comment, signer: Signer::Agent }
}

/// The agent's key whose public half the file, or the one beside it, shows.
fn agent_key_of(path: &Path, agent: &mut Vec<Identity>) -> Option<Candidate> {
    if agent.is_empty() {
        return None;
    }
    let public = public_half(path)?;
    let place = agent.iter().position(|identity| identity.public_key == public.blob())?;
    let mut candidate = from_agent(agent.remove(place));
    candidate.name = path.display().to_string();
    Some(candidate)
}

/// The public half of a key file: its own, or that of the `.pub` file beside it, or the file itself
/// when it is a public key (whose private half the agent then has).
fn public_half(path: &Path) -> Option<PublicKey> {
    if let Ok(bytes) = keyfile::read_bytes(path)
        && let Ok(key) = nacre_crypto::public_half(&bytes)
    {
        return Some(key);
    }
    let line = |path: &Path| {
        let text = std::fs::read_to_string(path).ok()?;
        PublicKey::parse_line(text.lines().next()?).ok()
    };
    line(&keyfile::public_path(path)).or_else(|| line(path))
}

fn from_file(path: &Path, named: bool, log: &Log) -> Option<Candidate> {
    let name = path.display().to_string();
    match keyfile::read(path, None) {
        Ok(key) => {
            let public_key = Some(key.public_blob().to_vec());
            Some(Candidate {
                public_key,
                agent_key: None,
                name,
                signer: Signer::Loaded(Box::new(with_name(key, path))),
            })
        }
        Err(error) if error.is_passphrase() => {
            let public_key = public_half(path).map(|key| key.blob().to_vec());
            Some(Candidate { public_key, agent_key: None, name, signer: Signer::File(path.to_owned()) })
        }
        Err(error) => {
            complain(path, &error, named, log);
            None
        }
    }
}

/// The key with its file's name as the comment when it has none: an agent lists keys by it.
pub fn with_name(mut key: PrivateKey, path: &Path) -> PrivateKey {
    if key.comment().is_empty() {
        key.set_comment(path.to_string_lossy());
    }
    key
}

fn complain(path: &Path, error: &KeyFileError, named: bool, log: &Log) {
    match error {
        KeyFileError::Exposed { .. } => log.error(&error.warning().unwrap_or_default()),
        KeyFileError::Io { error, .. } if error.kind() == ErrorKind::NotFound && !named => {}
        KeyFileError::Io { error, .. } if error.kind() == ErrorKind::NotFound => {
            log.info(&format!("no such identity: {}: {}", path.display(), super::connect::plain(error)));
        }
        // A public key that the agent does not have: nobody can sign with it.
        KeyFileError::Key { error: KeyError::Malformed(_), .. } if public_half(path).is_some() => {
            log.info(&format!("{}: a public key, and no agent has its private half", path.display()));
        }
        other => log.info(&format!("Load key {other}")),
    }
}

/// The signature algorithm to use with a key or certificate: the first that both sides take, of those the key can
/// do. `None` when there is none.
pub fn algorithm(
    public_key: &[u8],
    accepted: &[SignatureAlgorithm],
    server: Option<&[String]>,
) -> Option<SignatureAlgorithm> {
    let key_type = match split(public_key) {
        Ok(head) => head.key_type,
        Err(_) => PublicKey::from_blob(public_key, "").ok()?.key_type(),
    };
    let mut fitting = accepted.iter().copied().filter(|algorithm| algorithm.key_type() == key_type);
    let is_rsa = matches!(key_type, names::SSH_RSA | names::SSH_RSA_CERT);
    match server {
        // Servers name what signs, which is the key inside a certificate.
        Some(names) if is_rsa => fitting.find(|algorithm| names.iter().any(|name| name == algorithm.plain().name())),
        // RFC 8332 §3.3: a server that names none may still know the older of the two.
        None if is_rsa => fitting.min_by_key(|algorithm| algorithm.plain() != SignatureAlgorithm::RsaSha256),
        _ => fitting.next(),
    }
}
