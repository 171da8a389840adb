//! Certificates that can be shown to the server instead of a key: those of CertificateFile, those beside key files and
//! those that the agent holds.

use super::agent::Identity;
use super::identities::{Candidate, Signer};
use super::log::Log;
use crate::keyfile;
use nacre_config::client::ClientOptions;
use nacre_crypto::{Certificate, CertificateKind};
use nacre_proto::certificate::{plain_key, split};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The largest certificate file that is read, in bytes.
const MAX_FILE: u64 = 128 * 1024;

/// A certificate and the file it came from.
pub struct Named {
    certificate: Certificate,
    path: PathBuf,
}

/// The certificates of CertificateFile. What cannot be used is told and left out.
pub fn named(options: &ClientOptions, log: &Log) -> Vec<Named> {
    let files = options.certificate_files.iter().filter(|file| *file != "none");
    let read = |file: &String| match read(Path::new(file)) {
        Ok(certificate) => Some(Named { certificate, path: file.into() }),
        Err(why) => {
            log.info(&format!("Certificate file {file}: {why}"));
            None
        }
    };
    files.filter_map(read).collect()
}

fn read(path: &Path) -> Result<Certificate, String> {
    let open = || File::open(path).and_then(|file| io::read_to_string(file.take(MAX_FILE)));
    let text = open().map_err(|error| super::connect::plain(&error))?;
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let certificate = Certificate::parse_line(line).map_err(|error| error.to_string())?;
    match certificate.kind() {
        CertificateKind::User => Ok(certificate),
        CertificateKind::Host => Err("it is a host's certificate, which lets nobody in".to_owned()),
    }
}

/// The agent's certificates of a key that a file names; they are taken from the agent's list.
pub fn of_agent(candidate: &Candidate, agent: &mut Vec<Identity>) -> Vec<Candidate> {
    let Some(key) = &candidate.public_key else { return Vec::new() };
    let of_key = |identity: &mut Identity| split(&identity.public_key).is_ok_and(|head| head.key == *key);
    let held = agent.extract_if(.., of_key);
    let shown = |identity: Identity| Candidate {
        public_key: Some(identity.public_key),
        agent_key: None,
        name: identity.comment,
        signer: Signer::Agent,
    };
    held.map(shown).collect()
}

/// The certificates of a key file: `FILE-cert.pub` or `FILE.pub` beside it, and those of CertificateFile that are for its key.
pub fn of_file(path: &Path, candidate: &Candidate, named: &[Named], log: &Log) -> Vec<Candidate> {
    let beside = beside(path, log);
    let ours = |one: &&Named| match &candidate.public_key {
        Some(key) => one.certificate.key().blob() == key.as_slice(),
        // Who opens the key finds out whether the one beside it is for it.
        None => beside.iter().any(|beside| beside.path == one.path),
    };
    let mut all: Vec<Candidate> = Vec::new();
    for one in named.iter().chain(&beside).filter(ours) {
        all.extend(signer_of(path, candidate).map(|signer| shown(one, candidate, signer)));
    }
    all
}

fn beside(path: &Path, log: &Log) -> Vec<Named> {
    let mut name = path.as_os_str().to_owned();
    name.push("-cert.pub");
    [PathBuf::from(name), keyfile::public_path(path)].into_iter().filter_map(|path| beside_at(path, log)).collect()
}

fn beside_at(path: PathBuf, log: &Log) -> Option<Named> {
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        _ => {}
    }
    match read(&path) {
        Ok(certificate) => Some(Named { certificate, path }),
        Err(why) => {
            log.debug(|| format!("{}: {why}", path.display()));
            None
        }
    }
}

/// The same signer once more. A key that is loaded is read again: there is one of each.
fn signer_of(path: &Path, candidate: &Candidate) -> Option<Signer> {
    match &candidate.signer {
        Signer::Agent => Some(Signer::Agent),
        Signer::File(path) => Some(Signer::File(path.clone())),
        Signer::Loaded(_) => keyfile::read(path, None).ok().map(|key| Signer::Loaded(Box::new(key))),
    }
}

/// The certificates of CertificateFile for a key that the agent has and no file names.
pub fn matching(candidate: &Candidate, named: &[Named]) -> Vec<Candidate> {
    let Some(key) = &candidate.public_key else { return Vec::new() };
    let ours = named.iter().filter(|one| one.certificate.key().blob() == key.as_slice());
    ours.map(|one| shown(one, candidate, Signer::Agent)).collect()
}

fn shown(one: &Named, candidate: &Candidate, signer: Signer) -> Candidate {
    Candidate {
        public_key: Some(one.certificate.blob().to_vec()),
        agent_key: candidate.public_key.clone(),
        name: one.path.display().to_string(),
        signer,
    }
}

/// Leaves each certificate once: a file and the agent may have the same one.
pub fn drop_doubles(candidates: &mut Vec<Candidate>) {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    candidates.retain(|candidate| match &candidate.public_key {
        Some(blob) if *plain_key(blob) != **blob => {
            let is_new = !seen.contains(blob);
            seen.extend(is_new.then(|| blob.clone()));
            is_new
        }
        _ => true,
    });
}
