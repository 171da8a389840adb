//! `nacre add`: the flags of ssh-add(1).

use super::arg::{counted, flag, long_help, value};
use super::getopt::Operands;
use super::keygen::FingerprintHash;
use super::{Early, read};
use crate::failure::Failure;
use clap::{Arg, Command};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What a call of `nacre add` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddArgs {
    /// What is to be done.
    pub action: AddAction,
    /// The files named; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// `-t`: how long the agent keeps the keys.
    pub lifetime: Option<Duration>,
    /// `-c`: the agent asks before each use.
    pub confirm: bool,
    /// `-k`: leave certificates aside.
    pub plain_only: bool,
    /// `-C`: only certificates.
    pub certificates_only: bool,
    /// `-h`: where the keys may be used.
    pub destinations: Vec<String>,
    /// `-H`: where host keys are looked up for `-h`; empty for the usual files.
    pub host_key_files: Vec<PathBuf>,
    /// `-q`: say nothing when all went well.
    pub quiet: bool,
    /// `-v`: how much to tell.
    pub verbose: u8,
    /// `-E`: how fingerprints are shown.
    pub fingerprint: FingerprintHash,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddAction {
    /// Give keys to the agent.
    Add,
    /// `-d`: take keys away.
    Remove,
    /// `-D`: take all keys away.
    RemoveAll,
    /// `-l`: show the fingerprints of the keys it holds.
    Fingerprints,
    /// `-L`: show the public keys.
    PublicKeys,
    /// `-T`: see whether it can use the private keys of these public ones.
    Test,
    /// `-x`.
    Lock,
    /// `-X`.
    Unlock,
}

const GIVE: &str = "Give keys";
const SEE: &str = "See and take away";
const OTHER: &str = "Other";

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("add")
        .about("Give private keys to an agent, list them, take them away")
        .after_help(
            "The agent is the one of $SSH_AUTH_SOCK, nacre's or another. Without files it is given the usual ones of \
             ~/.ssh; the certificate beside a key (KEY-cert.pub) goes with it.",
        )
        .disable_help_flag(true)
        .args(
            [
                value('t', "life", "TIME", "Have the agent forget the keys after this time"),
                flag('c', "confirm", "Have the agent ask before each use"),
                value(
                    'h',
                    "destination",
                    "PLACE",
                    "Allow the keys to log in there only: [USER@]HOST, or HOST>[USER@]HOST",
                ),
                value('H', "host-keys", "FILE", "Look the host keys of -h up here"),
                flag('k', "plain", "Leave certificates aside"),
                flag('C', "certificates", "Certificates only"),
            ]
            .map(|arg| arg.help_heading(GIVE)),
        )
        .args(
            [
                flag('l', "list", "List the fingerprints of the keys held"),
                flag('L', "public", "List the public keys"),
                flag('d', "remove", "Take the keys of the files away"),
                flag('D', "remove-all", "Take all keys away"),
                flag('T', "test", "Test whether the keys of these public key files can be used"),
                flag('x', "lock", "Lock the agent with a password"),
                flag('X', "unlock", "Unlock it"),
            ]
            .map(|arg| arg.help_heading(SEE)),
        )
        .args(
            [
                value('E', "hash-name", "HASH", "Hash of fingerprints: sha256 or md5"),
                flag('q', "quiet", "Say nothing when all went well"),
                counted('v', "verbose", "Tell more; -vvv most"),
            ]
            .map(|arg| arg.help_heading(OTHER)),
        )
        .args([
            value('s', "token", "LIBRARY", "Refused: tokens are not supported").hide(true),
            value('e', "no-token", "LIBRARY", "Refused: tokens are not supported").hide(true),
            value('S', "provider", "LIBRARY", "Refused: security keys are not supported").hide(true),
            flag('K', "resident", "Refused: security keys are not supported").hide(true),
        ])
        .arg(long_help())
        .arg(Arg::new("files").num_args(0..).value_name("FILE").help("Key files; - is standard input"))
}

/// Reads the words after the program's or subcommand's name.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<AddArgs, Early> {
    let words = read(command(), name, Operands::Anywhere, words).map_err(super::tuning::own_code)?;
    let failed = |problem: String| Failure::new(format!("add: {problem}"));
    let mut args = AddArgs {
        action: AddAction::Add,
        files: words.operands.into_iter().map(PathBuf::from).collect(),
        lifetime: None,
        confirm: false,
        plain_only: false,
        certificates_only: false,
        destinations: Vec::new(),
        host_key_files: Vec::new(),
        quiet: false,
        verbose: 0,
        fingerprint: FingerprintHash::default(),
    };
    let mut chosen = None;
    for option in &words.options {
        let letter = option.flag.chars().nth(1).unwrap_or_default();
        if let Some(action) = action(letter) {
            match chosen.replace(letter) {
                Some(earlier) if earlier != letter => {
                    return Err(failed(format!("-{earlier} and -{letter} cannot be used together")).into());
                }
                _ => args.action = action,
            }
        } else {
            args.option(letter, option.value.as_ref()).map_err(failed)?;
        }
    }
    if args.action == AddAction::Test && args.files.is_empty() {
        return Err(failed("no keys to test: name public key files".to_owned()).into());
    }
    Ok(args)
}

const fn action(letter: char) -> Option<AddAction> {
    Some(match letter {
        'd' => AddAction::Remove,
        'D' => AddAction::RemoveAll,
        'l' => AddAction::Fingerprints,
        'L' => AddAction::PublicKeys,
        'T' => AddAction::Test,
        'x' => AddAction::Lock,
        'X' => AddAction::Unlock,
        _ => return None,
    })
}

impl AddArgs {
    fn option(&mut self, letter: char, value: Option<&OsString>) -> Result<(), String> {
        let text = value.and_then(|value| value.to_str()).unwrap_or_default();
        match letter {
            't' => self.lifetime = super::agent::lifetime(text)?,
            'c' => self.confirm = true,
            'h' if text.is_empty() => return Err("-h needs a host".to_owned()),
            'h' => self.destinations.push(text.to_owned()),
            'H' => self.host_key_files.extend(value.map(PathBuf::from)),
            'k' => self.plain_only = true,
            'C' => self.certificates_only = true,
            'q' => self.quiet = true,
            'v' => self.verbose = self.verbose.saturating_add(1),
            'E' => self.fingerprint = super::keygen::hash(text)?,
            's' | 'e' => return Err(format!("-{letter}: PKCS#11 tokens are not supported")),
            'S' | 'K' => return Err(format!("-{letter}: security keys (FIDO) are not supported")),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(line: &[&str]) -> Result<AddArgs, String> {
        parse("nacre add", line.iter().map(OsString::from).collect()).map_err(|early| match early {
            Early::Usage(failure) => failure.message().to_owned(),
            Early::Help(_) => "help".to_owned(),
        })
    }

    #[test]
    fn flags_of_ssh_add_are_read() {
        let args = parsed(&["-qct", "90m", "-h", "me@there", "-h", "a>b", "key", "-"]).unwrap();
        assert!(args.quiet && args.confirm && args.action == AddAction::Add);
        assert_eq!(args.lifetime, Some(Duration::from_secs(5400)));
        assert_eq!(args.destinations, ["me@there", "a>b"]);
        assert_eq!(args.files, [PathBuf::from("key"), PathBuf::from("-")]);
        assert_eq!(parsed(&["-l", "-E", "md5"]).unwrap().action, AddAction::Fingerprints);
    }

    #[test]
    fn tokens_and_contradictions_are_refused() {
        for line in [&["-s", "x"][..], &["-e", "x"], &["-S", "x"], &["-K"], &["-l", "-D"], &["-T"], &["-t", "soon"]] {
            assert!(parsed(line).unwrap_err().starts_with("add: "), "{line:?}");
        }
    }
}
