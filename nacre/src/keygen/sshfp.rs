//! `-r`: SSHFP records for the DNS (RFC 4255).

use super::load::{self, Loaded};
use super::{failure, host_keys, shown};
use crate::cli::keygen::{KeygenArgs, SshfpArgs};
use crate::failure::Failure;
use crate::output;
use nacre_crypto::{PublicKey, sha1, sha256};
use std::path::Path;

/// The record's number (RFC 4255 §3).
const TYPE: u16 = 44;

/// Prints the records of a key file, or of all the host's keys.
pub(super) fn run(args: &KeygenArgs, wanted: &SshfpArgs) -> Result<(), Failure> {
    let mut text = String::new();
    if let Some(file) = &args.file {
        match load::public(file).map_err(|why| failure(format!("{}: {why}", file.display())).code(255))? {
            Loaded::Key(key) => text.push_str(&records(&key, wanted)),
            Loaded::Certificate(_) => return Err(failure("certificates have no SSHFP record").code(255)),
        }
        return output::print(&text);
    }
    for file in host_keys::public_files(Path::new("/")) {
        if let Ok(Loaded::Key(key)) = load::public(&file) {
            text.push_str(&records(&key, wanted));
        }
    }
    if text.is_empty() {
        return Err(failure("there are no host keys in /etc/ssh: name a key with -f").code(255));
    }
    output::print(&text)
}

/// The records of a key for a host, by one hash (1 is SHA-1, 2 is SHA-256) or by both.
pub(crate) fn named(key: &PublicKey, host: &str, hash: Option<u8>) -> String {
    records(key, &SshfpArgs { host: host.to_owned(), generic: false, hash })
}

/// One record for each hash.
fn records(key: &PublicKey, wanted: &SshfpArgs) -> String {
    // RFC 4255 §3.1.1, RFC 6594, RFC 7479.
    let algorithm = match key.type_label() {
        "RSA" => 1,
        "ECDSA" => 3,
        "ED25519" => 4,
        _ => return String::new(),
    };
    let hashes = [(1, sha1(key.blob()).to_vec()), (2, sha256(key.blob()).to_vec())];
    let hashes = hashes.into_iter().filter(|(number, _)| wanted.hash.is_none_or(|hash| hash == *number));
    let host = shown(&wanted.host);
    hashes.map(|(number, hash)| record(&host, algorithm, number, &hash, wanted.generic)).collect()
}

fn record(host: &str, algorithm: u8, kind: u8, hash: &[u8], generic: bool) -> String {
    let hex = hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if generic {
        format!("{host} IN TYPE{TYPE} \\# {} {algorithm:02x} {kind:02x} {hex}\n", hash.len() + 2)
    } else {
        format!("{host} IN SSHFP {algorithm} {kind} {hex}\n")
    }
}
