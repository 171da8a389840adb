//! Public keys and certificates out of files, by whatever name a person gives them.

use super::show;
use crate::{keyfile, revocations};
use nacre_crypto::{Certificate, PublicKey};
use std::io::{self, Read};
use std::path::Path;

/// The largest text that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;

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
pub(crate) fn content(file: &Path) -> io::Result<String> {
    let bytes = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes)?;
        bytes
    } else {
        revocations::read(file)?
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
