//! `nacre sftp`: the flags of sftp(1), and two of ours.

use super::arg::{counted, flag, long_help, switch, value};
use super::destination::parse_port;
use super::getopt::{Operands, Opt, Words};
use super::tuning::{Tuning, bad, carrier, limit, own_code, place};
use super::{Early, read};
use crate::failure::Failure;
use crate::sftp::address::Target;
use clap::{Arg, Command, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// What a call of `nacre sftp` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SftpArgs {
    /// Where to; none with `-D` alone.
    pub target: Option<Target>,
    /// A second word: where the file that the address names goes.
    pub local: Option<OsString>,
    /// `-b`: commands from this file; `-` for standard input.
    pub batch: Option<PathBuf>,
    /// `-q`, or `-b` without `-N`: no view, no remarks.
    pub quiet: bool,
    /// `-v`: say what is going on.
    pub verbose: bool,
    /// `-a`: all transfers go on with what was cut.
    pub resume: bool,
    /// `-f`: all transfers are written to the disk.
    pub fsync: bool,
    /// `-p`: all transfers keep times and modes.
    pub preserve: bool,
    /// `-r`: all transfers take folders with what is in them.
    pub recursive: bool,
    /// `--verify`
    pub verify: bool,
    /// `--in-place`
    pub in_place: bool,
    /// `-l`, in bytes a second.
    pub limit: Option<u64>,
    /// `-B`, `-R` and `-X`.
    pub tuning: Tuning,
    /// `-s`: the subsystem, or with a slash in it the program, on the far side.
    pub server: Option<String>,
    /// `-S`: the program in place of ssh.
    pub program: Option<OsString>,
    /// `-D`: a local SFTP server, with its arguments, in place of any ssh.
    pub direct: Option<OsString>,
    /// Flags that are passed on to ssh, in order.
    pub flags: Vec<OsString>,
}

const WHAT: &str = "What is done";
const HOW: &str = "How";
const WHERE: &str = "The way there";
const SHOWN: &str = "What is printed";

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("sftp")
        .about("Look after files on another machine, and move them there and back")
        .after_help(
            "Where to go is [user@]host[:PATH] or sftp://[user@]host[:port][/PATH]. A PATH that is a folder is where the \
             session begins; a file is fetched at once, to LOCAL if that is given. Then commands are read: type help. On a \
             terminal there are history (arrows), completion (Tab) and Ctrl-C, which stops a transfer.\n\n\
             Flags, commands and exit codes are those of OpenSSH: 255 when there is no connection, 1 when a command of a \
             batch fails that has no - before it, else 0. In a batch, @ before a command keeps it from being echoed.\n\n\
             A file appears under its name when it is complete; until then it is .NAME.nacre-part beside it, which reget, \
             reput and -a go on with, after checking that it matches.",
        )
        .disable_help_flag(true)
        .args(what().map(|arg| arg.help_heading(WHAT)))
        .args(how().map(|arg| arg.help_heading(HOW)))
        .args(way().map(|arg| arg.help_heading(WHERE)))
        .args(shown().map(|arg| arg.help_heading(SHOWN)))
        .arg(long_help().short('h'))
        .args([('1', "protocol-1"), ('2', "protocol-2")].map(|(letter, id)| flag(letter, id, "").hide(true)))
        .args([
            operand("destination", "DESTINATION", "Where to go: [user@]host[:PATH], or a sftp:// address")
                .required_unless_present("direct"),
            operand("local", "LOCAL", "Where the file goes that PATH names"),
        ])
}

fn operand(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id).value_name(name).value_parser(value_parser!(OsString)).help(help)
}

fn what() -> [Arg; 7] {
    [
        value('b', "batch", "FILE", "Read commands from FILE, or with - from standard input; end when one fails"),
        flag('r', "recursive", "Move folders with all that is in them"),
        flag('p', "preserve", "Keep times and modes"),
        flag('a', "resume", "Go on with transfers that were cut, after checking what is there"),
        flag('f', "fsync", "Have every file written to the disk at once"),
        switch("verify", "Compare both ends by hash when a file has arrived"),
        switch("in-place", "Write straight into the target file, not into a part beside it"),
    ]
}

fn how() -> [Arg; 5] {
    [
        value('s', "server", "NAME", "The subsystem there, or with a slash in it the program (default: sftp)"),
        value('l', "limit", "KBIT", "At most so many Kbit a second"),
        value('B', "buffer", "BYTES", "Bytes of one request (default: as many as the server takes)"),
        value('R', "requests", "N", "Requests under way at once (default: as many as are of use)"),
        value('X', "sftp-option", "WORD=N", "nrequests=N or buffer=N: the same two"),
    ]
}

fn way() -> impl Iterator<Item = Arg> {
    place().into_iter().chain(carrier("COMMAND"))
}

fn shown() -> [Arg; 3] {
    [
        flag('q', "quiet", "Print errors and what was asked for only, no view"),
        flag('N', "noisy", "Not quiet, even with -b"),
        counted('v', "verbose", "Say what is going on, ssh as well"),
    ]
}

/// Reads the words after the program's or subcommand's name.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<SftpArgs, Early> {
    let words = read(command(), name, Operands::Last, words).map_err(own_code)?;
    build(words).map_err(|problem| Failure::new(format!("sftp: {problem}")).into())
}

fn build(words: Words) -> Result<SftpArgs, String> {
    let mut draft = Draft::default();
    for option in &words.options {
        match &option.value {
            Some(value) => draft.valued(option, value)?,
            None => draft.plain(&option.flag)?,
        }
    }
    draft.finish(words.operands)
}

#[derive(Default)]
struct Draft {
    args: SftpArgs,
    port: Option<u16>,
    noisy: bool,
}

impl Draft {
    fn plain(&mut self, flag: &str) -> Result<(), String> {
        let args = &mut self.args;
        match flag {
            "-1" => return Err("SSH protocol version 1 is not supported".to_owned()),
            "-4" | "-6" | "-A" | "-C" => args.flags.push(flag.into()),
            "-a" => args.resume = true,
            "-f" => args.fsync = true,
            "-p" => args.preserve = true,
            "-r" => args.recursive = true,
            "-N" => self.noisy = true,
            "-q" => {
                args.quiet = true;
                args.flags.push("-q".into());
            }
            "-v" => {
                args.verbose = true;
                args.flags.push("-v".into());
            }
            "--verify" => args.verify = true,
            "--in-place" => args.in_place = true,
            // -2 has been the only protocol for long; clap has refused everything unknown.
            _ => {}
        }
        Ok(())
    }

    fn valued(&mut self, option: &Opt, value: &OsString) -> Result<(), String> {
        let text = || value.to_str().ok_or_else(|| format!("the value of {} is not UTF-8", option.flag));
        let args = &mut self.args;
        match option.flag.as_str() {
            "-c" | "-F" | "-i" | "-J" | "-o" => args.flags.extend([OsString::from(&option.flag), value.clone()]),
            "-D" => args.direct = Some(value.clone()),
            "-S" => args.program = Some(value.clone()),
            "-s" => args.server = Some(text()?.to_owned()),
            "-P" => self.port = Some(parse_port(text()?).ok_or_else(|| bad("port", text().unwrap_or_default()))?),
            "-l" => args.limit = Some(limit(text()?)?),
            "-B" => args.tuning.buffer(text()?)?,
            "-R" => args.tuning.requests(text()?)?,
            "-X" => args.tuning.option(text()?)?,
            "-b" if args.batch.is_some() => return Err("-b may be given once only".to_owned()),
            "-b" => {
                args.batch = Some(value.into());
                args.quiet = true;
                args.flags.push("-oBatchMode=yes".into());
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, operands: Vec<OsString>) -> Result<SftpArgs, String> {
        let mut args = self.args;
        args.quiet &= !self.noisy;
        let mut operands = operands.into_iter();
        if args.direct.is_none() {
            let word = operands.next().ok_or("the host to connect to is missing")?;
            args.target = Some(Target::parse(&word, self.port)?);
            args.local = operands.next();
        }
        match operands.next() {
            Some(word) => Err(format!("'{}' is one word too many", super::printable(&word.to_string_lossy()))),
            None => Ok(args),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn read(line: &str) -> Result<SftpArgs, String> {
        match parse("sftp", line.split_whitespace().map(OsString::from).collect()) {
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
        let args = read("-4vCA -oA=1 -o B=2 -i key -P22 -b x -l 8 -B 64k -R 9 -S prog u@h:p local").unwrap();
        let flags: Vec<_> = args.flags.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(flags, ["-4", "-v", "-C", "-A", "-o", "A=1", "-o", "B=2", "-i", "key", "-oBatchMode=yes"]);
        let target = args.target.unwrap();
        assert_eq!((target.place.port, target.path.as_deref()), (Some(22), Some(&b"p"[..])));
        assert!(args.quiet && args.local == Some("local".into()) && args.limit == Some(1024));
        assert_eq!((args.tuning.buffer, args.tuning.requests), (65536, 9));
        assert!(!read("-N -b x h").unwrap().quiet);
        assert_eq!(read("-D server").unwrap().target, None);
    }

    #[test]
    fn what_cannot_be_is_said() {
        for line in [
            "",
            "-1 h",
            "-P 0 h",
            "-l x h",
            "-B 0 h",
            "-B 1g h",
            "-R 0 h",
            "-X a h",
            "-z h",
            "-b a -b b h",
            "h a b",
            "-D s x",
            "-o",
            "h;x",
            "--nope h",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
