//! Where an sftp session goes: `[user@]host[:path]` or `sftp://[user@]host[:port][/path]`.

use crate::cli::destination::Destination;
use crate::scp::address::Address;
use crate::ssh_child::Place;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// A host, and a path there if one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whom to reach.
    pub place: Place,
    /// A folder to begin in, or a file to fetch.
    pub path: Option<Vec<u8>>,
}

impl Target {
    /// Reads the word of the command line; `port` is for an address that names none.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(word: &OsStr, port: Option<u16>) -> Result<Self, String> {
        let bytes = word.as_bytes();
        if let Some(rest) = bytes.strip_prefix(b"sftp://") {
            return Self::remote(&[b"scp://", rest].concat(), port);
        }
        match Address::parse(word, port)? {
            Address::There { place, path } => Ok(Self::of(place, path)),
            Address::Here(_) if bytes.first() == Some(&b':') => {
                // An address such as ::1, which has no host's name before its first colon.
                let text = word.to_str().ok_or("the address is not UTF-8")?;
                let Destination { user, host, port: own } = Destination::parse(text)?;
                Ok(Self { place: Place { user, host, port: own.or(port) }, path: None })
            }
            Address::Here(_) => Self::remote(&[bytes, b":"].concat(), port),
        }
    }

    fn remote(word: &[u8], port: Option<u16>) -> Result<Self, String> {
        match Address::parse(&OsString::from(OsStr::from_bytes(word)), port)? {
            Address::There { place, path } => Ok(Self::of(place, path)),
            Address::Here(_) => Err("that is no name of a host".to_owned()),
        }
    }

    fn of(place: Place, path: Vec<u8>) -> Self {
        Self { place, path: Some(path).filter(|path| path != b".") }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (word, user, host, port, path) in [
            ("h", "", "h", 2, ""),
            ("u@h", "u", "h", 2, ""),
            ("h:", "", "h", 2, ""),
            ("u@h:x/y", "u", "h", 2, "x/y"),
            ("h:/x", "", "h", 2, "/x"),
            ("[::1]", "", "::1", 2, ""),
            ("u@[::1]:x", "u", "::1", 2, "x"),
            ("::1", "", "::1", 2, ""),
            ("sftp://h", "", "h", 2, ""),
            ("sftp://u@h:7", "u", "h", 7, ""),
            ("sftp://u@[::1]:7/a%20b", "u", "::1", 7, "a b"),
            ("sftp://h//etc", "", "h", 2, "/etc"),
        ] {
            let target = Target::parse(OsStr::new(word), Some(2)).unwrap();
            let place = target.place;
            assert_eq!((place.user.unwrap_or_default(), place.host), (user.to_owned(), host.to_owned()), "{word}");
            assert_eq!((place.port, target.path.unwrap_or_default()), (Some(port), path.as_bytes().to_vec()), "{word}");
        }
    }

    #[test]
    fn a15_names_that_are_options_or_shell_text_are_refused() {
        for word in ["", "-oProxyCommand=x", "u@-x", "a/b", "h;id", "$(id)@h", "sftp://", "sftp://h:0", "@h", "h h"] {
            assert!(Target::parse(OsStr::new(word), None).is_err(), "{word}");
        }
    }
}
