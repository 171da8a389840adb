//! `nacre passwd`: the flags.

use super::arg::switch;
use clap::builder::PathBufValueParser;
use clap::{Arg, ArgMatches, Command};
use std::path::PathBuf;

/// What a call of `nacre passwd` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswdArgs {
    /// What is to be done.
    pub action: PasswdAction,
    /// `--state`: the folder of the password file, if not the usual one.
    pub state: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswdAction {
    /// Print the names in the file.
    List,
    /// Take a name out.
    Remove(String),
    /// Set a password, a one-time code, or both.
    Set {
        /// Whose.
        name: String,
        /// `--stdin`: the password is the first line of standard input.
        stdin: bool,
        /// `--no-password`: the name logs in by key only.
        no_password: bool,
        /// `--expire`: the password must be changed at the next login.
        expire: bool,
        /// What happens to the one-time code.
        totp: TotpChange,
    },
}

/// What happens to the one-time code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotpChange {
    /// It stays as it is.
    Keep,
    /// `--totp`: a new secret is enrolled.
    Enrol,
    /// `--no-totp`: the name logs in without one.
    Drop,
}

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("passwd")
        .about("Set the passwords and one-time codes of nacre serve")
        .after_help(
            "The file is ~/.local/state/nacre/passwd ($XDG_STATE_HOME is honoured). Once a \
             one-time code is enrolled, the name needs it after its key or its password.",
        )
        .arg(Arg::new("name").value_name("NAME").required_unless_present("list").help("The name to log in with"))
        .arg(switch("totp", "Enrol a one-time code and show it for an authenticator app"))
        .arg(switch("no-totp", "Take the one-time code away").conflicts_with("totp"))
        .arg(switch("stdin", "Read the password from standard input").conflicts_with("no-password"))
        .arg(switch("no-password", "No password: the name logs in by key"))
        .arg(switch("expire", "The password must be changed at the next login").conflicts_with("no-password"))
        .arg(switch("remove", "Take NAME out of the file").conflicts_with_all([
            "totp",
            "no-totp",
            "stdin",
            "no-password",
            "expire",
        ]))
        .arg(switch("list", "List the names and what each has").conflicts_with_all([
            "name",
            "totp",
            "no-totp",
            "stdin",
            "no-password",
            "expire",
            "remove",
        ]))
        .arg(
            Arg::new("state")
                .long("state")
                .value_name("DIR")
                .value_parser(PathBufValueParser::new())
                .help("The folder of the password file"),
        )
}

/// Reads what clap has checked.
pub(crate) fn from_matches(matches: &ArgMatches) -> PasswdArgs {
    let name = matches.get_one::<String>("name").cloned().unwrap_or_default();
    let action = if matches.get_flag("list") {
        PasswdAction::List
    } else if matches.get_flag("remove") {
        PasswdAction::Remove(name)
    } else {
        let totp = match (matches.get_flag("totp"), matches.get_flag("no-totp")) {
            (true, _) => TotpChange::Enrol,
            (_, true) => TotpChange::Drop,
            _ => TotpChange::Keep,
        };
        let (stdin, no_password) = (matches.get_flag("stdin"), matches.get_flag("no-password"));
        PasswdAction::Set { name, stdin, no_password, expire: matches.get_flag("expire"), totp }
    };
    PasswdArgs { action, state: matches.get_one::<PathBuf>("state").cloned() }
}
