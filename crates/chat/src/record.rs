//! Records: what is known of accounts, rooms and bans. The engine keeps all of them in memory,
//! writes each change out whole, and is given all of them at the start.
//!
//! A record is written by `StoreRequest::Put` and, when there are other nodes, by
//! `BackRequest::Put`; wherever two meet, [`Record::replaces`] says which one stays.

use crate::id::{AccountId, LineId};
use crate::name::{Nick, RoomName};
use crate::time::{Span, Time};
use core::cmp::Reverse;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// One thing known, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Of a person.
    Account(Arc<AccountRecord>),
    /// Of a room.
    Room(Arc<RoomRecord>),
    /// Of somebody kept out or silent.
    Ban(Arc<Ban>),
}

impl Record {
    /// What it is about.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Account(account) => RecordKey::Account(account.id),
            Self::Room(room) => RecordKey::Room(room.name.clone()),
            Self::Ban(ban) => RecordKey::Ban(ban.id),
        }
    }

    /// Whether it takes the place of another one with the same key: the newer does; but of two rooms that
    /// were made apart, the older room is the true one, or whoever makes a room of a known name while the
    /// nodes are apart would own it on all.
    pub fn replaces(&self, old: &Self) -> bool {
        match (self, old) {
            (Self::Account(new), Self::Account(old)) => new.stamp > old.stamp,
            (Self::Room(new), Self::Room(old)) => (Reverse(new.made), new.stamp) > (Reverse(old.made), old.stamp),
            _ => false,
        }
    }
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RecordKey {
    /// An account.
    Account(AccountId),
    /// A room.
    Room(RoomName),
    /// A ban, by the id it was given.
    Ban(LineId),
}

/// An account: a set of keys with one nick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its name for ever.
    pub id: AccountId,
    /// What it is called now; owned by the account.
    pub nick: Nick,
    /// Fingerprints of its keys (`SHA256:...`), the first one first.
    pub keys: Vec<Arc<str>>,
    /// The login name that a password proves, for accounts that log in so.
    pub login: Option<Arc<str>>,
    /// When it was made.
    pub made: Time,
    /// When it was last here.
    pub seen: Time,
    /// When the record was last changed.
    pub stamp: Time,
    /// Rooms it is in, also while it is away, and since when.
    pub rooms: BTreeMap<RoomName, Time>,
    /// How far it has read, per room.
    pub read: BTreeMap<RoomName, LineId>,
    /// The last private message it was shown.
    pub inbox: Option<LineId>,
    /// Accounts whose lines it does not want to see.
    pub ignored: BTreeSet<AccountId>,
    /// What it chose.
    pub settings: Settings,
}

/// The names of the themes; how they look is the faces' business.
pub const THEMES: &[&str] = &["classic", "dark", "light", "mono"];

/// What a person chose; the faces read it, the engine keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What rings.
    pub bell: Bell,
    /// Minutes east of UTC.
    pub zone: i32,
    /// Name of the theme; `classic` has the shapes of the first chat.
    pub theme: Arc<str>,
    /// Whether times are shown.
    pub times: bool,
    /// Whether emoji are written as words.
    pub emoji_as_text: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bell: Bell::Mentions, zone: 0, theme: Arc::from("classic"), times: true, emoji_as_text: false }
    }
}

/// What rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bell {
    /// Nothing.
    Off,
    /// Private messages.
    Direct,
    /// Private messages and lines with one's nick in it.
    Mentions,
    /// Every line.
    All,
}

impl Bell {
    /// The word of `/bell`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Direct => "pm",
            Self::Mentions => "on",
            Self::All => "all",
        }
    }

    /// The reverse of [`Bell::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Off, Self::Direct, Self::Mentions, Self::All].into_iter().find(|bell| bell.word() == word)
    }
}

/// A room, without its members: those are in the accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRecord {
    /// What it is called.
    pub name: RoomName,
    /// What it is about; empty at first.
    pub topic: Arc<str>,
    /// When it was made.
    pub made: Time,
    /// When the record was last changed.
    pub stamp: Time,
    /// Who may come in and see.
    pub modes: Modes,
    /// Who may do what.
    pub roles: BTreeMap<AccountId, Role>,
    /// Who may come in although it is by invitation.
    pub invited: BTreeSet<AccountId>,
}

/// A room's modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modes {
    /// `+i`: only who was invited may come in; such a room is not listed to others.
    pub invite: bool,
    /// `+k`: the hash of a password, as the embedder made it.
    pub password: Option<Arc<str>>,
    /// `+m`: only operators and who has a voice may speak.
    pub moderated: bool,
    /// `+t`: only operators may set the topic.
    pub topic_locked: bool,
    /// What new members see of the past.
    pub history: HistoryMode,
    /// How long lines are kept; none for the server's own rule.
    pub keep: Option<Duration>,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            invite: false,
            password: None,
            moderated: false,
            topic_locked: true,
            history: HistoryMode::All,
            keep: None,
        }
    }
}

/// What a member sees of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryMode {
    /// Everything.
    All,
    /// What was said since he or she joined.
    SinceJoined,
}

/// What somebody may do in a room. More than a voice makes an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May speak in a moderated room.
    Voice,
    /// May moderate.
    Operator,
    /// Made the room: may also make and unmake operators.
    Owner,
}

impl Role {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Operator => "op",
            Self::Owner => "owner",
        }
    }

    /// The reverse of [`Role::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Voice, Self::Operator, Self::Owner].into_iter().find(|role| role.word() == word)
    }
}

/// Somebody kept out, or silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Its name.
    pub id: LineId,
    /// In one room, or everywhere.
    pub room: Option<RoomName>,
    /// Who.
    pub target: BanTarget,
    /// Kept out, or silent.
    pub kind: BanKind,
    /// Until when; for ever if none.
    pub until: Option<Time>,
    /// The nick of who did it.
    pub by: Arc<str>,
    /// Why; may be empty.
    pub reason: Arc<str>,
}

impl Ban {
    /// What its target is told.
    pub fn describe(&self, now: Time) -> String {
        let what = match self.kind {
            BanKind::Out => "You are kept out",
            BanKind::Mute => "You are muted",
        };
        let room = self.room.as_ref().map(|room| format!(" of {room}")).unwrap_or_default();
        let time = self.until.map(|until| format!(" for another {}", Span(until.since(now)))).unwrap_or_default();
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("{what}{room}{time}{reason}")
    }
}

/// Whom a ban is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BanTarget {
    /// An account with all its keys.
    Account(AccountId),
    /// A key, as `SHA256:...`.
    Key(Arc<str>),
    /// Addresses whose first bits are these.
    Address {
        /// The address.
        address: IpAddr,
        /// How many of its bits count: 0 to 32 or 128.
        bits: u8,
    },
}

impl BanTarget {
    /// Whether an address is meant. An IPv4 address written as IPv6 is the IPv4 address.
    pub fn covers(&self, other: IpAddr) -> bool {
        let Self::Address { address, bits } = self else { return false };
        let (own, other, width) = match (address.to_canonical(), other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u128::from(own.to_bits()), u128::from(other.to_bits()), 32u32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        let ignored = width.saturating_sub(u32::from(*bits));
        own.checked_shr(ignored).unwrap_or(0) == other.checked_shr(ignored).unwrap_or(0)
    }
}

/// What a ban does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BanKind {
    /// May not come in.
    Out,
    /// May read but not speak.
    Mute,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_covered_by_their_first_bits() {
        let ban = |text: &str, bits| BanTarget::Address { address: text.parse().unwrap(), bits };
        let covers = |ban: &BanTarget, text: &str| ban.covers(text.parse().unwrap());
        assert!(covers(&ban("10.1.2.3", 32), "10.1.2.3"));
        assert!(!covers(&ban("10.1.2.3", 32), "10.1.2.4"));
        assert!(covers(&ban("10.1.2.3", 8), "10.9.9.9"));
        assert!(covers(&ban("10.1.2.3", 0), "192.0.2.1"));
        assert!(covers(&ban("10.1.2.3", 32), "::ffff:10.1.2.3"));
        assert!(covers(&ban("2001:db8::1", 32), "2001:db8:1::9"));
        assert!(!covers(&ban("2001:db8::1", 128), "2001:db8::2"));
        assert!(!covers(&ban("0.0.0.0", 0), "2001:db8::2"));
    }
}
