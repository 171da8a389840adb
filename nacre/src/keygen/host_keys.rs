//! `-A`: a host's keys, those that are missing.

use super::{create, failure};
use crate::atomic::Existing;
use crate::cli::keygen::KeygenArgs;
use crate::failure::Failure;
use crate::keyfile::KeyFileError;
use crate::{keyfile, output};
use nacre_crypto::{KeyKind, PrivateKey};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The types in ssh-keygen's order, with its words for them.
const KEYS: [(&str, &str, KeyKind); 3] = [
    ("RSA", "etc/ssh/ssh_host_rsa_key", KeyKind::Rsa),
    ("ECDSA", "etc/ssh/ssh_host_ecdsa_key", KeyKind::Ecdsa),
    ("ED25519", "etc/ssh/ssh_host_ed25519_key", KeyKind::Ed25519),
];

/// The host's public key files, below `prefix`.
pub(super) fn public_files(prefix: &Path) -> impl Iterator<Item = PathBuf> {
    KEYS.into_iter().map(move |(_, path, _)| keyfile::public_path(&prefix.join(path)))
}

/// Makes them; `-f` stands for the root folder. What could not be made is told, and is no failure, as with ssh-keygen: packages that
/// set a machine up rely on it.
pub(super) fn run(args: &KeygenArgs) -> Result<(), Failure> {
    let mut any = false;
    let prefix = args.file.clone().unwrap_or_else(|| PathBuf::from("/"));
    let say = |text: &str| if args.quiet { Ok(()) } else { output::print(text) };
    for (name, path, kind) in KEYS {
        let path = prefix.join(path);
        let existing = match existing(&path) {
            Ok(Some(existing)) => existing,
            Ok(None) => continue,
            Err(error) => {
                output::complain(&format!("nacre keygen: {}: {error}", path.display()));
                continue;
            }
        };
        say(if any { "" } else { "nacre keygen: generating new host keys: " })?;
        say(&format!("{name} "))?;
        any = true;
        if let Err(error) = make(&path, kind, existing)? {
            output::complain(&format!("nacre keygen: {error}"));
        }
    }
    say(if any { "\n" } else { "" })
}

/// What is to become of the file; `None` when it has a key. An empty one is what a machine that lost its power while it
/// wrote it has.
fn existing(path: &Path) -> io::Result<Option<Existing>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok((metadata.len() == 0).then_some(Existing::Replace)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(Existing::Keep)),
        Err(error) => Err(error),
    }
}

/// Makes one. A key that somebody else made meanwhile stays.
fn make(path: &Path, kind: KeyKind, existing: Existing) -> Result<Result<(), KeyFileError>, Failure> {
    let mut key = PrivateKey::generate(kind, None).map_err(failure)?;
    key.set_comment(create::usual_comment());
    Ok(match keyfile::write(path, &key, None, existing) {
        Ok(()) => keyfile::write_public(path, &key.public_key()).map(|_| ()),
        Err(KeyFileError::Io { error, .. }) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    })
}
