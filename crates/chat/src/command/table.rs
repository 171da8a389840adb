//! The words: every command with its usage, its help and what completes it. Parser, help and
//! completion all read this table.

use super::parse::{Arguments, BadUse};
use super::{BanOrder, Command, KeyOrder, Past};
use crate::record::{Bell, Role, THEMES};
use crate::time::parse_duration;
use std::sync::Arc;

/// What an argument is, for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// Somebody's nick.
    Nick,
    /// A room, with `#`.
    Room,
    /// The name of a command.
    Command,
    /// One of these.
    Word(&'static [&'static str]),
    /// Anything.
    Text,
}

/// One command.
#[derive(Debug)]
pub struct Entry {
    /// Its word, without `/`.
    pub word: &'static str,
    /// Other words for it.
    pub also: &'static [&'static str],
    /// What follows the word.
    pub usage: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// What its arguments are, in order.
    pub arguments: &'static [Argument],
    /// Makes the command.
    pub(super) build: fn(&mut Arguments<'_>) -> Result<Command, BadUse>,
}

use Argument::{Nick, Room, Text, Word};

const fn entry(
    word: &'static str,
    also: &'static [&'static str],
    usage: &'static str,
    help: &'static str,
    arguments: &'static [Argument],
    build: fn(&mut Arguments<'_>) -> Result<Command, BadUse>,
) -> Entry {
    Entry { word, also, usage, help, arguments, build }
}

/// All of them, in the order of the help.
pub const TABLE: &[Entry] = &[
    entry(
        "pm",
        &["msg", "m"],
        "<user> <message>",
        "Say something to one person; it waits if he or she is away.",
        &[Nick, Text],
        |a| Ok(Command::Direct { to: a.word()?, text: a.text()? }),
    ),
    entry("list", &["who"], "", "Show who is online.", &[], |_| Ok(Command::List)),
    entry("quit", &["exit", "bye"], "[reason]", "Leave.", &[Text], |a| Ok(Command::Quit(a.rest()))),
    entry("help", &["h", "?"], "[command]", "Show the commands, or how one is used.", &[Argument::Command], |a| {
        Ok(Command::Help(a.optional()))
    }),
    entry("join", &["j"], "<#room> [password]", "Go into a room; it is made if there is none.", &[Room, Text], |a| {
        Ok(Command::Join { room: a.word()?, password: a.optional() })
    }),
    entry("part", &["leave"], "[#room] [reason]", "Leave a room.", &[Room, Text], |a| {
        Ok(Command::Part { room: a.room(), reason: a.rest() })
    }),
    entry("go", &["switch", "focus"], "<#room or user>", "Make what you type go there.", &[Room], |a| {
        Ok(Command::Go(a.word()?))
    }),
    entry("query", &[], "<user>", "Make what you type go to one person.", &[Nick], |a| Ok(Command::Query(a.word()?))),
    entry("rooms", &[], "", "Show the rooms.", &[], |_| Ok(Command::Rooms)),
    entry("names", &[], "[#room]", "Show who is in a room.", &[Room], |a| Ok(Command::Names(a.optional()))),
    entry("whois", &[], "<user>", "Show who somebody is.", &[Nick], |a| Ok(Command::Whois(a.word()?))),
    entry("topic", &[], "[text]", "Show or set what the room is about.", &[Text], |a| {
        Ok(Command::Topic(a.optional_text()))
    }),
    entry("me", &[], "<what you do>", "Say it as something you do.", &[Text], |a| Ok(Command::Me(a.text()?))),
    entry(
        "nick",
        &[],
        "<name>",
        "Be called otherwise. The name is yours while your key is in your account.",
        &[Text],
        |a| Ok(Command::Nick(a.word()?)),
    ),
    entry("away", &["afk"], "[message]", "Say that you are away.", &[Text], |a| {
        Ok(Command::Away(Some(a.optional_text().unwrap_or_else(|| Arc::from("away")))))
    }),
    entry("back", &[], "", "Say that you are back.", &[], |_| Ok(Command::Away(None))),
    entry("ignore", &[], "[user]", "See nothing of somebody; without a name, show whom you ignore.", &[Nick], |a| {
        Ok(Command::Ignore(a.optional()))
    }),
    entry("unignore", &[], "<user>", "See somebody again.", &[Nick], |a| Ok(Command::Unignore(a.word()?))),
    entry(
        "reply",
        &["r"],
        "[line or user] [message]",
        "Answer a line. Alone it shows the lines' short names.",
        &[Nick, Text],
        |a| Ok(Command::Reply { to: a.optional(), text: a.rest() }),
    ),
    entry("edit", &[], "[^line] <text>", "Change your last line, or the one named.", &[Text], |a| {
        Ok(Command::Edit { line: a.marked(), text: a.text()? })
    }),
    entry("delete", &["redact"], "[^line]", "Take your last line back, or the one named.", &[Text], |a| {
        Ok(Command::Delete(a.marked().or_else(|| a.optional())))
    }),
    entry(
        "history",
        &["log"],
        "[20 | 1h | before|after|around <line> [n]]",
        "Show what was said.",
        &[Word(&["before", "after", "around", "1h"])],
        history,
    ),
    entry("search", &["find"], "<words>", "Find lines that hold all the words.", &[Text], |a| {
        Ok(Command::Search(a.text()?))
    }),
    entry("invite", &[], "<user> [#room]", "Let somebody into a room by invitation.", &[Nick, Room], |a| {
        Ok(Command::Invite { nick: a.word()?, room: a.optional() })
    }),
    entry("kick", &[], "<user> [reason]", "Put somebody out of the room.", &[Nick, Text], |a| {
        Ok(Command::Kick { nick: a.word()?, reason: a.rest() })
    }),
    entry("ban", &[], "<user, key or address> [1h] [reason]", "Keep somebody out of the room.", &[Nick, Text], |a| {
        ban(a, false, false)
    }),
    entry("unban", &[], "<user, key or address>", "Let somebody in again.", &[Nick], |a| {
        Ok(Command::Unban { target: a.word()?, mute: false, everywhere: false })
    }),
    entry(
        "mute",
        &[],
        "<user, key or address> [1h] [reason]",
        "Make somebody silent in the room.",
        &[Nick, Text],
        |a| ban(a, true, false),
    ),
    entry("unmute", &[], "<user, key or address>", "Let somebody speak again.", &[Nick], |a| {
        Ok(Command::Unban { target: a.word()?, mute: true, everywhere: false })
    }),
    entry("gban", &[], "<user, key or address> [1h] [reason]", "Keep somebody off the server.", &[Nick, Text], |a| {
        ban(a, false, true)
    }),
    entry("ungban", &[], "<user, key or address>", "Let somebody onto the server again.", &[Nick], |a| {
        Ok(Command::Unban { target: a.word()?, mute: false, everywhere: true })
    }),
    entry(
        "gmute",
        &[],
        "<user, key or address> [1h] [reason]",
        "Make somebody silent on the server.",
        &[Nick, Text],
        |a| ban(a, true, true),
    ),
    entry("ungmute", &[], "<user, key or address>", "Let somebody speak on the server again.", &[Nick], |a| {
        Ok(Command::Unban { target: a.word()?, mute: true, everywhere: true })
    }),
    entry("bans", &[], "", "Show who is banned or muted here.", &[], |_| Ok(Command::Bans)),
    entry("op", &[], "<user>", "Let somebody moderate the room.", &[Nick], |a| {
        Ok(Command::Role { nick: a.word()?, role: Some(Role::Operator) })
    }),
    entry("deop", &[], "<user>", "Not any more.", &[Nick], |a| Ok(Command::Role { nick: a.word()?, role: None })),
    entry("voice", &[], "<user>", "Let somebody speak in a moderated room.", &[Nick], |a| {
        Ok(Command::Role { nick: a.word()?, role: Some(Role::Voice) })
    }),
    entry("devoice", &[], "<user>", "Not any more.", &[Nick], |a| Ok(Command::Role { nick: a.word()?, role: None })),
    entry(
        "mode",
        &[],
        "[+i] [-i] [+k password] [-k] [+m] [-m] [+t] [-t] [+h] [-h] [+e 30d] [-e]",
        "Show or change the room: by invitation, password, moderated, topic locked, past hidden from newcomers, lines expire.",
        &[Word(&["+i", "-i", "+k", "-k", "+m", "-m", "+t", "-t", "+h", "-h", "+e", "-e"])],
        |a| Ok(Command::Mode(a.words())),
    ),
    entry(
        "key",
        &["keys"],
        "[add <SHA256:...> | accept <user> | remove <SHA256:...>]",
        "Your keys: one account on several devices.",
        &[Word(&["add", "accept", "remove", "list"]), Nick],
        key,
    ),
    entry(
        "bell",
        &[],
        "[on | pm | all | off]",
        "What rings: lines with your name, private ones, all, none.",
        &[Word(&["on", "pm", "all", "off"])],
        |a| match a.optional() {
            None => Ok(Command::Bell(None)),
            Some(word) => Ok(Command::Bell(Some(Bell::from_word(&word).ok_or(BadUse)?))),
        },
    ),
    entry("theme", &[], "[classic | dark | light | mono]", "Show or choose how it looks.", &[Word(THEMES)], |a| {
        let name = a.optional();
        let known = name.as_ref().is_none_or(|name| THEMES.contains(&&**name));
        if known { Ok(Command::Theme(name)) } else { Err(BadUse) }
    }),
    entry("zone", &["timezone", "tz"], "[+1:00]", "Show or choose your time zone, as hours from UTC.", &[Text], |a| {
        match a.optional() {
            None => Ok(Command::Zone(None)),
            Some(word) => Ok(Command::Zone(Some(zone(&word).ok_or(BadUse)?))),
        }
    }),
    entry("times", &["timestamp"], "on | off", "Show the time of each line, or not.", &[Word(&["on", "off"])], |a| {
        Ok(Command::Times(a.on()?))
    }),
    entry("emoji", &[], "on | text", "Draw emoji, or write them as words.", &[Word(&["on", "text"])], |a| {
        match &*a.word()? {
            "on" => Ok(Command::EmojiAsText(false)),
            "text" => Ok(Command::EmojiAsText(true)),
            _ => Err(BadUse),
        }
    }),
    entry("plain", &[], "", "Go on in plain lines: for screen readers and the terminal's own scrolling.", &[], |_| {
        Ok(Command::Plain)
    }),
    entry("clear", &[], "", "Clear the screen.", &[], |_| Ok(Command::Clear)),
];

/// A command by its word, without `/`, in any case.
pub fn find(word: &str) -> Option<&'static Entry> {
    let is = |name: &&str| name.eq_ignore_ascii_case(word);
    TABLE.iter().find(|entry| is(&entry.word) || entry.also.iter().any(is))
}

fn ban(a: &mut Arguments<'_>, mute: bool, everywhere: bool) -> Result<Command, BadUse> {
    let target = a.word()?;
    let time = a.duration();
    Ok(Command::Ban { order: BanOrder { target, time, reason: a.rest(), mute }, everywhere })
}

/// Lines that `/history` shows unless told.
const LINES: u32 = 20;

fn history(a: &mut Arguments<'_>) -> Result<Command, BadUse> {
    let Some(first) = a.optional() else { return Ok(Command::History(Past::Last(LINES))) };
    let past = match &*first {
        "before" => Past::Before(a.word()?, a.count(LINES)?),
        "after" => Past::After(a.word()?, a.count(LINES)?),
        "around" => Past::Around(a.word()?, a.count(LINES)?),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => Past::Last(number.parse().map_err(|_| BadUse)?),
        span => Past::For(parse_duration(span).ok_or(BadUse)?),
    };
    Ok(Command::History(past))
}

fn key(a: &mut Arguments<'_>) -> Result<Command, BadUse> {
    let Some(what) = a.optional() else { return Ok(Command::Key(KeyOrder::List)) };
    Ok(Command::Key(match &*what {
        "list" => KeyOrder::List,
        "add" => KeyOrder::Add(a.word()?),
        "accept" => KeyOrder::Accept(a.word()?),
        "remove" => KeyOrder::Remove(a.word()?),
        _ => return Err(BadUse),
    }))
}

/// `+1`, `-3:30`, `utc`, `0`: minutes east of UTC, at most 14 hours.
fn zone(word: &str) -> Option<i32> {
    if word.eq_ignore_ascii_case("utc") {
        return Some(0);
    }
    let (sign, rest) = match word.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i32>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_word_is_there_once() {
        let mut seen = HashSet::new();
        for entry in TABLE {
            for word in entry.also.iter().chain([&entry.word]) {
                assert!(seen.insert(*word), "{word} is there twice");
                assert_eq!(find(word).unwrap().word, entry.word);
            }
            assert!(!entry.help.is_empty() && entry.help.ends_with('.'), "{}", entry.word);
        }
    }

    #[test]
    fn zones() {
        for (text, minutes) in [("+1", 60), ("1", 60), ("-3:30", -210), ("utc", 0), ("0", 0), ("+14:00", 840)] {
            assert_eq!(zone(text), Some(minutes), "{text}");
        }
        for bad in ["", "x", "+15", "1:60", "1:-5", "+-1"] {
            assert_eq!(zone(bad), None, "{bad}");
        }
    }
}
