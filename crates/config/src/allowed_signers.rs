//! allowed_signers: whose signatures of files count, for what and when (ssh-keygen(1), ALLOWED SIGNERS).

use crate::authorized_keys::{Expiry, LineError, OptionsError, Refused};
use crate::authorized_keys::{KEY_TYPES, cut, meaningful, split_options, unquote};
use crate::blob;
use crate::pattern::{ListMatch, matches_list};

/// The longest file accepted, in bytes.
pub const MAX_FILE: usize = 16 * 1024 * 1024;

/// How the names of certificates' types end.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// A good line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigner {
    /// Whose signatures these are: patterns between commas.
    pub principals: String,
    /// The key is a CA's: what it signed counts.
    pub cert_authority: bool,
    /// Patterns of namespaces between commas; `None` for every one.
    pub namespaces: Option<String>,
    /// From when the key counts.
    pub valid_after: Option<Expiry>,
    /// Until when.
    pub valid_before: Option<Expiry>,
    /// The key blob (RFC 4253 §6.6), or a certificate.
    pub blob: Vec<u8>,
    /// The line's number, from 1.
    pub line: u32,
}

/// Why a line with the right key says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignerRefusal {
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// It is for other namespaces.
    Namespace,
}

impl std::fmt::Display for SignerRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotYetValid => "key is not yet valid",
            Self::Expired => "key has expired",
            Self::Namespace => "key is not permitted for use in this signature namespace",
        })
    }
}

/// The lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedSigners {
    /// The good ones, in order.
    pub entries: Vec<AllowedSigner>,
    /// The refused ones.
    pub refused: Vec<Refused>,
}

impl AllowedSigners {
    /// Reads a file's content; one longer than [`MAX_FILE`] allows nobody.
    pub fn parse(content: &[u8]) -> Self {
        let mut out = Self::default();
        if content.len() > MAX_FILE {
            out.refused.push(Refused { line: 0, error: LineError::TooLong });
            return out;
        }
        for (line, bytes) in (1..).zip(content.split(|b| *b == b'\n')) {
            match AllowedSigner::parse(bytes, line) {
                Ok(entry) => out.entries.extend(entry),
                Err(error) => out.refused.push(Refused { line, error }),
            }
        }
        out
    }
}

impl AllowedSigner {
    /// Reads one line, given without its line feed. `None` for a comment or an empty line.
    ///
    /// # Errors
    /// The line is refused.
    pub fn parse(line: &[u8], number: u32) -> Result<Option<Self>, LineError> {
        let Some(text) = meaningful(line)? else { return Ok(None) };
        let (principals, rest) = principals(&text)?;
        let is_key = is_key_type(cut(rest).0);
        let (options, key) = if is_key { (None, rest) } else { split_options(rest)? };
        if options.is_some_and(|o| o.contains('\u{fffd}')) || principals.contains('\u{fffd}') {
            return Err(LineError::NotText);
        }
        let (key_type, rest) = cut(key);
        if key_type.is_empty() {
            return Err(LineError::NoKey);
        }
        if !is_key_type(key_type) {
            return Err(LineError::KeyType(key_type.to_owned()));
        }
        let mut signer = Self {
            principals,
            cert_authority: false,
            namespaces: None,
            valid_after: None,
            valid_before: None,
            blob: blob::decode(key_type, cut(rest).0).map_err(LineError::Key)?,
            line: number,
        };
        signer.options(options.unwrap_or_default()).map_err(LineError::Options)?;
        Ok(Some(signer))
    }

    fn options(&mut self, mut rest: &str) -> Result<(), OptionsError> {
        while !rest.is_empty() {
            let end = rest.find([',', '=', '"']).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let (value, after) = match after.strip_prefix('=') {
                Some(quoted) => unquote(quoted).map(|(value, after)| (Some(value), after))?,
                None => (None, after),
            };
            self.apply(word, value)?;
            rest = match after.strip_prefix(',') {
                Some(more) if !more.is_empty() => more,
                None if after.is_empty() => after,
                _ => return Err(OptionsError::Grammar),
            };
        }
        Ok(())
    }

    fn apply(&mut self, word: &str, value: Option<String>) -> Result<(), OptionsError> {
        const TIME: &str = "a time such as 20301231 or 203012312359Z in double quotes";
        let time = |name, known: &Option<Expiry>| match (known, value.as_deref().and_then(Expiry::parse)) {
            (Some(_), _) => Err(OptionsError::Twice(name)),
            (None, None) => Err(OptionsError::BadValue(name, TIME)),
            (None, time) => Ok(time),
        };
        match (word.to_ascii_lowercase().as_str(), &value) {
            ("cert-authority", None) => self.cert_authority = true,
            ("cert-authority", Some(_)) => return Err(OptionsError::BadValue("cert-authority", "no value")),
            ("namespaces", _) if self.namespaces.is_some() => return Err(OptionsError::Twice("namespaces")),
            ("namespaces", Some(list)) => self.namespaces = Some(list.clone()),
            ("namespaces", None) => {
                return Err(OptionsError::BadValue("namespaces", "names between commas in double quotes"));
            }
            ("valid-after", _) => self.valid_after = time("valid-after", &self.valid_after)?,
            ("valid-before", _) => self.valid_before = time("valid-before", &self.valid_before)?,
            _ => {
                let known = ["cert-authority", "namespaces", "valid-after", "valid-before"];
                let nearest = crate::nearest::nearest(word, known);
                return Err(OptionsError::Unknown { word: word.to_owned(), nearest });
            }
        }
        Ok(())
    }

    /// Whether the line is about this person.
    pub fn names(&self, principal: &str) -> bool {
        matches_list(principal, &self.principals, false) == ListMatch::Yes
    }

    /// Whether the line counts at that second since 1970. `offset` tells how far the machine's zone is east of UTC then.
    ///
    /// # Errors
    /// It counts earlier or later.
    pub fn counts_at(&self, second: i64, offset: impl Fn(i64) -> i64) -> Result<(), SignerRefusal> {
        let instant = |time: &Expiry| time.instant(offset(time.instant(0)));
        if self.valid_after.as_ref().is_some_and(|time| second < instant(time)) {
            return Err(SignerRefusal::NotYetValid);
        }
        if self.valid_before.as_ref().is_some_and(|time| second > instant(time)) {
            return Err(SignerRefusal::Expired);
        }
        Ok(())
    }

    /// Whether the line counts for this namespace.
    ///
    /// # Errors
    /// It counts for others.
    pub fn counts_for(&self, namespace: &str) -> Result<(), SignerRefusal> {
        match &self.namespaces {
            Some(list) if matches_list(namespace, list, false) != ListMatch::Yes => Err(SignerRefusal::Namespace),
            _ => Ok(()),
        }
    }
}

/// A line may have a certificate as well: that very one counts.
fn is_key_type(word: &str) -> bool {
    let plain = word.strip_suffix(CERTIFICATE);
    KEY_TYPES.contains(&word)
        || plain.is_some_and(|plain| {
            KEY_TYPES.iter().any(|known| known.strip_suffix("@openssh.com").unwrap_or(known) == plain)
        })
}

/// The first word, which may stand in double quotes, and what follows it.
fn principals(text: &str) -> Result<(String, &str), LineError> {
    if !text.starts_with('"') {
        let (word, rest) = cut(text);
        return Ok((word.to_owned(), rest));
    }
    let (word, rest) = unquote(text).map_err(LineError::Options)?;
    Ok((word, rest.trim_start_matches([' ', '\t'])))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPWKq2JF4p7KFTeLeSvegYTfO0/cl4mPZI3sx0zfklbX";

    fn read(before: &str) -> Result<Option<AllowedSigner>, LineError> {
        AllowedSigner::parse(format!("{before} {KEY} a comment").as_bytes(), 3)
    }

    #[test]
    fn lines_and_what_they_allow() {
        let plain = read("me@example.org,*@example.com,!bad@example.com").unwrap().unwrap();
        assert!(plain.names("me@example.org") && plain.names("you@example.com") && !plain.names("bad@example.com"));
        assert!(!plain.cert_authority && plain.line == 3);
        assert_eq!((plain.counts_for("anything"), plain.counts_at(0, |_| 0)), (Ok(()), Ok(())));
        let line = "\"my self,a b\" cert-authority,Namespaces=\"file,git*\",valid-after=\"20200101Z\",valid-before=\"20300101\"";
        let all = read(line).unwrap().unwrap();
        assert!(all.cert_authority && all.names("my self") && all.names("a b") && !all.names("my"));
        assert_eq!(all.counts_for("github"), Err(SignerRefusal::Namespace).or(all.counts_for("git hub")));
        assert_eq!(all.counts_for("files"), Err(SignerRefusal::Namespace));
        let (start, end) = (1_577_836_800, 1_893_456_000);
        let hour_east = |_| 3_600;
        assert_eq!(all.counts_at(start, hour_east), Ok(()));
        assert_eq!(all.counts_at(start - 1, hour_east), Err(SignerRefusal::NotYetValid));
        assert_eq!(all.counts_at(end - 3_600, hour_east), Ok(()));
        assert_eq!(all.counts_at(end - 3_599, hour_east), Err(SignerRefusal::Expired));
    }

    #[test]
    fn lines_that_are_refused() {
        for bad in [
            "me unknown",
            "me cert-authority=\"x\"",
            "me namespaces",
            "me namespaces=file",
            "me namespaces=\"a\",namespaces=\"b\"",
            "me valid-after=\"yesterday\"",
            "me valid-before=\"20200101\",valid-before=\"20210101\"",
            "me cert-authority,",
            "\"me",
            "me a b",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(AllowedSigner::parse(KEY.as_bytes(), 1).is_err(), "a key without a name");
        assert!(AllowedSigner::parse(b"me ssh-ed25519 AAAA", 1).is_err());
        assert_eq!(AllowedSigner::parse(b"  # me", 1), Ok(None));
        for (word, right) in [
            ("ssh-ed25519-cert-v01@openssh.com", true),
            ("sk-ssh-ed25519-cert-v01@openssh.com", true),
            ("ssh-rsa", true),
            ("x-cert-v01@openssh.com", false),
            ("ssh-dss", false),
            ("", false),
        ] {
            assert_eq!(is_key_type(word), right, "{word}");
        }
        let both = AllowedSigners::parse(format!("me {KEY}\nnobody\n\nyou {KEY}\n").as_bytes());
        assert_eq!((both.entries.len(), both.refused.len()), (2, 1));
    }
}
