//! Commands: each to the part of the engine that does it.

use super::Engine;
use crate::command::{Command, TABLE, find};
use crate::effect::Effect;
use crate::event::Event;
use crate::id::SessionId;
use crate::line::LineKind;
use std::fmt::Write;

impl Engine {
    /// Does what a session asks for.
    pub(super) fn obey(&mut self, session: SessionId, command: Command) {
        match command {
            Command::Say(text) => self.say(session, LineKind::Message, &text),
            Command::Me(text) => self.say(session, LineKind::Action, &text),
            Command::Direct { to, text } | Command::SayIn { to, text } => self.say_where(session, &to, &text),
            Command::List => self.list(session),
            Command::Quit(reason) => self.quit(session, &reason),
            Command::Help(about) => self.help(session, about.as_deref()),
            Command::Join { room, password } => self.join_room(session, &room, password),
            Command::Part { room, reason } => self.part_room(session, room.as_deref(), &reason),
            Command::Names(room) => self.names(session, room.as_deref()),
            Command::Nick(nick) => self.rename(session, &nick),
            Command::Query(nick) => self.query(session, &nick),
            Command::Go(to) => self.go(session, &to),
            Command::Rooms => self.rooms(session),
            Command::Whois(nick) => self.whois(session, &nick),
            Command::Topic(text) => self.topic(session, text.as_deref()),
            Command::Away(message) => self.away(session, message.as_deref()),
            Command::Ignore(nick) => self.ignore(session, nick.as_deref()),
            Command::Unignore(nick) => self.unignore(session, &nick),
            Command::Invite { nick, room } => self.invite(session, &nick, room.as_deref()),
            Command::Kick { nick, reason } => self.kick(session, &nick, &reason),
            Command::Ban { order, everywhere } => self.ban(session, &order, everywhere),
            Command::Unban { target, mute, everywhere } => self.unban(session, &target, mute, everywhere),
            Command::Bans => self.list_bans(session),
            Command::Role { nick, role } => self.role(session, &nick, role),
            Command::Mode(words) => self.mode(session, &words),
            Command::History(past) => self.history(session, past),
            Command::Search(words) => self.search(session, &words),
            Command::Reply { to, text } => self.reply(session, to.as_deref(), &text),
            Command::Edit { line, text } => self.edit(session, line.as_deref(), &text),
            Command::Delete(line) => self.delete(session, line.as_deref()),
            Command::Key(order) => self.key(session, &order),
            Command::Bell(_) | Command::Theme(_) | Command::Zone(_) | Command::Times(_) | Command::EmojiAsText(_) => {
                self.choose(session, command);
            }
            Command::Plain | Command::Clear => self.face(session, &command),
        }
    }

    fn quit(&mut self, session: SessionId, reason: &str) {
        let reason = self.phrase(reason);
        let at = self.now;
        self.show(session, Event::Bye { reason: reason.clone(), at });
        self.disconnect(session);
        self.out.push(Effect::Close { session, reason });
    }

    fn help(&mut self, session: SessionId, about: Option<&str>) {
        let text = match about {
            None => {
                let widest = TABLE.iter().map(|entry| entry.word.len()).max().unwrap_or(0);
                let mut text = String::from("What you type is said where you are. Commands:");
                for entry in TABLE {
                    let _ = write!(text, "\n/{:widest$}  {}", entry.word, entry.help);
                }
                text.push_str("\n/help COMMAND shows how one is used. //text says /text.");
                text
            }
            Some(word) => match find(word.trim_start_matches('/')) {
                Some(entry) => {
                    let mut text = format!("/{} {}\n{}", entry.word, entry.usage, entry.help);
                    if !entry.also.is_empty() {
                        let also: Vec<String> = entry.also.iter().map(|word| format!("/{word}")).collect();
                        let _ = write!(text, "\nAlso: {}", also.join(", "));
                    }
                    text
                }
                None => return self.problem(session, format!("Unknown command: /{}", self.phrase(word))),
            },
        };
        self.notice(session, text);
    }
}
