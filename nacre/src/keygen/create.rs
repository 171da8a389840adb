//! Making a key pair, in ssh-keygen's words.

use super::passphrase::{self, Secret};
use super::{check_comment, convert, failure, key_file, shown, shown_fingerprint};
use crate::atomic::Existing;
use crate::cli::keygen::{KeyType, KeygenArgs};
use crate::failure::Failure;
use crate::keyfile::KeyFileError;
use crate::{keyfile, output, prompt};
use nacre_crypto::{KeyKind, MAX_ROUNDS, PrivateKey, PublicKey};
use nacre_sys::account::Account;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

pub(super) fn run(args: &KeygenArgs, kind: KeyType) -> Result<(), Failure> {
    // All that can be known to be wrong is said before anybody types a passphrase.
    if let Some(rounds) = args.rounds.filter(|rounds| *rounds > MAX_ROUNDS) {
        return Err(failure(format!(
            "-a {rounds}: more than {MAX_ROUNDS} rounds take minutes for every use of the key"
        )));
    }
    let comment = args.comment.clone().unwrap_or_else(usual_comment);
    check_comment(&comment)?;
    let say = |text: &str| if args.quiet { Ok(()) } else { output::print(text) };
    say(&format!("Generating public/private {} key pair.\n", label(kind)))?;
    let path = key_file(args, "Enter file in which to save the key", kind)?;
    if args.file.is_none() {
        make_ssh_folder(&path, args.quiet)?;
    }
    let existing = confirm_overwrite(&path)?;
    let secret = new_passphrase(args, &path)?;
    let mut key = generate(kind)?;
    key.set_comment(comment);
    let text = convert::private(args, &key, &secret)?;
    keyfile::write_text(&path, &text, existing).map_err(|error| not_saved(&path, error))?;
    let public = key.public_key();
    let public_path = keyfile::write_public(&path, &public)?;
    say(&format!(
        "Your identification has been saved in {}\nYour public key has been saved in {}\n",
        path.display(),
        public_path.display()
    ))?;
    say(&portrait(&public, args))
}

fn portrait(key: &PublicKey, args: &KeygenArgs) -> String {
    let fingerprint = shown_fingerprint(key, args.fingerprint);
    format!(
        "The key fingerprint is:\n{fingerprint} {}\nThe key's randomart image is:\n{}\n",
        shown(key.comment()),
        key.randomart()
    )
}

fn generate(kind: KeyType) -> Result<PrivateKey, Failure> {
    let (kind, bits) = match kind {
        KeyType::Ed25519 => (KeyKind::Ed25519, None),
        KeyType::EcdsaNistp256 => (KeyKind::Ecdsa, Some(256)),
        KeyType::EcdsaNistp384 => (KeyKind::Ecdsa, Some(384)),
        KeyType::EcdsaNistp521 => (KeyKind::Ecdsa, Some(521)),
        KeyType::Rsa(bits) => (KeyKind::Rsa, usize::try_from(bits).ok()),
    };
    PrivateKey::generate(kind, bits).map_err(failure)
}

fn label(kind: KeyType) -> &'static str {
    match kind {
        KeyType::Ed25519 => "ed25519",
        KeyType::EcdsaNistp256 | KeyType::EcdsaNistp384 | KeyType::EcdsaNistp521 => "ecdsa",
        KeyType::Rsa(_) => "rsa",
    }
}

/// `user@host`, as far as the system knows either.
pub(super) fn usual_comment() -> String {
    let user = Account::current().map(|account| account.name).unwrap_or_default();
    let comment = format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy());
    if comment.contains(char::is_control) { String::new() } else { comment }
}

fn new_passphrase(args: &KeygenArgs, path: &Path) -> Result<Secret, Failure> {
    match &args.new_passphrase {
        Some(text) => Ok(passphrase::given(text)),
        None => {
            passphrase::ask_new(&format!("Enter passphrase for \"{}\" (empty for no passphrase): ", path.display()))
        }
    }
}

/// Anything at the name counts as existing, a dangling link too.
pub(super) fn confirm_overwrite(path: &Path) -> Result<Existing, Failure> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Existing::Keep),
        Err(error) => return Err(not_saved(path, KeyFileError::Io { path: path.to_owned(), error })),
        Ok(metadata) if metadata.is_dir() => return Err(failure(format!("{} is a folder", path.display()))),
        Ok(_) => {}
    }
    output::print(&format!("{} already exists.\n", path.display()))?;
    match prompt::visible("Overwrite (y/n)? ")? {
        Some(answer) if answer.starts_with(['y', 'Y']) => Ok(Existing::Replace),
        _ => Err(Failure::silent(1)),
    }
}

/// `~/.ssh` is made when it is missing and the key goes there by default.
fn make_ssh_folder(path: &Path, quiet: bool) -> Result<(), Failure> {
    let folder = super::ssh_folder()?;
    if !path.starts_with(&folder) || folder.exists() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(|error| failure(format!("cannot make {}: {error}", folder.display())))?;
    if quiet { Ok(()) } else { output::print(&format!("Created directory '{}'.\n", folder.display())) }
}

fn not_saved(path: &Path, error: KeyFileError) -> Failure {
    match error {
        KeyFileError::Io { error, .. } => failure(format!("saving key \"{}\" failed: {error}", path.display())),
        other => other.into(),
    }
}
