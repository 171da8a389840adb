//! Public keys and certificates out of files, by whatever name a person gives them.

use super::show;
use crate::{keyfile, revocations};
use nacre_crypto::{Certificate, PublicKey};
use std::fs::File;
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

/// What is reserved for standard input, in bytes: more than a private key has.
const INPUT: u64 = 64 * 1024;

/// What a file holds.
pub(super) enum Loaded {
    Key(PublicKey),
    Certificate(Box<Certificate>),
}

impl Loaded {
    /// The key or certificate as it goes over the wire.
    pub(super) fn blob(&self) -> &[u8] {
        match self {
            Self::Key(key) => key.blob(),
            Self::Certificate(certificate) => certificate.blob(),
        }
    }

    /// The key, or the key inside the certificate.
    pub(super) fn key(&self) -> &PublicKey {
        match self {
            Self::Key(key) => key,
            Self::Certificate(certificate) => certificate.key(),
        }
    }
}

/// The first key or certificate of a `.pub` file, the public half of a private key, or what stands in `FILE.pub`.
pub(super) fn public(file: &Path) -> Result<Loaded, String> {
    let own = match content(file) {
        Ok(text) => match in_text(&text) {
            Ok(loaded) => return Ok(loaded),
            Err(why) => match show::from_private(file, text.as_bytes()) {
                Ok(key) => return Ok(Loaded::Key(key)),
                Err(_) => why,
            },
        },
        Err(error) => error.to_string(),
    };
    let beside = content(&keyfile::public_path(file)).map_err(|_| own)?;
    in_text(&beside).map_err(|why| format!("{why} (in the .pub file beside it)"))
}

fn in_text(text: &str) -> Result<Loaded, String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    if line.split_ascii_whitespace().next().is_some_and(|word| word.ends_with(revocations::CERTIFICATE)) {
        let certificate = Certificate::parse_line(line).map_err(|error| error.to_string())?;
        return Ok(Loaded::Certificate(Box::new(certificate)));
    }
    PublicKey::parse_line(line).map(Loaded::Key).map_err(|error| error.to_string())
}

/// The text of a file; `-` is standard input.
pub(crate) fn content(file: &Path) -> io::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes(file)?).into_owned()))
}

/// The bytes of a file, wiped afterwards: it may be a private key. `-` is standard input.
pub(super) fn bytes(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    if file.as_os_str() == "-" {
        revocations::read_whole(io::stdin().lock(), INPUT, &mut bytes)?;
    } else {
        let file = File::open(file)?;
        let expected = file.metadata()?.len();
        revocations::read_whole(file, expected, &mut bytes)?;
    }
    Ok(bytes)
}
