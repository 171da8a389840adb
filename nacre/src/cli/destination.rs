//! The word that says where to go: `host`, `user@host` or `ssh://user@host:port`.

use nacre_config::client::JumpHost;

/// A destination as typed; the host may still be an alias of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The user before the `@`, if any.
    pub user: Option<String>,
    /// Host name, address or alias; an IPv6 address without brackets.
    pub host: String,
    /// The port of an `ssh://` address, if any.
    pub port: Option<u16>,
}

/// Characters that a shell would act on, were a name to reach one through `ProxyCommand`.
const HOST_REFUSES: &str = "'`\"$\\;&<>|(){},";
const USER_REFUSES: &str = "'`\";&<>|(){}";

impl Destination {
    /// Reads the word.
    ///
    /// # Errors
    /// Says what is wrong with it: an empty part, a malformed address, or a name that could be
    /// taken for an option or for shell text further on (threat A15).
    pub fn parse(word: &str) -> Result<Self, String> {
        let destination = match word.strip_prefix("ssh://") {
            Some(rest) => Self::from_uri(rest)?,
            None => Self::from_plain(word)?,
        };
        check_host(&destination.host)?;
        if let Some(user) = &destination.user {
            check_user(user)?;
        }
        Ok(destination)
    }

    fn from_plain(word: &str) -> Result<Self, String> {
        match word.rsplit_once('@') {
            // The last `@` divides: a user name may hold one (`me@realm@host`).
            Some((user, host)) => Ok(Self { user: Some(user.to_owned()), host: host.to_owned(), port: None }),
            None => Ok(Self { user: None, host: word.to_owned(), port: None }),
        }
    }

    /// `[user[;params]@]host[:port][/]`, as draft-ietf-secsh-scp-sftp-ssh-uri has it.
    fn from_uri(rest: &str) -> Result<Self, String> {
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('/') {
            return Err("an ssh:// address has no path".to_owned());
        }
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, host)) => {
                let name = user.split(';').next().unwrap_or_default();
                (Some(percent_decode(name)?), host)
            }
            None => (None, authority),
        };
        let (host, port) = split_port(host_port)?;
        Ok(Self { user, host: percent_decode(host)?, port })
    }
}

pub(crate) fn split_port(host_port: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match host_port.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or("the address has a '[' without a ']'")?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err("after ']' only a port may stand".to_owned()),
            }
        }
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    let port =
        port.map(|text| parse_port(text).ok_or_else(|| format!("bad port '{}'", printable(text)))).transpose()?;
    Ok((host, port))
}

/// A port number from 1 to 65535 in plain digits.
pub fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

pub(crate) fn percent_decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => return Err("a '%' in the address is not followed by two hexadecimal digits".to_owned()),
        }
    }
    String::from_utf8(bytes).map_err(|_| "the address is not UTF-8".to_owned())
}

/// Checks a host's name: not empty, not an option, nothing a shell would act on.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_host(host: &str) -> Result<(), String> {
    let refused = |c: char| c.is_whitespace() || c.is_control() || HOST_REFUSES.contains(c);
    match host {
        "" => Err("the host name is empty".to_owned()),
        h if h.starts_with('-') => Err(format!("host name '{}' begins with a dash", printable(h))),
        h if h.chars().any(refused) => Err(format!("host name '{}' holds characters no host has", printable(h))),
        _ => Ok(()),
    }
}

/// Checks what `-J` names: its text reaches commands of the configuration as `%j`.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_stops(text: &str) -> Result<(), String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(());
    }
    // What cannot be read is told of where the value is.
    text.split(',').filter_map(JumpHost::parse).try_for_each(|stop| {
        stop.user.as_deref().map_or(Ok(()), check_user)?;
        check_host(&stop.host)
    })
}

/// Checks a user name for the far side: not empty, not an option, nothing a shell would act on.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_user(user: &str) -> Result<(), String> {
    let refused = |c: char| c.is_control() || USER_REFUSES.contains(c);
    let dash_later = user.chars().zip(user.chars().skip(1)).any(|(a, b)| a.is_whitespace() && b == '-');
    match user {
        "" => Err("the user name is empty".to_owned()),
        u if u.starts_with('-') || dash_later => Err(format!("user name '{}' looks like an option", printable(u))),
        u if u.ends_with('\\') || u.chars().any(refused) => {
            Err(format!("user name '{}' holds characters that are refused", printable(u)))
        }
        _ => Ok(()),
    }
}

fn printable(text: &str) -> String {
    nacre_wire::text::clean_line(text.as_bytes(), 64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ok(word: &str) -> (Option<String>, String, Option<u16>) {
        let d = Destination::parse(word).unwrap();
        (d.user, d.host, d.port)
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(ok("h"), (None, "h".into(), None));
        assert_eq!(ok("u@h"), (Some("u".into()), "h".into(), None));
        assert_eq!(ok("a@b@h"), (Some("a@b".into()), "h".into(), None));
        assert_eq!(ok("::1"), (None, "::1".into(), None));
        assert_eq!(ok("fe80::1%eth0"), (None, "fe80::1%eth0".into(), None));
        assert_eq!(ok("ssh://h"), (None, "h".into(), None));
        assert_eq!(ok("ssh://u@h:22/"), (Some("u".into()), "h".into(), Some(22)));
        assert_eq!(ok("ssh://u;x=y@[::1]:2222"), (Some("u".into()), "::1".into(), Some(2222)));
        assert_eq!(ok("ssh://d%40e@h"), (Some("d@e".into()), "h".into(), None));
        assert_eq!(ok(r"DOMAIN\me@h"), (Some(r"DOMAIN\me".into()), "h".into(), None));
    }

    #[test]
    fn a15_refuses_names_that_are_options_or_shell_text() {
        for word in [
            "",
            "@h",
            "u@",
            "-oProxyCommand=x",
            "u@-h",
            "-u@h",
            "a -x@h",
            "h h",
            "h;id",
            "h$(id)",
            "u;id@h",
            "u`id`@h",
            "h\n",
            "h\u{9b}",
            "u\\@h",
            "ssh://",
            "ssh://h:0",
            "ssh://h:65536",
            "ssh://h:+1",
            "ssh://h:",
            "ssh://h/x",
            "ssh://[::1",
            "ssh://[::1]x",
            "ssh://%zz@h",
            "ssh://%ff@h",
            "ssh://-x@h",
            "ssh://%2dx@h",
            "ssh://u@%2dh",
        ] {
            assert!(Destination::parse(word).is_err(), "{word:?} was accepted");
        }
    }
}
