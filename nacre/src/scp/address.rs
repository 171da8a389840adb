//! Where a file is: `NAME` here, `[user@]host:PATH` there, or `scp://[user@]host[:port][/PATH]`.

use crate::cli::destination::{check_host, check_user, percent_decode, split_port};
use crate::ssh_child::Place;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The place of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// On this machine.
    Here(PathBuf),
    /// On another.
    There {
        /// Which, and as whom.
        place: Place,
        /// The path, relative to the user's home folder unless it begins with a slash; never empty.
        path: Vec<u8>,
    },
}

impl Address {
    /// Reads a word of the command line; `port` is for an address that names none.
    ///
    /// # Errors
    /// Says what is wrong with the address of another machine.
    pub fn parse(word: &OsStr, port: Option<u16>) -> Result<Self, String> {
        let bytes = word.as_bytes();
        if let Some(rest) = bytes.strip_prefix(b"scp://") {
            return Self::from_uri(rest, port);
        }
        let Some(at) = colon(bytes) else { return Ok(Self::Here(word.into())) };
        let (login, path) = (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..).unwrap_or_default());
        let login = utf8(login)?;
        // The last `@` divides: a user name may hold one (`me@realm@host:`).
        let (user, host) = match login.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, login),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        Self::there(Place { user, host, port }, path.to_vec())
    }

    /// `[user[;params]@]host[:port][/path]`, as draft-ietf-secsh-scp-sftp-ssh-uri has it: the path begins behind the slash.
    fn from_uri(rest: &[u8], port: Option<u16>) -> Result<Self, String> {
        let slash = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let authority = utf8(rest.get(..slash).unwrap_or_default())?;
        let path = utf8(rest.get(slash + 1..).unwrap_or_default())?;
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(percent_decode(user.split(';').next().unwrap_or_default())?), host),
            None => (None, authority),
        };
        let (host, own_port) = split_port(host_port)?;
        let place = Place { user, host: percent_decode(host)?, port: own_port.or(port) };
        Self::there(place, percent_decode(path)?.into_bytes())
    }

    fn there(place: Place, path: Vec<u8>) -> Result<Self, String> {
        check_host(&place.host)?;
        place.user.as_deref().map_or(Ok(()), check_user)?;
        if path.contains(&0) {
            return Err("the path holds a NUL".to_owned());
        }
        Ok(Self::There { place, path: if path.is_empty() { b".".to_vec() } else { path } })
    }
}

/// The colon that ends a host's name. A name that begins with a colon, or with a slash before any colon, is a local one;
/// the colons of an address in brackets do not count.
fn colon(word: &[u8]) -> Option<usize> {
    if word.first() == Some(&b':') {
        return None;
    }
    let mut bracketed = word.first() == Some(&b'[');
    for (at, byte) in word.iter().enumerate() {
        let next = word.get(at + 1);
        match byte {
            b'@' if next == Some(&b'[') => bracketed = true,
            b']' if bracketed && next == Some(&b':') => return Some(at + 1),
            b':' if !bracketed => return Some(at),
            b'/' => return None,
            _ => {}
        }
    }
    None
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "the address is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn there(word: &str) -> (String, String, Option<u16>, String) {
        match Address::parse(OsStr::new(word), Some(2)) {
            Ok(Address::There { place, path }) => {
                (place.user.unwrap_or_default(), place.host, place.port, String::from_utf8(path).unwrap())
            }
            other => panic!("{word}: {other:?}"),
        }
    }

    #[test]
    fn every_form_of_a_remote_name_is_read() {
        for (word, user, host, port, path) in [
            ("h:", "", "h", 2, "."),
            ("h:a:b", "", "h", 2, "a:b"),
            ("u@h:/x", "u", "h", 2, "/x"),
            ("u@r@h:x", "u@r", "h", 2, "x"),
            ("[::1]:x", "", "::1", 2, "x"),
            ("u@[fe80::1%e0]:~/x", "u", "fe80::1%e0", 2, "~/x"),
            ("scp://h", "", "h", 2, "."),
            ("scp://h/", "", "h", 2, "."),
            ("scp://u@h:7/a/b", "u", "h", 7, "a/b"),
            ("scp://u;x=y@[::1]:7//etc/a%20b", "u", "::1", 7, "/etc/a b"),
        ] {
            assert_eq!(there(word), (user.into(), host.into(), Some(port), path.into()), "{word}");
        }
    }

    #[test]
    fn a_slash_or_nothing_before_the_colon_means_here() {
        for word in ["a", "./a:b", "/a:b", ":a", "a/b:c", "[a", "[a]b:c", "", "."] {
            assert_eq!(Address::parse(OsStr::new(word), None), Ok(Address::Here(word.into())), "{word}");
        }
    }

    #[test]
    fn a15_names_that_are_options_or_shell_text_are_refused() {
        for word in [
            "-oProxyCommand=x:a",
            "@h:a",
            "u@:a",
            "-u@h:a",
            "h;id:a",
            "$(id):a",
            "u`id`@h:a",
            "[]:a",
            "scp://",
            "scp://h:0/a",
            "scp://h:x/a",
            "scp://%zz/a",
            "scp://-x/a",
            "scp://h/%00",
            "scp://[::1/a",
            "scp://%2dx@h/a",
        ] {
            assert!(Address::parse(OsStr::new(word), None).is_err(), "{word}");
        }
    }
}
