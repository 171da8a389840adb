//! `nacre keygen`: what ssh-keygen(1) does with keys and with known_hosts.

mod agent;
mod certificate_options;
mod certificate_text;
mod certify;
mod change;
mod convert;
mod create;
mod host_keys;
mod hosts;
mod interval;
mod load;
mod passphrase;
mod revoke;
mod revoked;
mod show;
mod sign;
mod sshfp;
mod time;
mod verify;

use crate::cli::keygen::{FingerprintHash, KeyType, KeygenAction, KeygenArgs, SignatureArgs, SignatureOperation};
use crate::failure::Failure;
use crate::keyfile::KeyFileError;
use crate::{output, prompt, state};
use nacre_crypto::{PrivateKey, PublicKey};
use std::path::{Path, PathBuf};

pub(crate) use load::content as read_text;
pub(crate) use sshfp::named as sshfp_records;

/// Runs the subcommand.
///
/// # Errors
/// It could not be done; exit code 1.
pub fn run(args: &KeygenArgs) -> Result<(), Failure> {
    match &args.action {
        KeygenAction::Create(kind) => create::run(args, *kind),
        KeygenAction::Fingerprint => show::fingerprint(args),
        KeygenAction::Public => show::public(args),
        KeygenAction::ChangePassphrase => change::passphrase(args),
        KeygenAction::ChangeComment => change::comment(args),
        KeygenAction::FindHost { host, fingerprints, hashed } => hosts::find(args, host, *fingerprints, *hashed),
        KeygenAction::RemoveHost(host) => hosts::remove(args, host),
        KeygenAction::HashHosts => hosts::hash(args),
        KeygenAction::Certify(wanted) => certify::run(args, wanted),
        KeygenAction::ShowCertificate => certificate_text::show(args),
        KeygenAction::HostKeys => host_keys::run(args),
        KeygenAction::Export => convert::export(args),
        KeygenAction::Import => convert::import(args),
        KeygenAction::BubbleBabble => show::fingerprint(args),
        KeygenAction::Sshfp(wanted) => sshfp::run(args, wanted),
        KeygenAction::Signature(wanted) => signature(args, wanted),
        KeygenAction::Revoke(wanted) => revoke::run(args, wanted),
        KeygenAction::CheckRevoked { list, files } => revoked::run(args, *list, files),
    }
}

fn signature(args: &KeygenArgs, wanted: &SignatureArgs) -> Result<(), Failure> {
    match wanted.operation {
        SignatureOperation::Sign => sign::run(args, wanted),
        SignatureOperation::Verify => verify::verify(args, wanted, Some(&wanted.identity)),
        SignatureOperation::CheckNoValidate => verify::verify(args, wanted, None),
        SignatureOperation::FindPrincipals => verify::find(args, wanted),
        SignatureOperation::MatchPrincipals => verify::match_principals(args, wanted),
    }
}

fn failure(text: impl std::fmt::Display) -> Failure {
    Failure::new(format!("keygen: {text}"))
}

impl From<KeyFileError> for Failure {
    /// Prints the warning that an exposed key deserves on the way.
    fn from(error: KeyFileError) -> Self {
        match error.warning() {
            Some(warning) => {
                output::complain(&warning);
                failure(&error).hint("`chmod 600` it; if others could read it, make a new key")
            }
            None => failure(&error),
        }
    }
}

/// The file of `-f`, or the one the person names, or at a bare Enter the usual one.
fn key_file(args: &KeygenArgs, question: &str, kind: KeyType) -> Result<PathBuf, Failure> {
    if let Some(file) = &args.file {
        return Ok(file.clone());
    }
    let usual = ssh_folder()?.join(usual_name(kind));
    match prompt::visible(&format!("{question} ({}): ", usual.display()))? {
        Some(answer) if !answer.is_empty() => Ok(answer.into()),
        Some(_) => Ok(usual),
        None => Err(failure("no file was named").hint("name it with -f")),
    }
}

fn ssh_folder() -> Result<PathBuf, Failure> {
    Ok(state::home()?.join(".ssh"))
}

fn usual_name(kind: KeyType) -> &'static str {
    match kind {
        KeyType::Ed25519 => "id_ed25519",
        KeyType::EcdsaNistp256 | KeyType::EcdsaNistp384 | KeyType::EcdsaNistp521 => "id_ecdsa",
        KeyType::Rsa(_) => "id_rsa",
    }
}

/// Opens a private key: without a passphrase, with that of `-P`, or with the one that the person
/// is asked for. The passphrase that did it comes along, for writing the key back.
fn open_private(args: &KeygenArgs, path: &Path) -> Result<(PrivateKey, passphrase::Secret), Failure> {
    let bytes = crate::keyfile::read_bytes(path)?;
    let wrong = |error| KeyFileError::Key { path: path.to_owned(), error };
    if let Some(given) = &args.old_passphrase {
        let secret = passphrase::given(given);
        let key = PrivateKey::read(&bytes, secret.as_bytes()).map_err(wrong)?;
        return Ok((key, secret));
    }
    match PrivateKey::read(&bytes, None) {
        Ok(key) => Ok((key, passphrase::Secret::none())),
        Err(nacre_crypto::KeyError::NeedsPassphrase) => {
            let secret = passphrase::ask_old(path)?;
            let key = PrivateKey::read(&bytes, secret.as_bytes()).map_err(wrong)?;
            Ok((key, secret))
        }
        Err(error) => Err(wrong(error).into()),
    }
}

fn shown_fingerprint(key: &PublicKey, hash: FingerprintHash) -> String {
    match hash {
        FingerprintHash::Sha256 => key.fingerprint_sha256(),
        FingerprintHash::Md5 => key.fingerprint_md5(),
    }
}

/// Text out of a file made fit for a terminal.
fn shown(text: &str) -> String {
    nacre_wire::text::clean_line(text.as_bytes(), 1024)
}

/// Checks a comment: it is one line in the `.pub` file and in every authorized_keys it goes to.
fn check_comment(comment: &str) -> Result<(), Failure> {
    if comment.contains(char::is_control) {
        return Err(failure("a comment is one line without control characters"));
    }
    Ok(())
}
