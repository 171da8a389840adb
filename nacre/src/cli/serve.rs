//! `nacre serve`: the flags of sshd(8) and our own few.

use super::arg::{counted, flag, long_help, long_value, switch, value};
use super::destination::parse_port;
use super::getopt::{Operands, Opt, Words};
use super::setting::{Setting, Settings};
use super::{Early, read};
use crate::failure::{Failure, USAGE};
use clap::{Arg, Command};
use std::ffi::OsString;
use std::path::PathBuf;

/// What a call of `nacre serve` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeArgs {
    /// What is to be done.
    pub action: ServeAction,
    /// Called as `sshd`: detaches unless `foreground`, and reads sshd's own files.
    pub as_sshd: bool,
    /// `-D` or `-d`: stay in front even when called as `sshd`.
    pub foreground: bool,
    /// `-d` given this often (at most 3): serve one connection in this process and tell all.
    pub debug: u8,
    /// `-i`: the connection is on standard input and output.
    pub inetd: bool,
    /// `-e`: messages go to standard error, not to the system log.
    pub log_to_stderr: bool,
    /// `-E`: messages are appended to this file.
    pub log_file: Option<PathBuf>,
    /// `-f`: the configuration file.
    pub config_file: Option<PathBuf>,
    /// `nacre chat serve`: nothing but the chat.
    pub chat: bool,
    /// `--user-mode`: serve the running account even as root.
    pub user_mode: bool,
    /// `--state`: where host keys, the password file and the like are kept.
    pub state: Option<PathBuf>,
    /// Configuration given by flags; the first value of a keyword wins, and these come before any
    /// file. `-p`, `-h` and `--listen` may stand here more than once.
    pub settings: Vec<Setting>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServeAction {
    /// Serve.
    Serve,
    /// `-t`: check the configuration and the host keys.
    Test,
    /// `-T` or `-G`: print the effective configuration.
    PrintConfig {
        /// `-T` checks the host keys first, `-G` does not.
        check_keys: bool,
        /// `-C`: the connection whose `Match` blocks apply; `None` applies none.
        connection: Option<ConnectionSpec>,
        /// `--why`: with the file and line that set each value.
        why: bool,
    },
    /// `--install`: print what makes it a service.
    Install,
    /// `-V`: print the version on standard error.
    Version,
}

/// The argument of `-C`: a made-up connection to try `Match` blocks on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionSpec {
    /// `user=`: who logs in.
    pub user: Option<String>,
    /// `host=`: the client's host name.
    pub host: Option<String>,
    /// `addr=`: the client's address.
    pub address: Option<String>,
    /// `laddr=`: the server's address.
    pub local_address: Option<String>,
    /// `lport=`: the server's port.
    pub local_port: Option<u16>,
    /// `rdomain=`: the routing domain.
    pub rdomain: Option<String>,
    /// `invalid-user`: the user does not exist.
    pub invalid_user: bool,
}

const LISTEN: &str = "Where it listens";
const CONFIG: &str = "Configuration";
const RUN: &str = "How it runs";
const CHECK: &str = "Check and stop";

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("serve")
        .about("Serve this account, or as root this machine, to ssh clients")
        .after_help(
            "Without root it listens on 127.0.0.1 port 2222, makes host keys on first start and \
             lets in the keys of ~/.ssh/authorized_keys and the names of `nacre passwd`. As root \
             it listens on port 22 and serves the machine's accounts. Flags and configuration are \
             those of OpenSSH's sshd.",
        )
        .disable_help_flag(true)
        .args(
            [
                value('p', "port", "PORT", "Port to listen on (may be repeated)"),
                long_value("listen", "ADDRESS", "Address, or ADDRESS:PORT, to listen on (may be repeated)"),
                flag('4', "ipv4", "Use IPv4 only"),
                flag('6', "ipv6", "Use IPv6 only"),
            ]
            .map(|arg| arg.help_heading(LISTEN)),
        )
        .args(configuration().map(|arg| arg.help_heading(CONFIG)))
        .args(how_it_runs().map(|arg| arg.help_heading(RUN)))
        .args(check_and_stop().map(|arg| arg.help_heading(CHECK)))
        .arg(long_help())
        // Words that sshd of old took and that do nothing any more.
        .args(
            [flag('Q', "no-rsa", ""), flag('r', "no-reexec", ""), value('b', "key-bits", "BITS", "")]
                .map(|arg| arg.hide(true)),
        )
        .arg(value('k', "key-life", "SECONDS", "").hide(true))
        .arg(value('u', "utmp-length", "LENGTH", "").hide(true))
}

/// The row of `nacre chat serve`, which takes the same flags.
pub(crate) fn chat_command() -> Command {
    command().about("Serve a chat, and nothing else, to every ssh client").after_help(
        "It listens on 127.0.0.1 port 2223. Any SSH key lets in; the login name is the nick that is wished for, \
         and the first key to use a nick owns it. What is said is kept in `chat.db` in the state folder. Started by root it \
         becomes the account nacre-chat, nacre or nobody.",
    )
}

fn configuration() -> [Arg; 6] {
    [
        value('f', "config", "FILE", "Read this configuration file"),
        value('o', "option", "WORD=VALUE", "Any word of the configuration file"),
        value('h', "host-key", "FILE", "Private host key (may be repeated)"),
        value('c', "host-certificate", "FILE", "Certificate of a host key (may be repeated)"),
        value('g', "grace", "SECONDS", "Time a client has to log in"),
        long_value("state", "DIR", "Keep host keys, passwords and the like here"),
    ]
}

fn how_it_runs() -> [Arg; 7] {
    [
        switch("user-mode", "Serve the running account even as root"),
        flag('D', "foreground", "Stay in front when called as sshd"),
        counted('d', "debug", "Serve one connection and say what is going on (-dd, -ddd: more)"),
        flag('i', "inetd", "Serve the connection on standard input and output"),
        flag('e', "stderr", "Messages go to standard error"),
        value('E', "log", "FILE", "Messages are appended to this file"),
        flag('q', "quiet", "Log nothing"),
    ]
}

fn check_and_stop() -> [Arg; 7] {
    [
        flag('t', "test", "Check the configuration and the host keys"),
        flag('T', "print", "Check, then print the effective configuration"),
        flag('G', "print-config", "Print the effective configuration without checking keys"),
        value('C', "connection", "SPEC", "With -T, -G: as for user=,addr=,host=,laddr=,lport=,rdomain="),
        switch("why", "With -T, -G: also the file and line that set each value"),
        switch("install", "Print unit files, account and steps that make it a service; writes nothing"),
        flag('V', "version", "Print the version"),
    ]
}

/// Reads the words after the program's or subcommand's name.
pub(crate) fn parse(name: &str, words: Vec<OsString>, as_sshd: bool) -> Result<ServeArgs, Early> {
    parse_as(command(), name, words, as_sshd)
}

/// Reads the words after `nacre chat serve`: the same flags.
pub(crate) fn parse_chat(name: &str, words: Vec<OsString>) -> Result<ServeArgs, Early> {
    let args = ServeArgs { chat: true, ..parse_as(chat_command(), name, words, false)? };
    match args.inetd {
        true => Err(Failure::with_code(USAGE, "chat serve: -i serves one connection, and a chat needs all").into()),
        false => Ok(args),
    }
}

fn parse_as(command: Command, name: &str, words: Vec<OsString>, as_sshd: bool) -> Result<ServeArgs, Early> {
    let words = read(command, name, Operands::Anywhere, words)?;
    build(&words, as_sshd).map_err(|problem| Failure::with_code(USAGE, format!("serve: {problem}")).into())
}

fn build(words: &Words, as_sshd: bool) -> Result<ServeArgs, String> {
    let mut draft = Draft::default();
    for option in &words.options {
        draft.option(option)?;
    }
    draft.finish(as_sshd)
}

#[derive(Default)]
struct Draft {
    settings: Settings,
    foreground: bool,
    debug: u8,
    inetd: bool,
    log_to_stderr: bool,
    log_file: Option<PathBuf>,
    config_file: Option<PathBuf>,
    user_mode: bool,
    state: Option<PathBuf>,
    version: bool,
    install: bool,
    test: bool,
    print: Option<bool>,
    connection: Option<ConnectionSpec>,
    why: bool,
}

impl Draft {
    fn option(&mut self, option: &Opt) -> Result<(), String> {
        let Some(value) = &option.value else {
            self.plain(&option.flag);
            return Ok(());
        };
        let text = value.to_str().ok_or_else(|| format!("the value of {} is not UTF-8", option.flag))?;
        self.valued(&option.flag, text)
    }

    fn plain(&mut self, flag: &str) {
        match flag {
            "-4" => self.settings.overrule("-4", "AddressFamily", "inet"),
            "-6" => self.settings.overrule("-6", "AddressFamily", "inet6"),
            "-D" => self.foreground = true,
            "-d" => {
                self.foreground = true;
                self.debug = (self.debug + 1).min(3);
                self.settings.overrule("-d", "LogLevel", format!("DEBUG{}", self.debug));
            }
            "-e" => self.log_to_stderr = true,
            "-G" => self.print = self.print.or(Some(false)),
            "-i" => self.inetd = true,
            "-q" => self.settings.overrule("-q", "LogLevel", "QUIET"),
            "-T" => self.print = Some(true),
            "-t" => self.test = true,
            "-V" => self.version = true,
            "--install" => self.install = true,
            "--user-mode" => self.user_mode = true,
            "--why" => self.why = true,
            // -Q and -r have done nothing for years; clap has refused everything unknown.
            _ => {}
        }
    }

    fn valued(&mut self, flag: &str, text: &str) -> Result<(), String> {
        match flag {
            "-C" => self.connection.get_or_insert_default().read(text)?,
            "-c" => self.settings.value("-c", "HostCertificate", text),
            "-E" => self.log_file = Some(text.into()),
            "-f" => self.config_file = Some(text.into()),
            "-g" => self.settings.value("-g", "LoginGraceTime", text),
            "-h" => self.settings.value("-h", "HostKey", text),
            "-o" => self.settings.line(text),
            "-p" => {
                let port = parse_port(text).ok_or_else(|| format!("bad port '{}'", super::printable(text)))?;
                self.settings.value("-p", "Port", port.to_string());
            }
            "-u" if text == "0" => self.settings.value("-u", "UseDNS", "no"),
            "--listen" => self.settings.value("--listen", "ListenAddress", text),
            "--state" => self.state = Some(text.into()),
            // -b and -k belonged to protocol 1.
            _ => {}
        }
        Ok(())
    }

    fn finish(self, as_sshd: bool) -> Result<ServeArgs, String> {
        if self.print.is_none() && self.connection.is_some() {
            return Err("-C means something only with -T or -G".to_owned());
        }
        if self.print.is_none() && self.why {
            return Err("--why means something only with -T or -G".to_owned());
        }
        let action = match self.print {
            _ if self.version => ServeAction::Version,
            _ if self.install => ServeAction::Install,
            Some(check_keys) => ServeAction::PrintConfig { check_keys, connection: self.connection, why: self.why },
            None if self.test => ServeAction::Test,
            None => ServeAction::Serve,
        };
        Ok(ServeArgs {
            action,
            as_sshd,
            foreground: self.foreground,
            debug: self.debug,
            inetd: self.inetd,
            log_to_stderr: self.log_to_stderr,
            log_file: self.log_file,
            config_file: self.config_file,
            chat: false,
            user_mode: self.user_mode,
            state: self.state,
            settings: self.settings.finish(),
        })
    }
}

impl ConnectionSpec {
    fn read(&mut self, text: &str) -> Result<(), String> {
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (word, value) = part.split_once('=').unwrap_or((part, ""));
            let given = || Some(value.to_owned());
            match word {
                "user" => self.user = given(),
                "host" => self.host = given(),
                "addr" => self.address = given(),
                "laddr" => self.local_address = given(),
                "rdomain" => self.rdomain = given(),
                "lport" => {
                    let port =
                        parse_port(value).ok_or_else(|| format!("-C: bad port '{}'", super::printable(value)))?;
                    self.local_port = Some(port);
                }
                "invalid-user" => self.invalid_user = true,
                other => return Err(format!("-C: unknown word '{}'", super::printable(other))),
            }
        }
        Ok(())
    }
}
