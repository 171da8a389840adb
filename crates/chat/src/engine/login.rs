//! Coming and going.

use super::Engine;
use super::state::{Here, Session};
use crate::effect::{BackRequest, Effect, StoreRequest};
use crate::event::{Event, Leaving};
use crate::id::{AccountId, SessionId};
use crate::input::{Connect, Proof};
use crate::limits::{ACCOUNTS, PHRASE_BYTES, ROOMS_PER_ACCOUNT, SESSIONS_PER_ACCOUNT};
use crate::line::Author;
use crate::name::Nick;
use crate::record::{AccountRecord, BanKind, Record, Settings};
use crate::text::clean_line;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A login name taken apart: `nick`, `nick+room`, `nick@device`, `nick@device+room`.
#[derive(Debug, PartialEq, Eq)]
struct LoginName<'a> {
    nick: &'a str,
    device: Option<&'a str>,
    room: Option<&'a str>,
}

impl<'a> LoginName<'a> {
    fn parse(text: &'a str) -> Self {
        let (rest, room) = text.split_once('+').map_or((text, None), |(rest, room)| (rest, Some(room)));
        let (nick, device) = rest.split_once('@').map_or((rest, None), |(nick, device)| (nick, Some(device)));
        Self { nick, device, room }
    }
}

/// Since when somebody who comes in is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The account was there.
    Known,
    /// It was made just now.
    New,
    /// It lasts as long as the session.
    Guest,
}

impl Engine {
    /// Somebody logged in: finds or makes the account, then seats the session.
    pub(super) fn connect(&mut self, connect: Connect) {
        if self.state.sessions.contains_key(&connect.session) || self.state.early.contains_key(&connect.session) {
            return;
        }
        if let Some(why) = self.shut_out(&connect) {
            self.turn_away(connect.session, &why);
            return;
        }
        if let Some(account) = self.known(&connect) {
            self.seat(connect, account, Standing::Known);
            return;
        }
        let member = match &connect.proof {
            Proof::Key(key) => self.config.rules.registration || self.config.rules.names.contains_key(key),
            Proof::Login => true,
            Proof::Guest => false,
        };
        let offered = connect.proof.key().is_some_and(|key| self.offer_to(key).is_some());
        if !member && !self.config.rules.guests && !offered {
            self.turn_away(
                connect.session,
                "Only people with an account may come in here; ask an operator to add your key",
            );
            return;
        }
        if self.state.accounts.len() >= ACCOUNTS {
            self.turn_away(connect.session, "This server takes no more accounts");
            return;
        }
        let nick = self.free_nick(&connect);
        let account = self.new_account(&connect, nick, member);
        if member && self.config.nodes && self.state.linked {
            return self.claim(connect, account);
        }
        if member && self.config.nodes {
            self.state.unclaimed.insert(account.id);
        }
        self.welcome_new(connect, account, !member);
    }

    /// Takes a new account in and seats its first session.
    pub(super) fn welcome_new(&mut self, connect: Connect, account: AccountRecord, guest: bool) {
        let (id, session) = (account.id, connect.session);
        let account = Arc::new(account);
        self.state.put_account(Arc::clone(&account));
        if !guest {
            self.write(Record::Account(Arc::clone(&account)));
        }
        self.seat(connect, id, if guest { Standing::Guest } else { Standing::New });
        self.audit(session, if guest { "guest" } else { "register" }, account.nick.as_str(), "");
    }

    /// Writes a record to the store and, where there are other nodes, to them.
    pub(super) fn write(&mut self, record: Record) {
        self.tell_nodes(record.key(), BackRequest::Put(record.clone()));
        self.ask_store(StoreRequest::Put(record), None);
    }

    fn known(&self, connect: &Connect) -> Option<AccountId> {
        match &connect.proof {
            Proof::Key(key) => self.state.keys.get(key).copied(),
            Proof::Login => {
                let login = clean_line(&connect.login, PHRASE_BYTES);
                self.state.logins.get(&*login).copied()
            }
            Proof::Guest => None,
        }
    }

    fn shut_out(&self, connect: &Connect) -> Option<String> {
        let account = self.known(connect);
        let ban = self.state.banned(self.now, BanKind::Out, None, account, connect.proof.key(), connect.address)?;
        Some(ban.describe(self.now))
    }

    fn turn_away(&mut self, session: SessionId, why: &str) {
        let at = self.now;
        self.show(session, Event::Bye { reason: why.into(), at });
        self.out.push(Effect::Close { session, reason: why.into() });
    }

    /// Whether the server's own list gives a nick, or one that looks like it, to none of these keys.
    pub(super) fn is_kept<K: AsRef<str>>(&self, nick: &Nick, keys: &[K]) -> bool {
        let own = |key: &str| keys.iter().any(|own| own.as_ref() == key);
        nick.keys().both().any(|look| self.state.kept.get(look).is_some_and(|key| !own(key)))
    }

    /// The nick that is kept for the key, else the one wished for, else the nearest that is free.
    fn free_nick(&self, connect: &Connect) -> Nick {
        let key = connect.proof.key();
        let wish = key.and_then(|key| self.config.rules.names.get(key)).cloned().unwrap_or_else(|| {
            let login = clean_line(&connect.login, PHRASE_BYTES);
            Nick::parse(LoginName::parse(&login).nick).unwrap_or_else(|_| Nick::guest())
        });
        let free = |nick: &Nick| self.state.owner(&nick.keys()).is_none() && !self.is_kept(nick, key.as_slice());
        if free(&wish) {
            return wish;
        }
        let numbered = (2..u32::MAX).map(|number| wish.numbered(number)).find(free);
        numbered.unwrap_or(wish)
    }

    fn new_account(&mut self, connect: &Connect, nick: Nick, member: bool) -> AccountRecord {
        let key = connect.proof.key().filter(|_| member).cloned().into_iter().collect();
        let login = clean_line(&connect.login, PHRASE_BYTES);
        let login = (member && connect.proof == Proof::Login).then(|| Arc::from(login));
        self.empty_account(nick, key, login)
    }

    /// An account that nobody has used yet.
    pub(super) fn empty_account(&mut self, nick: Nick, keys: Vec<Arc<str>>, login: Option<Arc<str>>) -> AccountRecord {
        AccountRecord {
            id: AccountId(self.ids.next(self.now)),
            nick,
            keys,
            login,
            made: self.now,
            seen: self.now,
            stamp: self.now,
            rooms: BTreeMap::new(),
            read: BTreeMap::new(),
            inbox: None,
            ignored: BTreeSet::new(),
            settings: Settings::default(),
        }
    }

    /// Gives an account's new session its place and shows it what it needs.
    pub(super) fn seat(&mut self, connect: Connect, account: AccountId, standing: Standing) {
        let guest = standing == Standing::Guest;
        let Some(record) = self.state.accounts.get(&account).cloned() else { return };
        let session = connect.session;
        let sessions = self.state.here.get(&account).map_or(0, |here| here.sessions.len());
        if sessions >= SESSIONS_PER_ACCOUNT {
            self.turn_away(session, &format!("You are here {sessions} times already; end one of them first"));
            return;
        }
        let key = connect.proof.key().cloned();
        let login = clean_line(&connect.login, PHRASE_BYTES);
        let name = LoginName::parse(&login);
        let author = Author { account, nick: record.nick.shared(), verified: !guest, key: key.clone() };
        let new = Session {
            account,
            face: connect.face,
            key,
            address: connect.address,
            device: name.device.map(|device| clean_line(device.as_bytes(), PHRASE_BYTES).into()),
            client: clean_line(&connect.client, PHRASE_BYTES).into(),
            at: None,
            rate: crate::rate::Rate::default(),
            late: std::collections::VecDeque::new(),
            muted_until: crate::time::Time(0),
            since: self.now,
        };
        self.state.sessions.insert(session, new);
        let first = sessions == 0;
        let here = self.state.here.entry(account).or_insert_with(|| Here {
            author: author.clone(),
            sessions: Vec::new(),
            away: None,
            guest,
            since: self.now,
            last_typed: self.now,
        });
        here.sessions.push(session);
        let (greeting, settings, at) = (Arc::clone(&self.config.rules.greeting), record.settings.clone(), self.now);
        self.show(session, Event::Welcome { you: author, greeting, settings, at });
        self.tell_about_nick(session, &connect, &record, standing);
        let wished: Vec<String> = name
            .room
            .into_iter()
            .chain(connect.rooms.iter().map(|room| &**room))
            .take(ROOMS_PER_ACCOUNT)
            .map(str::to_owned)
            .collect();
        self.enter_rooms(session, account, first, &wished);
        self.after_seating(session, account, &connect);
        if self.config.nodes && !self.state.linked {
            self.show(session, Event::Linked(false));
        }
        self.tell_presence(account);
    }

    /// Whether a nick, or one that looks like it, belongs to or is kept for somebody else than the holder of an account.
    pub(super) fn is_anothers(&self, nick: &Nick, record: &AccountRecord) -> bool {
        let owner = self.state.owner(&nick.keys());
        owner.is_some_and(|owner| owner != record.id) || self.is_kept(nick, &record.keys)
    }

    /// Says so when the nick is not the one wished for.
    fn tell_about_nick(&mut self, session: SessionId, connect: &Connect, record: &AccountRecord, standing: Standing) {
        let login = clean_line(&connect.login, PHRASE_BYTES);
        let nick = &record.nick;
        // Who is new and has another name did not get the one wished for; that of another node's may not be known here yet.
        let kept = connect.proof.key().is_some_and(|key| self.config.rules.names.contains_key(key));
        let lost = standing != Standing::Known && !kept;
        let text = match Nick::parse(LoginName::parse(&login).nick) {
            Ok(wish) if wish.keys().clashes(&nick.keys()) => return,
            Ok(wish) if lost || self.is_anothers(&wish, record) => {
                format!("{wish} belongs to somebody else; you are {nick}. /nick NAME chooses another name")
            }
            Ok(_) => format!("You are {nick}: that is the name of your account. /nick NAME changes it"),
            Err(why) => format!("Your login name cannot be a name here: {why}. You are {nick}; /nick NAME changes it"),
        };
        self.notice(session, text);
    }

    /// Into the rooms the account is in, then into those wished for; the last one is where it is.
    fn enter_rooms(&mut self, session: SessionId, account: AccountId, first: bool, wished: &[String]) {
        for room in self.state.rooms_of(account) {
            self.come_back(session, account, &room, first);
        }
        // It may have been put out of some of them just now.
        let rooms = self.state.rooms_of(account);
        if rooms.is_empty() || !wished.is_empty() {
            let lobby = self.config.rules.lobby.clone();
            if wished.is_empty() {
                self.join_room(session, lobby.as_str(), None);
            }
            for room in wished {
                self.join_room(session, room, None);
            }
        }
        let at = self.state.sessions.get(&session).and_then(|s| s.at.clone());
        if at.is_none() {
            let lobby = self.config.rules.lobby.clone();
            let room = rooms.iter().find(|room| **room == lobby).or(rooms.first()).cloned();
            self.focus(session, room.map(crate::line::Place::Room));
        }
    }

    /// A session is over.
    pub(super) fn disconnect(&mut self, session: SessionId) {
        self.leave_place(session);
        let Some(gone) = self.state.sessions.remove(&session) else {
            self.state.early.remove(&session);
            return;
        };
        self.state.late.retain(|(_, late)| *late != session);
        let account = gone.account;
        let Some(here) = self.state.here.get_mut(&account) else { return };
        here.sessions.retain(|other| *other != session);
        let last = here.sessions.is_empty();
        self.state.stale_rooms_of(account);
        if !last {
            return;
        }
        let Some(here) = self.state.here.remove(&account) else { return };
        for room in self.state.rooms_of(account) {
            self.gone_from(&room, &here.author, Leaving::Quit);
        }
        self.absent(account);
        self.state.forget_talks_of(account);
        if here.guest {
            self.state.forget_account(account);
        } else {
            self.change_account(account, |record, now| record.seen = now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_names_come_apart() {
        let of = |nick, device, room| LoginName { nick, device, room };
        assert_eq!(LoginName::parse("alice"), of("alice", None, None));
        assert_eq!(LoginName::parse("alice+rust"), of("alice", None, Some("rust")));
        assert_eq!(LoginName::parse("alice@phone"), of("alice", Some("phone"), None));
        assert_eq!(LoginName::parse("alice@phone+rust"), of("alice", Some("phone"), Some("rust")));
    }
}
