//! Moderation: who may do what to whom. Each deed leaves a line of audit.

use super::Engine;
use super::state::Waiting;
use crate::command::BanOrder;
use crate::effect::{BackRequest, Effect, StoreRequest};
use crate::event::{Event, Leaving};
use crate::id::{AccountId, LineId, SessionId};
use crate::limits::{BANS, ROOM_LIST};
use crate::name::RoomName;
use crate::record::{Ban, BanKind, BanTarget, Record, RecordKey, Role};
use crate::time::Span;
use core::net::IpAddr;
use std::sync::Arc;

/// How far somebody's rights reach: who has more may act on who has less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Member,
    Voice,
    Operator,
    Owner,
    /// Of the whole server.
    Server,
}

impl From<Option<Role>> for Rank {
    fn from(role: Option<Role>) -> Self {
        match role {
            None => Self::Member,
            Some(Role::Voice) => Self::Voice,
            Some(Role::Operator) => Self::Operator,
            Some(Role::Owner) => Self::Owner,
        }
    }
}

/// A deed of moderation, in words.
pub(super) struct Made {
    /// For the audit: one word.
    pub(super) what: &'static str,
    /// For the audit: on whom.
    pub(super) target: String,
    /// For the audit: more.
    pub(super) detail: String,
    /// For people.
    pub(super) text: String,
}

impl Engine {
    /// The rank of who sits in a session: a server operator by the key it proved (threat U6).
    fn rank(&self, session: SessionId, room: &RoomName) -> Rank {
        if self.is_operator(session) {
            return Rank::Server;
        }
        self.account_of(session).and_then(|account| self.state.role(account, room)).into()
    }

    /// The rank of an account, which any of its keys may have.
    fn rank_of(&self, account: AccountId, room: Option<&RoomName>) -> Rank {
        let keys = self.state.accounts.get(&account).map(|record| record.keys.as_slice()).unwrap_or_default();
        if keys.iter().any(|key| self.config.rules.operators.contains(key)) {
            return Rank::Server;
        }
        room.and_then(|room| self.state.role(account, room)).into()
    }

    /// The room a session is in, if it moderates it.
    fn moderated_room(&mut self, session: SessionId) -> Option<RoomName> {
        match self.room_meant(session, None) {
            Ok(name) if self.is_moderator(session, &name) => Some(name),
            Ok(name) => {
                self.problem(session, format!("Only operators of {name} may do that"));
                None
            }
            Err(why) => {
                self.problem(session, why);
                None
            }
        }
    }

    /// Where an order of a session holds, if it may give it: on the whole server (`None`) or in the room it is in.
    fn reach(&mut self, session: SessionId, everywhere: bool) -> Option<Option<RoomName>> {
        if !everywhere {
            return self.moderated_room(session).map(Some);
        }
        if !self.is_operator(session) {
            self.problem(session, "Only operators of the server may do that");
            return None;
        }
        Some(None)
    }

    /// `/kick`.
    pub(super) fn kick(&mut self, session: SessionId, nick: &str, reason: &str) {
        let Some(name) = self.moderated_room(session) else { return };
        let account = match self.person(nick) {
            Ok(account) if self.state.is_member(account, &name) => account,
            Ok(_) => return self.problem(session, format!("{} is not in {name}", self.phrase(nick))),
            Err(why) => return self.problem(session, why),
        };
        if self.rank_of(account, Some(&name)) >= self.rank(session, &name) {
            return self
                .problem(session, format!("{} has as many rights in {name} as you", self.state.nick_of(account)));
        }
        let reason = self.phrase(reason);
        let by = self.nick_in(session);
        self.audit(session, "kick", &self.state.nick_of(account), &format!("{name} {reason}"));
        self.put_out(account, &name, Leaving::Kicked { by, reason });
    }

    fn nick_in(&self, session: SessionId) -> Arc<str> {
        self.account_of(session).map_or_else(|| Arc::from("-"), |account| self.state.nick_of(account))
    }

    /// `/ban`, `/mute`, `/gban`, `/gmute`.
    pub(super) fn ban(&mut self, session: SessionId, order: &BanOrder, everywhere: bool) {
        let Some(room) = self.reach(session, everywhere) else { return };
        let target = match self.ban_target(&order.target) {
            Ok(target) => target,
            Err(why) => return self.problem(session, why),
        };
        if let Some(why) = self.outranked(session, room.as_ref(), &target) {
            return self.problem(session, why);
        }
        match self.make_ban(room, target, order, self.nick_in(session)) {
            Err(why) => self.problem(session, why),
            Ok(made) => {
                self.audit(session, made.what, &made.target, &made.detail);
                if everywhere {
                    self.notice(session, made.text);
                }
            }
        }
    }

    /// Makes a ban, which holds at once. Its room is told.
    pub(super) fn make_ban(
        &mut self,
        room: Option<RoomName>,
        target: BanTarget,
        order: &BanOrder,
        by: Arc<str>,
    ) -> Result<Made, &'static str> {
        self.drop_old_bans();
        let (kind, what, done) =
            if order.mute { (BanKind::Mute, "mute", "muted") } else { (BanKind::Out, "ban", "banned") };
        // A new word on the same takes the place of the old one.
        for id in self.bans_of(room.as_ref(), kind, &target) {
            self.forget_ban(id);
        }
        let of_room = self.state.bans.values().filter(|ban| ban.room.is_some() && ban.room == room).count();
        if of_room >= ROOM_LIST {
            return Err("This room keeps no more bans; lift old ones first");
        }
        // Operators of the server can always ban.
        if room.is_some() && self.state.bans.len() >= BANS {
            return Err("This server keeps no more bans of rooms");
        }
        let until = order.time.map(|time| self.now.after(time));
        let reason = self.phrase(&order.reason);
        let ban = Ban { id: self.line_id(), room: room.clone(), target, kind, until, by, reason };
        let shown = self.describe_target(&ban.target);
        let time = order.time.map_or_else(|| "for ever".to_owned(), |time| format!("for {}", Span(time)));
        let whither = room.as_ref().map_or_else(|| "server".to_owned(), ToString::to_string);
        let why = if ban.reason.is_empty() { String::new() } else { format!(": {}", ban.reason) };
        let made = Made {
            what,
            detail: format!("{whither} {time} {}", ban.reason),
            text: format!("{shown} is {done} by {} {time}{why}", ban.by),
            target: shown,
        };
        self.put_ban(Arc::new(ban));
        if let Some(name) = &room {
            self.tell_room(name, &made.text);
        }
        Ok(made)
    }

    /// A ban holds from now on, also for who is in already.
    fn put_ban(&mut self, ban: Arc<Ban>) {
        self.state.bans.insert(ban.id, Arc::clone(&ban));
        self.write(Record::Ban(Arc::clone(&ban)));
        self.enforce(&ban);
    }

    /// Puts out whom a new ban is about.
    pub(super) fn enforce(&mut self, ban: &Ban) {
        if ban.kind != BanKind::Out {
            return;
        }
        let meant = |session: &super::state::Session| match &ban.target {
            BanTarget::Account(account) => session.account == *account,
            BanTarget::Key(key) => session.key.as_ref() == Some(key),
            BanTarget::Address { .. } => session.address.is_some_and(|address| ban.target.covers(address)),
        };
        let mut sessions: Vec<(SessionId, AccountId)> =
            self.state.sessions.iter().filter(|(_, s)| meant(s)).map(|(id, s)| (*id, s.account)).collect();
        sessions.sort_unstable();
        match &ban.room {
            Some(name) => {
                for (_, account) in sessions {
                    if self.state.is_member(account, name) && self.rank_of(account, Some(name)) < Rank::Operator {
                        self.put_out(
                            account,
                            name,
                            Leaving::Kicked { by: Arc::clone(&ban.by), reason: Arc::clone(&ban.reason) },
                        );
                    }
                }
            }
            None => {
                let why = ban.describe(self.now);
                for (session, _) in sessions {
                    if !self.is_operator(session) {
                        self.end_session(session, &why);
                    }
                }
            }
        }
    }

    /// Ends a session from this side.
    pub(super) fn end_session(&mut self, session: SessionId, why: &str) {
        let at = self.now;
        self.show(session, Event::Bye { reason: why.into(), at });
        self.disconnect(session);
        self.out.push(Effect::Close { session, reason: why.into() });
    }

    /// Reads whom a ban is to be about.
    pub(super) fn ban_target(&self, text: &str) -> Result<BanTarget, String> {
        if text.starts_with("SHA256:") {
            return Ok(BanTarget::Key(self.phrase(text)));
        }
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        if let Ok(address) = address.parse::<IpAddr>() {
            let width = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Ok(width), str::parse).ok().filter(|bits| *bits <= width);
            let bits = bits.ok_or_else(|| format!("{}: after / comes a number up to {width}", self.phrase(text)))?;
            return Ok(BanTarget::Address { address, bits });
        }
        self.person(text).map(BanTarget::Account)
    }

    fn describe_target(&self, target: &BanTarget) -> String {
        match target {
            BanTarget::Account(account) => self.state.nick_of(*account).to_string(),
            BanTarget::Key(key) => key.to_string(),
            BanTarget::Address { address, bits } => format!("{address}/{bits}"),
        }
    }

    /// Why a session may not ban a target: somebody with as many rights.
    fn outranked(&self, session: SessionId, room: Option<&RoomName>, target: &BanTarget) -> Option<String> {
        let account = match target {
            BanTarget::Account(account) => *account,
            BanTarget::Key(key) if self.config.rules.operators.contains(key) => {
                return Some("That key is an operator's".to_owned());
            }
            BanTarget::Key(key) => *self.state.keys.get(key)?,
            BanTarget::Address { .. } => return None,
        };
        let own = room.map_or(Rank::Server, |room| self.rank(session, room));
        (self.rank_of(account, room) >= own)
            .then(|| format!("{} has as many rights as you", self.state.nick_of(account)))
    }

    fn drop_old_bans(&mut self) {
        let over = |ban: &Ban| ban.until.is_some_and(|until| until <= self.now);
        let mut old: Vec<_> = self.state.bans.values().filter(|ban| over(ban)).map(|ban| ban.id).collect();
        old.sort_unstable();
        for id in old {
            self.forget_ban(id);
        }
    }

    fn forget_ban(&mut self, id: LineId) {
        self.state.bans.remove(&id);
        self.erase(RecordKey::Ban(id));
    }

    /// The bans that say the same.
    fn bans_of(&self, room: Option<&RoomName>, kind: BanKind, target: &BanTarget) -> Vec<LineId> {
        let same = |ban: &&Arc<Ban>| ban.room.as_ref() == room && ban.kind == kind && ban.target == *target;
        let mut found: Vec<_> = self.state.bans.values().filter(same).map(|ban| ban.id).collect();
        found.sort_unstable();
        found
    }

    /// Deletes a record in the store and, where there are other nodes, there.
    pub(super) fn erase(&mut self, key: RecordKey) {
        self.tell_nodes(key.clone(), BackRequest::Delete(key.clone()));
        self.ask_store(StoreRequest::Delete(key), None);
    }

    /// `/unban`, `/unmute` and those of the server.
    pub(super) fn unban(&mut self, session: SessionId, target: &str, mute: bool, everywhere: bool) {
        let Some(room) = self.reach(session, everywhere) else { return };
        let target = match self.ban_target(target) {
            Ok(target) => target,
            Err(why) => return self.problem(session, why),
        };
        match self.lift_ban(room.as_ref(), &target, mute) {
            Err(shown) => self.problem(session, format!("{shown} is not on the list: /bans shows it")),
            Ok(lifted) => {
                self.audit(session, lifted.what, &lifted.target, &lifted.detail);
                self.notice(session, lifted.text);
            }
        }
    }

    /// Takes somebody off the list; who it is in words, if that was not on it.
    pub(super) fn lift_ban(&mut self, room: Option<&RoomName>, target: &BanTarget, mute: bool) -> Result<Made, String> {
        let (kind, what) = if mute { (BanKind::Mute, "unmute") } else { (BanKind::Out, "unban") };
        let found = self.bans_of(room, kind, target);
        let shown = self.describe_target(target);
        if found.is_empty() {
            return Err(shown);
        }
        for id in found {
            self.forget_ban(id);
        }
        let detail = room.map(ToString::to_string).unwrap_or_default();
        Ok(Made { what, detail, text: format!("{shown} is off the list"), target: shown })
    }

    /// `/bans`: of the room, and for operators of the server.
    pub(super) fn list_bans(&mut self, session: SessionId) {
        self.drop_old_bans();
        let server = self.is_operator(session);
        let room = self.room_meant(session, None).ok();
        let moderates = room.as_ref().is_some_and(|room| self.is_moderator(session, room));
        if !server && !moderates {
            return self.problem(session, "Only operators may see that");
        }
        let wanted = |ban: &&Arc<Ban>| if ban.room.is_none() { server } else { moderates && ban.room == room };
        let mut bans: Vec<_> = self.state.bans.values().filter(wanted).cloned().collect();
        bans.sort_by_key(|ban| ban.id);
        let mut text = format!("{} on the list", bans.len());
        for ban in bans {
            let kind = if ban.kind == BanKind::Mute { "muted" } else { "banned" };
            let whither = ban.room.as_ref().map_or_else(|| "server".to_owned(), ToString::to_string);
            let left =
                ban.until.map_or_else(|| "for ever".to_owned(), |until| format!("for {}", Span(until.since(self.now))));
            let target = self.describe_target(&ban.target);
            text.push_str(&format!("\n{target} {kind} {left} ({whither}) by {} {}", ban.by, ban.reason));
        }
        self.notice(session, text);
    }

    /// `/op`, `/deop`, `/voice`, `/devoice`.
    pub(super) fn role(&mut self, session: SessionId, nick: &str, role: Option<Role>) {
        let Some(name) = self.moderated_room(session) else { return };
        let account = match self.person(nick) {
            Ok(account) => account,
            Err(why) => return self.problem(session, why),
        };
        let nick = self.state.nick_of(account);
        if self.state.here.get(&account).is_some_and(|here| here.guest) && role > Some(Role::Voice) {
            return self.problem(session, format!("{nick} is a guest: rights hang on a key"));
        }
        let own = self.rank(session, &name);
        let before = self.rank_of(account, Some(&name));
        let oneself = self.account_of(session) == Some(account);
        // Or whoever makes rooms would own as many as it likes.
        if oneself && own == Rank::Owner {
            return self.problem(session, format!("{name} is yours, and stays so"));
        }
        if own <= Rank::from(role) || (before >= own && !oneself) {
            return self.problem(session, "Your rights do not reach that far");
        }
        if role.is_some() && self.state.rooms.get(&name).is_some_and(|room| room.record.roles.len() >= ROOM_LIST) {
            return self.problem(session, format!("{name} keeps no more roles"));
        }
        self.change_room(&name, |record| {
            match role {
                Some(role) => record.roles.insert(account, role),
                None => record.roles.remove(&account),
            };
        });
        let word = role.map_or("no role", Role::word);
        self.audit(session, "role", &nick, &format!("{name} {word}"));
        let by = self.nick_in(session);
        self.tell_room(&name, &format!("{by} made {nick} {word}"));
    }

    /// `/invite`.
    pub(super) fn invite(&mut self, session: SessionId, nick: &str, room: Option<&str>) {
        let Some(own) = self.account_of(session) else { return };
        let name = match self.room_meant(session, room) {
            Ok(name) if self.state.is_member(own, &name) => name,
            Ok(name) => return self.problem(session, format!("You are not in {name}")),
            Err(why) => return self.problem(session, why),
        };
        let account = match self.person(nick) {
            Ok(account) => account,
            Err(why) => return self.problem(session, why),
        };
        let nick = self.state.nick_of(account);
        if self.state.is_member(account, &name) {
            return self.problem(session, format!("{nick} is in {name} already"));
        }
        let Some(record) = self.state.rooms.get(&name).map(|room| Arc::clone(&room.record)) else { return };
        let closed = record.modes.invite || record.modes.password.is_some();
        if closed && !self.is_moderator(session, &name) {
            return self.problem(session, format!("Only operators of {name} may invite"));
        }
        if closed {
            if record.invited.len() >= ROOM_LIST {
                return self.problem(session, format!("{name} keeps no more invitations"));
            }
            self.change_room(&name, |record| {
                record.invited.insert(account);
            });
        }
        self.audit(session, "invite", &nick, &name.to_string());
        let by = self.nick_in(session);
        let deaf = self.state.ignored_by.get(&own).is_some_and(|by| by.contains(&account));
        if !deaf {
            let at = self.now;
            let text = format!("{by} invites you into {name}: /join {name}").into();
            self.show_account(account, Event::Notice { place: None, text, at });
        }
        self.notice(session, format!("{nick} is invited into {name}"));
    }

    /// Says something to all who are in a room here.
    pub(super) fn tell_room(&mut self, name: &RoomName, text: &str) {
        let Some(heard) = self.heard(name) else { return };
        let place = Some(crate::line::Place::Room(name.clone()));
        let event = Arc::new(Event::Notice { place, text: text.into(), at: self.now });
        let to = crate::effect::Audience::Many { sessions: heard.sessions, except: self.state.nobody() };
        let ring = self.state.nobody();
        self.out.push(Effect::Show { to, event, ring });
    }

    /// The hash of a room's new password.
    pub(super) fn lock(&mut self, session: SessionId, name: &RoomName, hash: Arc<str>) {
        self.change_room(name, |record| record.modes.password = Some(hash));
        self.audit(session, "mode", &name.to_string(), "+k");
        let by = self.nick_in(session);
        self.tell_room(name, &format!("{by} locked {name} with a password"));
    }

    /// Asks for the hash of a room's new password.
    pub(super) fn hash_for(&mut self, session: SessionId, name: &RoomName, password: &str) {
        let secret = crate::effect::Secret(password.into());
        self.ask_password(crate::effect::PasswordRequest::Hash(secret), Waiting::Lock { session, room: name.clone() });
    }
}
