//! `nacre keyscan`: the flags of ssh-keyscan(1).

use super::arg::{counted, flag, long_help, value};
use super::destination::parse_port;
use super::getopt::Operands;
use super::{Early, printable, read};
use crate::failure::Failure;
use clap::{Arg, Command, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What a call of `nacre keyscan` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyscanArgs {
    /// Hosts, each perhaps with others between commas: the first that answers counts.
    pub hosts: Vec<String>,
    /// `-f`: files of hosts; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// `-p`.
    pub port: u16,
    /// `-T`: how long a host may take.
    pub timeout: Duration,
    /// `-t`: the types of keys that are asked for.
    pub kinds: Vec<KeyKind>,
    /// `-c`: certificates in place of keys.
    pub certificates: bool,
    /// `-D`: print SSHFP records.
    pub sshfp: bool,
    /// `-O hashalg=`: 1 for SHA-1, 2 for SHA-256; `None` for both.
    pub hash: Option<u8>,
    /// `-H`: hash names.
    pub hashed: bool,
    /// `-4`, `-6`: addresses of one family only.
    pub family: Option<Family>,
    /// `-q`: no comments with the identification of hosts.
    pub quiet: bool,
    /// `-v`.
    pub verbose: bool,
}

/// The types of host keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RFC 8332.
    Rsa,
    /// RFC 5656.
    Ecdsa,
    /// RFC 8709.
    Ed25519,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("keyscan")
        .about("Collect the host keys of many hosts at once, as known_hosts lines")
        .after_help(
            "What is collected over a network that others reach may be theirs: compare fingerprints \
             before you put the lines into known_hosts.",
        )
        .disable_help_flag(true)
        .arg(value('f', "file", "FILE", "Read hosts from FILE, one a line; - is standard input"))
        .arg(value('p', "port", "PORT", "Port to connect to"))
        .arg(value('T', "timeout", "SECONDS", "How long a host may take (5)"))
        .arg(value('t', "types", "TYPES", "Key types between commas: rsa,ecdsa,ed25519"))
        .arg(flag('c', "certificates", "Ask for certificates in place of keys"))
        .arg(flag('H', "hash", "Hash the names"))
        .arg(flag('D', "dns", "Print SSHFP records for the DNS"))
        .arg(value('O', "option", "WORD", "hashalg=sha1 or hashalg=sha256, for -D"))
        .arg(flag('4', "ipv4", "Use IPv4 only"))
        .arg(flag('6', "ipv6", "Use IPv6 only"))
        .arg(flag('q', "quiet", "No comments with what hosts call themselves"))
        .arg(counted('v', "verbose", "Say why a key was not to be had"))
        .arg(long_help())
        .arg(Arg::new("hosts").value_name("HOST").num_args(0..).value_parser(value_parser!(OsString)))
}

/// Reads the words after the program's or subcommand's name.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<KeyscanArgs, Early> {
    let words = read(command(), name, Operands::Anywhere, words)?;
    let mut args = KeyscanArgs {
        hosts: Vec::new(),
        files: Vec::new(),
        port: 22,
        timeout: Duration::from_secs(5),
        kinds: vec![KeyKind::Rsa, KeyKind::Ecdsa, KeyKind::Ed25519],
        certificates: false,
        sshfp: false,
        hash: None,
        hashed: false,
        family: None,
        quiet: false,
        verbose: false,
    };
    let problem = |text: String| Failure::new(format!("keyscan: {text}"));
    for option in &words.options {
        let value = option.value.as_ref().map(|value| value.to_str().ok_or("a value is not UTF-8"));
        let value = value.transpose().map_err(|text| problem(text.to_owned()))?.unwrap_or_default();
        args.option(&option.flag, value).map_err(problem)?;
    }
    for host in &words.operands {
        let host = host.to_str().ok_or_else(|| problem("the name of a host is not UTF-8".to_owned()))?;
        args.hosts.push(host.to_owned());
    }
    if args.hosts.is_empty() && args.files.is_empty() {
        return Err(super::usage::failure("keyscan: no host was named".to_owned(), name).into());
    }
    Ok(args)
}

impl KeyscanArgs {
    fn option(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "-4" => self.family = Some(Family::V4),
            "-6" => self.family = Some(Family::V6),
            "-c" => self.certificates = true,
            "-D" => self.sshfp = true,
            "-H" => self.hashed = true,
            "-q" => self.quiet = true,
            "-v" => self.verbose = true,
            "-f" => self.files.push(value.into()),
            "-p" => self.port = parse_port(value).ok_or_else(|| format!("bad port '{}'", printable(value)))?,
            "-T" => self.timeout = timeout(value)?,
            "-t" => self.kinds = kinds(value)?,
            "-O" => {
                self.hash = Some(match value.to_ascii_lowercase().as_str() {
                    "hashalg=sha1" => 1,
                    "hashalg=sha256" => 2,
                    _ => return Err(format!("-O {}: hashalg=sha1 and hashalg=sha256 are known", printable(value))),
                });
            }
            _ => {}
        }
        Ok(())
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let seconds = nacre_config::time::span(text).filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("-T {}: not a time such as 5 or 1m", printable(text)))
}

/// Types that no host key of ours has are passed over beside others, since scripts name them all.
fn kinds(list: &str) -> Result<Vec<KeyKind>, String> {
    let mut kinds = Vec::new();
    for name in list.split(',') {
        match name.to_ascii_lowercase().as_str() {
            "rsa" | "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => kinds.push(KeyKind::Rsa),
            "ecdsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => {
                kinds.push(KeyKind::Ecdsa);
            }
            "ed25519" | "ssh-ed25519" => kinds.push(KeyKind::Ed25519),
            "dsa" | "ssh-dss" | "ecdsa-sk" | "ed25519-sk" => {}
            _ => return Err(format!("unknown key type '{}': rsa, ecdsa and ed25519 are known", printable(name))),
        }
    }
    if kinds.is_empty() { Err(format!("-t {}: hosts are not asked for such keys", printable(list))) } else { Ok(kinds) }
}
