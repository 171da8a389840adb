//! `nacre audit`: the flags.

use super::arg::{flag, long_help, long_value, switch, value};
use super::destination::{Destination, check_user, parse_port};
use super::getopt::{Operands, Words};
use super::setting::{Setting, Settings};
use super::{Early, printable, read};
use crate::failure::{Failure, USAGE};
use clap::{Arg, Command};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

/// What a call of `nacre audit` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditArgs {
    /// Whom to judge.
    pub target: Target,
    /// `--json`: one JSON document in place of the table.
    pub json: bool,
}

/// Whom to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A server.
    Host {
        /// Which; user and port are in `settings` already.
        destination: Destination,
        /// `--probe`: also tries its limits.
        probe: bool,
        /// `-F`: the configuration file that replaces the user's and the machine's.
        config_file: Option<PathBuf>,
        /// Configuration given by flags; the first value of a keyword wins.
        settings: Vec<Setting>,
    },
    /// The client that connects next.
    Client {
        /// Where to listen.
        address: IpAddr,
        /// On which port; 0 for any.
        port: u16,
    },
}

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("audit")
        .about("Judge how safe a server or a client is, and say how to mend it")
        .after_help(
            "Each line says good, warn or bad; the exit code is that of the worst: 0, 1 or 2, and 255 when there was \
             nothing to judge. Nobody logs in. With --client a port is opened for one connection of the client to \
             judge. --probe also tries the limits of a server: 128 connections at once, 10 wrong passwords for a user \
             that does not exist, and one connection that stays silent for two minutes.",
        )
        .disable_help_flag(true)
        .arg(switch("json", "One JSON document"))
        .arg(switch("client", "Judge the client that connects to a port of ours"))
        .arg(switch("probe", "Try the server's limits too"))
        .arg(value('p', "port", "PORT", "Port to connect to, or to listen on"))
        .arg(long_value("listen", "ADDRESS", "Address to listen on (127.0.0.1)"))
        .arg(value('l', "login", "USER", "User name to ask with"))
        .arg(value('F', "config", "FILE", "Read this configuration file only; none reads no file"))
        .arg(value('o', "option", "WORD=VALUE", "Any word of the client's configuration file"))
        .arg(flag('4', "ipv4", "Use IPv4 only"))
        .arg(flag('6', "ipv6", "Use IPv6 only"))
        .arg(long_help())
        .arg(
            Arg::new("destination")
                .value_name("HOST")
                .required_unless_present("client")
                .conflicts_with("client")
                .help("host, host:port, user@host or ssh://user@host:port"),
        )
}

/// Reads the words after `audit`.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<AuditArgs, Early> {
    let words = read(command(), name, Operands::Anywhere, words)?;
    build(&words).map_err(|problem| Failure::with_code(USAGE, format!("audit: {problem}")).into())
}

fn build(words: &Words) -> Result<AuditArgs, String> {
    let given = |flag: &str| words.options.iter().any(|option| option.flag == flag);
    let json = given("--json");
    let target = if given("--client") { client(words)? } else { host(words, given("--probe"))? };
    Ok(AuditArgs { target, json })
}

/// The flags and their values.
fn options(words: &Words) -> Result<Vec<(&str, &str)>, String> {
    let pairs = words.options.iter().map(|option| {
        let value = option.value.as_deref().map(|value| value.to_str().ok_or("a value is not UTF-8")).transpose()?;
        Ok((option.flag.as_str(), value.unwrap_or_default()))
    });
    pairs.collect()
}

fn port_of(text: &str) -> Result<u16, String> {
    parse_port(text).ok_or_else(|| format!("bad port '{}'", printable(text)))
}

fn client(words: &Words) -> Result<Target, String> {
    let (mut address, mut port) = (IpAddr::from([127, 0, 0, 1]), 0);
    for option in options(words)? {
        match option {
            ("-p", text) => port = port_of(text)?,
            ("--listen", text) => {
                address = text.parse().map_err(|_| format!("'{}' is no address", printable(text)))?;
            }
            _ => {}
        }
    }
    Ok(Target::Client { address, port })
}

fn host(words: &Words, probe: bool) -> Result<Target, String> {
    let word = words.operands.first().and_then(|word| word.to_str()).ok_or("the host is not UTF-8")?;
    let (word, port) = split_port(word)?;
    let destination = Destination::parse(&word)?;
    let mut settings = Settings::default();
    if let Some(user) = &destination.user {
        settings.value("user@", "User", user);
    }
    if let Some(port) = port.or(destination.port) {
        settings.value("HOST:PORT", "Port", port.to_string());
    }
    let mut config_file = None;
    for option in options(words)? {
        match option {
            ("-4", _) => settings.overrule("-4", "AddressFamily", "inet"),
            ("-6", _) => settings.overrule("-6", "AddressFamily", "inet6"),
            ("-F", file) => config_file = Some(file.into()),
            ("-l", user) => {
                check_user(user)?;
                settings.value("-l", "User", user);
            }
            ("-o", line) => settings.line(line),
            ("-p", port) => settings.value("-p", "Port", port_of(port)?.to_string()),
            _ => {}
        }
    }
    Ok(Target::Host { destination, probe, config_file, settings: settings.finish() })
}

/// `HOST:PORT` and `[ADDRESS]:PORT`; an address with several colons and no brackets is an address alone.
fn split_port(word: &str) -> Result<(String, Option<u16>), String> {
    if word.starts_with("ssh://") {
        return Ok((word.to_owned(), None));
    }
    let (host, port) = match word.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port_of(port)?)),
        _ => (word, None),
    };
    let host = match (host.split_once('['), host.strip_suffix(']')) {
        (Some((before, _)), Some(_)) => format!("{before}{}", &host[before.len() + 1..host.len() - 1]),
        _ => host.to_owned(),
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::split_port;

    #[test]
    fn ports_stand_after_hosts() {
        for (word, host, port) in [
            ("web", "web", None),
            ("web:2222", "web", Some(2222)),
            ("me@web:22", "me@web", Some(22)),
            ("[::1]:22", "::1", Some(22)),
            ("me@[::1]:22", "me@::1", Some(22)),
            ("[::1]", "::1", None),
            ("::1", "::1", None),
            ("fe80::1:2", "fe80::1:2", None),
            ("ssh://web:22", "ssh://web:22", None),
        ] {
            assert_eq!(split_port(word), Ok((host.to_owned(), port)), "{word}");
        }
        for bad in ["web:", "web:x", "web:0", "web:70000"] {
            assert!(split_port(bad).is_err(), "{bad}");
        }
    }
}
