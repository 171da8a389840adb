//! RevokedKeys: keys that never log in, nor does anything they signed (sshd_config(5)).

use super::login::Login;
use crate::failure::Failure;
use nacre_config::blob;
use nacre_config::server::ServerOptions;
use nacre_crypto::Certificate;
use nacre_proto::certificate::{plain_key, split};
use std::fs::File;
use std::io::{self, Read};

/// How a binary revocation list begins (OpenSSH PROTOCOL.krl).
const KRL_MAGIC: &[u8] = b"SSHKRL\n\0";
/// How the names of certificates' types end.
const CERTIFICATE: &str = "-cert-v01@openssh.com";
/// The largest list that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Stops a server whose list it could not read: passing over it would let revoked keys in.
pub fn check(options: &ServerOptions) -> Result<(), Failure> {
    for (path, origin) in options.revoked_keys_files() {
        if read(&path).is_ok_and(|list| list.starts_with(KRL_MAGIC)) {
            return Err(Failure::new(format!(
                "{origin}: RevokedKeys {path} is a key revocation list (KRL), which is not done yet"
            ))
            .hint("name a file with the revoked public keys, one a line"));
        }
    }
    Ok(())
}

/// Why this key is refused as revoked; `None` when it is not. A list that cannot be read revokes everything: nobody
/// knows what stood in it.
pub fn refusal(login: &Login, shown: &[u8], certificate: Option<&Certificate>) -> Option<String> {
    let path = login.options.revoked_keys.as_ref()?;
    let list = match read(path) {
        Ok(list) => list,
        Err(error) => return Some(format!("RevokedKeys {path} cannot be read: {error}")),
    };
    let key = plain_key(shown);
    match first_of(&list, &[&key, certificate.map_or(&[], |certificate| certificate.ca().blob())]) {
        Ok(None) => None,
        Ok(Some((line, 0))) => Some(format!("the key is revoked ({path}:{line})")),
        Ok(Some((line, _))) => Some(format!("the CA of the certificate is revoked ({path}:{line})")),
        Err(line) => Some(format!("RevokedKeys {path}:{line} is not a public key, so no key is taken")),
    }
}

fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
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
