//! The server's host keys: read from files, or made on first start.

use crate::failure::Failure;
use crate::keyfile;
use nacre_crypto::{KeyKind, PrivateKey};
use nacre_net::server::AnnouncedKey;
use nacre_proto::HostKey;
use nacre_proto::algorithm::SignatureAlgorithm;
use std::path::{Path, PathBuf};

/// One host key and where it came from.
pub struct LoadedKey {
    /// The key.
    pub key: PrivateKey,
    /// Its file.
    pub path: PathBuf,
}

/// All host keys of a server.
pub struct HostKeys(Vec<LoadedKey>);

impl HostKeys {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// None of them can be used. One bad file among good ones is told and left out, as sshd does.
    pub fn read(files: &[PathBuf], mut tell: impl FnMut(String)) -> Result<Self, Failure> {
        let mut keys = Vec::new();
        for path in files {
            match keyfile::read(path, None) {
                Ok(key) => keys.push(LoadedKey { key, path: path.clone() }),
                Err(error) => {
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
        Self::read(&files, tell)
    }

    /// The public halves, as the protocol shows them.
    pub fn public(&self) -> Vec<HostKey> {
        let show = |k: &LoadedKey| HostKey { algorithms: k.key.algorithms(), blob: k.key.public_blob().to_vec() };
        self.0.iter().map(show).collect()
    }

    /// The keys as they are announced after login (OpenSSH PROTOCOL §2.5).
    pub fn announced(&self) -> Vec<AnnouncedKey> {
        let announce = |k: &LoadedKey| {
            let algorithm = k.key.algorithms().first().copied()?;
            Some(AnnouncedKey { blob: k.key.public_blob().to_vec(), algorithm })
        };
        self.0.iter().filter_map(announce).collect()
    }

    /// Signs with the key of this public half.
    pub fn sign(&self, blob: &[u8], algorithm: SignatureAlgorithm, data: &[u8]) -> Option<Vec<u8>> {
        let loaded = self.0.iter().find(|loaded| loaded.key.public_blob() == blob)?;
        loaded.key.sign(algorithm, data).ok()
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
