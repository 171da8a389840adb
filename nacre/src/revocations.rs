//! Files of revoked keys: public keys, one a line, or a key revocation list (ssh-keygen(1)).

use nacre_config::blob;
use nacre_crypto::{Certificate, RevocationList};
use nacre_proto::certificate::{plain_key, split};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How the names of certificates' types end.
pub const CERTIFICATE: &str = "-cert-v01@openssh.com";
/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Why a key is refused as revoked by the file; `None` when it is not. `keyword` names whose file it is. A file that
/// cannot be read revokes everything: nobody knows what stood in it.
pub fn refusal(keyword: &str, path: &str, shown: &[u8], certificate: Option<&Certificate>) -> Option<String> {
    let bytes = match read(Path::new(path)) {
        Ok(bytes) => bytes,
        Err(error) => return Some(format!("{keyword} {path} cannot be read: {error}")),
    };
    if RevocationList::is_list(&bytes) {
        return match RevocationList::read(&bytes) {
            Ok(list) => by_list(&list, shown, certificate).map(|why| format!("{why} ({path})")),
            Err(error) => Some(format!("{keyword} {path}: {error}, so no key is taken")),
        };
    }
    let key = plain_key(shown);
    match first_of(&bytes, &[&key, certificate.map_or(&[], |certificate| certificate.ca().blob())]) {
        Ok(None) => None,
        Ok(Some((line, 0))) => Some(format!("the key is revoked ({path}:{line})")),
        Ok(Some((line, _))) => Some(format!("the CA of the certificate is revoked ({path}:{line})")),
        Err(line) => Some(format!("{keyword} {path}:{line} is not a public key, so no key is taken")),
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

/// The first line with one of these keys, and which. A certificate in the list stands for its key.
///
/// # Errors
/// The number of a line that holds no key.
fn first_of(list: &[u8], keys: &[&[u8]]) -> Result<Option<(u32, usize)>, u32> {
    let mut found = None;
    for (bytes, number) in list.split(|byte| *byte == b'\n').zip(1u32..) {
        let text = String::from_utf8_lossy(bytes);
        let mut words = text.split_ascii_whitespace();
        let Some(key_type) = words.next().filter(|word| !word.starts_with('#')) else { continue };
        let blob = blob::decode(key_type, words.next().unwrap_or_default()).map_err(|_| number)?;
        if key_type.ends_with(CERTIFICATE) && split(&blob).is_err() {
            return Err(number);
        }
        let revoked = plain_key(&blob);
        let which = keys.iter().position(|key| !key.is_empty() && **key == *revoked);
        found = found.or(which.map(|which| (number, which)));
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
        let of = |keys: &[&[u8]]| first_of(list.as_bytes(), keys);
        assert_eq!(of(&[a.blob(), &[]]), Ok(Some((3, 0))));
        assert_eq!(of(&[c.blob(), b.blob()]), Ok(Some((4, 1))));
        assert_eq!(of(&[c.blob(), &[]]), Ok(None));
        let cut = nacre_crypto::base64_encode(b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com\0\0");
        let cut = format!("ssh-ed25519-cert-v01@openssh.com {cut}");
        for bad in ["nonsense", "ssh-ed25519 AAAA", "SSHKRL", &cut, &format!("from=\"x\" {}", a.to_line())] {
            assert_eq!(first_of(format!("{}\n{bad}\n", c.to_line()).as_bytes(), &[a.blob()]), Err(2), "{bad}");
        }
    }
}
