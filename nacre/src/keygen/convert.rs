//! `-e` and `-i`: public keys in other programs' forms; `-m` for private keys.

use super::load::{self, Loaded};
use super::{create, failure, key_file, open_private, passphrase::Secret, shown};
use crate::cli::keygen::{KeyFormat, KeyType, KeygenArgs};
use crate::failure::Failure;
use crate::output;
use nacre_crypto::{KeyError, PrivateKey, PublicKey, write_rfc4716};
use zeroize::Zeroizing;

/// Exit code of keys that cannot be had in a form.
const EXIT: u8 = 255;

/// `-e`: the public half of a key file, private or public, on standard output.
pub(super) fn export(args: &KeygenArgs) -> Result<(), Failure> {
    let path = key_file(args, "Enter file in which the key is", KeyType::Ed25519)?;
    let loaded = match load::public(&path) {
        Ok(loaded) => loaded,
        Err(why) if !path.exists() => return Err(failure(format!("{}: {why}", path.display())).code(EXIT)),
        // Old forms tell nothing without their passphrase.
        Err(_) => Loaded::Key(open_private(args, &path)?.0.public_key()),
    };
    let written = match (args.format.unwrap_or(KeyFormat::Rfc4716), &loaded) {
        (KeyFormat::Rfc4716, loaded) => Ok(write_rfc4716(loaded.blob(), &comment(loaded))),
        (KeyFormat::Pkcs8, Loaded::Key(key)) => key.write_spki(),
        // Only RSA has a form of its own there.
        (KeyFormat::Pem, Loaded::Key(key)) => match key.type_label() {
            "ECDSA" => key.write_spki(),
            _ => key.write_pkcs1(),
        },
        (_, Loaded::Certificate(_)) => return Err(failure("certificates have RFC4716 only").code(EXIT)),
    };
    output::print(&written.map_err(|why| failure(format!("{}: {why}", path.display())).code(EXIT))?)
}

/// As ssh-keygen has it, cut where it cuts: lines of these files are short.
fn comment(loaded: &Loaded) -> String {
    let key = loaded.key();
    let kind = match loaded {
        Loaded::Key(key) => key.type_label().to_owned(),
        Loaded::Certificate(certificate) => certificate.type_label(),
    };
    let text = format!("{}-bit {kind}, converted by {} from OpenSSH", key.bits(), create::usual_comment());
    text.chars().filter(|c| *c != '"').take(60).collect()
}

/// `-i`: the line of OpenSSH for another program's public key, or for a private key in another form.
pub(super) fn import(args: &KeygenArgs) -> Result<(), Failure> {
    let path = key_file(args, "Enter file in which the key is", KeyType::Ed25519)?;
    let file =
        crate::revocations::read(&path).map_err(|error| failure(format!("{}: {error}", path.display())).code(EXIT))?;
    let read = match args.format.unwrap_or(KeyFormat::Rfc4716) {
        KeyFormat::Rfc4716 => PublicKey::read_rfc4716(&file),
        KeyFormat::Pkcs8 => PublicKey::read_spki(&file),
        KeyFormat::Pem => PublicKey::read_pkcs1(&file).or_else(|_| PublicKey::read_spki(&file)),
    };
    let key = read.map_err(|why| failure(format!("{}: {why}", path.display())).code(EXIT))?;
    output::print(&format!("{}\n", key.to_line()))
}

/// A private key in the form of `-m`. Ed25519 has OpenSSH's alone, as with ssh-keygen.
pub(super) fn private(args: &KeygenArgs, key: &PrivateKey, secret: &Secret) -> Result<Zeroizing<String>, Failure> {
    let openssh = || key.write_openssh(secret.protection(args.rounds));
    let written = match args.format {
        None | Some(KeyFormat::Rfc4716) => openssh(),
        Some(_) if key.kind() == nacre_crypto::KeyKind::Ed25519 => openssh(),
        Some(KeyFormat::Pkcs8) => key.write_pkcs8(secret.as_bytes()),
        Some(KeyFormat::Pem) if secret.as_bytes().is_some() => {
            return Err(failure("-m PEM protects a passphrase badly, so a key with one is not written so")
                .hint("use -m PKCS8, or OpenSSH's own form by leaving -m out"));
        }
        Some(KeyFormat::Pem) => key.write_traditional(),
    };
    written.map_err(|error: KeyError| failure(shown(&error.to_string())))
}
