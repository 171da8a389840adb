//! What the nodes know together: records, and whose a nick is.

use super::Engine;
use super::keys::KEY_TAKEN_OUT;
use super::login::Standing;
use super::state::Waiting;
use crate::effect::{BackRequest, StoreRequest};
use crate::event::{Event, Leaving};
use crate::id::{AccountId, SessionId};
use crate::input::{BackAnswer, Connect};
use crate::name::Nick;
use crate::record::{AccountRecord, Record, RecordKey};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Engine {
    /// A record was written on another node: taken if nothing newer is known.
    pub(super) fn record_came(&mut self, record: Record) {
        let key = record.key();
        let unsent = self.state.unsent.contains(&key);
        match self.record_of(&key) {
            // Deleted here while the others could not be told.
            None if unsent => return,
            Some(known) if known.replaces(&record) => return,
            known => {
                // The others have it as it is here, or newer: they need not be told.
                self.state.unsent.remove(&key);
                if known.is_some_and(|known| !record.replaces(&known)) {
                    return;
                }
            }
        }
        self.ask_store(StoreRequest::Put(record.clone()), None);
        match record {
            Record::Account(account) => self.account_came(account),
            Record::Ban(ban) => {
                self.take_record(Record::Ban(Arc::clone(&ban)));
                self.enforce(&ban);
            }
            Record::Room(_) => self.take_record(record),
        }
    }

    /// An account changed on another node; who is here as well follows.
    fn account_came(&mut self, account: Arc<AccountRecord>) {
        let id = account.id;
        let before = self.state.rooms_of(id);
        let nick = account.nick.shared();
        let keys = self.state.accounts.get(&id).map(|old| old.keys.clone()).unwrap_or_default();
        self.state.put_account(Arc::clone(&account));
        let Some(here) = self.state.here.get_mut(&id) else { return };
        here.author.nick = nick;
        let (who, sessions) = (here.author.clone(), here.sessions.clone());
        for name in account.rooms.keys().filter(|name| !before.contains(name)) {
            self.appear_in(name, id);
            for session in &sessions {
                self.show_room_view(*session, name);
            }
        }
        for name in before.iter().filter(|name| !account.rooms.contains_key(name)) {
            self.gone_from(name, &who, Leaving::Parted(Arc::from("")));
            self.move_out(id, name);
        }
        // At the end: whose last session ends leaves the rooms that are known by now, and no others.
        for key in keys.iter().filter(|key| !account.keys.contains(key)) {
            self.end_sessions_of_key(key, KEY_TAKEN_OUT);
        }
    }

    /// A record was deleted on another node.
    pub(super) fn deletion_came(&mut self, key: &RecordKey) {
        self.state.unsent.remove(key);
        self.ask_store(StoreRequest::Delete(key.clone()), None);
        match key {
            RecordKey::Ban(id) => {
                self.state.bans.remove(id);
            }
            RecordKey::Account(id) => self.forget_for_good(*id),
            RecordKey::Room(name) => self.forget_room(name),
        }
    }

    /// The answer to a claim of a nick.
    pub(super) fn claim_answered(&mut self, waiting: Waiting, answer: &BackAnswer) {
        match (waiting, answer) {
            (Waiting::Claim { connect, account }, BackAnswer::Taken) => self.claim_another(*connect, *account),
            (Waiting::Claim { connect, account }, BackAnswer::Claimed) => self.claimed(*connect, *account),
            (Waiting::Claim { connect, account }, _) => {
                // Not to be asked now: first come here, first claimed when the others are back.
                let id = account.id;
                self.claimed(*connect, *account);
                self.state.unclaimed.insert(id);
            }
            (Waiting::Rename { session, account, nick }, BackAnswer::Claimed) => {
                self.rename_claimed(session, account, nick)
            }
            (Waiting::Rename { session, nick, .. }, BackAnswer::Taken) => {
                self.problem(session, format!("{nick} is somebody's name, or looks like one"));
            }
            (Waiting::Rename { session, .. }, _) => {
                self.problem(session, "Names cannot be changed while the other nodes cannot be asked; try again later");
            }
            (Waiting::Reclaim(account), BackAnswer::Taken) => self.lost_its_nick(account),
            (Waiting::Reclaim(account), BackAnswer::Claimed) => {
                self.state.unclaimed.remove(&account);
            }
            _ => {}
        }
    }

    fn claimed(&mut self, connect: Connect, account: AccountRecord) {
        // The same key or login may have made its account meanwhile, or this session may be over.
        let by_key = account.keys.iter().find_map(|key| self.state.keys.get(key));
        let by_login = || account.login.as_ref().and_then(|login| self.state.logins.get(login));
        let known = by_key.or_else(by_login).copied();
        let Some(early) = self.state.early.remove(&connect.session) else {
            return self.ask_back(BackRequest::ReleaseNick { keys: account.nick.keys(), account: account.id }, None);
        };
        let session = connect.session;
        match known {
            Some(known) => {
                self.ask_back(BackRequest::ReleaseNick { keys: account.nick.keys(), account: account.id }, None);
                self.seat(connect, known, Standing::Known);
            }
            None => self.welcome_new(connect, account, false),
        }
        for bytes in early {
            self.typed(session, bytes);
        }
    }

    /// Somebody on another node was first: the next name with a number.
    fn claim_another(&mut self, connect: Connect, mut account: AccountRecord) {
        if !self.state.early.contains_key(&connect.session) {
            return;
        }
        let wish = account.nick.clone();
        let base: String = wish.as_str().trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let number: u32 = wish.as_str().get(base.len()..).and_then(|digits| digits.parse().ok()).unwrap_or(1);
        let base = Nick::parse(&base).unwrap_or_else(|_| Nick::guest());
        let free = |nick: &Nick| self.state.owner(&nick.keys()).is_none() && !self.is_kept(nick, &account.keys);
        let next = (number.saturating_add(1)..u32::MAX).map(|number| base.numbered(number)).find(free);
        account.nick = next.unwrap_or(wish);
        self.claim(connect, account);
    }

    /// Asks all nodes for a nick for somebody who logs in.
    pub(super) fn claim(&mut self, connect: Connect, account: AccountRecord) {
        self.state.early.entry(connect.session).or_default();
        let what = BackRequest::ClaimNick { keys: account.nick.keys(), account: account.id };
        self.ask_back(what, Some(Waiting::Claim { connect: Box::new(connect), account: Box::new(account) }));
    }

    /// Asks all nodes for another nick.
    pub(super) fn claim_rename(&mut self, session: SessionId, account: AccountId, nick: Nick) {
        let what = BackRequest::ClaimNick { keys: nick.keys(), account };
        self.ask_back(what, Some(Waiting::Rename { session, account, nick }));
    }

    fn rename_claimed(&mut self, session: SessionId, account: AccountId, nick: Nick) {
        let Some(old) = self.state.accounts.get(&account).map(|record| record.nick.clone()) else { return };
        if self.state.owner(&nick.keys()).is_some_and(|owner| owner != account) {
            return self.problem(session, format!("{nick} is somebody's name, or looks like one"));
        }
        if old.keys() != nick.keys() {
            self.ask_back(BackRequest::ReleaseNick { keys: old.keys(), account }, None);
        }
        self.renamed(account, nick);
    }

    /// Claims the nicks that were given while nobody could be asked, and those of accounts that the
    /// others do not know as they are.
    pub(super) fn claim_unclaimed(&mut self) {
        let unsent = self.state.unsent.iter().filter_map(|key| match key {
            RecordKey::Account(id) => Some(*id),
            _ => None,
        });
        // They stay unclaimed until an answer says otherwise.
        self.state.unclaimed.extend(unsent);
        let accounts: BTreeSet<AccountId> = self.state.unclaimed.iter().copied().collect();
        for account in accounts {
            if let Some(record) = self.state.accounts.get(&account) {
                let keys = record.nick.keys();
                self.ask_back(BackRequest::ClaimNick { keys, account }, Some(Waiting::Reclaim(account)));
            }
        }
    }

    /// Somebody on another node was first with a nick that was given here meanwhile.
    fn lost_its_nick(&mut self, account: AccountId) {
        let Some(record) = self.state.accounts.get(&account).cloned() else { return };
        let nick = &record.nick;
        let free = |nick: &Nick| self.state.owner(&nick.keys()).is_none() && !self.is_kept(nick, &record.keys);
        let Some(next) = (2..u32::MAX).map(|number| nick.numbered(number)).find(free) else { return };
        self.renamed(account, next.clone());
        let (at, text) = (self.now, format!("{nick} was taken on another node first; you are {next}").into());
        self.show_account(account, Event::Notice { place: None, text, at });
        let what = BackRequest::ClaimNick { keys: next.keys(), account };
        self.ask_back(what, Some(Waiting::Reclaim(account)));
    }
}
