//! Accounts as sets of keys: one person, several devices.

use super::Engine;
use crate::command::KeyOrder;
use crate::effect::BackRequest;
use crate::event::{Event, Leaving};
use crate::id::{AccountId, SessionId};
use crate::limits::{KEY_OFFERS, KEYS_PER_ACCOUNT};
use crate::record::RecordKey;
use crate::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// How long an offer to a key waits.
const OFFER: Duration = Duration::from_secs(3600);

/// What the sessions of a key hear that is its account's no more.
pub(super) const KEY_TAKEN_OUT: &str = "Your key was taken out of its account";

/// An account that a key may join.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    pub account: AccountId,
    pub until: Time,
}

impl Engine {
    /// `/key`.
    pub(super) fn key(&mut self, session: SessionId, order: &KeyOrder) {
        let Some(account) = self.account_of(session) else { return };
        // A guest may have come for this alone, where unknown keys make no accounts.
        let accepts = matches!(order, KeyOrder::Accept(_));
        if !accepts && self.state.here.get(&account).is_none_or(|here| here.guest) {
            return self.problem(
                session,
                "You are a guest. Connect with a key (ssh-keygen -t ed25519 makes one) to have an account",
            );
        }
        match order {
            KeyOrder::List => self.list_keys(session, account),
            KeyOrder::Add(key) => self.offer_key(session, account, key),
            KeyOrder::Accept(nick) => self.accept_key(session, account, nick),
            KeyOrder::Remove(key) => self.remove_key(session, account, key),
        }
    }

    fn list_keys(&mut self, session: SessionId, account: AccountId) {
        let Some(record) = self.state.accounts.get(&account) else { return };
        let own = self.state.sessions.get(&session).and_then(|s| s.key.clone());
        let mark = |key: &Arc<str>| if Some(key) == own.as_ref() { "  (this session)" } else { "" };
        let mut text = format!("Keys of {}:", record.nick);
        for key in &record.keys {
            text.push_str(&format!("\n{key}{}", mark(key)));
        }
        text.push_str("\n/key add SHA256:... offers your account to another key (ssh-keygen -l shows its name)");
        self.notice(session, text);
    }

    /// An offer only: a key joins when its own holder accepts, or anybody could catch strangers' keys.
    fn offer_key(&mut self, session: SessionId, account: AccountId, key: &Arc<str>) {
        if !is_fingerprint(key) {
            return self.problem(session, "A key is named SHA256: and 43 letters; ssh-keygen -l -f FILE.pub shows it");
        }
        let Some(record) = self.state.accounts.get(&account) else { return };
        if record.keys.contains(key) {
            return self.problem(session, "That key is yours already");
        }
        if record.keys.len() >= KEYS_PER_ACCOUNT {
            return self
                .problem(session, format!("An account has at most {KEYS_PER_ACCOUNT} keys: /key remove one first"));
        }
        let nick = record.nick.clone();
        let now = self.now;
        self.state.offers.retain(|_, offer| offer.until > now);
        if self.state.offers.len() >= KEY_OFFERS {
            return self.problem(session, "Too many offers wait already; try again later");
        }
        self.state.offers.insert(Arc::clone(key), Offer { account, until: now.after(OFFER) });
        self.audit(session, "key-offer", key, "");
        self.notice(session, format!("Now connect with that key within an hour and type /key accept {nick}"));
        let waiting: Vec<SessionId> =
            self.state.sessions.iter().filter(|(_, s)| s.key.as_ref() == Some(key)).map(|(id, _)| *id).collect();
        for other in waiting {
            self.tell_offer(other);
        }
    }

    /// The offer to a key that still holds.
    pub(super) fn offer_to(&self, key: &Arc<str>) -> Option<Offer> {
        self.state.offers.get(key).copied().filter(|offer| offer.until > self.now)
    }

    /// Tells a session of an offer to its key.
    pub(super) fn tell_offer(&mut self, session: SessionId) {
        let Some(key) = self.state.sessions.get(&session).and_then(|s| s.key.as_ref()) else { return };
        let Some(offer) = self.offer_to(key) else { return };
        let nick = self.state.nick_of(offer.account);
        self.notice(
            session,
            format!("{nick} offers to take your key into that account. If {nick} is you: /key accept {nick}"),
        );
    }

    fn accept_key(&mut self, session: SessionId, account: AccountId, nick: &str) {
        let meant = match self.person(nick) {
            Ok(meant) => meant,
            Err(why) => return self.problem(session, why),
        };
        let Some(key) = self.state.sessions.get(&session).and_then(|s| s.key.clone()) else {
            return self.problem(session, "You did not log in with a key");
        };
        let offer = self.offer_to(&key).filter(|offer| offer.account == meant);
        if offer.is_none() || meant == account {
            return self.problem(
                session,
                format!("{} made no such offer: there /key add {key} makes one", self.state.nick_of(meant)),
            );
        }
        self.state.offers.remove(&key);
        self.audit(session, "key-add", &self.state.nick_of(meant), &key);
        let nick = self.state.nick_of(meant);
        self.end_sessions_of_key(&key, &format!("Your key is one of {nick}'s now: connect again"));
        self.take_key(account, &key);
        self.change_account(meant, |record, _| record.keys.push(Arc::clone(&key)));
        self.state.keys.insert(Arc::clone(&key), meant);
        let (at, text) = (self.now, format!("{key} is one of your keys now").into());
        self.show_account(meant, Event::Notice { place: None, text, at });
    }

    fn remove_key(&mut self, session: SessionId, account: AccountId, key: &Arc<str>) {
        let Some(record) = self.state.accounts.get(&account) else { return };
        if !record.keys.contains(key) {
            return self.problem(session, "That is none of your keys: /key shows them");
        }
        if record.keys.len() == 1 && record.login.is_none() {
            return self.problem(session, "That is your only key: without it nobody could be you");
        }
        self.audit(session, "key-remove", key, "");
        self.take_key(account, key);
        self.notice(session, format!("{key} is not yours any more"));
        self.end_sessions_of_key(key, KEY_TAKEN_OUT);
    }

    /// Takes a key out of an account; an account that nobody can log in to any more goes.
    fn take_key(&mut self, account: AccountId, key: &Arc<str>) {
        self.change_account(account, |record, _| record.keys.retain(|other| other != key));
        self.state.keys.remove(key);
        let empty = self.state.accounts.get(&account).is_some_and(|r| r.keys.is_empty() && r.login.is_none());
        if empty {
            self.delete_account(account);
        }
    }

    pub(super) fn end_sessions_of_key(&mut self, key: &Arc<str>, why: &str) {
        let mut sessions: Vec<SessionId> =
            self.state.sessions.iter().filter(|(_, s)| s.key.as_ref() == Some(key)).map(|(id, _)| *id).collect();
        sessions.sort_unstable();
        for session in sessions {
            self.end_session(session, why);
        }
    }

    /// Forgets an account for good: its nick and keys are free.
    pub(super) fn delete_account(&mut self, account: AccountId) {
        let Some(record) = self.state.accounts.get(&account).cloned() else { return };
        self.forget_for_good(account);
        let rooms: Vec<_> = self
            .state
            .rooms
            .iter()
            .filter(|(_, r)| r.record.roles.contains_key(&account))
            .map(|(n, _)| n.clone())
            .collect();
        for name in rooms {
            self.change_room(&name, |room| {
                room.roles.remove(&account);
            });
        }
        if self.config.nodes && self.state.linked {
            self.ask_back(BackRequest::ReleaseNick { keys: record.nick.keys(), account }, None);
        }
        self.erase(RecordKey::Account(account));
    }
}

impl Engine {
    /// Forgets an account that is deleted, and ends its sessions.
    pub(super) fn forget_for_good(&mut self, account: AccountId) {
        if let Some(here) = self.state.here.get(&account) {
            let (who, sessions) = (here.author.clone(), here.sessions.clone());
            for name in self.state.rooms_of(account) {
                self.gone_from(&name, &who, Leaving::Quit);
            }
            self.absent(account);
            self.state.here.remove(&account);
            for session in sessions {
                self.end_session(session, "Your account is gone");
            }
        }
        self.state.forget_account(account);
    }
}

/// `SHA256:` and the 43 digits of base 64 that a hash of 32 bytes has.
pub(super) fn is_fingerprint(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.strip_prefix("SHA256:").is_some_and(|digits| digits.len() == 43 && digits.bytes().all(digit))
}
