//! The textual armour of private keys: RFC 7468, and the older headers of RFC 1421 that carry
//! legacy encryption (`Proc-Type`, `DEK-Info`).

use super::error::KeyError;
use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// The longest file that is looked at, in bytes. An 8192-bit RSA key with all its armour stays
/// below 16 KiB.
const MAX_FILE_LEN: usize = 128 * 1024;

const BAD: KeyError = KeyError::Malformed("armour");

/// A file taken out of its armour.
pub(super) struct Pem<'a> {
    /// The text between `BEGIN` and the dashes, `OPENSSH PRIVATE KEY` for example.
    pub(super) label: &'a str,
    /// `DEK-Info`'s value, when the body is encrypted in the legacy way.
    pub(super) dek_info: Option<&'a str>,
    /// The decoded body.
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl<'a> Pem<'a> {
    /// Takes the first armoured block out of a file.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, KeyError> {
        if file.len() > MAX_FILE_LEN {
            return Err(BAD);
        }
        let text = std::str::from_utf8(file).map_err(|_| BAD)?;
        let mut lines = text.lines().map(str::trim_end);
        let label = lines.by_ref().find_map(|line| boundary(line, "BEGIN")).ok_or(BAD)?;

        let mut dek_info = None;
        let mut encrypted = false;
        let mut base64 = Zeroizing::new(String::with_capacity(file.len()));
        for line in lines {
            if boundary(line, "END") == Some(label) {
                if encrypted != dek_info.is_some() {
                    return Err(KeyError::Malformed("encryption header"));
                }
                let body = Base64::decode_vec(&base64).map_err(|_| BAD)?;
                return Ok(Self { label, dek_info, body: Zeroizing::new(body) });
            }
            match line.split_once(':') {
                Some(("Proc-Type", value)) => encrypted = value.trim() == "4,ENCRYPTED",
                Some(("DEK-Info", value)) => dek_info = Some(value.trim()),
                Some(_) => {}
                None => base64.push_str(line.trim()),
            }
        }
        Err(BAD)
    }
}

fn boundary<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?.strip_prefix(word)?.strip_prefix(' ')?.strip_suffix("-----")
}

/// Puts a body into armour, lines of `width` characters.
pub(super) fn write(label: &str, body: &[u8], width: usize) -> Zeroizing<String> {
    let base64 = Zeroizing::new(Base64::encode_string(body));
    // All of the room at once: a string that grows leaves copies of the secret behind.
    let lines = base64.len() / width.max(1) + 1;
    let mut out = Zeroizing::new(String::with_capacity(base64.len() + lines + 2 * (label.len() + 20)));
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at_checked(width.max(1)).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}
