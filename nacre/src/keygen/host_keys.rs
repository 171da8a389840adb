//! `-A`: a host's keys, those that are missing.

use super::{create, failure};
use crate::atomic::Existing;
use crate::cli::keygen::KeygenArgs;
use crate::failure::Failure;
use crate::{keyfile, output};
use nacre_crypto::{KeyKind, PrivateKey};
use std::fs;
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

/// Makes them; `-f` stands for the root folder.
pub(super) fn run(args: &KeygenArgs) -> Result<(), Failure> {
    let prefix = args.file.clone().unwrap_or_else(|| PathBuf::from("/"));
    let mut any = false;
    let say = |text: &str| if args.quiet { Ok(()) } else { output::print(text) };
    for (name, path, kind) in KEYS {
        let path = prefix.join(path);
        // An empty file is what a machine that lost its power while it wrote one has.
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 0) {
            continue;
        }
        say(if any { "" } else { "nacre keygen: generating new host keys: " })?;
        say(&format!("{name} "))?;
        any = true;
        let mut key = PrivateKey::generate(kind, None).map_err(failure)?;
        key.set_comment(create::usual_comment());
        keyfile::write(&path, &key, None, Existing::Replace)?;
        keyfile::write_public(&path, &key.public_key())?;
    }
    say(if any { "\n" } else { "" })
}
