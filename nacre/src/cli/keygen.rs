//! `nacre keygen`: the flags of ssh-keygen(1) that are done.

use super::arg::{flag, long_help, value};
use super::getopt::{Operands, Opt};
use super::{Early, read};
use crate::failure::Failure;
use clap::{Arg, Command, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// What a call of `nacre keygen` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeygenArgs {
    /// What is to be done.
    pub action: KeygenAction,
    /// `-f`: the key or known_hosts file; `None` asks, or takes the usual one.
    pub file: Option<PathBuf>,
    /// `-q`: print nothing that is not asked for.
    pub quiet: bool,
    /// `-P`: the passphrase that a key has now.
    pub old_passphrase: Option<String>,
    /// `-N`: the passphrase it shall have; empty for none.
    pub new_passphrase: Option<String>,
    /// `-C`: the comment.
    pub comment: Option<String>,
    /// `-a`: rounds of the key derivation that protects a passphrase.
    pub rounds: Option<u32>,
    /// `-E`: how fingerprints are shown.
    pub fingerprint: FingerprintHash,
    /// `-v`: draw the fingerprint as well.
    pub verbose: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeygenAction {
    /// Make a key pair.
    Create(KeyType),
    /// `-l`: show a key's fingerprint.
    Fingerprint,
    /// `-y`: print the public half of a private key.
    Public,
    /// `-p`: change the passphrase.
    ChangePassphrase,
    /// `-c`: change the comment.
    ChangeComment,
    /// `-F`: look a host up in known_hosts.
    FindHost {
        /// The host, or `[host]:port`.
        host: String,
        /// `-l`: print fingerprints, not keys.
        fingerprints: bool,
    },
    /// `-R`: take a host out of known_hosts.
    RemoveHost(String),
    /// `-H`: hash the names in known_hosts.
    HashHosts,
    /// `-s`: make certificates.
    Certify(Box<CertifyArgs>),
    /// `-L`: print certificates.
    ShowCertificate,
}

/// What certificates are to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertifyArgs {
    /// `-s`: the CA's private key.
    pub ca: PathBuf,
    /// `-I`: the CA's name for the certificate.
    pub key_id: String,
    /// `-h`: for hosts.
    pub host: bool,
    /// `-n`: users or hosts, between commas.
    pub principals: String,
    /// `-V`: the validity as it was written.
    pub validity: Option<String>,
    /// `-O`: options as they were written, in order.
    pub options: Vec<String>,
    /// `-z`: the number of the first.
    pub serial: u64,
    /// `-z +N`: the next has the next number.
    pub counts: bool,
    /// `-t` as it was written: for an RSA CA the signature algorithm.
    pub algorithm: Option<String>,
    /// The public keys.
    pub files: Vec<PathBuf>,
}

/// The kinds of key that can be made, with their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RFC 8709.
    Ed25519,
    /// RFC 5656 over NIST P-256.
    EcdsaNistp256,
    /// RFC 5656 over NIST P-384.
    EcdsaNistp384,
    /// RFC 5656 over NIST P-521.
    EcdsaNistp521,
    /// RFC 4253 §6.6, with a modulus of this many bits: 2048, 3072, 4096 or 8192.
    Rsa(u32),
}

/// How a fingerprint is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FingerprintHash {
    /// `SHA256:` and base64.
    #[default]
    Sha256,
    /// `MD5:` and hexadecimal pairs.
    Md5,
}

const MAKE: &str = "Make a key";
const KEYS: &str = "Look at keys and change them";
const HOSTS: &str = "Look after known_hosts";
const CERTIFY: &str = "Make certificates, and look at them";

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("keygen")
        .about("Make, show and change keys; look after known_hosts")
        .after_help(
            "Without options it makes an ed25519 key and asks where to put it and which \
             passphrase protects it. The files are OpenSSH's.",
        )
        .disable_help_flag(true)
        .args(make().map(|arg| arg.help_heading(MAKE)))
        .args(look().map(|arg| arg.help_heading(KEYS)))
        .args(
            [
                value('F', "find", "HOST", "Find HOST in known_hosts (with -l: its fingerprints)"),
                value('R', "remove", "HOST", "Take HOST out of known_hosts"),
                flag('H', "hash", "Hash the names in known_hosts"),
            ]
            .map(|arg| arg.help_heading(HOSTS)),
        )
        .args(certify().map(|arg| arg.help_heading(CERTIFY)))
        .arg(Arg::new("files").value_name("FILE").num_args(0..).value_parser(value_parser!(OsString)).hide(true))
        .arg(long_help())
}

fn certify() -> [Arg; 9] {
    [
        value('s', "sign", "CA", "Sign each FILE, a public key, with the CA's private key"),
        value('I', "identity", "ID", "The certificate's name, which logs show"),
        flag('h', "host", "For hosts, not for users"),
        value('n', "principals", "NAMES", "The users or hosts it is for, between commas"),
        value('V', "validity", "INTERVAL", "When it is valid: +52w, 20260101:20270101, always:forever"),
        value('O', "option", "OPTION", "What it allows and demands: clear, no-pty, source-address=10.0.0.0/8, ..."),
        value('z', "serial", "NUMBER", "Its number; +NUMBER counts on from file to file"),
        flag('U', "agent", "The CA's key is in the agent (not done yet)"),
        flag('L', "show", "Print a certificate"),
    ]
}

fn make() -> [Arg; 7] {
    [
        value('t', "type", "TYPE", "ed25519 (the default), ecdsa or rsa"),
        value('b', "bits", "BITS", "ecdsa: 256, 384, 521; rsa: 2048, 3072, 4096, 8192"),
        value('f', "file", "FILE", "The key file, or the known_hosts file"),
        value('N', "new-passphrase", "PASSPHRASE", "New passphrase; '' for none"),
        value('C', "comment", "COMMENT", "New comment"),
        value('a', "rounds", "ROUNDS", "Work that each guess at the passphrase costs"),
        flag('q', "quiet", "Say nothing"),
    ]
}

fn look() -> [Arg; 7] {
    [
        flag('l', "list", "Show the fingerprint of a key or of a file of keys"),
        flag('v', "verbose", "With -l: draw it as well"),
        value('E', "hash-name", "HASH", "Hash of fingerprints: sha256 or md5"),
        flag('y', "public", "Print the public half of a private key"),
        flag('p', "change-passphrase", "Change a key's passphrase"),
        flag('c', "change-comment", "Change a key's comment"),
        value('P', "passphrase", "PASSPHRASE", "The passphrase that the key has now"),
    ]
}

/// Reads the words after the program's or subcommand's name.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<KeygenArgs, Early> {
    let words = read(command(), name, Operands::Anywhere, words)?;
    let mut draft = Draft::default();
    for option in &words.options {
        draft.option(option).map_err(|problem| Failure::new(format!("keygen: {problem}")))?;
    }
    draft.files = words.operands.iter().map(PathBuf::from).collect();
    draft.finish().map_err(|problem| Failure::new(format!("keygen: {problem}")).into())
}

#[derive(Default)]
struct Draft {
    mode: Option<char>,
    list: bool,
    host: Option<String>,
    key_type: Option<String>,
    bits: Option<u32>,
    file: Option<PathBuf>,
    quiet: bool,
    old_passphrase: Option<String>,
    new_passphrase: Option<String>,
    comment: Option<String>,
    rounds: Option<u32>,
    fingerprint: FingerprintHash,
    verbose: bool,
    certify: CertifyArgs,
    agent: bool,
    files: Vec<PathBuf>,
}

impl Draft {
    fn option(&mut self, option: &Opt) -> Result<(), String> {
        let letter = option.flag.chars().nth(1).unwrap_or_default();
        let Some(value) = &option.value else { return self.plain(letter) };
        let text = value.to_str().ok_or_else(|| format!("the value of {} is not UTF-8", option.flag))?;
        self.valued(letter, text)
    }

    fn plain(&mut self, letter: char) -> Result<(), String> {
        match letter {
            'q' => self.quiet = true,
            'v' => self.verbose = true,
            'l' => self.list = true,
            'h' => self.certify.host = true,
            'U' => self.agent = true,
            'y' | 'p' | 'c' | 'H' | 'L' => self.mode(letter)?,
            _ => {}
        }
        Ok(())
    }

    fn valued(&mut self, letter: char, text: &str) -> Result<(), String> {
        let given = || Some(text.to_owned());
        match letter {
            't' => self.key_type = given(),
            'b' => self.bits = Some(number("-b", text)?),
            'f' => self.file = Some(text.into()),
            'N' => self.new_passphrase = given(),
            'P' => self.old_passphrase = given(),
            'C' => self.comment = given(),
            'a' => self.rounds = Some(number("-a", text)?),
            'E' => self.fingerprint = hash(text)?,
            'I' => self.certify.key_id = text.to_owned(),
            'n' => self.certify.principals = text.to_owned(),
            'V' => self.certify.validity = given(),
            'O' => self.certify.options.push(text.to_owned()),
            'z' => {
                self.certify.counts = text.starts_with('+');
                let digits = text.strip_prefix('+').unwrap_or(text);
                self.certify.serial = serial(digits).ok_or_else(|| {
                    format!("-z needs a number from 0 to {}, not '{}'", u64::MAX, super::printable(text))
                })?;
            }
            's' => {
                self.mode(letter)?;
                self.certify.ca = text.into();
            }
            'F' | 'R' => {
                self.mode(letter)?;
                self.host = given();
            }
            _ => {}
        }
        Ok(())
    }

    fn mode(&mut self, letter: char) -> Result<(), String> {
        match self.mode.replace(letter) {
            Some(earlier) if earlier != letter => Err(format!("-{earlier} and -{letter} cannot be used together")),
            _ => Ok(()),
        }
    }

    /// What stands for `-s` only.
    fn certify(&mut self) -> Result<KeygenAction, String> {
        if self.agent {
            return Err("-U is not done yet: name the CA's private key file with -s".to_owned());
        }
        let mut args = std::mem::take(&mut self.certify);
        if args.key_id.is_empty() {
            return Err("-s needs a name for the certificate: give it with -I".to_owned());
        }
        args.files = std::mem::take(&mut self.files);
        if args.files.is_empty() {
            return Err("-s needs at least one public key file to sign".to_owned());
        }
        args.algorithm = self.key_type.take();
        Ok(KeygenAction::Certify(Box::new(args)))
    }

    fn finish(mut self) -> Result<KeygenArgs, String> {
        let certify = if self.mode == Some('s') && !self.list { Some(self.certify()?) } else { None };
        if let Some(word) = self.files.first() {
            return Err(format!("'{}' is one word too many", super::printable(&word.to_string_lossy())));
        }
        let alone = CertifyArgs::default();
        if certify.is_none() && self.mode != Some('s') && (self.agent || self.certify != alone) {
            return Err("-I, -n, -h, -V, -O, -z and -U stand with -s only".to_owned());
        }
        let host = self.host.unwrap_or_default();
        let action = match (self.mode, self.list) {
            (Some('L'), false) => KeygenAction::ShowCertificate,
            (Some('F'), fingerprints) => KeygenAction::FindHost { host, fingerprints },
            (Some(other), true) => return Err(format!("-{other} and -l cannot be used together")),
            (Some('R'), _) => KeygenAction::RemoveHost(host),
            (Some('H'), _) => KeygenAction::HashHosts,
            (Some('y'), _) => KeygenAction::Public,
            (Some('p'), _) => KeygenAction::ChangePassphrase,
            (Some('c'), _) => KeygenAction::ChangeComment,
            (_, true) => KeygenAction::Fingerprint,
            (_, false) => match certify {
                Some(certify) => certify,
                None => KeygenAction::Create(key_type(self.key_type.as_deref(), self.bits)?),
            },
        };
        Ok(KeygenArgs {
            action,
            file: self.file,
            quiet: self.quiet,
            old_passphrase: self.old_passphrase,
            new_passphrase: self.new_passphrase,
            comment: self.comment,
            rounds: self.rounds,
            fingerprint: self.fingerprint,
            verbose: self.verbose,
        })
    }
}

fn serial(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

fn number(flag: &str, text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{flag} needs a number, not '{}'", super::printable(text))),
    }
}

pub(super) fn hash(text: &str) -> Result<FingerprintHash, String> {
    match text.to_ascii_lowercase().as_str() {
        "sha256" => Ok(FingerprintHash::Sha256),
        "md5" => Ok(FingerprintHash::Md5),
        _ => Err(format!("unknown hash '{}': sha256 and md5 are known", super::printable(text))),
    }
}

fn key_type(name: Option<&str>, bits: Option<u32>) -> Result<KeyType, String> {
    let ecdsa = |bits| match bits {
        None | Some(256) => Ok(KeyType::EcdsaNistp256),
        Some(384) => Ok(KeyType::EcdsaNistp384),
        Some(521) => Ok(KeyType::EcdsaNistp521),
        Some(other) => Err(format!("an ecdsa key has 256, 384 or 521 bits, not {other}")),
    };
    match name.unwrap_or("ed25519").to_ascii_lowercase().as_str() {
        // The size of an ed25519 key is fixed; ssh-keygen passes over -b here, and so do scripts.
        "ed25519" | "ssh-ed25519" => Ok(KeyType::Ed25519),
        "ecdsa" => ecdsa(bits),
        "ecdsa-sha2-nistp256" => Ok(KeyType::EcdsaNistp256),
        "ecdsa-sha2-nistp384" => Ok(KeyType::EcdsaNistp384),
        "ecdsa-sha2-nistp521" => Ok(KeyType::EcdsaNistp521),
        "rsa" | "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => match bits.unwrap_or(3072) {
            bits @ (2048 | 3072 | 4096 | 8192) => Ok(KeyType::Rsa(bits)),
            other => Err(format!("an rsa key is made with 2048, 3072, 4096 or 8192 bits, not {other}")),
        },
        "dsa" | "ssh-dss" => Err("dsa keys are broken and are not made; use ed25519".to_owned()),
        other => Err(format!("unknown key type '{}': ed25519, ecdsa and rsa can be made", super::printable(other))),
    }
}
