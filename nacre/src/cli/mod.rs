//! The command table: every subcommand and flag once, as data.
//!
//! Parsing, `--help`, the man pages and the shell completions are all drawn from [`table`].
//! What comes out of [`parse`] is a typed [`Invocation`]; nothing here touches the world.

pub mod add;
pub mod agent;
mod arg;
pub mod audit;
pub mod chat;
pub mod destination;
pub mod explain;
mod getopt;
pub mod keygen;
pub mod keyscan;
pub mod lab;
mod overview;
pub mod pages;
pub mod passwd;
pub mod scp;
pub mod serve;
pub mod setting;
pub mod sftp;
pub mod sftp_server;
pub mod ssh;
pub mod tuning;
mod usage;

use crate::failure::Failure;
use clap::Command;
use getopt::{Operands, Spec, Words};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A command line, understood.
#[derive(Debug)]
pub enum Invocation {
    /// `--help` or `--version`: the text is in clap's hands, which knows about colours.
    Help(clap::Error),
    /// Text for standard output and nothing else to do.
    Text(String),
    /// `nacre ssh`.
    Ssh(Box<ssh::SshArgs>),
    /// `nacre scp`.
    Scp(Box<scp::ScpArgs>),
    /// `nacre sftp`.
    Sftp(Box<sftp::SftpArgs>),
    /// `nacre sftp-server`.
    SftpServer(Box<sftp_server::SftpServerArgs>),
    /// `nacre serve`.
    Serve(Box<serve::ServeArgs>),
    /// `nacre keygen`.
    Keygen(Box<keygen::KeygenArgs>),
    /// `nacre keyscan`.
    Keyscan(Box<keyscan::KeyscanArgs>),
    /// `nacre agent`.
    Agent(Box<agent::AgentArgs>),
    /// `nacre add`.
    Add(Box<add::AddArgs>),
    /// `nacre passwd`.
    Passwd(passwd::PasswdArgs),
    /// `nacre explain`.
    Explain(Box<explain::ExplainArgs>),
    /// `nacre audit`.
    Audit(Box<audit::AuditArgs>),
    /// `nacre chat admin`.
    ChatAdmin(Box<chat::AdminArgs>),
    /// `nacre lab`.
    Lab(lab::LabArgs),
    /// `nacre try`.
    Try(explain::TryArgs),
    /// `nacre links DIR`.
    Links {
        /// Where the links are made.
        directory: PathBuf,
    },
    /// `nacre man`.
    Man(pages::ManRequest),
    /// `nacre completions SHELL`.
    Completions(clap_complete::Shell),
}

/// Why parsing ended before there was anything to run.
#[derive(Debug)]
pub(crate) enum Early {
    /// Help was asked for.
    Help(Box<clap::Error>),
    /// The line cannot be understood.
    Usage(Failure),
}

impl From<Failure> for Early {
    fn from(failure: Failure) -> Self {
        Self::Usage(failure)
    }
}

/// The OpenSSH names that the program answers to, and the subcommand each stands for.
pub const OPENSSH_NAMES: &[(&str, &str)] = &[
    ("ssh", "ssh"),
    ("scp", "scp"),
    ("sftp", "sftp"),
    ("sftp-server", "sftp-server"),
    ("sshd", "serve"),
    ("ssh-keygen", "keygen"),
    ("ssh-keyscan", "keyscan"),
    ("ssh-agent", "agent"),
    ("ssh-add", "add"),
];

/// Widest line of help, in columns.
const WIDTH: usize = 80;

/// The whole table.
pub fn table() -> Command {
    Command::new("nacre")
        .version(crate::version::VERSION)
        .about("A secure shell whose every step can be seen")
        .max_term_width(WIDTH)
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommands([
            explain::try_command(),
            serve::command(),
            ssh::command(),
            scp::command(),
            sftp::command(),
            sftp_server::command(),
            keygen::command(),
            keyscan::command(),
            agent::command(),
            add::command(),
            passwd::command(),
            explain::command(),
            audit::command(),
            chat::command(),
            lab::command(),
            pages::links_command(),
            pages::man_command(),
            pages::completions_command(),
        ])
        .after_help("`nacre COMMAND --help` tells about one command.")
}

/// Reads a command line, program name first.
///
/// # Errors
/// The line cannot be understood; the failure has the exit code that the called name promises.
pub fn parse(argv: Vec<OsString>) -> Result<Invocation, Failure> {
    let mut words = argv.into_iter();
    let program = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let called_as = Path::new(&program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parsed = match OPENSSH_NAMES.iter().find(|(openssh, _)| *openssh == called_as) {
        Some((openssh, subcommand)) => openssh_style(subcommand, openssh, words),
        None => subcommand(words),
    };
    match parsed {
        Ok(invocation) => Ok(invocation),
        Err(Early::Help(help)) => Ok(Invocation::Help(*help)),
        Err(Early::Usage(failure)) => Err(failure),
    }
}

fn subcommand(mut words: Vec<OsString>) -> Result<Invocation, Early> {
    let Some(first) = words.first().and_then(|word| word.to_str()).map(str::to_owned) else {
        if words.is_empty() {
            return Ok(Invocation::Text(overview::text()));
        }
        return clap_style(words);
    };
    match first.as_str() {
        "ssh" | "scp" | "sftp" | "sftp-server" | "serve" | "keygen" | "keyscan" | "agent" | "add" | "explain"
        | "audit" => {
            words.remove(0);
            openssh_style(&first, &format!("nacre {first}"), words)
        }
        "chat" if words.get(1).is_some_and(|word| word == "serve") => {
            let words = words.split_off(2);
            Ok(Invocation::Serve(Box::new(serve::parse_chat("nacre chat serve", words)?)))
        }
        "chat" if words.get(1).is_some_and(|word| word == "join") => {
            let words = words.split_off(2);
            Ok(Invocation::Ssh(Box::new(ssh::parse_join("nacre chat join", words)?)))
        }
        _ => clap_style(words),
    }
}

/// The subcommands whose command lines follow getopt(3), as OpenSSH's do.
fn openssh_style(subcommand: &str, name: &str, words: Vec<OsString>) -> Result<Invocation, Early> {
    Ok(match subcommand {
        "ssh" => Invocation::Ssh(Box::new(ssh::parse(name, words)?)),
        "scp" => Invocation::Scp(Box::new(scp::parse(name, words)?)),
        "sftp" => Invocation::Sftp(Box::new(sftp::parse(name, words)?)),
        "sftp-server" => Invocation::SftpServer(Box::new(sftp_server::parse_called(name, words)?)),
        "serve" => Invocation::Serve(Box::new(serve::parse(name, words, name == "sshd")?)),
        "keyscan" => Invocation::Keyscan(Box::new(keyscan::parse(name, words)?)),
        "agent" => Invocation::Agent(Box::new(agent::parse(name, words)?)),
        "add" => Invocation::Add(Box::new(add::parse(name, words)?)),
        "audit" => Invocation::Audit(Box::new(audit::parse(name, words)?)),
        "explain" => Invocation::Explain(Box::new(explain::parse(name, words)?)),
        _ => Invocation::Keygen(Box::new(keygen::parse(name, words)?)),
    })
}

/// The subcommands that are ours alone, whose lines clap reads as they are.
fn clap_style(words: Vec<OsString>) -> Result<Invocation, Early> {
    let table = table();
    let named = words.first().and_then(|word| word.to_str()).and_then(|word| table.find_subcommand(word));
    let name = named.map_or_else(|| "nacre".to_owned(), |command| format!("nacre {}", command.get_name()));
    let argv = std::iter::once(OsString::from("nacre")).chain(words);
    let matches = table.try_get_matches_from(argv).map_err(|error| usage::early(error, &name))?;
    Ok(match matches.subcommand() {
        Some(("passwd", matches)) => Invocation::Passwd(passwd::from_matches(matches)),
        Some(("chat", matches)) => match chat::from_matches(matches) {
            Some(args) => Invocation::ChatAdmin(Box::new(args)),
            None => Invocation::Text(overview::text()),
        },
        Some(("lab", matches)) => Invocation::Lab(lab::from_matches(matches)?),
        Some(("try", matches)) => Invocation::Try(explain::try_from_matches(matches)),
        Some(("links", matches)) => Invocation::Links { directory: pages::links_from(matches) },
        Some(("man", matches)) => Invocation::Man(pages::man_from(matches)),
        Some(("completions", matches)) => Invocation::Completions(pages::shell_from(matches)),
        _ => Invocation::Text(overview::text()),
    })
}

/// Takes a getopt(3) line apart and lets the table check it.
fn read(command: Command, name: &str, operands: Operands, words: Vec<OsString>) -> Result<Words, Early> {
    let words = Spec::of(&command, operands).scan(words);
    let asks_help = words.options.iter().any(|option| option.flag == "--help");
    if let (Some(flag), false) = (&words.missing_value, asks_help) {
        return Err(usage::failure(format!("{}: {flag} needs a value", usage::short(name)), name).into());
    }
    command
        .bin_name(name.to_owned())
        .max_term_width(WIDTH)
        .try_get_matches_from(words.to_clap(name))
        .map_err(|error| usage::early(error, name))?;
    Ok(words)
}

/// Command-line text made fit for an error message.
fn printable(text: &str) -> String {
    nacre_wire::text::clean_line(text.as_bytes(), 64)
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn the_table_is_consistent() {
        table().debug_assert();
    }
}
