//! Listing what the agent holds.

use super::link::{Link, REFUSED};
use crate::cli::add::AddArgs;
use crate::cli::keygen::FingerprintHash;
use crate::failure::Failure;
use crate::output;
use nacre_agent::{Answer, Identity, Request};
use nacre_crypto::{PublicKey, base64_encode, certified_key, fingerprint_sha256};
use nacre_wire::Reader;

/// Lists fingerprints, or public keys in full. False when there are none.
pub fn run(args: &AddArgs, link: &mut Link, in_full: bool) -> Result<bool, Failure> {
    let identities = match link.ask(&Request::RequestIdentities) {
        Ok(Answer::Identities(identities)) => identities,
        Ok(_) => return Ok(failed(REFUSED)),
        Err(why) => return Ok(failed(&why)),
    };
    if identities.is_empty() {
        output::print("The agent has no identities.\n")?;
        return Ok(false);
    }
    for identity in &identities {
        let line = if in_full { public_line(identity) } else { fingerprint_line(identity, args.fingerprint) };
        output::print(&line)?;
    }
    Ok(true)
}

fn failed(why: &str) -> bool {
    output::complain(&format!("error fetching identities: {why}"));
    false
}

fn type_name(blob: &[u8]) -> String {
    let name = Reader::new(blob).string("key type").unwrap_or_default();
    nacre_wire::text::clean_line(name, 64)
}

fn public_line(identity: &Identity) -> String {
    format!("{} {} {}\n", type_name(&identity.public_key), base64_encode(&identity.public_key), identity.comment)
}

/// Size, fingerprint, comment and type. A certificate has those of the key in it, as OpenSSH shows them.
fn fingerprint_line(identity: &Identity, hash: FingerprintHash) -> String {
    let blob = &identity.public_key;
    let certified = certified_key(blob).ok();
    let key = PublicKey::from_blob(certified.as_ref().unwrap_or(blob), "").ok();
    let (bits, label) = match &key {
        Some(key) => (key.bits(), key.type_label().to_owned()),
        None => other(blob),
    };
    let fingerprint = match (&key, hash) {
        (Some(key), FingerprintHash::Md5) => key.fingerprint_md5(),
        (Some(key), FingerprintHash::Sha256) => key.fingerprint_sha256(),
        (None, _) => fingerprint_sha256(blob),
    };
    let end = if certified.is_some() { "-CERT" } else { "" };
    format!("{bits} {fingerprint} {} ({label}{end})\n", identity.comment)
}

/// Keys that other agents may hold and this program cannot use.
fn other(blob: &[u8]) -> (usize, String) {
    match type_name(blob).as_str() {
        "sk-ssh-ed25519@openssh.com" => (256, "ED25519-SK".to_owned()),
        "sk-ecdsa-sha2-nistp256@openssh.com" => (256, "ECDSA-SK".to_owned()),
        name => (0, name.to_owned()),
    }
}
