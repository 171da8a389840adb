//! The server's host keys: read from files, or made on first start.

use super::host_agent::HostAgent;
use crate::failure::Failure;
use crate::keyfile;
use nacre_crypto::{Certificate, CertificateKind, KeyKind, PrivateKey, PublicKey};
use nacre_net::server::AnnouncedKey;
use nacre_proto::HostKey;
use nacre_proto::algorithm::SignatureAlgorithm;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest certificate file that is read, in bytes.
const MAX_CERTIFICATE: u64 = 128 * 1024;

/// Where the private half of a host key is.
enum Secret {
    Here(PrivateKey),
    Agent(HostAgent),
}

/// One host key and where it came from.
pub struct LoadedKey {
    /// Its public half.
    pub public: PublicKey,
    secret: Secret,
    /// Its file.
    pub path: PathBuf,
    /// Certificates of it.
    pub certificates: Vec<Certificate>,
}

/// All host keys of a server.
pub struct HostKeys(Vec<LoadedKey>);

impl LoadedKey {
    fn new(public: PublicKey, secret: Secret, path: &Path) -> Self {
        Self { public, secret, path: path.to_owned(), certificates: Vec::new() }
    }

    /// A key whose public half alone is in a file, in this one or in the one beside it; the agent has the other.
    fn in_agent(path: &Path, agent: Option<&HostAgent>) -> Option<Self> {
        let agent = agent?.clone();
        let public = [path.to_owned(), keyfile::public_path(path)].iter().find_map(|path| public_key(path))?;
        let loaded = Self::new(public, Secret::Agent(agent), path);
        (!loaded.algorithms().is_empty()).then_some(loaded)
    }

    /// The algorithms by which it signs, strongest first.
    fn algorithms(&self) -> Vec<SignatureAlgorithm> {
        match &self.secret {
            Secret::Here(key) => key.algorithms(),
            Secret::Agent(_) => {
                let host_keys =
                    SignatureAlgorithm::ALL.iter().copied().filter(|a| !a.is_certificate() && !a.is_security_key());
                host_keys.filter(|algorithm| algorithm.key_type() == self.public.key_type()).collect()
            }
        }
    }
}

fn public_key(path: &Path) -> Option<PublicKey> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_CERTIFICATE).read_to_string(&mut text).ok()?;
    text.lines().find_map(|line| PublicKey::parse_line(line).ok())
}

impl HostKeys {
    /// Reads the files that the configuration names. What is no private key may be a public one of the agent's.
    ///
    /// # Errors
    /// None of them can be used. One bad file among good ones is told and left out, as sshd does.
    pub fn read(files: &[PathBuf], agent: Option<&HostAgent>, mut tell: impl FnMut(String)) -> Result<Self, Failure> {
        let mut keys = Vec::new();
        for path in files {
            match keyfile::read(path, None) {
                Ok(key) => keys.push(LoadedKey::new(key.public_key(), Secret::Here(key), path)),
                Err(error) => {
                    if let Some(loaded) = LoadedKey::in_agent(path, agent) {
                        keys.push(loaded);
                        continue;
                    }
                    if let Some(warning) = error.warning() {
                        tell(warning);
                    }
                    tell(format!("unable to load host key {error}"));
                }
            }
        }
        if keys.is_empty() {
            return Err(Failure::new("no host key could be loaded").hint(
                "make one with `nacre keygen -t ed25519 -N '' -f FILE` and name it with -h FILE or HostKey in the configuration",
            ));
        }
        Ok(Self(keys))
    }

    /// Reads the certificates that the configuration names, each for one of the keys. What cannot be used is told and
    /// left out, as sshd does: clients then see the plain key.
    pub fn certify(&mut self, files: &[String], mut tell: impl FnMut(String)) {
        for path in files {
            if let Err(why) = self.certify_one(Path::new(path)) {
                tell(format!("HostCertificate {path}: {why}"));
            }
        }
    }

    fn certify_one(&mut self, path: &Path) -> Result<(), String> {
        let mut text = String::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(MAX_CERTIFICATE).read_to_string(&mut text).map_err(|error| error.to_string())?;
        let certificate = Certificate::parse_line(&text).map_err(|error| error.to_string())?;
        if certificate.kind() != CertificateKind::Host {
            return Err("it is not a host certificate".to_owned());
        }
        let owner = self.0.iter_mut().find(|loaded| loaded.public.blob() == certificate.key().blob());
        owner.ok_or("it is for none of the host keys")?.certificates.push(certificate);
        Ok(())
    }

    /// Reads the keys of a folder, making those that are missing: Ed25519, and RSA of 3072 bits for
    /// clients that know nothing newer.
    ///
    /// # Errors
    /// A key cannot be made, written or read.
    pub fn read_or_make(folder: &Path, mut tell: impl FnMut(String)) -> Result<Self, Failure> {
        let wanted = [("ssh_host_ed25519_key", KeyKind::Ed25519), ("ssh_host_rsa_key", KeyKind::Rsa)];
        let mut files = Vec::new();
        for (name, kind) in wanted {
            let path = folder.join(name);
            if !path.exists() {
                make(&path, kind)?;
                tell(format!("made host key {}", path.display()));
            }
            files.push(path);
        }
        Self::read(&files, None, tell)
    }

    /// The public halves, as the protocol shows them.
    pub fn public(&self) -> Vec<HostKey> {
        let certified = |c: &Certificate| HostKey { algorithms: c.algorithms(), blob: c.blob().to_vec() };
        let show = |k: &LoadedKey| {
            let plain = HostKey { algorithms: k.algorithms(), blob: k.public.blob().to_vec() };
            k.certificates.iter().map(certified).chain([plain]).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(show).collect()
    }

    /// The keys as they are announced after login (OpenSSH PROTOCOL §2.5).
    pub fn announced(&self) -> Vec<AnnouncedKey> {
        let announce = |k: &LoadedKey| {
            let algorithm = k.algorithms().first().copied()?;
            Some(AnnouncedKey { blob: k.public.blob().to_vec(), algorithm })
        };
        self.0.iter().filter_map(announce).collect()
    }

    /// The key of this public half, or of this certificate.
    fn of(&self, blob: &[u8]) -> Option<&LoadedKey> {
        let certified = |loaded: &LoadedKey| loaded.certificates.iter().any(|c| c.blob() == blob);
        self.0.iter().find(|loaded| loaded.public.blob() == blob || certified(loaded))
    }

    /// Whether a signature of this key has to be waited for.
    pub fn is_elsewhere(&self, blob: &[u8]) -> bool {
        self.of(blob).is_some_and(|loaded| matches!(loaded.secret, Secret::Agent(_)))
    }

    /// Signs with the key of this public half, or of this certificate.
    pub fn sign(&self, blob: &[u8], algorithm: SignatureAlgorithm, data: &[u8]) -> Option<Vec<u8>> {
        let loaded = self.of(blob)?;
        match &loaded.secret {
            Secret::Here(key) => key.sign(algorithm, data).ok(),
            Secret::Agent(agent) => {
                let failed = |why: &String| {
                    let (agent, key) = (agent.path().display(), loaded.path.display());
                    tracing::error!("HostKeyAgent {agent} does not sign with {key}: {why}");
                };
                agent.sign(&loaded.public, algorithm, data).inspect_err(failed).ok()
            }
        }
    }

    /// The keys, for the start-up text.
    pub fn iter(&self) -> impl Iterator<Item = &LoadedKey> {
        self.0.iter()
    }
}

fn make(path: &Path, kind: KeyKind) -> Result<(), Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(format!("cannot make host key {}: {error}", path.display()));
    let mut key = PrivateKey::generate(kind, None).map_err(|error| failed(&error))?;
    key.set_comment("nacre host key");
    keyfile::write(path, &key, None, crate::atomic::Existing::Keep).map_err(|error| failed(&error))?;
    keyfile::write_public(path, &key.public_key()).map_err(|error| failed(&error))?;
    Ok(())
}
