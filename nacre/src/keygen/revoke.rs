//! `-k`: key revocation lists out of keys and of lines that say what to revoke (ssh-keygen(1), KEY REVOCATION LISTS).

use super::load::{self, Loaded};
use super::shown;
use crate::cli::keygen::{KeygenArgs, RevokeArgs};
use crate::failure::Failure;
use crate::{atomic, output, revocations};
use data_encoding::BASE64_NOPAD;
use nacre_config::blob;
use nacre_crypto::{Certificate, RevocationError, RevocationList, sha1, sha256};
use nacre_proto::certificate::plain_key;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Errors of revocation lists have this exit code, so that nobody takes one for "revoked", which is 1.
const EXIT: u8 = 255;

pub(super) fn failure(text: impl std::fmt::Display) -> Failure {
    super::failure(text).code(EXIT)
}

/// Writes the list.
pub(super) fn run(args: &KeygenArgs, wanted: &RevokeArgs) -> Result<(), Failure> {
    let path = args.file.as_deref().ok_or_else(|| failure("-k needs the name of the list: give it with -f"))?;
    let ca = Authority::of(wanted)?;
    let mut list = if wanted.update { read(path)? } else { RevocationList::default() };
    if wanted.version != 0 {
        list.set_version(wanted.version);
    }
    if let Some(comment) = &args.comment {
        list.set_comment(comment);
    }
    for file in &wanted.files {
        let name = if file.as_os_str() == "-" { "(standard input)".to_owned() } else { file.display().to_string() };
        let content = load::bytes(file).map_err(|error| failure(format!("{name}: {error}")))?;
        if !args.quiet {
            output::print(&format!("Revoking from {name}\n"))?;
        }
        for (line, number) in content.split(|byte| *byte == b'\n').zip(1u32..) {
            add(&mut list, &ca, line).map_err(|why| failure(format!("{name}:{number}: {why}")))?;
        }
    }
    write(path, &list)
}

/// Writes a list that can be read again, to whatever the path leads to.
fn write(path: &Path, list: &RevocationList) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let bytes = list.write(now);
    if bytes.len() as u64 > revocations::MAX_FILE {
        return Err(failure(format!(
            "{}: a list of {} bytes is larger than any that is read",
            path.display(),
            bytes.len()
        ))
        .hint("revoke ranges of serial numbers, or the CA"));
    }
    atomic::overwrite(path, &bytes, 0o644).map_err(|error| failure(format!("{}: {error}", path.display())))
}

/// Reads a list that is there.
pub(super) fn read(path: &Path) -> Result<RevocationList, Failure> {
    let bytes = revocations::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => failure(format!("KRL \"{}\" does not exist", path.display())),
        _ => failure(format!("{}: {error}", path.display())),
    })?;
    RevocationList::read(&bytes).map_err(|error| failure(format!("{}: {error}", path.display())))
}

/// Whose certificates serial numbers and key IDs are of.
enum Authority {
    Unnamed,
    Every,
    One(Vec<u8>),
}

impl Authority {
    fn of(wanted: &RevokeArgs) -> Result<Self, Failure> {
        match &wanted.ca {
            None => Ok(Self::Unnamed),
            Some(none) if none.as_os_str().eq_ignore_ascii_case("none") => Ok(Self::Every),
            Some(file) => match load::public(file).map_err(|error| failure(format!("{}: {error}", file.display())))? {
                Loaded::Key(key) => Ok(Self::One(key.blob().to_vec())),
                Loaded::Certificate(_) => Err(failure(format!("{}: a CA is no certificate", file.display()))),
            },
        }
    }

    fn named(&self, what: &str) -> Result<Option<&[u8]>, String> {
        match self {
            Self::Every => Ok(None),
            Self::One(blob) => Ok(Some(blob)),
            Self::Unnamed => Err(format!("{what} are a CA's: name its public key with -s, or -s none for every CA")),
        }
    }
}

/// One line: a key, or `WORD: VALUE`. Everything behind `#` is for people. A key ID is its bytes, whatever they are; in
/// all else what is no UTF-8 can only stand in a comment.
fn add(list: &mut RevocationList, ca: &Authority, line: &[u8]) -> Result<(), String> {
    let line = trim(line.split(|byte| *byte == b'#').next().unwrap_or_default());
    if line.is_empty() {
        return Ok(());
    }
    let (word, bytes) = worded(line);
    let value: &str = &String::from_utf8_lossy(bytes);
    let text = |error: RevocationError| error.to_string();
    match word.as_str() {
        "serial" => {
            let ca = ca.named("serial numbers")?;
            let (first, last) = range(value).ok_or_else(|| format!("invalid serial range '{}'", shown(value)))?;
            list.revoke_serials(ca, first, last).map_err(text)
        }
        "id" => list.revoke_key_id(ca.named("key IDs")?, bytes).map_err(text),
        "hash" => {
            list.revoke_sha256(fingerprint(value).ok_or_else(|| format!("invalid hash '{}'", shown(value)))?);
            Ok(())
        }
        "key" => key(value).map(|blob| list.revoke_key(&blob)),
        "sha1" => key(value).map(|blob| list.revoke_sha1(sha1(&plain_key(&blob)))),
        "sha256" => key(value).map(|blob| list.revoke_sha256(sha256(&plain_key(&blob)))),
        "" => match Certificate::parse_line(value) {
            Ok(certificate) => list.revoke_certificate(&certificate).map_err(text),
            Err(_) => key(value).map(|blob| list.revoke_key(&blob)),
        },
        other => Err(format!("unknown word '{}:'", shown(other))),
    }
}

/// The word before the colon in small letters, and what is behind it; a key's line has no such word.
fn worded(line: &[u8]) -> (String, &[u8]) {
    let is_word = |at: usize| !line.iter().take(at).any(|byte| b" \t".contains(byte));
    match line.iter().position(|byte| *byte == b':').filter(|at| is_word(*at)).and_then(|at| line.split_at_checked(at))
    {
        Some((word, value)) => {
            (String::from_utf8_lossy(word).to_ascii_lowercase(), trim(value.strip_prefix(b":").unwrap_or(value)))
        }
        None => (String::new(), line),
    }
}

/// Without the blanks around it, and those alone: every other byte can be part of a key ID.
fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = line {
        line = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r'] = line {
        line = rest;
    }
    line
}

/// The blob of `TYPE BASE64 [COMMENT]`. Types that are known to nobody here can be revoked too.
fn key(line: &str) -> Result<Vec<u8>, String> {
    let mut words = line.split_ascii_whitespace();
    let key_type = words.next().unwrap_or_default();
    let blob = blob::decode(key_type, words.next().unwrap_or_default()).map_err(|error| error.to_string())?;
    if key_type.ends_with(revocations::CERTIFICATE) && plain_key(&blob) == blob.as_slice() {
        return Err("a certificate that cannot be read".to_owned());
    }
    Ok(blob)
}

/// `FIRST` or `FIRST-LAST`, decimal, `0x` hexadecimal or `0` octal.
fn range(text: &str) -> Option<(u64, u64)> {
    let Some((first, last)) = text.split_once('-') else { return number(text).map(|number| (number, number)) };
    let range = (number(first)?, number(last)?);
    (range.0 < range.1).then_some(range)
}

fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// `SHA256:` and base64, as fingerprints are shown.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let base64 = text.strip_prefix("SHA256:")?.trim_end_matches('=');
    BASE64_NOPAD.decode(base64.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_serial_numbers() {
        for (text, expected) in [
            ("5", Some((5, 5))),
            ("0x10-0x20", Some((16, 32))),
            ("010", Some((8, 8))),
            ("18446744073709551615", Some((u64::MAX, u64::MAX))),
            ("0", Some((0, 0))),
            ("5-5", None),
            ("6-5", None),
            ("", None),
            ("-5", None),
            ("5-", None),
            ("+5", None),
            ("0x", None),
            ("5 6", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
