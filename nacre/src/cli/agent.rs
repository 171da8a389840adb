//! `nacre agent`: the flags of ssh-agent(1).

use super::arg::{flag, long_help, value};
use super::getopt::Operands;
use super::keygen::FingerprintHash;
use super::{Early, read};
use crate::failure::Failure;
use clap::{Arg, Command};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What a call of `nacre agent` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentArgs {
    /// What is to be done.
    pub action: AgentAction,
    /// In which language the lines for a shell are; `None`: as `$SHELL` has it.
    pub shell: Option<Shell>,
    /// `-a`: where to listen.
    pub path: Option<PathBuf>,
    /// `-t`: how long keys are kept that come without a time.
    pub lifetime: Option<Duration>,
    /// `-E`: how fingerprints are shown in questions.
    pub fingerprint: FingerprintHash,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentAction {
    /// Listen in the background, and say how to be reached.
    Background,
    /// `-D`, or `-d`, which tells what happens: stay in front.
    Foreground {
        /// Tell what happens on standard error.
        debug: bool,
    },
    /// Run a command, and end when it ends.
    Command(Vec<OsString>),
    /// `-k`: end the agent that `$SSH_AGENT_PID` names.
    Kill,
    /// `-V`.
    Version,
}

/// The languages of shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// `-s`: sh and its like.
    Bourne,
    /// `-c`: csh and its like.
    C,
}

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("agent")
        .about("Hold private keys and sign for those who may ask")
        .after_help(
            "`eval \"$(nacre agent -s)\"` starts one for this shell; `nacre add` gives it keys. With a command it \
             lives as long as that runs. Security keys and PKCS#11 tokens are not supported.",
        )
        .disable_help_flag(true)
        .args([
            value('a', "path", "SOCKET", "Listen here, not in a new folder"),
            flag('s', "bourne", "Print lines for sh"),
            flag('c', "csh", "Print lines for csh"),
            flag('D', "foreground", "Stay in the foreground"),
            flag('d', "debug", "Stay in the foreground and tell what happens"),
            flag('k', "kill", "End the agent of $SSH_AGENT_PID"),
            value('t', "life", "TIME", "Forget keys after this time, unless they come with one: 1h, 3600"),
            value('E', "hash-name", "HASH", "Hash of fingerprints: sha256 or md5"),
            flag('T', "in-tmp", "Listen in $TMPDIR or /tmp (so it is in any case)"),
            flag('V', "version", "Print the version"),
            value('O', "option", "OPTION", "Refused: options for security keys and tokens").hide(true),
            value('P', "providers", "PATTERNS", "Taken and without effect: no library of tokens is ever loaded")
                .hide(true),
            flag('u', "clean", "Refused").hide(true),
            flag('U', "no-clean", "Refused").hide(true),
        ])
        .arg(long_help())
        .arg(Arg::new("command").num_args(0..).value_name("COMMAND").help("Run this with the agent, and end with it"))
}

/// Reads the words after the program's or subcommand's name.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<AgentArgs, Early> {
    let words = read(command(), name, Operands::Last, words).map_err(super::tuning::own_code)?;
    let mut draft = Draft::default();
    for option in &words.options {
        let letter = option.flag.chars().nth(1).unwrap_or_default();
        draft.option(letter, option.value.as_ref()).map_err(failed)?;
    }
    Ok(draft.finish(words.operands).map_err(failed)?)
}

fn failed(problem: String) -> Failure {
    Failure::new(format!("agent: {problem}"))
}

#[derive(Default)]
struct Draft {
    kill: bool,
    version: bool,
    foreground: bool,
    debug: bool,
    shell: Option<Shell>,
    path: Option<PathBuf>,
    lifetime: Option<Duration>,
    fingerprint: FingerprintHash,
}

impl Draft {
    fn option(&mut self, letter: char, value: Option<&OsString>) -> Result<(), String> {
        let text = value.and_then(|value| value.to_str()).unwrap_or_default();
        match letter {
            's' | 'c' => {
                let shell = if letter == 's' { Shell::Bourne } else { Shell::C };
                if self.shell.replace(shell).is_some_and(|earlier| earlier != shell) {
                    return Err("-s and -c cannot be used together".to_owned());
                }
            }
            'k' => self.kill = true,
            'V' => self.version = true,
            'D' => self.foreground = true,
            'd' => self.debug = true,
            'a' => self.path = value.map(PathBuf::from),
            't' => self.lifetime = lifetime(text)?,
            'E' => self.fingerprint = super::keygen::hash(text)?,
            'O' => return Err(format!("-O {}: security keys and tokens are not supported", super::printable(text))),
            // Patterns of libraries that may be loaded: none ever is.
            'P' => {}
            'u' | 'U' => {
                return Err(format!("-{letter}: an agent's socket goes when it ends; there is nothing to clean"));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, operands: Vec<OsString>) -> Result<AgentArgs, String> {
        let in_front = self.foreground || self.debug;
        if !operands.is_empty() && (self.kill || in_front || self.shell.is_some()) {
            return Err("a command cannot be used with -c, -s, -d, -D or -k".to_owned());
        }
        if self.kill && in_front {
            return Err("-k cannot be used with -d or -D".to_owned());
        }
        let action = match (self.version, self.kill, in_front, operands.is_empty()) {
            (true, ..) => AgentAction::Version,
            (_, true, ..) => AgentAction::Kill,
            (_, _, true, _) => AgentAction::Foreground { debug: self.debug },
            (.., false) => AgentAction::Command(operands),
            (.., true) => AgentAction::Background,
        };
        let Self { shell, path, lifetime, fingerprint, .. } = self;
        Ok(AgentArgs { action, shell, path, lifetime, fingerprint })
    }
}

/// A time as ssh's configuration has it (`1h30m`, seconds without a unit). 0 is no bound, as in ssh-agent.
pub(super) fn lifetime(text: &str) -> Result<Option<Duration>, String> {
    let seconds = nacre_config::time::span(text).filter(|seconds| u32::try_from(*seconds).is_ok());
    match seconds {
        Some(0) => Ok(None),
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Err(format!("Invalid lifetime '{}': use 3600, 90m or 1h30m", super::printable(text))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(line: &[&str]) -> Result<AgentArgs, String> {
        parse("nacre agent", line.iter().map(OsString::from).collect()).map_err(|early| match early {
            Early::Usage(failure) => failure.message().to_owned(),
            Early::Help(_) => "help".to_owned(),
        })
    }

    #[test]
    fn a_command_keeps_its_flags() {
        let args = parsed(&["-t", "1h", "-a", "/s", "sh", "-c", "exit 3"]).unwrap();
        assert_eq!(args.action, AgentAction::Command(["sh", "-c", "exit 3"].map(OsString::from).to_vec()));
        assert_eq!((args.lifetime, args.path), (Some(Duration::from_secs(3600)), Some("/s".into())));
    }

    #[test]
    fn what_has_no_meaning_is_refused_with_a_reason() {
        for line in [&["-O", "x"][..], &["-u"], &["-k", "-D"], &["-s", "-c"], &["-s", "ls"], &["-t", "x"]] {
            assert!(parsed(line).unwrap_err().starts_with("agent: "), "{line:?}");
        }
        assert_eq!(parsed(&["-k", "-c"]).unwrap().shell, Some(Shell::C));
    }
}
