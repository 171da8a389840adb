//! `-h`: where keys may be used, with the host keys that known_hosts has for those places.

use crate::cli::add::AddArgs;
use crate::failure::Failure;
use crate::ssh::connect::plain;
use crate::{output, state};
use nacre_agent::{DestinationConstraint, Hop, HostKey};
use nacre_config::known_hosts::{KnownHosts, Marker};
use nacre_crypto::hmac_sha1;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The largest record file read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Exit code of ssh-add for a place that cannot be resolved.
const FATAL: u8 = 255;

/// The constraints of all `-h`.
pub fn resolve(args: &AddArgs) -> Result<Vec<DestinationConstraint>, Failure> {
    if args.destinations.is_empty() {
        return Ok(Vec::new());
    }
    let known = records(args).map_err(|line| fatal(&line))?;
    args.destinations.iter().map(|text| constraint(text, &known)).collect::<Result<_, _>>().map_err(|line| fatal(&line))
}

fn fatal(line: &str) -> Failure {
    output::complain(line);
    Failure::silent(FATAL)
}

fn records(args: &AddArgs) -> Result<KnownHosts, String> {
    let mut known = KnownHosts::default();
    let files = if args.host_key_files.is_empty() { usual_files()? } else { args.host_key_files.clone() };
    for file in files {
        match read(&file) {
            Ok(content) => known.add(&file.display().to_string(), &content),
            Err(error) if error.kind() == ErrorKind::NotFound && args.host_key_files.is_empty() => {}
            Err(error) => return Err(format!("{}: {}", file.display(), plain(&error))),
        }
    }
    Ok(known)
}

fn usual_files() -> Result<Vec<PathBuf>, String> {
    let folder = state::home().map_err(|failure| failure.message().to_owned())?.join(".ssh");
    let system = Path::new("/etc/ssh");
    Ok(vec![
        folder.join("known_hosts"),
        folder.join("known_hosts2"),
        system.join("ssh_known_hosts"),
        system.join("ssh_known_hosts2"),
    ])
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(file)?.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

/// `[USER@]HOST` from here, or `HOST>[USER@]HOST`.
fn constraint(text: &str, known: &KnownHosts) -> Result<DestinationConstraint, String> {
    let (from, to) = match text.split_once('>') {
        None => (Hop::default(), hop(text, known)?),
        Some((from, to)) => (hop(from, known)?, hop(to, known)?),
    };
    if from.user.is_some() {
        let text = super::shown(text);
        return Err(format!("Invalid key destination \"{text}\": a user stands before the second host alone"));
    }
    Ok(DestinationConstraint { from, to })
}

fn hop(text: &str, known: &KnownHosts) -> Result<Hop, String> {
    let (user, host) = match text.split_once('@') {
        Some((user, host)) => (Some(user).filter(|user| !user.is_empty()), host),
        None => (None, text),
    };
    let name = host.to_ascii_lowercase();
    let of_host = known.entries.iter().filter(|entry| !name.is_empty() && entry.hosts.matches(&name, hmac_sha1));
    let mut host_keys: Vec<HostKey> = Vec::new();
    for entry in of_host {
        let is_ca = match entry.marker {
            Marker::None => false,
            Marker::CertAuthority => true,
            Marker::Revoked => continue,
        };
        let host_key = HostKey { key: entry.blob.clone(), is_ca };
        if !host_keys.contains(&host_key) {
            host_keys.push(host_key);
        }
    }
    let revoked = |key: &HostKey| known.entries.iter().any(|e| e.marker == Marker::Revoked && e.blob == key.key);
    host_keys.retain(|key| !revoked(key));
    if host_keys.is_empty() {
        return Err(format!("No host keys found for destination \"{}\"", super::shown(host)));
    }
    Ok(Hop { user: user.map(|user| user.as_bytes().to_vec()), host: Some(name.into_bytes()), host_keys })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGYhl/Lq1PUnVtrbGTNKpVoEkRDyAZHdMMVh6m1LGuE";

    #[test]
    fn places_get_the_host_keys_on_record() {
        let text = format!("a {KEY}\n@cert-authority b,[c]:2222 {KEY}\n");
        let known = KnownHosts::parse("f", text.as_bytes());
        let one = constraint("me@A", &known).unwrap();
        assert_eq!(one.from, Hop::default());
        assert_eq!((one.to.user.as_deref(), one.to.host.as_deref()), (Some(&b"me"[..]), Some(&b"a"[..])));
        assert!(one.to.host_keys.iter().all(|key| !key.is_ca) && one.to.host_keys.len() == 1);
        let two = constraint("a>[c]:2222", &known).unwrap();
        assert_eq!(two.from.host.as_deref(), Some(&b"a"[..]));
        assert!(two.to.host_keys.iter().all(|key| key.is_ca) && two.to.host_keys.len() == 1);
        assert!(constraint("nowhere", &known).unwrap_err().contains("No host keys found"));
        assert!(constraint("me@a>b", &known).unwrap_err().contains("Invalid key destination"));
        assert!(constraint("", &known).is_err());
    }
}
