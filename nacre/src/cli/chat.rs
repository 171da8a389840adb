//! `nacre chat`: the rows of the command table.

use super::arg::switch;
use super::{serve, ssh};
use clap::builder::PathBufValueParser;
use clap::{Arg, ArgMatches, Command};
use nacre_chat::command::BanOrder;
use nacre_chat::{AdminRequest, parse_duration};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a call of `nacre chat admin` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminArgs {
    /// `--state`: the folder of the chat, if not the usual one.
    pub state: Option<PathBuf>,
    /// `--json`: for programs.
    pub json: bool,
    /// What is to be done.
    pub order: AdminOrder,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminOrder {
    /// Show all accounts.
    Accounts,
    /// Show all rooms.
    Rooms,
    /// Show all bans and mutes.
    Bans,
    /// Write the lines out.
    Export {
        /// Of one room alone.
        room: Option<String>,
        /// Of the last so long.
        since: Option<Duration>,
    },
    /// Make an account.
    Add {
        /// Its nick.
        nick: String,
        /// A fingerprint, or a file with a public key.
        key: String,
    },
    /// Ask the server.
    Ask(AdminRequest),
}

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("chat")
        .about("A chat that every ssh can join")
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .subcommands([serve::chat_command(), ssh::join_command(), admin()])
}

fn admin() -> Command {
    Command::new("admin")
        .about("See and order the chat of this machine")
        .after_help(
            "What shows reads the chat's file, also while nobody serves it; the rest asks the server that runs.",
        )
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg(
            Arg::new("state")
                .long("state")
                .value_name("DIR")
                .global(true)
                .value_parser(PathBufValueParser::new())
                .help("The folder of the chat, as `nacre chat serve` was given"),
        )
        .arg(switch("json", "One JSON object a line").global(true))
        .subcommands([
            Command::new("accounts").about("Show all accounts"),
            Command::new("rooms").about("Show all rooms"),
            Command::new("bans").about("Show who is kept out or silent"),
            Command::new("export")
                .about("Write all lines out, oldest first")
                .arg(word("room", "ROOM", "Of this room alone").required(false))
                .arg(long("since", "TIME", "Of the last TIME (1h, 30d)").value_parser(duration)),
            whom(Command::new("ban").about("Keep somebody out"))
                .arg(long("for", "TIME", "For so long (1h, 30d); else for ever").value_parser(duration))
                .arg(
                    Arg::new("reason")
                        .value_name("REASON")
                        .num_args(0..)
                        .trailing_var_arg(true)
                        .help("What he or she is told"),
                ),
            whom(Command::new("unban").about("Let somebody in again")),
            Command::new("add")
                .about("Make an account for a key")
                .arg(word("nick", "NICK", "What it is called"))
                .arg(word("key", "KEY", "SHA256:..., or a file with the public key")),
            Command::new("delete")
                .about("Forget an account, whose nick is free then, or a room with its lines")
                .arg(word("what", "NICK|#ROOM", "Which")),
            Command::new("announce").about("Say something to everybody").arg(word("text", "TEXT", "What")),
            Command::new("keep")
                .about("Say how long a room's lines are kept")
                .arg(word("room", "ROOM", "Which room"))
                .arg(word("time", "TIME", "30d, 12h ...; `none` for what ChatKeep says").value_parser(keep)),
        ])
}

fn word(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id).value_name(name).required(true).help(help)
}

fn long(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name(name).help(help)
}

fn whom(command: Command) -> Command {
    command
        .arg(word("target", "NICK|KEY|ADDRESS", "A nick, SHA256:..., an address or a network"))
        .arg(long("room", "ROOM", "In this room alone"))
        .arg(switch("mute", "Only silent, not kept out"))
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).filter(|time| !time.is_zero()).ok_or("no time")
}

/// A time or `none`.
fn keep(text: &str) -> Result<Keep, &'static str> {
    if text == "none" { Ok(Keep(None)) } else { duration(text).map(|time| Keep(Some(time))) }
}

#[derive(Debug, Clone, Copy)]
struct Keep(Option<Duration>);

/// Reads what clap has checked; none where it is another subcommand of the chat.
pub(crate) fn from_matches(matches: &ArgMatches) -> Option<AdminArgs> {
    let (name, matches) = matches.subcommand_matches("admin")?.subcommand()?;
    let text = |id: &str| matches.try_get_one::<String>(id).ok().flatten().cloned();
    let needed = |id: &str| text(id).unwrap_or_default();
    let shared = |id: &str| Arc::from(needed(id));
    let room = || text("room").map(Arc::from);
    let time = |id: &str| matches.try_get_one::<Duration>(id).ok().flatten().copied();
    let mute = || matches.get_flag("mute");
    let order = match name {
        "accounts" => AdminOrder::Accounts,
        "rooms" => AdminOrder::Rooms,
        "bans" => AdminOrder::Bans,
        "export" => AdminOrder::Export { room: text("room"), since: time("since") },
        "add" => AdminOrder::Add { nick: needed("nick"), key: needed("key") },
        "ban" => {
            let words: Vec<&str> =
                matches.get_many::<String>("reason").unwrap_or_default().map(String::as_str).collect();
            let reason = Arc::from(words.join(" "));
            let order = BanOrder { target: shared("target"), time: time("for"), reason, mute: mute() };
            AdminOrder::Ask(AdminRequest::Ban { order, room: room() })
        }
        "unban" => AdminOrder::Ask(AdminRequest::Unban { target: shared("target"), mute: mute(), room: room() }),
        "delete" if needed("what").starts_with('#') => AdminOrder::Ask(AdminRequest::DeleteRoom(shared("what"))),
        "delete" => AdminOrder::Ask(AdminRequest::DeleteAccount(shared("what"))),
        "announce" => AdminOrder::Ask(AdminRequest::Announce(shared("text"))),
        _ => {
            let time = matches.get_one::<Keep>("time").and_then(|keep| keep.0);
            AdminOrder::Ask(AdminRequest::Keep { room: shared("room"), time })
        }
    };
    let state = matches.get_one::<PathBuf>("state").cloned();
    Some(AdminArgs { state, json: matches.get_flag("json"), order })
}
