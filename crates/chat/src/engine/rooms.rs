//! Rooms: who is in them, and who hears them.

use super::Engine;
use super::state::{Heard, Waiting};
use crate::effect::{Audience, Effect, PasswordRequest, Secret};
use crate::event::{Event, Leaving, Person, RoomView};
use crate::id::{AccountId, LineId, SessionId};
use crate::input::Face;
use crate::limits::{GREETING_LINES, MARK_EVERY, ROOMS, ROOMS_OWNED, ROOMS_PER_ACCOUNT};
use crate::line::{Author, Line, Place};
use crate::name::RoomName;
use crate::record::{AccountRecord, BanKind, Bell, Modes, Record, Role, RoomRecord};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Engine {
    /// Goes into a room by the name typed, making it if there is none.
    pub(super) fn join_room(&mut self, session: SessionId, name: &str, password: Option<Arc<str>>) {
        let name = match RoomName::parse(name) {
            Ok(name) => name,
            Err(why) => return self.problem(session, format!("That cannot be a room's name: {why}")),
        };
        let Some(account) = self.account_of(session) else { return };
        if self.state.is_member(account, &name) {
            return self.focus(session, Some(Place::Room(name)));
        }
        if self.state.rooms_of(account).len() >= ROOMS_PER_ACCOUNT {
            return self
                .problem(session, format!("You are in {ROOMS_PER_ACCOUNT} rooms already; leave one of them first"));
        }
        if !self.state.rooms.contains_key(&name) {
            if let Err(why) = self.make_room(session, account, &name) {
                return self.problem(session, why);
            }
            return self.let_in(session, account, &name);
        }
        if let Err(why) = self.may_enter(session, account, &name) {
            return self.problem(session, why);
        }
        let hash = self.state.rooms.get(&name).and_then(|room| room.record.modes.password.clone());
        match (hash, password) {
            (Some(_), _) if self.state.is_invited(account, &name) || self.is_moderator(session, &name) => {
                self.let_in(session, account, &name);
            }
            (Some(_), None) => self.problem(session, format!("{name} takes a password: /join {name} PASSWORD")),
            (Some(hash), Some(password)) => {
                let what = PasswordRequest::Verify { password: Secret(password), hash };
                self.ask_password(what, Waiting::Enter { session, room: name });
            }
            (None, _) => self.let_in(session, account, &name),
        }
    }

    /// The password of a room was right: in, if nothing else stands against it by now.
    pub(super) fn password_fits(&mut self, session: SessionId, name: &RoomName) {
        let Some(account) = self.account_of(session) else { return };
        if self.state.is_member(account, name) {
            return;
        }
        match self.may_enter(session, account, name) {
            Ok(()) if self.state.rooms.contains_key(name) => self.let_in(session, account, name),
            Ok(()) => self.problem(session, format!("No such room: {name}")),
            Err(why) => self.problem(session, why),
        }
    }

    fn make_room(&mut self, session: SessionId, account: AccountId, name: &RoomName) -> Result<(), String> {
        if let Some(other) = name.keys().both().find_map(|key| self.state.room_keys.get(key)) {
            return Err(format!("{name} looks like {other}, which is there already"));
        }
        let lobby = *name == self.config.rules.lobby;
        if self.state.rooms.len() >= ROOMS && !lobby {
            return Err("This server takes no more rooms".to_owned());
        }
        let guest = self.state.here.get(&account).is_none_or(|here| here.guest);
        if !lobby && guest {
            return Err(format!(
                "There is no {name}, and only people with a key make rooms. /rooms shows those there are"
            ));
        }
        if !lobby && !self.config.rules.open_rooms && !self.is_operator(session) {
            return Err(format!("There is no {name}, and only operators make rooms. /rooms shows those there are"));
        }
        let owns = |room: &&super::state::Room| room.record.roles.get(&account) == Some(&Role::Owner);
        if !lobby && !self.is_operator(session) && self.state.rooms.values().filter(owns).count() >= ROOMS_OWNED {
            // With other nodes no room goes by itself.
            let way_out = match self.state.rooms.values().filter(owns).map(|room| &room.record.name).min() {
                Some(own) if self.config.nodes => {
                    format!("an operator at the machine can delete one: nacre chat admin delete '{own}'")
                }
                _ => "those nobody is in and nothing was said in go by themselves".to_owned(),
            };
            return Err(format!("You own {ROOMS_OWNED} rooms already; {way_out}"));
        }
        // The lobby is nobody's.
        let roles = if lobby { BTreeMap::new() } else { BTreeMap::from([(account, Role::Owner)]) };
        let record = RoomRecord {
            name: name.clone(),
            topic: Arc::from(""),
            made: self.now,
            stamp: self.now,
            modes: Modes::default(),
            roles,
            invited: BTreeSet::new(),
        };
        let record = Arc::new(record);
        self.state.put_room(Arc::clone(&record));
        self.write(Record::Room(record));
        Ok(())
    }

    pub(super) fn may_enter(&self, session: SessionId, account: AccountId, name: &RoomName) -> Result<(), String> {
        if self.is_operator(session) {
            return Ok(());
        }
        let Some(who) = self.state.sessions.get(&session) else { return Ok(()) };
        let ban = self.state.banned(self.now, BanKind::Out, Some(name), Some(account), who.key.as_ref(), who.address);
        if let Some(ban) = ban {
            return Err(ban.describe(self.now));
        }
        let invite = self.state.rooms.get(name).is_some_and(|room| room.record.modes.invite);
        let welcome = self.state.is_member(account, name) || self.state.is_invited(account, name);
        let welcome = welcome || self.state.role(account, name).is_some();
        if invite && !welcome {
            return Err(format!("{name} is by invitation: somebody in it must /invite you"));
        }
        Ok(())
    }

    /// Into a room for good; all sessions of the account with it.
    pub(super) fn let_in(&mut self, session: SessionId, account: AccountId, name: &RoomName) {
        let (room, now) = (name.clone(), self.now);
        self.change_account(account, move |record, _| {
            record.rooms.insert(room, now);
        });
        if self.state.is_invited(account, name) {
            self.change_room(name, |record| {
                record.invited.remove(&account);
            });
        }
        self.appear_in(name, account);
        let sessions = self.state.here.get(&account).map(|here| here.sessions.clone()).unwrap_or_default();
        for other in sessions {
            self.show_room_view(other, name);
        }
        self.focus(session, Some(Place::Room(name.clone())));
        self.greet(session, name);
        self.tell_presence(account);
    }

    /// A session of an account that is a member already: back, with the first session of several.
    pub(super) fn come_back(&mut self, session: SessionId, account: AccountId, name: &RoomName, first: bool) {
        if !self.state.rooms.contains_key(name) {
            return;
        }
        if let Err(why) = self.may_enter(session, account, name) {
            self.put_out(account, name, Leaving::Parted(Arc::from("")));
            return self.problem(session, why);
        }
        if first {
            self.appear_in(name, account);
        } else if let Some(room) = self.state.rooms.get_mut(name) {
            room.audience = None;
        }
        self.show_room_view(session, name);
        self.greet(session, name);
    }

    /// Somebody is in a room on this node now: says so to the others.
    pub(super) fn appear_in(&mut self, name: &RoomName, account: AccountId) {
        let Some(who) = self.state.here.get(&account).map(|here| here.author.clone()) else { return };
        let Some(room) = self.state.rooms.get_mut(name) else { return };
        let alone = room.here.is_empty();
        if !room.here.insert(account) {
            return;
        }
        room.audience = None;
        if alone {
            self.listen_to(name);
        }
        let event = Event::Joined { room: name.clone(), who, at: self.now };
        self.show_room(name, event, account);
    }

    /// Leaves a room for good.
    pub(super) fn part_room(&mut self, session: SessionId, name: Option<&str>, reason: &str) {
        let Some(account) = self.account_of(session) else { return };
        let name = match self.room_meant(session, name) {
            Ok(name) => name,
            Err(why) => return self.problem(session, why),
        };
        if !self.state.is_member(account, &name) {
            return self.problem(session, format!("You are not in {name}"));
        }
        self.put_out(account, &name, Leaving::Parted(self.phrase(reason)));
        self.drop_if_unused(&name);
    }

    /// A room that has no members, topic or lines goes when its last member parts. With other nodes it stays: what was said
    /// in it may be known there alone.
    fn drop_if_unused(&mut self, name: &RoomName) {
        if self.config.nodes {
            return;
        }
        let Some(room) = self.state.rooms.get(name) else { return };
        let said = self.state.talks.get(&Place::Room(name.clone())).is_some_and(|talk| talk.last().is_some());
        let kept = said || !room.record.topic.is_empty() || *name == self.config.rules.lobby;
        if kept || self.state.accounts.values().any(|account| account.rooms.contains_key(name)) {
            return;
        }
        self.forget_room(name);
        self.erase(crate::record::RecordKey::Room(name.clone()));
    }

    /// Takes an account out of a room and its sessions with it.
    pub(super) fn put_out(&mut self, account: AccountId, name: &RoomName, how: Leaving) {
        let room = name.clone();
        self.change_account(account, move |record, _| {
            record.rooms.remove(&room);
            let rooms = &record.rooms;
            record.read.retain(|room, _| rooms.contains_key(room));
        });
        let Some(here) = self.state.here.get(&account) else { return };
        let who = here.author.clone();
        self.gone_from(name, &who, how.clone());
        if matches!(how, Leaving::Kicked { .. }) {
            self.show_account(account, Event::Left { room: name.clone(), who, how, at: self.now });
        }
        self.move_out(account, name);
        self.tell_presence(account);
    }

    /// The sessions of an account that is in a room no more go elsewhere.
    pub(super) fn move_out(&mut self, account: AccountId, name: &RoomName) {
        let place = Place::Room(name.clone());
        let next = self.state.rooms_of(account).into_iter().next().map(Place::Room);
        for session in self.sessions_of(account).to_vec() {
            self.show(session, Event::Gone(name.clone()));
            if self.state.sessions.get(&session).is_some_and(|s| s.at.as_ref() == Some(&place)) {
                self.focus(session, next.clone());
            }
        }
    }

    /// Somebody is in a room on this node no more: says so to the others.
    pub(super) fn gone_from(&mut self, name: &RoomName, who: &Author, how: Leaving) {
        let Some(room) = self.state.rooms.get_mut(name) else { return };
        if !room.here.remove(&who.account) {
            return;
        }
        room.audience = None;
        let empty = room.here.is_empty();
        let event = Event::Left { room: name.clone(), who: who.clone(), how, at: self.now };
        self.show_room(name, event, who.account);
        if empty {
            self.stop_listening_to(name);
        }
    }

    /// Shows to all who are in a room here, but not to `but` and who ignores `but`.
    pub(super) fn show_room(&mut self, name: &RoomName, event: Event, but: AccountId) {
        let Some(heard) = self.heard(name) else { return };
        let mut except = self.state.here.get(&but).map(|here| here.sessions.clone()).unwrap_or_default();
        except.extend(self.state.deaf_to(but));
        let to = Audience::Many { sessions: heard.sessions, except: except.into() };
        self.out.push(Effect::Show { to, event: Arc::new(event), ring: self.state.nobody() });
    }

    /// Who hears a room here; found out once after each change.
    pub(super) fn heard(&mut self, name: &RoomName) -> Option<Heard> {
        let state = &mut self.state;
        let room = state.rooms.get_mut(name)?;
        if let Some(heard) = &room.audience {
            return Some(heard.clone());
        }
        let mut sessions = Vec::new();
        let mut ring = Vec::new();
        for account in &room.here {
            let Some(here) = state.here.get(account) else { continue };
            sessions.extend_from_slice(&here.sessions);
            if state.accounts.get(account).is_some_and(|record| record.settings.bell == Bell::All) {
                ring.extend_from_slice(&here.sessions);
            }
        }
        sessions.sort_unstable();
        let heard = Heard { sessions: sessions.into(), ring: ring.into() };
        room.audience = Some(heard.clone());
        Some(heard)
    }

    /// What is typed in a session goes there from now on; where it was is read up to its end.
    pub(super) fn focus(&mut self, session: SessionId, place: Option<Place>) {
        self.leave_place(session);
        let Some(state) = self.state.sessions.get_mut(&session) else { return };
        state.at.clone_from(&place);
        self.show(session, Event::Focus(place));
    }

    /// What was shown where a session is, is read.
    pub(super) fn leave_place(&mut self, session: SessionId) {
        let Some((account, place)) = self.state.sessions.get(&session).map(|s| (s.account, s.at.clone())) else {
            return;
        };
        let Some(place) = place else { return };
        if let Some(last) = self.state.talks.get(&place).and_then(|talk| talk.last()) {
            self.mark_read(account, &place, last);
        }
    }

    /// The last lines, and how many were missed. Programs ask for themselves.
    fn greet(&mut self, session: SessionId, name: &RoomName) {
        let Some((account, face)) = self.state.sessions.get(&session).map(|s| (s.account, s.face)) else { return };
        if face == Face::Json {
            return;
        }
        let place = Place::Room(name.clone());
        let since = self.sees_since(account, name);
        let Some(record) = self.state.accounts.get(&account).cloned() else { return };
        let read = record.read.get(name).copied();
        let talk = self.state.talk(&place);
        let may =
            |line: &Line| since.is_none_or(|since| line.at >= since) && !record.ignored.contains(&line.from.account);
        let mut seen: Vec<_> = talk.visible().filter(|line| may(line)).cloned().collect();
        let whole = talk.is_whole();
        seen.retain(|line| !self.is_over(line));
        if let Some(read) = read {
            let missed = seen.iter().filter(|line| line.id > read && line.from.account != account).count();
            let known = whole || seen.first().is_some_and(|line| line.id <= read);
            self.tell_missed(session, name, read, known.then_some(missed));
        }
        let from = seen.len().saturating_sub(GREETING_LINES as usize);
        let more = from > 0 || !whole;
        let lines: Arc<[_]> = seen.get(from..).unwrap_or_default().into();
        if !lines.is_empty() {
            self.show(session, Event::Past { place: Some(place), title: Arc::from("Last lines"), lines, more });
        }
    }

    /// A room as a face draws it.
    pub(super) fn show_room_view(&mut self, session: SessionId, name: &RoomName) {
        let Some(room) = self.state.rooms.get(name) else { return };
        let topic = Arc::clone(&room.record.topic);
        let people = self.people_in(name);
        self.show(session, Event::Entered(Arc::new(RoomView { name: name.clone(), topic, people })));
    }

    /// Who is in a room, sorted by nick.
    pub(super) fn people_in(&self, name: &RoomName) -> Vec<Person> {
        let Some(room) = self.state.rooms.get(name) else { return Vec::new() };
        let role = |account: AccountId| room.record.roles.get(&account).copied();
        let here = room.here.iter().filter_map(|account| self.state.here.get(account));
        let here = here.map(|here| Person {
            who: here.author.clone(),
            role: role(here.author.account),
            away: here.away.clone(),
        });
        let mut people: Vec<Person> = here.collect();
        let afar = self
            .state
            .people_afar(|presence| presence.rooms.contains(name) && !room.here.contains(&presence.who.account));
        people.extend(afar.map(|p| Person { who: p.who.clone(), role: role(p.who.account), away: p.away.clone() }));
        people.sort_by(|a, b| a.who.nick.cmp(&b.who.nick));
        people
    }

    /// The room a person named, or is in.
    pub(super) fn room_meant(&self, session: SessionId, name: Option<&str>) -> Result<RoomName, String> {
        match name {
            Some(name) => {
                let name = RoomName::parse(name).map_err(|why| format!("That cannot be a room's name: {why}"))?;
                if self.state.rooms.contains_key(&name) { Ok(name) } else { Err(format!("No such room: {name}")) }
            }
            None => {
                let nowhere = || "Go into a room first: /join #room".to_owned();
                let at = self.state.sessions.get(&session).and_then(|s| s.at.as_ref());
                at.and_then(Place::room).ok_or_else(nowhere)?;
                self.place_of(session)?.room().cloned().ok_or_else(nowhere)
            }
        }
    }

    /// Changes an account's record and writes it.
    pub(super) fn change_account(&mut self, account: AccountId, change: impl FnOnce(&mut AccountRecord, Time)) {
        let Some(record) = self.state.accounts.get_mut(&account) else { return };
        let own = Arc::make_mut(record);
        change(own, self.now);
        own.stamp = own.stamp.newer(self.now);
        let record = Arc::clone(record);
        let guest = self.state.here.get(&account).is_some_and(|here| here.guest);
        if !guest {
            self.write(Record::Account(record));
        }
    }

    /// Changes a room's record and writes it.
    pub(super) fn change_room(&mut self, name: &RoomName, change: impl FnOnce(&mut RoomRecord)) {
        let Some(room) = self.state.rooms.get_mut(name) else { return };
        let own = Arc::make_mut(&mut room.record);
        change(own);
        own.stamp = own.stamp.newer(self.now);
        let record = Arc::clone(&room.record);
        self.write(Record::Room(record));
    }

    /// An account read up to a line; written down later. Who is not in a room, or not any more, reads nothing there.
    pub(super) fn mark_read(&mut self, account: AccountId, place: &Place, line: LineId) {
        let Some(record) = self.state.accounts.get_mut(&account) else { return };
        match place {
            Place::Room(name) => {
                if !record.rooms.contains_key(name) || record.read.get(name).is_some_and(|old| *old >= line) {
                    return;
                }
                Arc::make_mut(record).read.insert(name.clone(), line);
            }
            Place::Direct(_) if record.inbox.is_some_and(|old| old >= line) => return,
            Place::Direct(_) => Arc::make_mut(record).inbox = Some(line),
        }
        self.state.dirty.insert(account);
        self.state.write_at.get_or_insert(self.now.after(MARK_EVERY));
    }
}
