//! Moderation: who may do what to whom. Each deed leaves a line of audit.

use super::Engine;
use super::state::Waiting;
use crate::effect::{BackRequest, Effect, StoreRequest};
use crate::event::{Event, Leaving};
use crate::id::{AccountId, SessionId};
use crate::limits::ROOM_LIST;
use crate::name::RoomName;
use crate::record::{RecordKey, Role};
use std::sync::Arc;

/// How far somebody's rights reach: who has more may act on who has less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
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

impl Engine {
    /// The rank of who sits in a session: a server operator by the key it proved (threat U6).
    pub(super) fn rank(&self, session: SessionId, room: &RoomName) -> Rank {
        if self.is_operator(session) {
            return Rank::Server;
        }
        self.account_of(session).and_then(|account| self.state.role(account, room)).into()
    }

    /// The rank of an account, which any of its keys may have.
    pub(super) fn rank_of(&self, account: AccountId, room: Option<&RoomName>) -> Rank {
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
    pub(super) fn reach(&mut self, session: SessionId, everywhere: bool) -> Option<Option<RoomName>> {
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

    pub(super) fn nick_in(&self, session: SessionId) -> Arc<str> {
        self.account_of(session).map_or_else(|| Arc::from("-"), |account| self.state.nick_of(account))
    }

    /// Ends a session from this side.
    pub(super) fn end_session(&mut self, session: SessionId, why: &str) {
        let at = self.now;
        self.show(session, Event::Bye { reason: why.into(), at });
        self.disconnect(session);
        self.out.push(Effect::Close { session, reason: why.into() });
    }

    /// Deletes a record in the store and, where there are other nodes, there.
    pub(super) fn erase(&mut self, key: RecordKey) {
        self.tell_nodes(key.clone(), BackRequest::Delete(key.clone()));
        self.ask_store(StoreRequest::Delete(key), None);
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
