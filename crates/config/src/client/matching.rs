//! `Match` in `ssh_config`: every criterion on the line must hold.

use super::parse::Parser;
use super::{Keyword, tokens};
use crate::cidr;
use crate::error::ErrorKind;
use crate::expand::{self, Tokens};
use crate::pattern::{self, ListMatch};
use crate::token::Line;

/// The criteria that take an argument.
const WITH_ARGUMENT: [&str; 10] = [
    "exec",
    "host",
    "originalhost",
    "user",
    "localuser",
    "tagged",
    "localnetwork",
    "command",
    "version",
    "sessiontype",
];

fn bad(text: impl Into<String>) -> ErrorKind {
    ErrorKind::BadMatch(text.into())
}

/// True when the line's block applies. With `never` nothing is asked of the machine.
pub(super) fn matches(parser: &mut Parser<'_>, line: &Line, never: bool) -> Result<bool, ErrorKind> {
    let mut result = !never;
    let mut words = line.words.iter();
    while let Some(word) = words.next() {
        let (negated, criterion) = word.strip_prefix('!').map_or((false, word.as_str()), |rest| (true, rest));
        // Newer OpenSSH also takes `user=bob`.
        let (name, attached) = match criterion.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (criterion, None),
        };
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "all" => {
                if words.next().is_some() || attached.is_some() {
                    return Err(bad("'all' cannot be combined with other Match attributes"));
                }
                return Ok(result && !negated);
            }
            "final" | "canonical" => {
                parser.want_final |= name == "final";
                result &= parser.final_pass != negated;
                continue;
            }
            _ => {}
        }
        if !WITH_ARGUMENT.contains(&name.as_str()) {
            let near = crate::nearest::nearest(&name, WITH_ARGUMENT.into_iter().chain(["all", "final", "canonical"]));
            let near = near.map_or(String::new(), |near| format!(" (did you mean {near}?)"));
            return Err(bad(format!("Unsupported Match attribute {name}{near}")));
        }
        let argument = attached.or_else(|| words.next().map(String::as_str));
        let argument = argument.filter(|a| !a.is_empty() || name == "tagged" || name == "command");
        let argument = argument.ok_or_else(|| bad(format!("missing argument for '{name}'")))?;
        // A command is run only when all before it held.
        if result {
            result = holds(parser, &name, argument)? != negated;
        } else if name == "localnetwork" {
            cidr::matches_list(None, argument).map_err(|error| bad(error.to_string()))?;
        }
    }
    if line.words.is_empty() {
        return Err(bad("One or more attributes required for Match"));
    }
    Ok(result)
}

fn holds(parser: &Parser<'_>, name: &str, argument: &str) -> Result<bool, ErrorKind> {
    let list = |text: &str| pattern::matches_list(text, argument, false) == ListMatch::Yes;
    let host = || parser.host_name().map_err(|error| error.kind);
    Ok(match name {
        "host" => pattern::matches_host(&host()?, argument) == ListMatch::Yes,
        "originalhost" => pattern::matches_host(&parser.invocation.host, argument) == ListMatch::Yes,
        "user" => list(&user(parser)),
        "localuser" => list(&parser.world.account().name),
        "tagged" if argument.is_empty() => !parser.settings.is_set(Keyword::Tag),
        "tagged" => list(&parser.settings.text(Keyword::Tag)),
        "command" if argument.is_empty() => parser.invocation.command.is_empty(),
        "command" => list(&parser.invocation.command),
        "version" => list(&parser.invocation.version),
        "sessiontype" => list(session_type(parser)),
        "localnetwork" => {
            for address in parser.world.local_addresses() {
                let found = cidr::matches_list(Some(address), argument).map_err(|error| bad(error.to_string()))?;
                if found == ListMatch::Yes {
                    return Ok(true);
                }
            }
            cidr::matches_list(None, argument).map_err(|error| bad(error.to_string()))?;
            false
        }
        "exec" => {
            let tokens = tokens(parser).map_err(bad)?;
            let command = expand::expand(argument, &tokens, Some(parser.world)).map_err(bad)?;
            parser.world.exec(&command).map_err(|error| bad(format!("exec {command}: {error}")))?
        }
        _ => return Err(bad(format!("Unsupported Match attribute {name}"))),
    })
}

fn user(parser: &Parser<'_>) -> String {
    match parser.settings.first(Keyword::User) {
        Some(setting) => setting.value.text(),
        None => parser.world.account().name,
    }
}

fn session_type(parser: &Parser<'_>) -> &'static str {
    match parser.settings.text(Keyword::SessionType).as_str() {
        "none" => "none",
        "subsystem" => "subsystem",
        _ if !parser.invocation.command.is_empty() => "exec",
        _ if parser.settings.text_or_none(Keyword::RemoteCommand).is_some() => "exec",
        _ => "shell",
    }
}

/// The tokens as they stand in the middle of a reading.
pub(super) fn tokens(parser: &Parser<'_>) -> Result<Tokens, String> {
    let host = parser.host_name().map_err(|error| error.to_string())?;
    let alias = parser.settings.text_or_none(Keyword::HostKeyAlias);
    Ok(tokens::build(&tokens::Facts {
        world: parser.world,
        original_host: &parser.invocation.host,
        host: &host,
        host_key_alias: alias.as_deref(),
        port: parser.settings.number(Keyword::Port),
        user: &user(parser),
        jump: &parser.settings.text_or_none(Keyword::ProxyJump).unwrap_or_default(),
    }))
}
