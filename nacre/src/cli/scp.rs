//! `nacre scp`: the flags of scp(1), and four of ours.

use super::arg::{counted, flag, long_help, switch, value};
use super::destination::parse_port;
use super::getopt::{Operands, Opt, Words};
use super::tuning::{Tuning, bad, carrier, limit, own_code, place};
use super::{Early, read};
use crate::failure::Failure;
use clap::{Arg, ArgAction, Command, value_parser};
use std::ffi::OsString;

/// What a call of `nacre scp` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScpArgs {
    /// Who we are in the old protocol, when a server has started us for it.
    pub role: Role,
    /// `-O`: the old protocol, not SFTP.
    pub legacy: bool,
    /// `-R`: from remote to remote, the first host sends to the second itself.
    pub far_sends: bool,
    /// `-r`: folders with what is in them.
    pub recursive: bool,
    /// `-p`: times and modes are kept.
    pub preserve: bool,
    /// `-q`: no view, no warnings.
    pub quiet: bool,
    /// `-v`: say what is going on.
    pub verbose: bool,
    /// `-T`: names that the far side sends are not held against those asked for.
    pub any_names: bool,
    /// `-d`, between our own two ends: the target has to be a folder.
    pub target_is_folder: bool,
    /// `-l`, in bytes a second.
    pub limit: Option<u64>,
    /// `-P`: the port where the address has none.
    pub port: Option<u16>,
    /// `-S`: the program in place of ssh.
    pub program: Option<OsString>,
    /// `-D`: a local SFTP server in place of any ssh.
    pub direct: Option<OsString>,
    /// Flags that are passed on to ssh, in order.
    pub flags: Vec<OsString>,
    /// `-X`.
    pub tuning: Tuning,
    /// `--resume`
    pub resume: bool,
    /// `--verify`
    pub verify: bool,
    /// `--in-place`
    pub in_place: bool,
    /// `--json`
    pub json: bool,
    /// What is to be copied, and last where to: at least two words, but for the roles of the old protocol.
    pub words: Vec<OsString>,
}

/// Who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// The program that a person called.
    #[default]
    Caller,
    /// `-f`: the end that sends.
    Source,
    /// `-t`: the end that receives.
    Sink,
}

const WHAT: &str = "What is copied";
const HOW: &str = "How";
const WHERE: &str = "The way there";
const SHOWN: &str = "What is printed";

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("scp")
        .about("Copy files to, from and between other machines")
        .override_usage("nacre scp [OPTIONS] SOURCE... TARGET")
        .after_help(
            "A file is NAME here, [user@]host:PATH there, or scp://[user@]host[:port][/PATH]. A name with a colon is local \
             when a slash comes first: ./a:b. Several sources need a folder as target. Flags and exit codes are those of \
             OpenSSH: 0 when everything was copied, else 1; after Ctrl-C 130.\n\n\
             On a terminal a view shows what is going on; elsewhere nothing is printed but errors, as OpenSSH does (-v says \
             more, --json tells programs). A file appears under its name when it is complete; until then it is \
             .NAME.nacre-part beside it, which --resume goes on with.",
        )
        .disable_help_flag(true)
        .args(what().map(|arg| arg.help_heading(WHAT)))
        .args(how().map(|arg| arg.help_heading(HOW)))
        .args(way().map(|arg| arg.help_heading(WHERE)))
        .args(shown().map(|arg| arg.help_heading(SHOWN)))
        .arg(long_help())
        .args(internal())
        .arg(
            Arg::new("words")
                .value_name("FILE")
                .value_parser(value_parser!(OsString))
                .num_args(1..)
                .action(ArgAction::Append)
                .required(true)
                .help("What is to be copied, and last where to"),
        )
}

fn what() -> [Arg; 6] {
    [
        flag('r', "recursive", "Copy folders with all that is in them, following links"),
        flag('p', "preserve", "Keep times and modes"),
        switch("resume", "Go on with transfers that were cut, after checking what is there"),
        switch("verify", "Compare both ends by hash when a file has arrived"),
        switch("in-place", "Write straight into the target file, not into a part beside it"),
        flag('T', "any-names", "With -O: take whatever names the far side sends"),
    ]
}

fn how() -> [Arg; 6] {
    [
        flag('O', "old-protocol", "Use the old scp protocol, not SFTP"),
        flag('s', "sftp", "Use SFTP (the default)"),
        flag('3', "through-here", "From remote to remote through this machine (the default)"),
        flag('R', "far-sends", "From remote to remote by running scp on the first host"),
        value('l', "limit", "KBIT", "At most so many Kbit a second"),
        value('X', "sftp-option", "WORD=N", "nrequests=N or buffer=N: SFTP requests at once, bytes of each"),
    ]
}

fn way() -> impl Iterator<Item = Arg> {
    let batch = flag('B', "batch", "Ask nothing: no passwords, no passphrases");
    place().into_iter().chain([batch]).chain(carrier("SERVER"))
}

fn shown() -> [Arg; 3] {
    [
        flag('q', "quiet", "Print errors only, no view"),
        counted('v', "verbose", "Say what is going on, ssh as well"),
        switch("json", "Print one JSON object a line and event on standard output"),
    ]
}

/// Flags between the two ends of the old protocol, and those that OpenSSH only still accepts.
fn internal() -> impl Iterator<Item = Arg> {
    const FLAGS: &[(char, &str)] =
        &[('t', "sink"), ('f', "source"), ('d', "folder"), ('1', "protocol-1"), ('2', "protocol-2")];
    FLAGS.iter().map(|(letter, id)| flag(*letter, id, "").hide(true))
}

/// Reads the words after the program's or subcommand's name.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<ScpArgs, Early> {
    let words = read(command(), name, Operands::Last, words).map_err(own_code)?;
    build(words).map_err(|problem| Failure::new(format!("scp: {problem}")).into())
}

fn build(words: Words) -> Result<ScpArgs, String> {
    let mut args = ScpArgs::default();
    for option in &words.options {
        match &option.value {
            Some(value) => args.valued(option, value)?,
            None => args.plain(&option.flag)?,
        }
    }
    args.words = words.operands;
    args.check()?;
    Ok(args)
}

impl ScpArgs {
    fn plain(&mut self, flag: &str) -> Result<(), String> {
        match flag {
            "-1" => return Err("SSH protocol version 1 is not supported".to_owned()),
            "-4" | "-6" | "-A" | "-C" => self.flags.push(flag.into()),
            "-B" => self.flags.push("-oBatchMode=yes".into()),
            "-3" => self.far_sends = false,
            "-R" => self.far_sends = true,
            "-O" => self.legacy = true,
            "-s" => self.legacy = false,
            "-T" => self.any_names = true,
            "-d" => self.target_is_folder = true,
            "-f" => self.role = Role::Source,
            "-t" => self.role = Role::Sink,
            "-p" => self.preserve = true,
            "-r" => self.recursive = true,
            "-q" => {
                self.quiet = true;
                self.flags.push("-q".into());
            }
            "-v" => {
                self.verbose = true;
                self.flags.push("-v".into());
            }
            "--resume" => self.resume = true,
            "--verify" => self.verify = true,
            "--in-place" => self.in_place = true,
            "--json" => self.json = true,
            // -2 has been the only protocol for long; clap has refused everything unknown.
            _ => {}
        }
        Ok(())
    }

    fn valued(&mut self, option: &Opt, value: &OsString) -> Result<(), String> {
        let text = || value.to_str().ok_or_else(|| format!("the value of {} is not UTF-8", option.flag));
        match option.flag.as_str() {
            "-c" | "-F" | "-i" | "-J" | "-o" => self.flags.extend([OsString::from(&option.flag), value.clone()]),
            "-D" => self.direct = Some(value.clone()),
            "-S" => self.program = Some(value.clone()),
            "-P" => self.port = Some(parse_port(text()?).ok_or_else(|| bad("port", text().unwrap_or_default()))?),
            "-l" => self.limit = Some(limit(text()?)?),
            "-X" => self.tuning.option(text()?)?,
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.role != Role::Caller {
            return Ok(());
        }
        if self.words.len() < 2 {
            return Err("two words at least are needed: what to copy, and where to".to_owned());
        }
        let late = |word: &OsString| matches!(word.to_str(), Some("--resume" | "--verify" | "--in-place" | "--json"));
        if let Some(word) = self.words.iter().find(|word| late(word) && !std::path::Path::new(word).exists()) {
            return Err(format!("{} has to stand before the names of files", word.display()));
        }
        let ours = [("--resume", self.resume), ("--verify", self.verify), ("--in-place", self.in_place)];
        match ours.iter().find(|(_, given)| *given) {
            Some((flag, _)) if self.legacy => Err(format!("the old protocol of -O cannot do {flag}")),
            Some((flag, _)) if self.far_sends => Err(format!("another machine's scp (-R) cannot be told {flag}")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn read(line: &str) -> Result<ScpArgs, String> {
        match parse("scp", line.split_whitespace().map(OsString::from).collect()) {
            Ok(args) => Ok(args),
            Err(Early::Usage(failure)) => {
                assert_eq!(failure.exit_code(), 1, "{line}");
                Err(failure.message().to_owned())
            }
            Err(Early::Help(_)) => panic!("{line}: help"),
        }
    }

    #[test]
    fn flags_go_on_to_ssh_in_order() {
        let args = read("-4vCqBA -oA=1 -o B=2 -i key -P22 -l 8 -X buffer=64k -X nrequests=9 -S prog a b:").unwrap();
        let flags: Vec<_> = args.flags.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(flags, ["-4", "-v", "-C", "-q", "-oBatchMode=yes", "-A", "-o", "A=1", "-o", "B=2", "-i", "key"]);
        assert_eq!((args.port, args.limit, args.tuning), (Some(22), Some(1024), Tuning { buffer: 65536, requests: 9 }));
        assert_eq!((args.program.as_deref(), args.words.len()), (Some(std::ffi::OsStr::new("prog")), 2));
    }

    #[test]
    fn a15_words_behind_the_first_file_are_files() {
        let args = read("-f a -oProxyCommand=x -r").unwrap();
        assert_eq!((args.role, args.words.len(), args.recursive), (Role::Source, 3, false));
        assert_eq!(read("-t -- -d").unwrap().words, ["-d"]);
        assert!(read("a b: --resume").unwrap_err().contains("before"));
    }

    #[test]
    fn what_cannot_be_is_said() {
        for line in [
            "",
            "a",
            "-P 0 a b:",
            "-P x a b:",
            "-l 0 a b:",
            "-X a b:",
            "-X buffer=1g a b:",
            "-1 a b:",
            "-z a b:",
            "-O --resume a b:",
            "-R --verify a:b c:",
            "-X nrequests=0 a b:",
            "-o",
            "--nope a b:",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
