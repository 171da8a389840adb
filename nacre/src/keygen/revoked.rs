//! `-Q`: is a key revoked, and what is?

use super::load::{self, Loaded};
use super::revoke::{failure, read};
use super::shown;
use crate::cli::keygen::KeygenArgs;
use crate::failure::Failure;
use crate::output;
use nacre_crypto::{RevocationList, RevokedCertificates, base64_encode, fingerprint_sha256};
use nacre_wire::Reader;
use nacre_wire::text::clean_line;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The longest text of a list that is shown, in bytes.
const MAX_SHOWN: usize = 4096;

/// Says of each key whether it is revoked; exit code 1 when one is.
pub(super) fn run(args: &KeygenArgs, list: bool, files: &[PathBuf]) -> Result<(), Failure> {
    let path = args.file.as_deref().ok_or_else(|| failure("-Q needs the name of the list: give it with -f"))?;
    let revocations = read(path)?;
    if list {
        output::print(&describe(&revocations))?;
    }
    let mut any = false;
    for file in files {
        let (line, revoked) = verdict(&revocations, file)?;
        output::print(&line)?;
        any |= revoked;
    }
    if any { Err(Failure::silent(1)) } else { Ok(()) }
}

fn verdict(list: &RevocationList, file: &Path) -> Result<(String, bool), Failure> {
    let name = file.display();
    let loaded = load::public(file).map_err(|why| failure(format!("cannot load public key {name}: {why}")))?;
    let revoked = match &loaded {
        Loaded::Key(key) => list.revokes_key(key.blob()),
        Loaded::Certificate(certificate) => list.revokes_certificate(certificate).is_some(),
    };
    // As with ssh-keygen a key without a comment has the name of its file.
    let comment = match loaded.key().comment() {
        "" => name.to_string(),
        comment => shown(comment),
    };
    Ok((format!("{name} ({comment}): {}\n", if revoked { "REVOKED" } else { "ok" }), revoked))
}

/// The list in the words that `-k` reads; hashes by SHA-1 have none.
fn describe(list: &RevocationList) -> String {
    let mut out =
        format!("# KRL version {}\n# Generated at {}\n", list.version(), super::time::compact(list.generated()));
    // Writing into a String cannot fail.
    if !list.comment().is_empty() {
        let _ = writeln!(out, "# Comment: {}", clean_line(list.comment().as_bytes(), MAX_SHOWN));
    }
    out.push('\n');
    for key in list.keys() {
        let key_type = Reader::new(key).string("key type").unwrap_or_default();
        let _ = writeln!(out, "hash: {} # {}", fingerprint_sha256(key), clean_line(key_type, MAX_SHOWN));
    }
    for hash in list.sha256s() {
        let _ = writeln!(out, "hash: SHA256:{}", base64_encode(hash).trim_end_matches('='));
    }
    for hash in list.sha1s() {
        let hex = hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let _ = writeln!(out, "# hash SHA1:{hex}");
    }
    list.certificates().iter().for_each(|certificates| describe_ca(&mut out, certificates));
    out
}

fn describe_ca(out: &mut String, certificates: &RevokedCertificates) {
    let _ = match certificates.ca() {
        None => writeln!(out, "\n# Wildcard CA"),
        Some(ca) => {
            let key_type = Reader::new(ca).string("key type").unwrap_or_default();
            writeln!(out, "\n# CA key {} {}", clean_line(key_type, MAX_SHOWN), fingerprint_sha256(ca))
        }
    };
    for (first, last) in certificates.serials() {
        let _ = if first == last { writeln!(out, "serial: {first}") } else { writeln!(out, "serial: {first}-{last}") };
    }
    for id in certificates.key_ids() {
        let _ = writeln!(out, "id: {}", clean_line(id, MAX_SHOWN));
    }
}
