//! Bans and mutes, in a room and on the whole server.

use super::Engine;
use super::moderate::Rank;
use crate::command::BanOrder;
use crate::event::Leaving;
use crate::id::{AccountId, LineId, SessionId};
use crate::limits::{BANS, ROOM_LIST};
use crate::name::RoomName;
use crate::record::{Ban, BanKind, BanTarget, Record, RecordKey};
use crate::time::Span;
use core::net::IpAddr;
use std::sync::Arc;

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
    ) -> Result<Made, String> {
        if let Some(name) = room.as_ref().and_then(|_| self.holds_none(&target)) {
            return Err(format!("{name} is an operator of the server: no room's ban holds"));
        }
        self.drop_old_bans();
        let (kind, what, done) =
            if order.mute { (BanKind::Mute, "mute", "muted") } else { (BanKind::Out, "ban", "banned") };
        let old = self.bans_of(room.as_ref(), kind, &target);
        // A new word on the same takes the place of the old one, for which there was room.
        if old.is_empty() {
            self.takes_one_more(room.as_ref())?;
        }
        for id in old {
            self.forget_ban(id);
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

    /// Who is meant, if a room's ban holds for none of its sessions: they have an operator's key.
    fn holds_none(&self, target: &BanTarget) -> Option<String> {
        let operators = &self.config.rules.operators;
        let free = match target {
            BanTarget::Key(key) => operators.contains(key),
            BanTarget::Account(account) => {
                let keys = self.state.accounts.get(account).map(|record| record.keys.as_slice()).unwrap_or_default();
                !keys.is_empty() && keys.iter().all(|key| operators.contains(key))
            }
            BanTarget::Address { .. } => false,
        };
        free.then(|| self.describe_target(target))
    }

    /// Whether there is room for one more ban. Operators of the server can always ban.
    fn takes_one_more(&self, room: Option<&RoomName>) -> Result<(), &'static str> {
        let Some(room) = room else { return Ok(()) };
        if self.state.bans.values().filter(|ban| ban.room.as_ref() == Some(room)).count() >= ROOM_LIST {
            return Err("This room keeps no more bans; lift old ones first");
        }
        if self.state.bans.len() >= BANS {
            return Err("This server keeps no more bans of rooms");
        }
        Ok(())
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
        let sessions = self.meant_by(ban);
        match &ban.room {
            Some(name) => {
                for (_, account) in sessions {
                    if self.state.is_member(account, name) {
                        let (by, reason) = (Arc::clone(&ban.by), Arc::clone(&ban.reason));
                        self.put_out(account, name, Leaving::Kicked { by, reason });
                    }
                }
            }
            None => {
                let why = ban.describe(self.now);
                for (session, _) in sessions {
                    self.end_session(session, &why);
                }
            }
        }
    }

    /// The sessions that a ban holds for. Operators of the server can be in any room, and no address ends their sessions.
    fn meant_by(&self, ban: &Ban) -> Vec<(SessionId, AccountId)> {
        let by_address = matches!(ban.target, BanTarget::Address { .. });
        let about = |s: &super::state::Session| self.state.is_about(ban, Some(s.account), s.key.as_ref(), s.address);
        let free = |session: &SessionId| (ban.room.is_some() || by_address) && self.is_operator(*session);
        let meant = self.state.sessions.iter().filter(|(id, s)| about(s) && !free(id));
        let mut sessions: Vec<(SessionId, AccountId)> = meant.map(|(id, s)| (*id, s.account)).collect();
        sessions.sort_unstable();
        sessions
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
}
