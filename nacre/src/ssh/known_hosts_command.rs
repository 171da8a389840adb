//! KnownHostsCommand: runs the program that tells host keys. It runs as the person, as ssh does it, and has little room.

use crate::world::Machine;
use nacre_config::client::{HostKeyFacts, KnownHostsCommand};
use nacre_crypto::PublicKey;
use std::io::{self, Read};
use std::process::{Command, Stdio};

/// The most that is read of it, in bytes.
const MAX_OUTPUT: u64 = 16 * 1024 * 1024;

/// What the program says of a host, in lines of known_hosts: before there is a key, or about this one.
///
/// # Errors
/// It failed, and may have had a revocation to tell of (threat H2): the line to show.
pub fn run(command: &KnownHostsCommand, host: &str, key: Option<&PublicKey>) -> Result<Vec<u8>, String> {
    told(command, host, key).map_err(|why| format!("KnownHostsCommand: {why}: host keys cannot be checked"))
}

fn told(command: &KnownHostsCommand, host: &str, key: Option<&PublicKey>) -> Result<Vec<u8>, String> {
    let encoded = key.map(|key| (nacre_crypto::base64_encode(key.blob()), key.fingerprint_sha256()));
    let shown = key.zip(encoded.as_ref()).map(|(key, (encoded, fingerprint))| HostKeyFacts {
        key_type: key.key_type(),
        key: encoded,
        fingerprint,
    });
    let why = if key.is_some() { "HOSTNAME" } else { "ORDER" };
    let words = command.words(why, host, shown, &Machine)?;
    let [program, arguments @ ..] = words.as_slice() else { return Err("it names no program".to_owned()) };
    output(Command::new(program).args(arguments)).map_err(|error| format!("{program}: {error}"))
}

fn output(command: &mut Command) -> io::Result<Vec<u8>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut bytes = Vec::new();
    let read = match child.stdout.take() {
        Some(stdout) => stdout.take(MAX_OUTPUT + 1).read_to_end(&mut bytes),
        None => Ok(0),
    };
    if bytes.len() as u64 > MAX_OUTPUT || read.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    read?;
    match status.success() {
        true => Ok(bytes),
        // A program that failed may have told only a part, without what it revokes.
        false => Err(io::Error::other(format!("it ended with {status}"))),
    }
}
