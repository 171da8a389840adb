//! `nacre links`, `nacre man` and `nacre completions`: the flags.

use clap::builder::PathBufValueParser;
use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;
use std::path::PathBuf;

/// Which manual pages, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManRequest {
    /// One page on standard output: a subcommand's, or without a name the program's.
    One(Option<String>),
    /// All pages as files in a folder.
    All(PathBuf),
}

/// The row of `nacre links`.
pub(crate) fn links_command() -> Command {
    Command::new("links")
        .about("Make links so that ssh, scp and OpenSSH's other names call nacre")
        .after_help(
            "Make links named ssh, sshd, ssh-keygen, ssh-keyscan, ssh-agent, ssh-add, scp, sftp and sftp-server in a folder, \
             which then behave as those programs do. A file that is not such a link is never touched.",
        )
        .arg(
            Arg::new("directory")
                .value_name("DIR")
                .required(true)
                .value_parser(PathBufValueParser::new())
                .help("The folder to make them in"),
        )
}

/// The row of `nacre man`.
pub(crate) fn man_command() -> Command {
    Command::new("man")
        .about("Print a manual page, for `man -l -`")
        .arg(Arg::new("command").value_name("COMMAND").help("Whose page; without a name the program's"))
        .arg(
            Arg::new("all")
                .long("all")
                .value_name("DIR")
                .conflicts_with("command")
                .value_parser(PathBufValueParser::new())
                .help("Write all pages as files into this folder"),
        )
}

/// The row of `nacre completions`.
pub(crate) fn completions_command() -> Command {
    Command::new("completions").about("Print completions for bash, zsh or fish").arg(
        Arg::new("shell")
            .value_name("SHELL")
            .required(true)
            .value_parser(["bash", "zsh", "fish"])
            .help("The shell that reads them"),
    )
}

/// Reads what clap has checked for `nacre links`.
pub(crate) fn links_from(matches: &ArgMatches) -> PathBuf {
    matches.get_one::<PathBuf>("directory").cloned().unwrap_or_default()
}

/// Reads what clap has checked for `nacre man`.
pub(crate) fn man_from(matches: &ArgMatches) -> ManRequest {
    match matches.get_one::<PathBuf>("all") {
        Some(directory) => ManRequest::All(directory.clone()),
        None => ManRequest::One(matches.get_one::<String>("command").cloned()),
    }
}

/// Reads what clap has checked for `nacre completions`.
pub(crate) fn shell_from(matches: &ArgMatches) -> Shell {
    match matches.get_one::<String>("shell").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    }
}
