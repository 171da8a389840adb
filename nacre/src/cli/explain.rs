//! `nacre explain` and `nacre try`: the flags.

use super::arg::{flag, long_help, long_value, switch, value};
use super::destination::{Destination, check_user, parse_port};
use super::getopt::{Operands, Words};
use super::setting::{Setting, Settings};
use super::{Early, printable, read};
use crate::failure::{Failure, USAGE};
use clap::{Arg, ArgMatches, Command, value_parser};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What a call of `nacre explain` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainArgs {
    /// What is told.
    pub source: Source,
    /// `--json`: one JSON object a step in place of the story.
    pub json: bool,
    /// The files that are written about it.
    pub files: Files,
    /// `--show-secrets`: keys, passwords and texts too.
    pub show_secrets: bool,
    /// `-F`: the configuration file that replaces the user's and the machine's.
    pub config_file: Option<PathBuf>,
    /// Configuration given by flags; the first value of a keyword wins.
    pub settings: Vec<Setting>,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The handshake with this host; its user and port are in the settings already.
    Host(Destination),
    /// `--trace`: what `--json` wrote.
    Trace(PathBuf),
    /// A command line of `ssh`, which is run and told.
    Command(Vec<OsString>),
    /// `--relay`: between that command and its server, whose host and port follow.
    Relay {
        /// What passes is written down here.
        log: PathBuf,
        /// The server's host.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// Flags about how a host is reached, which ssh has too.
const OF_A_HOST: [&str; 6] = ["-p", "-l", "-F", "-o", "-4", "-6"];

/// The files that are written about a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// `--html`: the story as a page.
    pub html: Option<PathBuf>,
    /// `--pcap`: the bytes, for Wireshark.
    pub pcap: Option<PathBuf>,
    /// `--keylog`: the keys, for Wireshark.
    pub key_log: Option<PathBuf>,
    /// `--force`: files that are there are replaced.
    pub force: bool,
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
             into the keys, and who proves what. It logs in only where that needs nobody's help, and \
             runs nothing but `true`. Keys, passwords and data are left out without --show-secrets.\n\n\
             `nacre explain -- ssh -i key user@host` runs that command, says what each part of it means, and tells \
             what passes between it and its server as anybody on the way can see it. What the command prints goes \
             to standard error; the exit code is its own.",
        )
        .disable_help_flag(true)
        .arg(switch("json", "One JSON object a step"))
        .arg(long_value("trace", "FILE", "Tell what --json wrote before, in place of a host"))
        .args(page_flags("html"))
        .arg(long_value("pcap", "FILE", "Write the bytes of the connection for Wireshark"))
        .arg(long_value("keylog", "FILE", "Write Wireshark's key log, which opens them; needs --show-secrets"))
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
                .required_unless_present("trace")
                .conflicts_with("trace")
                .help("host, user@host or ssh://user@host:port"),
        )
        .arg(
            Arg::new("command")
                .value_name("SSH COMMAND")
                .value_parser(value_parser!(OsString))
                .num_args(1..)
                .allow_hyphen_values(true)
                .trailing_var_arg(true)
                .help("Behind --: a whole command line of ssh"),
        )
        .arg(long_value("relay", "FILE", "").hide(true))
}

/// The flags of the page, which `nacre ssh` has too, under another name.
pub(crate) fn page_flags(name: &'static str) -> [Arg; 3] {
    [
        long_value(name, "FILE", "Write the story as one page for a browser"),
        switch("show-secrets", "Show keys, passwords and texts"),
        switch("force", "Replace files that exist"),
    ]
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
    let mut settings = Settings::default();
    let source = match words.operands.as_slice() {
        [host, port] if let Some(log) = file_of(words, "--relay") => relay(log, host, port)?,
        [_, _, ..] => Source::Command(words.operands.clone()),
        [word] => {
            let destination = Destination::parse(word.to_str().ok_or("the destination is not UTF-8")?)?;
            if let Some(user) = &destination.user {
                settings.value("user@", "User", user);
            }
            if let Some(port) = destination.port {
                settings.value("ssh://", "Port", port.to_string());
            }
            Source::Host(destination)
        }
        [] => Source::Trace(file_of(words, "--trace").ok_or("a host, or --trace FILE")?),
    };
    let is = |flag: &str| words.options.iter().any(|option| option.flag == flag);
    if let Source::Command(_) = source
        && let Some(flag) = OF_A_HOST.into_iter().find(|flag| is(flag))
    {
        return Err(format!(
            "{flag} is not for a command of ssh, but may be part of it: put the whole command behind --"
        ));
    }
    let mut config_file = None;
    for option in &words.options {
        let text = option.value.as_deref().map(|v| v.to_str().ok_or("a value is not UTF-8"));
        match (option.flag.as_str(), text.unwrap_or(Ok(""))) {
            ("-4", _) => settings.overrule("-4", "AddressFamily", "inet"),
            ("-6", _) => settings.overrule("-6", "AddressFamily", "inet6"),
            ("-F", file) => config_file = Some(file?.into()),
            ("-l", user) => {
                check_user(user?)?;
                settings.value("-l", "User", user?);
            }
            ("-o", line) => settings.line(line?),
            ("-p", port) => {
                let port = parse_port(port?).ok_or_else(|| format!("bad port '{}'", printable(port.unwrap_or(""))))?;
                settings.value("-p", "Port", port.to_string());
            }
            _ => {}
        }
    }
    let files = Files {
        html: file_of(words, "--html"),
        pcap: file_of(words, "--pcap"),
        key_log: file_of(words, "--keylog"),
        force: is("--force"),
    };
    let show_secrets = is("--show-secrets");
    if files.key_log.is_some() && !show_secrets {
        return Err("--keylog writes keys that open the whole connection: it needs --show-secrets".to_owned());
    }
    if !matches!(source, Source::Host(_)) && (files.pcap.is_some() || files.key_log.is_some()) {
        return Err("a trace has neither all bytes nor keys, and another's connection not ours: --pcap and --keylog need a host".to_owned());
    }
    Ok(ExplainArgs { source, json: is("--json"), files, show_secrets, config_file, settings: settings.finish() })
}

fn relay(log: PathBuf, host: &OsStr, port: &OsStr) -> Result<Source, String> {
    let port = port.to_str().and_then(parse_port).ok_or("--relay: bad port")?;
    Ok(Source::Relay { log, host: host.to_str().ok_or("--relay: bad host")?.to_owned(), port })
}

/// The last value of a flag that names a file.
fn file_of(words: &Words, flag: &str) -> Option<PathBuf> {
    let given = words.options.iter().rev().find(|option| option.flag == flag)?;
    given.value.as_ref().map(PathBuf::from)
}
