//! `nacre explain` and `nacre try`: the flags.

use super::arg::{flag, long_help, switch, value};
use super::destination::{Destination, check_user, parse_port};
use super::getopt::{Operands, Words};
use super::setting::{Setting, Settings};
use super::{Early, printable, read};
use crate::failure::{Failure, USAGE};
use clap::{Arg, ArgMatches, Command};
use std::ffi::OsString;
use std::path::PathBuf;

/// What a call of `nacre explain` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainArgs {
    /// The host whose handshake is told; its user and port are in `settings` already.
    pub destination: Destination,
    /// `--json`: one JSON object a step in place of the story.
    pub json: bool,
    /// `-F`: the configuration file that replaces the user's and the machine's.
    pub config_file: Option<PathBuf>,
    /// Configuration given by flags; the first value of a keyword wins.
    pub settings: Vec<Setting>,
}

/// What a call of `nacre try` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryArgs {
    /// `--keep`: leave the temporary folder in place and say where it is.
    pub keep: bool,
}

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("explain")
        .about("Tell the handshake with a host as a story")
        .after_help(
            "The story says what each side offers, why each algorithm wins, which values are mixed \
             into the keys, and who proves what. It stops before anybody logs in.",
        )
        .disable_help_flag(true)
        .arg(switch("json", "One JSON object a step"))
        .arg(value('p', "port", "PORT", "Port to connect to"))
        .arg(value('l', "login", "USER", "User name on the other machine"))
        .arg(value('F', "config", "FILE", "Read this configuration file only; none reads no file"))
        .arg(value('o', "option", "WORD=VALUE", "Any word of the client's configuration file"))
        .arg(flag('4', "ipv4", "Use IPv4 only"))
        .arg(flag('6', "ipv6", "Use IPv6 only"))
        .arg(long_help())
        .arg(
            Arg::new("destination")
                .value_name("DESTINATION")
                .required(true)
                .help("host, user@host or ssh://user@host:port"),
        )
}

/// The row of `nacre try`.
pub(crate) fn try_command() -> Command {
    Command::new("try")
        .about("See it all work: a server, a client and a session, with no set-up")
        .after_help(
            "The server listens on 127.0.0.1 and has keys of its own in a temporary folder; a real \
             client session runs through it, explained step by step. At the end come the commands \
             to do each by hand, and nothing is left behind.",
        )
        .arg(switch("keep", "Keep the temporary folder and say where it is"))
}

/// Reads what clap has checked.
pub(crate) fn try_from_matches(matches: &ArgMatches) -> TryArgs {
    TryArgs { keep: matches.get_flag("keep") }
}

/// Reads the words after `explain`.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<ExplainArgs, Early> {
    let words = read(command(), name, Operands::Anywhere, words)?;
    build(&words).map_err(|problem| Failure::with_code(USAGE, format!("explain: {problem}")).into())
}

fn build(words: &Words) -> Result<ExplainArgs, String> {
    let word = words.operands.first().and_then(|word| word.to_str()).ok_or("the destination is not UTF-8")?;
    let destination = Destination::parse(word)?;
    let mut settings = Settings::default();
    if let Some(user) = &destination.user {
        settings.value("user@", "User", user);
    }
    if let Some(port) = destination.port {
        settings.value("ssh://", "Port", port.to_string());
    }
    let mut json = false;
    let mut config_file = None;
    for option in &words.options {
        let text = option.value.as_deref().map(|v| v.to_str().ok_or("a value is not UTF-8")).transpose()?;
        match (option.flag.as_str(), text.unwrap_or_default()) {
            ("--json", _) => json = true,
            ("-4", _) => settings.overrule("-4", "AddressFamily", "inet"),
            ("-6", _) => settings.overrule("-6", "AddressFamily", "inet6"),
            ("-F", file) => config_file = Some(file.into()),
            ("-l", user) => {
                check_user(user)?;
                settings.value("-l", "User", user);
            }
            ("-o", line) => settings.line(line),
            ("-p", port) => {
                let port = parse_port(port).ok_or_else(|| format!("bad port '{}'", printable(port)))?;
                settings.value("-p", "Port", port.to_string());
            }
            _ => {}
        }
    }
    Ok(ExplainArgs { destination, json, config_file, settings: settings.finish() })
}
