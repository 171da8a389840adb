//! `nacre sftp-server`: the flags of sftp-server(8), and one of ours.

use super::arg::{flag, long_value, value};
use super::getopt::{Operands, Opt, Words};
use super::{Early, printable, read};
use crate::failure::Failure;
use clap::{Arg, Command};
use nacre_config::client::LogLevel;
use nacre_files::server::{known_request, request_names};
use std::ffi::OsString;
use std::path::PathBuf;

/// What a call of `nacre sftp-server` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpServerArgs {
    /// `-Q requests`: print the names of all requests and do nothing else.
    pub list_requests: bool,
    /// `-R`: nothing on the disk changes.
    pub read_only: bool,
    /// `-d`: the folder to start in, with tokens.
    pub start: Option<String>,
    /// `--root`: the folder that is all there is.
    pub root: Option<PathBuf>,
    /// `-u`: the file mode creation mask.
    pub umask: Option<u32>,
    /// `-p`: the only requests that are answered.
    pub allowed: Option<Vec<String>>,
    /// `-P`: requests that are refused.
    pub denied: Vec<String>,
    /// `-l`: how much is logged.
    pub level: LogLevel,
    /// `-f`: where in the system log.
    pub facility: String,
    /// `-e`: to standard error instead.
    pub stderr: bool,
}

impl Default for SftpServerArgs {
    fn default() -> Self {
        Self {
            list_requests: false,
            read_only: false,
            start: None,
            root: None,
            umask: None,
            allowed: None,
            denied: Vec::new(),
            level: LogLevel::Error,
            facility: "AUTH".to_owned(),
            stderr: false,
        }
    }
}

const LEVELS: [&str; 9] = ["QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3"];
const FACILITIES: [&str; 12] = [
    "DAEMON", "USER", "AUTH", "AUTHPRIV", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6",
    "LOCAL7",
];

const MAY: &str = "What a client may do";
const TOLD: &str = "What is logged";

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("sftp-server")
        .about("Serve files to one SFTP client, for sshd to start")
        .after_help(
            "In the configuration of any SSH server: `Subsystem sftp /usr/bin/nacre sftp-server`. `nacre serve` has it \
             built in: `Subsystem sftp internal-sftp`, and is set so when nothing is said. The same flags follow the \
             name `internal-sftp` there, also in ForceCommand:\n\n    \
             ForceCommand internal-sftp --root /srv/files/%u\n\n\
             keeps clients inside a folder, without root's rights: `/` is that folder and no path or link leads out of \
             it. In DIR, %u is the user, %d the home folder and %% a percent sign.",
        )
        .args(may().map(|arg| arg.help_heading(MAY)))
        .args(
            [
                value('l', "level", "LEVEL", "QUIET, FATAL, ERROR (the default), INFO, VERBOSE or DEBUG"),
                value('f', "facility", "FACILITY", "Where in the system log: AUTH, USER, DAEMON, LOCAL0 to LOCAL7"),
                flag('e', "stderr", "Log to standard error"),
            ]
            .map(|arg| arg.help_heading(TOLD)),
        )
        .args([
            value('Q', "query", "WHAT", "Print names: `-Q requests`"),
            flag('c', "shell", "Called as a login shell: pass over all that follows"),
        ])
        .arg(Arg::new("rest").num_args(0..).hide(true))
}

fn may() -> [Arg; 6] {
    [
        flag('R', "read-only", "Change nothing on the disk"),
        value('d', "start", "DIR", "Start in this folder, not in the home folder"),
        long_value("root", "DIR", "Show nothing but this folder"),
        value('u', "umask", "UMASK", "Mask of the modes of new files, octal"),
        value('p', "allowed", "REQUESTS", "Answer only these, with commas between"),
        value('P', "denied", "REQUESTS", "Refuse these, with commas between"),
    ]
}

fn failed(problem: String) -> Failure {
    Failure::new(format!("sftp-server: {problem}"))
}

/// Reads the words after the program's or subcommand's name. Those that are no flags are passed over, as by OpenSSH's: `scp -D`
/// adds the host's name.
///
/// # Errors
/// The line cannot be understood.
pub(crate) fn parse_called(name: &str, words: Vec<OsString>) -> Result<SftpServerArgs, Early> {
    let words = read(command(), name, Operands::Anywhere, until_shell(words))?;
    understood(&words)
}

/// Reads the words after `internal-sftp`, where one that is no flag is a mistake of who wrote the configuration.
///
/// # Errors
/// The line cannot be understood.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<SftpServerArgs, Early> {
    let words = read(command(), name, Operands::Anywhere, until_shell(words))?;
    if let Some(operand) = words.operands.first() {
        return Err(failed(format!("'{}' is no flag", printable(&operand.to_string_lossy()))).into());
    }
    understood(&words)
}

fn understood(words: &Words) -> Result<SftpServerArgs, Early> {
    let mut args = SftpServerArgs::default();
    words.options.iter().try_for_each(|option| args.option(option)).map_err(failed)?;
    Ok(args)
}

/// A login shell gets its command after `-c`, which is not for us.
fn until_shell(mut words: Vec<OsString>) -> Vec<OsString> {
    if let Some(at) = words.iter().position(|word| word == "-c") {
        words.truncate(at);
    }
    words
}

impl SftpServerArgs {
    fn option(&mut self, option: &Opt) -> Result<(), String> {
        let Some(value) = &option.value else {
            match option.flag.as_str() {
                "-R" => self.read_only = true,
                "-e" => self.stderr = true,
                _ => {}
            }
            return Ok(());
        };
        let text = value.to_str().ok_or_else(|| format!("the value of {} is not UTF-8", option.flag))?;
        match option.flag.as_str() {
            "-Q" if text.eq_ignore_ascii_case("requests") => self.list_requests = true,
            "-Q" => return Err(format!("-Q knows `requests`, not '{}'", printable(text))),
            "-d" => self.start = Some(text.to_owned()),
            "--root" => self.root = Some(text.into()),
            "-u" => self.umask = Some(umask(text)?),
            "-p" => self.allowed = Some(requests("-p", text)?),
            "-P" => self.denied.extend(requests("-P", text)?),
            "-l" => self.level = LogLevel::of(known("-l", text, &LEVELS)?),
            "-f" => self.facility = known("-f", text, &FACILITIES)?.to_owned(),
            _ => {}
        }
        Ok(())
    }
}

fn umask(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mask| *mask <= 0o777)
        .ok_or_else(|| format!("-u needs an octal mask up to 777, not '{}'", printable(text)))
}

fn known(flag: &str, text: &str, words: &[&'static str]) -> Result<&'static str, String> {
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| format!("{flag} knows {}, not '{}'", words.join(", "), printable(text)))
}

/// A name that means nothing is a mistake that could leave open what was to be closed.
fn requests(flag: &str, text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    match names.iter().find(|name| !known_request(name)) {
        None => Ok(names),
        Some(unknown) => {
            let all: Vec<_> = request_names().collect();
            Err(format!("{flag}: there is no request '{}'; there are {}", printable(unknown), all.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(line: &[&str]) -> Result<SftpServerArgs, String> {
        parse("sftp-server", line.iter().map(OsString::from).collect()).map_err(|early| match early {
            Early::Usage(failure) => failure.message().to_owned(),
            Early::Help(_) => "help".to_owned(),
        })
    }

    #[test]
    fn flags_of_the_manual_are_read() {
        let args =
            read(&["-eR", "-d/in/%u", "-lVERBOSE", "-f", "local3", "-u", "027", "-P", "remove,copy-data"]).unwrap();
        assert!(args.stderr && args.read_only);
        assert_eq!((args.start.as_deref(), args.umask), (Some("/in/%u"), Some(0o027)));
        assert_eq!((args.level, args.facility.as_str()), (LogLevel::Verbose, "LOCAL3"));
        assert_eq!(args.denied, ["remove", "copy-data"]);
        assert_eq!(read(&["--root", "/srv", "-p", "stat"]).unwrap().root, Some("/srv".into()));
        assert_eq!(read(&[]).unwrap(), SftpServerArgs::default());
        assert_eq!(read(&["-R", "-c", "scp -t /"]).unwrap(), SftpServerArgs { read_only: true, ..Default::default() });
        assert!(read(&["-Q", "requests"]).unwrap().list_requests);
        assert_eq!(read(&["-h"]).unwrap_err(), "help");
    }

    #[test]
    fn words_that_are_no_flags_are_passed_over_by_the_program_alone() {
        let words = ["host", "-R"].map(OsString::from).to_vec();
        assert!(parse_called("sftp-server", words.clone()).is_ok_and(|args| args.read_only));
        assert!(parse("internal-sftp", words).is_err());
    }

    #[test]
    fn f05_a_name_in_a_list_that_means_nothing_is_refused() {
        for bad in [&["-P", "wirte"][..], &["-p", "open,raed"], &["-u", "8"], &["-u", "1777"], &["-l", "loud"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        for bad in [&["-f", "KERN"][..], &["-Q", "ciphers"], &["stray"], &["-d"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
