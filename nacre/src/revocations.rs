//! Files of revoked keys: public keys, one a line, or a key revocation list (ssh-keygen(1)).

use nacre_config::blob;
use nacre_crypto::{Certificate, RevocationList, sha256};
use nacre_proto::certificate::{plain_key, split};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How the names of certificates' types end.
pub const CERTIFICATE: &str = "-cert-v01@openssh.com";
/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;

/// What one file revokes.
pub enum Revocations {
    /// Keys, with the line of each by the hash of the key: a long list is looked through once.
    Lines(HashMap<[u8; 32], u32>),
    /// A key revocation list.
    List(RevocationList),
}

impl Revocations {
    /// Makes sense of a file of either kind.
    ///
    /// # Errors
    /// What is wrong with it, to stand right behind its name: nobody knows what it should have revoked.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if RevocationList::is_list(bytes) {
            let list = RevocationList::read(bytes).map_err(|error| format!(": {error}, so no key is taken"))?;
            return Ok(Self::List(list));
        }
        let lines = lines(bytes).map_err(|line| format!(":{line} is not a public key, so no key is taken"))?;
        Ok(Self::Lines(lines))
    }

    /// Reads the file of this name, as [`Revocations::parse`].
    ///
    /// # Errors
    /// As there, or it cannot be read.
    pub fn read(path: &Path) -> Result<Self, String> {
        Self::parse(&read(path).map_err(unreadable)?)
    }

    /// Why a key is revoked by this file, which is named so; `None` when it is not.
    pub fn refusal(&self, path: &str, shown: &[u8], certificate: Option<&Certificate>) -> Option<String> {
        let line_of = |lines: &HashMap<_, u32>, key: &[u8]| lines.get(&sha256(key)).copied();
        match self {
            Self::List(list) => by_list(list, shown, certificate).map(|why| format!("{why} ({path})")),
            Self::Lines(lines) => {
                let key = line_of(lines, &plain_key(shown)).map(|line| format!("the key is revoked ({path}:{line})"));
                let ca = || line_of(lines, certificate?.ca().blob());
                key.or_else(|| ca().map(|line| format!("the CA of the certificate is revoked ({path}:{line})")))
            }
        }
    }
}

/// What stands behind the name of a file that cannot be read.
pub fn unreadable(error: io::Error) -> String {
    format!(" cannot be read: {error}")
}

/// Why a key is refused as revoked by the file; `None` when it is not. `keyword` names whose file it is. A file that
/// cannot be read revokes everything: nobody knows what stood in it.
pub fn refusal(keyword: &str, path: &str, shown: &[u8], certificate: Option<&Certificate>) -> Option<String> {
    match Revocations::read(Path::new(path)) {
        Ok(revoked) => revoked.refusal(path, shown, certificate),
        Err(why) => Some(format!("{keyword} {path}{why}")),
    }
}

/// Reads a file of either kind.
///
/// # Errors
/// It cannot be read, or is larger than 64 MiB.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let expected = file.metadata()?.len();
    let mut bytes = Vec::new();
    read_whole(file, expected, &mut bytes)?;
    Ok(bytes)
}

/// Reads to the end. With `expected` bytes the buffer is as large as it has to be from the start, so that it leaves no
/// copies behind where it grew.
///
/// # Errors
/// It cannot be read, or is larger than 64 MiB.
pub fn read_whole(source: impl Read, expected: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.reserve_exact(usize::try_from(expected.min(MAX_FILE) + 1).unwrap_or(0));
    source.take(MAX_FILE + 1).read_to_end(bytes)?;
    if bytes.len() as u64 > MAX_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
}

fn by_list(list: &RevocationList, shown: &[u8], certificate: Option<&Certificate>) -> Option<String> {
    match certificate {
        Some(certificate) => list.revokes_certificate(certificate).map(|why| why.to_string()),
        None => list.revokes_key(shown).then(|| nacre_crypto::Revoked::Key.to_string()),
    }
}

/// The keys of a list by their hashes, each with its first line. A certificate in the list stands for its key.
///
/// # Errors
/// The number of a line that holds no key.
fn lines(list: &[u8]) -> Result<HashMap<[u8; 32], u32>, u32> {
    let mut found = HashMap::new();
    for (bytes, number) in list.split(|byte| *byte == b'\n').zip(1u32..) {
        let text = String::from_utf8_lossy(bytes);
        let mut words = text.split_ascii_whitespace();
        let Some(key_type) = words.next().filter(|word| !word.starts_with('#')) else { continue };
        let blob = blob::decode(key_type, words.next().unwrap_or_default()).map_err(|_| number)?;
        if key_type.ends_with(CERTIFICATE) && split(&blob).is_err() {
            return Err(number);
        }
        found.entry(sha256(&plain_key(&blob))).or_insert(number);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nacre_crypto::{KeyKind, PrivateKey};

    #[test]
    fn a07_lists_of_revoked_keys() {
        let [a, b, c] = [0; 3].map(|_| PrivateKey::generate(KeyKind::Ed25519, None).unwrap().public_key());
        let list = format!("# gone\n\n{} a comment\n  {}\r\n", a.to_line(), b.to_line());
        let revoked = Revocations::parse(list.as_bytes()).unwrap();
        let of = |key: &nacre_crypto::PublicKey| revoked.refusal("list", key.blob(), None);
        assert_eq!(of(&a).as_deref(), Some("the key is revoked (list:3)"));
        assert_eq!(of(&b).as_deref(), Some("the key is revoked (list:4)"));
        assert_eq!(of(&c), None);
        let cut = nacre_crypto::base64_encode(b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com\0\0");
        let cut = format!("ssh-ed25519-cert-v01@openssh.com {cut}");
        for bad in ["nonsense", "ssh-ed25519 AAAA", "SSHKRL", &cut, &format!("from=\"x\" {}", a.to_line())] {
            assert_eq!(lines(format!("{}\n{bad}\n", c.to_line()).as_bytes()), Err(2), "{bad}");
        }
    }
}
