//! What people choose for themselves: away, ignoring, bell, looks.

use super::Engine;
use crate::command::Command;
use crate::event::Event;
use crate::id::SessionId;
use crate::input::Face;
use crate::limits::IGNORED;
use crate::record::{Bell, Settings};
use std::sync::Arc;

impl Engine {
    /// The commands that change one's own settings, or show them.
    pub(super) fn choose(&mut self, session: SessionId, command: Command) {
        let Some(account) = self.account_of(session) else { return };
        let Some(now) = self.state.accounts.get(&account).map(|record| record.settings.clone()) else { return };
        let new = match command {
            Command::Bell(None) => {
                return self.notice(session, format!("The bell is {}: {}", now.bell.word(), says(now.bell)));
            }
            Command::Theme(None) => return self.notice(session, format!("The theme is {}", now.theme)),
            Command::Zone(None) => return self.notice(session, format!("Times are shown {} from UTC", zone(now.zone))),
            Command::Bell(Some(bell)) => Settings { bell, ..now },
            Command::Theme(Some(name)) => Settings { theme: self.phrase(&name), ..now },
            Command::Zone(Some(zone)) => Settings { zone, ..now },
            Command::Times(times) => Settings { times, ..now },
            Command::EmojiAsText(emoji_as_text) => Settings { emoji_as_text, ..now },
            _ => return,
        };
        let kept = new.clone();
        self.change_account(account, move |record, _| record.settings = kept);
        self.state.stale_rooms_of(account);
        self.show_account(account, Event::Chosen(new.clone()));
        self.notice(session, format!("Bell {}, theme {}, zone {}", new.bell.word(), new.theme, zone(new.zone)));
    }

    /// `/plain` and `/clear`.
    pub(super) fn face(&mut self, session: SessionId, command: &Command) {
        if *command == Command::Clear {
            return self.show(session, Event::Clear);
        }
        if let Some(who) = self.state.sessions.get_mut(&session) {
            who.face = Face::Plain;
        }
        self.show(session, Event::Face(Face::Plain));
    }

    /// `/away` and `/back`.
    pub(super) fn away(&mut self, session: SessionId, message: Option<&str>) {
        let message = message.map(|message| self.phrase(message)).filter(|message| !message.is_empty());
        let Some(account) = self.account_of(session) else { return };
        let Some(here) = self.state.here.get_mut(&account) else { return };
        if here.away == message {
            let text = if message.is_some() { "You are away already" } else { "You are not away" };
            return self.notice(session, text);
        }
        here.away.clone_from(&message);
        let (who, at) = (here.author.clone(), self.now);
        self.show_to_rooms_of(account, Event::Away { who, message, at });
        self.tell_presence(account);
    }

    /// `/ignore`.
    pub(super) fn ignore(&mut self, session: SessionId, nick: Option<&str>) {
        let Some(account) = self.account_of(session) else { return };
        let Some(record) = self.state.accounts.get(&account).cloned() else { return };
        let Some(nick) = nick else {
            let nicks: Vec<Arc<str>> = record.ignored.iter().map(|id| self.state.nick_of(*id)).collect();
            let text = if nicks.is_empty() {
                "You ignore nobody".to_owned()
            } else {
                format!("You ignore {}", nicks.join(", "))
            };
            return self.notice(session, text);
        };
        let other = match self.person(nick) {
            Ok(other) if other == account => return self.problem(session, "You cannot ignore yourself"),
            Ok(other) => other,
            Err(why) => return self.problem(session, why),
        };
        if record.ignored.len() >= IGNORED {
            return self.problem(session, format!("You ignore {IGNORED} people already: /unignore one of them first"));
        }
        self.change_account(account, |record, _| {
            record.ignored.insert(other);
        });
        self.state.ignored_by.entry(other).or_default().insert(account);
        let nick = self.state.nick_of(other);
        self.notice(session, format!("You see nothing of {nick} from now on"));
    }

    /// `/unignore`.
    pub(super) fn unignore(&mut self, session: SessionId, nick: &str) {
        let Some(account) = self.account_of(session) else { return };
        let other = match self.person(nick) {
            Ok(other) => other,
            Err(why) => return self.problem(session, why),
        };
        let nick = self.state.nick_of(other);
        if !self.state.accounts.get(&account).is_some_and(|record| record.ignored.contains(&other)) {
            return self.problem(session, format!("You do not ignore {nick}"));
        }
        self.change_account(account, |record, _| {
            record.ignored.remove(&other);
        });
        if let Some(by) = self.state.ignored_by.get_mut(&other) {
            by.remove(&account);
            if by.is_empty() {
                self.state.ignored_by.remove(&other);
            }
        }
        self.notice(session, format!("You see {nick} again"));
    }
}

fn says(bell: Bell) -> &'static str {
    match bell {
        Bell::Off => "nothing rings",
        Bell::Direct => "private messages ring",
        Bell::Mentions => "private messages and lines with your name ring",
        Bell::All => "every line rings",
    }
}

/// `+1:30`.
fn zone(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{}:{:02}", minutes / 60, minutes % 60)
}
