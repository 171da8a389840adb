//! People: who somebody is and what rights hang on it.

use super::Engine;
use super::state::{Session, State};
use crate::event::{Event, Person, RoomSummary};
use crate::id::{AccountId, SessionId};
use crate::input::Presence;
use crate::limits::{CLOCKS_APART, PHRASE_BYTES};
use crate::line::Author;
use crate::name::{Nick, RoomName};
use crate::record::{HistoryMode, Role};
use crate::text::{clean_line, fold};
use crate::time::{Span, Time};
use std::collections::HashSet;
use std::sync::Arc;

impl Engine {
    /// The account of a session.
    pub(super) fn account_of(&self, session: SessionId) -> Option<AccountId> {
        self.state.sessions.get(&session).map(|s| s.account)
    }

    /// Who speaks in a session: its account, with the key that this session proved.
    pub(super) fn author_of(&self, session: SessionId) -> Option<Author> {
        let who = self.state.sessions.get(&session)?;
        let here = self.state.here.get(&who.account)?;
        Some(Author { key: who.key.clone(), ..here.author.clone() })
    }

    /// The sessions of an account here.
    pub(super) fn sessions_of(&self, account: AccountId) -> &[SessionId] {
        self.state.here.get(&account).map_or(&[], |here| &here.sessions)
    }

    /// A list of sessions to share; the empty one is always the same.
    pub(super) fn shared(&mut self, sessions: Vec<SessionId>) -> Arc<[SessionId]> {
        if sessions.is_empty() { self.state.nobody() } else { sessions.into() }
    }

    /// Whether a session has every right: its key is an operator's (threat U6).
    pub(super) fn is_operator(&self, session: SessionId) -> bool {
        let key = self.state.sessions.get(&session).and_then(|s| s.key.as_ref());
        key.is_some_and(|key| self.config.rules.operators.contains(key))
    }

    /// Whether a session may moderate a room.
    pub(super) fn is_moderator(&self, session: SessionId, room: &RoomName) -> bool {
        let role = self.account_of(session).and_then(|account| self.state.role(account, room));
        self.is_operator(session) || role >= Some(Role::Operator)
    }

    /// Whom a typed nick means.
    pub(super) fn person(&self, nick: &str) -> Result<AccountId, String> {
        let nick = clean_line(nick.trim_start_matches('@').as_bytes(), PHRASE_BYTES);
        self.state.names.get(&fold(&nick)).copied().ok_or_else(|| format!("No such user: {nick}"))
    }

    /// A phrase that a person typed: one clean line of bounded length.
    pub(super) fn phrase(&self, text: &str) -> Arc<str> {
        clean_line(text.as_bytes(), PHRASE_BYTES).into()
    }

    /// `/list`: everybody online.
    pub(super) fn list(&mut self, session: SessionId) {
        let person =
            |who: &Author, away: Option<&Arc<str>>| Person { who: who.clone(), role: None, away: away.cloned() };
        let mut people: Vec<Person> =
            self.state.here.values().map(|here| person(&here.author, here.away.as_ref())).collect();
        let afar = self.state.people_afar(|presence| !self.state.here.contains_key(&presence.who.account));
        people.extend(afar.map(|presence| person(&presence.who, presence.away.as_ref())));
        people.sort_by(|a, b| a.who.nick.cmp(&b.who.nick));
        let at = self.now;
        self.show(session, Event::People { room: None, people: people.into(), at });
    }

    /// `/names`.
    pub(super) fn names(&mut self, session: SessionId, room: Option<&str>) {
        match self.room_meant(session, room) {
            Err(why) => self.problem(session, why),
            Ok(name) if self.may_look_into(session, &name) => {
                let (people, at) = (self.people_in(&name).into(), self.now);
                self.show(session, Event::People { room: Some(name), people, at });
            }
            Ok(name) => self.problem(session, format!("No such room: {name}")),
        }
    }

    /// `/rooms`.
    pub(super) fn rooms(&mut self, session: SessionId) {
        let Some(account) = self.account_of(session) else { return };
        let known = self.state.rooms.iter().filter(|(name, _)| self.may_look_into(session, name));
        let summary = known.map(|(name, room)| RoomSummary {
            name: name.clone(),
            topic: Arc::clone(&room.record.topic),
            people: self.people_in(name).len() as u64,
            joined: self.state.is_member(account, name),
            locked: room.record.modes.password.is_some(),
        });
        let mut rooms: Vec<RoomSummary> = summary.collect();
        rooms.sort_by(|a, b| a.name.cmp(&b.name));
        let at = self.now;
        self.show(session, Event::Rooms { rooms: rooms.into(), at });
    }

    /// `/whois`.
    pub(super) fn whois(&mut self, session: SessionId, nick: &str) {
        let (Some(own), other) = (self.account_of(session), self.person(nick)) else { return };
        let other = match other {
            Ok(other) => other,
            Err(why) => return self.problem(session, why),
        };
        let Some(record) = self.state.accounts.get(&other) else { return };
        let mut text = record.nick.to_string();
        let here = self.state.here.get(&other);
        text.push_str(match here {
            Some(here) if here.guest => " is a guest: nobody owns that name",
            _ if record.keys.is_empty() => " owns that name by login",
            _ => " owns that name by key",
        });
        for key in &record.keys {
            text.push_str(&format!("\nkey {key}"));
        }
        let shared =
            record.rooms.keys().filter(|name| self.state.is_member(own, name) || self.may_look_into(session, name));
        let shared: Vec<String> = shared.map(ToString::to_string).collect();
        if !shared.is_empty() {
            text.push_str(&format!("\nin {}", shared.join(" ")));
        }
        match here {
            Some(here) => {
                let idle = Span(self.now.since(here.last_typed));
                text.push_str(&format!("\nhere for {}, silent for {idle}", Span(self.now.since(here.since))));
                if let Some(message) = &here.away {
                    text.push_str(&format!("\naway: {message}"));
                }
            }
            None => match self.state.presence_afar(other) {
                Some(p) => text.push_str(&format!("\nhere by node {} for {}", p.node, Span(self.now.since(p.since)))),
                None => text.push_str(&format!("\nlast here {} ago", Span(self.now.since(record.seen)))),
            },
        }
        // Devices and addresses are for oneself and the operators.
        let closely = own == other || self.is_operator(session);
        for described in self.sessions_of(other).iter().filter_map(|id| self.state.sessions.get(id)) {
            text.push_str(&self.describe(described, closely));
        }
        self.notice(session, text);
    }

    /// A line on one of somebody's sessions.
    fn describe(&self, session: &Session, closely: bool) -> String {
        let mut line = format!("\nsession for {}", Span(self.now.since(session.since)));
        if !session.client.is_empty() {
            line.push_str(&format!(", client {}", session.client));
        }
        if closely {
            let device = session.device.iter().map(|device| format!(", device {device}"));
            line.extend(device.chain(session.address.map(|address| format!(", from {address}"))));
        }
        line
    }

    /// Whether a session may know of a room: rooms by invitation are known to their people only.
    pub(super) fn may_look_into(&self, session: SessionId, name: &RoomName) -> bool {
        let Some(room) = self.state.rooms.get(name) else { return false };
        let Some(account) = self.account_of(session) else { return false };
        let known = self.state.is_member(account, name) || self.state.is_invited(account, name);
        !room.record.modes.invite || known || self.is_operator(session) || self.state.role(account, name).is_some()
    }

    /// Since when an account may see a room's past; all of it if none. What was said in another room of that name, which
    /// is no more, is nobody's.
    pub(super) fn sees_since(&self, account: AccountId, room: &RoomName) -> Option<Time> {
        let record = &self.state.rooms.get(room)?.record;
        if record.modes.history != HistoryMode::SinceJoined {
            // The time of a line is that of the node where it was said.
            return Some(if self.config.nodes { record.made.before(CLOCKS_APART) } else { record.made });
        }
        let joined = self.state.accounts.get(&account).and_then(|record| record.rooms.get(room)).copied();
        Some(joined.unwrap_or(Time(u64::MAX)))
    }

    /// `/nick`.
    pub(super) fn rename(&mut self, session: SessionId, wish: &str) {
        let nick = match Nick::parse(wish) {
            Ok(nick) => nick,
            Err(why) => return self.problem(session, format!("That cannot be your name: {why}")),
        };
        let Some(account) = self.account_of(session) else { return };
        if self.state.accounts.get(&account).is_none_or(|record| self.is_anothers(&nick, record)) {
            return self.problem(session, format!("{nick} is somebody's name, or looks like one"));
        }
        if !self.config.nodes || self.state.here.get(&account).is_some_and(|here| here.guest) {
            return self.renamed(account, nick);
        }
        if !self.state.linked {
            return self
                .problem(session, "Names cannot be changed while the other nodes cannot be asked; try again later");
        }
        self.claim_rename(session, account, nick);
    }

    /// An account has another nick from now on.
    pub(super) fn renamed(&mut self, account: AccountId, nick: Nick) {
        let Some(old) = self.state.accounts.get(&account).cloned() else { return };
        if old.nick == nick {
            return;
        }
        let mut record = (*old).clone();
        record.nick = nick.clone();
        self.state.put_account(Arc::new(record));
        self.change_account(account, |_, _| {});
        let Some(here) = self.state.here.get_mut(&account) else { return };
        here.author.nick = nick.shared();
        let (who, at) = (here.author.clone(), self.now);
        let event = Event::Renamed { old: old.nick.shared(), who, at };
        self.show_to_rooms_of(account, event);
        self.tell_presence(account);
    }

    /// Shows once to everybody who shares a room with an account, and to itself.
    pub(super) fn show_to_rooms_of(&mut self, account: AccountId, event: Event) {
        let own = self.sessions_of(account).to_vec();
        self.show_to_rooms(account, own, &self.state.rooms_of(account), event);
    }
}

impl State {
    /// People on other nodes, each once.
    pub fn people_afar<'a>(&'a self, wanted: impl Fn(&Presence) -> bool + 'a) -> impl Iterator<Item = &'a Presence> {
        let mut seen = HashSet::new();
        let all = self.afar.values().flat_map(|people| people.values());
        all.filter(move |presence| wanted(presence) && seen.insert(presence.who.account))
    }

    /// Somebody on another node.
    pub fn presence_afar(&self, account: AccountId) -> Option<&Presence> {
        self.afar.values().find_map(|people| people.get(&account))
    }

    /// Whether an account is in a room, here or away.
    pub fn is_member(&self, account: AccountId, room: &RoomName) -> bool {
        self.accounts.get(&account).is_some_and(|record| record.rooms.contains_key(room))
    }

    /// Whether an account was invited into a room.
    pub fn is_invited(&self, account: AccountId, room: &RoomName) -> bool {
        self.rooms.get(room).is_some_and(|room| room.record.invited.contains(&account))
    }

    /// What an account may do in a room.
    pub fn role(&self, account: AccountId, room: &RoomName) -> Option<Role> {
        self.rooms.get(room)?.record.roles.get(&account).copied()
    }
}
