//! What an operator at the machine itself asks.

use super::Engine;
use crate::effect::{AdminAnswer, Audit, Effect};
use crate::event::{Event, Leaving};
use crate::id::SessionId;
use crate::input::AdminRequest;
use crate::limits::BODY_BYTES;
use crate::name::RoomName;
use crate::record::{Ban, Record, RecordKey};
use crate::text::clean;
use std::sync::Arc;

impl Engine {
    pub(super) fn admin(&mut self, ticket: u64, request: AdminRequest) {
        let answer = match request {
            AdminRequest::Accounts => {
                let mut accounts: Vec<_> = self.state.accounts.values().cloned().collect();
                accounts.sort_by_key(|account| account.id);
                AdminAnswer::Records(accounts.into_iter().map(Record::Account).collect())
            }
            AdminRequest::Rooms => {
                let mut rooms: Vec<_> = self.state.rooms.values().map(|room| Arc::clone(&room.record)).collect();
                rooms.sort_by(|a, b| a.name.cmp(&b.name));
                AdminAnswer::Records(rooms.into_iter().map(Record::Room).collect())
            }
            AdminRequest::Bans => {
                let mut bans: Vec<_> = self.state.bans.values().cloned().collect();
                bans.sort_by_key(|ban| ban.id);
                AdminAnswer::Records(bans.into_iter().map(Record::Ban).collect())
            }
            AdminRequest::DeleteAccount(nick) => self.admin_delete_account(&nick),
            AdminRequest::DeleteRoom(name) => self.admin_delete_room(&name),
            AdminRequest::DeleteBan(id) => match self.state.bans.remove(&id) {
                Some(_) => {
                    self.erase(RecordKey::Ban(id));
                    self.admin_audit("unban", &id.to_string());
                    AdminAnswer::Done
                }
                None => AdminAnswer::Refused(format!("no such ban: {id}").into()),
            },
            AdminRequest::Ban { target, room, mute, time, reason } => {
                let ban = Ban {
                    id: self.line_id(),
                    room,
                    target,
                    kind: if mute { crate::record::BanKind::Mute } else { crate::record::BanKind::Out },
                    until: time.map(|time| self.now.after(time)),
                    by: Arc::from("-"),
                    reason: self.phrase(&reason),
                };
                self.admin_audit("ban", &format!("{:?}", ban.target));
                self.put_ban(Arc::new(ban));
                AdminAnswer::Done
            }
            AdminRequest::Announce(text) => self.announce(&text),
            AdminRequest::Shutdown(why) => {
                let why = self.phrase(&why);
                let mut sessions: Vec<SessionId> = self.state.sessions.keys().copied().collect();
                sessions.sort_unstable();
                // Nobody is told of the others' leaving: all leave at once.
                for session in &sessions {
                    self.leave_place(*session);
                }
                self.write_marks();
                for session in sessions {
                    let at = self.now;
                    self.show(session, Event::Bye { reason: Arc::clone(&why), at });
                    self.out.push(Effect::Close { session, reason: Arc::clone(&why) });
                }
                AdminAnswer::Done
            }
        };
        self.out.push(Effect::Admin { ticket, answer });
    }

    fn admin_audit(&mut self, what: &'static str, target: &str) {
        let (by, target, detail) = (Arc::from("-"), self.phrase(target), Arc::from(""));
        self.out.push(Effect::Audit(Audit { at: self.now, by, key: None, what, target, detail }));
    }

    fn admin_delete_account(&mut self, nick: &str) -> AdminAnswer {
        match self.person(nick) {
            Ok(account) => {
                self.delete_account(account);
                self.admin_audit("delete-account", nick);
                AdminAnswer::Done
            }
            Err(why) => AdminAnswer::Refused(why.into()),
        }
    }

    fn admin_delete_room(&mut self, name: &str) -> AdminAnswer {
        let name = match RoomName::parse(name) {
            Ok(name) if self.state.rooms.contains_key(&name) => name,
            Ok(name) => return AdminAnswer::Refused(format!("no such room: {name}").into()),
            Err(why) => return AdminAnswer::Refused(why.to_string().into()),
        };
        self.forget_room(&name);
        self.admin_audit("delete-room", &name.to_string());
        self.erase(RecordKey::Room(name));
        AdminAnswer::Done
    }

    fn announce(&mut self, text: &str) -> AdminAnswer {
        let text = clean(text.as_bytes());
        if text.is_empty() || text.len() > BODY_BYTES {
            return AdminAnswer::Refused(format!("an announcement has 1 to {BODY_BYTES} bytes").into());
        }
        let mut sessions: Vec<SessionId> = self.state.sessions.keys().copied().collect();
        sessions.sort_unstable();
        let event = Arc::new(Event::Notice { place: None, text: text.into(), at: self.now });
        let to = crate::effect::Audience::Many { sessions: sessions.into(), except: self.state.nobody() };
        let ring = self.state.nobody();
        self.out.push(Effect::Show { to, event, ring });
        self.admin_audit("announce", "all");
        AdminAnswer::Done
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
