//! What an operator at the machine itself asks.

use super::Engine;
use super::keys::is_fingerprint;
use crate::command::BanOrder;
use crate::effect::{AdminAnswer, Audit, Effect};
use crate::event::{Event, Leaving};
use crate::id::SessionId;
use crate::input::AdminRequest;
use crate::limits::BODY_BYTES;
use crate::name::{Nick, RoomName};
use crate::record::{Record, RecordKey};
use crate::text::clean;
use crate::time::Span;
use std::sync::Arc;
use std::time::Duration;

/// Who did it, where that was an operator at the machine.
const OPERATOR: &str = "-";

impl Engine {
    pub(super) fn admin(&mut self, ticket: u64, request: AdminRequest) {
        let done = match request {
            AdminRequest::Ban { order, room } => self.admin_ban(&order, room.as_deref()),
            AdminRequest::Unban { target, mute, room } => self.admin_unban(&target, mute, room.as_deref()),
            AdminRequest::AddAccount { nick, key } => self.admin_add_account(&nick, &key),
            AdminRequest::DeleteAccount(nick) => self.admin_delete_account(&nick),
            AdminRequest::DeleteRoom(name) => self.admin_delete_room(&name),
            AdminRequest::Keep { room, time } => self.admin_keep(&room, time),
            AdminRequest::Announce(text) => self.announce(&text),
            AdminRequest::Shutdown(why) => {
                self.shut_down(&why);
                Ok(())
            }
        };
        let answer = done.map_or_else(|why| AdminAnswer::Refused(why.into()), |()| AdminAnswer::Done);
        self.out.push(Effect::Admin { ticket, answer });
    }

    /// All leave at once, so nobody is told of the others' leaving.
    fn shut_down(&mut self, why: &str) {
        let why = self.phrase(why);
        let mut sessions: Vec<SessionId> = self.state.sessions.keys().copied().collect();
        sessions.sort_unstable();
        for session in &sessions {
            self.leave_place(*session);
        }
        self.write_marks();
        for session in sessions {
            let at = self.now;
            self.show(session, Event::Bye { reason: Arc::clone(&why), at });
            self.out.push(Effect::Close { session, reason: Arc::clone(&why) });
        }
    }

    fn admin_audit(&mut self, what: &'static str, target: &str, detail: &str) {
        let (by, target, detail) = (Arc::from(OPERATOR), self.phrase(target), self.phrase(detail));
        self.out.push(Effect::Audit(Audit { at: self.now, by, key: None, what, target, detail }));
    }

    fn room_named(&self, name: &str) -> Result<RoomName, String> {
        let name = RoomName::parse(name).map_err(|why| format!("{}: {why}", self.phrase(name)))?;
        let known = self.state.rooms.contains_key(&name);
        known.then(|| name.clone()).ok_or_else(|| format!("no such room: {name}"))
    }

    fn admin_ban(&mut self, order: &BanOrder, room: Option<&str>) -> Result<(), String> {
        let room = room.map(|room| self.room_named(room)).transpose()?;
        let target = self.ban_target(&order.target)?;
        let made = self.make_ban(room, target, order, Arc::from(OPERATOR))?;
        self.admin_audit(made.what, &made.target, &made.detail);
        Ok(())
    }

    fn admin_unban(&mut self, target: &str, mute: bool, room: Option<&str>) -> Result<(), String> {
        let room = room.map(|room| self.room_named(room)).transpose()?;
        let target = self.ban_target(target)?;
        let lifted = self.lift_ban(room.as_ref(), &target, mute);
        let lifted = lifted.map_err(|shown| format!("{shown} is not on the list"))?;
        self.admin_audit(lifted.what, &lifted.target, &lifted.detail);
        Ok(())
    }

    fn admin_add_account(&mut self, nick: &str, key: &str) -> Result<(), String> {
        let nick = Nick::parse(nick).map_err(|why| format!("{}: {why}", self.phrase(nick)))?;
        if !is_fingerprint(key) {
            return Err("a key is named SHA256: and 43 letters".to_owned());
        }
        if let Some(owner) = self.state.keys.get(key) {
            return Err(format!("that key is {}'s", self.state.nick_of(*owner)));
        }
        if let Some(owner) = self.state.owner(&nick.keys()) {
            return Err(format!("{nick} is taken, or looks like {}", self.state.nick_of(owner)));
        }
        let account = Arc::new(self.empty_account(nick.clone(), vec![Arc::from(key)], None));
        self.state.put_account(Arc::clone(&account));
        if self.config.nodes {
            self.state.unclaimed.insert(account.id);
        }
        self.write(Record::Account(account));
        if self.state.linked {
            self.claim_unclaimed();
        }
        self.admin_audit("register", nick.as_str(), key);
        Ok(())
    }

    fn admin_delete_account(&mut self, nick: &str) -> Result<(), String> {
        let account = self.person(nick)?;
        self.delete_account(account);
        self.admin_audit("delete-account", nick, "");
        Ok(())
    }

    fn admin_delete_room(&mut self, name: &str) -> Result<(), String> {
        let name = self.room_named(name)?;
        self.forget_room(&name);
        self.admin_audit("delete-room", &name.to_string(), "");
        self.erase(RecordKey::Room(name));
        Ok(())
    }

    fn admin_keep(&mut self, name: &str, time: Option<Duration>) -> Result<(), String> {
        let name = self.room_named(name)?;
        if time.is_some_and(|time| time.is_zero()) {
            return Err("lines are kept for at least a second".to_owned());
        }
        self.change_room(&name, |record| record.modes.keep = time);
        let shown = time.map_or_else(|| "as long as elsewhere".to_owned(), |time| format!("for {}", Span(time)));
        self.admin_audit("keep", &name.to_string(), &shown);
        self.tell_room(&name, &format!("Lines of {name} are kept {shown}"));
        Ok(())
    }

    fn announce(&mut self, text: &str) -> Result<(), String> {
        let text = clean(text.as_bytes());
        if text.is_empty() || text.len() > BODY_BYTES {
            return Err(format!("an announcement has 1 to {BODY_BYTES} bytes"));
        }
        self.tell_all(&Event::Notice { place: None, text: text.into(), at: self.now });
        self.admin_audit("announce", "all", "");
        Ok(())
    }

    /// Forgets a room that is deleted, and puts its people out.
    pub(super) fn forget_room(&mut self, name: &RoomName) {
        let members: Vec<_> = self
            .state
            .accounts
            .values()
            .filter(|record| record.rooms.contains_key(name))
            .map(|record| record.id)
            .collect();
        for account in members {
            let (by, reason) = (Arc::from("-"), Arc::from("the room is gone"));
            self.put_out(account, name, Leaving::Kicked { by, reason });
        }
        self.state.rooms.remove(name);
        self.state.room_keys.retain(|_, room| room != name);
        self.state.talks.remove(&crate::line::Place::Room(name.clone()));
    }
}
