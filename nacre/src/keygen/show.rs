//! Fingerprints and public halves.

use super::{failure, key_file, load, open_private, shown, shown_fingerprint};
use crate::cli::keygen::{KeyType, KeygenAction, KeygenArgs};
use crate::failure::Failure;
use crate::{keyfile, output};
use nacre_crypto::{Certificate, PrivateKey, PublicKey, public_half};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// The largest `.pub` file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;
const PRIVATE_MARK: &str = "-----BEGIN ";
/// What stands in the comment's place when there is none.
const NO_COMMENT: &str = "no comment";

/// `-y`: the public half on standard output.
pub(super) fn public(args: &KeygenArgs) -> Result<(), Failure> {
    let path = key_file(args, "Enter file in which the key is", KeyType::Ed25519)?;
    let (key, _) = open_private(args, &path)?;
    output::print(&format!("{}\n", key.public_key().to_line()))
}

/// `-l`: the fingerprints of whatever keys a file holds: a private key, a public one,
/// authorized_keys or known_hosts. `-f -` is standard input.
pub(super) fn fingerprint(args: &KeygenArgs) -> Result<(), Failure> {
    let path = key_file(args, "Enter file in which the key is", KeyType::Ed25519)?;
    let content = read(&path)?;
    let keys = if content.trim_start().starts_with(PRIVATE_MARK) {
        vec![labelled(from_private(&path, content.as_bytes())?)]
    } else {
        content
            .lines()
            .filter_map(|line| certificate_in_line(line).or_else(|| key_in_line(line).map(labelled)))
            .collect()
    };
    if keys.is_empty() {
        return Err(failure(format!("{} is not a public key file", path.display())));
    }
    let mut text = String::new();
    for (key, label) in &keys {
        text.push_str(&line(key, label, args));
    }
    output::print(&text)
}

fn labelled(key: PublicKey) -> (PublicKey, String) {
    let label = key.type_label().to_owned();
    (key, label)
}

/// A certificate is shown as its key, under its own type.
fn certificate_in_line(line: &str) -> Option<(PublicKey, String)> {
    let certificate = Certificate::parse_line(line).ok()?;
    Some((certificate.key().clone(), certificate.type_label()))
}

fn line(key: &PublicKey, label: &str, args: &KeygenArgs) -> String {
    let comment = if key.comment().is_empty() { NO_COMMENT } else { key.comment() };
    let fingerprint = match args.action {
        KeygenAction::BubbleBabble => key.bubble_babble(),
        _ => shown_fingerprint(key, args.fingerprint),
    };
    let art = if args.verbose { format!("{}\n", key.randomart()) } else { String::new() };
    format!("{} {fingerprint} {} ({label})\n{art}", key.bits(), shown(comment))
}

/// The content, wiped afterwards: it may be a private key.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    load::content(path).map_err(|error| failure(format!("{}: {error}", path.display())))
}

/// The public half of a private key file, for which no passphrase is needed. The comment may be
/// out of reach, or not in the file at all; the `.pub` beside it has it too.
pub(super) fn from_private(path: &Path, file: &[u8]) -> Result<PublicKey, Failure> {
    let beside = File::open(keyfile::public_path(path)).and_then(|file| io::read_to_string(file.take(MAX_FILE)));
    let beside = beside.ok().and_then(|text| text.lines().find_map(key_in_line));
    let opened = PrivateKey::read(file, None).map(|key| key.public_key()).or_else(|_| public_half(file));
    match (opened, beside) {
        (Ok(key), Some(beside)) if key.comment().is_empty() && beside.blob() == key.blob() => Ok(beside),
        (Ok(key), _) => Ok(key),
        // Old formats say nothing without the passphrase; then the file beside is all there is.
        (Err(_), Some(beside)) => Ok(beside),
        (Err(error), None) => Err(failure(format!("{}: {error}", path.display()))),
    }
}

/// The key in one line of a `.pub`, authorized_keys or known_hosts file. What stands before the
/// key (options, host names) serves as a comment when the line has none.
fn key_in_line(line: &str) -> Option<PublicKey> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if let Ok(key) = PublicKey::parse_line(line) {
        return Some(key);
    }
    let (first, rest) = split_word(line);
    let (prefix, rest) = if first.starts_with('@') { split_word(rest) } else { (first, rest) };
    let mut key = PublicKey::parse_line(rest).ok()?;
    if key.comment().is_empty() {
        key.set_comment(prefix);
    }
    Some(key)
}

/// The first word, in which blanks between double quotes do not count, and the rest.
fn split_word(line: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut escaped = false;
    for (index, c) in line.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                let (word, rest) = line.split_at(index);
                return (word, rest.trim_start());
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    (line, "")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPWKq2JF4p7KFTeLeSvegYTfO0/cl4mPZI3sx0zfklbX";

    fn comment(line: &str) -> String {
        key_in_line(line).unwrap().comment().to_owned()
    }

    #[test]
    fn keys_are_found_in_every_kind_of_line() {
        assert_eq!(comment(&format!("{KEY} me@here now")), "me@here now");
        assert_eq!(comment(KEY), "");
        assert_eq!(comment(&format!("example.org,1.2.3.4 {KEY}")), "example.org,1.2.3.4");
        assert_eq!(comment(&format!("@cert-authority *.example.org {KEY}")), "*.example.org");
        assert_eq!(comment(&format!("no-pty,command=\"a \\\" b\" {KEY} mine")), "mine");
        for nothing in ["", "# x", "example.org", "ssh-ed25519 AAAA", &format!("a b {KEY}")] {
            assert!(key_in_line(nothing).is_none(), "{nothing}");
        }
    }
}
