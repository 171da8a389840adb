//! What the engine knows.

use super::keys::Offer;
use super::stream::Stream;
use crate::effect::Feed;
use crate::id::{AccountId, LineId, RequestId, SessionId};
use crate::input::{Connect, Face, Presence};
use crate::line::{Author, Line, Place};
use crate::name::{Keys, Nick, RoomName};
use crate::rate::Rate;
use crate::record::{AccountRecord, Ban, BanKind, BanTarget, RecordKey, Role, RoomRecord};
use crate::talk::Talk;
use crate::text::fold;
use crate::time::Time;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How a server is run, from its start to its end.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node's name among the nodes.
    pub node: Arc<str>,
    /// 64 bits from the embedder's randomness, new at each start: ids are made with them.
    pub run: u64,
    /// Whether there is a back plane to other nodes.
    pub nodes: bool,
    /// The house rules at the start; [`Input::Rules`](crate::Input::Rules) brings others.
    pub rules: Rules,
}

impl Config {
    /// One node, open to everybody with a key, with the lobby `#lobby`.
    pub fn new(node: &str, run: u64) -> Self {
        Self { node: node.into(), run, nodes: false, rules: Rules::default() }
    }
}

/// What may change while a server runs.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whether people without a key or password may come in.
    pub guests: bool,
    /// Whether an unknown key makes an account; else who is unknown is a guest. A proven login always has one.
    pub registration: bool,
    /// Whether anybody with an account may make rooms; else operators only.
    pub open_rooms: bool,
    /// The room for who names none.
    pub lobby: RoomName,
    /// Shown to all who come; several lines, may be empty.
    pub greeting: Arc<str>,
    /// Nicks kept for keys, by fingerprint: who comes with one first has the nick, also where unknown keys make no
    /// accounts.
    pub names: BTreeMap<Arc<str>, Nick>,
    /// Fingerprints whose holders have every right on the server (threat U6: never a nick).
    pub operators: BTreeSet<Arc<str>>,
    /// How long lines are kept where a room does not say; for the store.
    pub keep: Option<Duration>,
}

impl Rules {
    /// The keys for whom nicks are kept, by both keys of the nicks.
    pub(super) fn looks(&self) -> HashMap<Arc<str>, Arc<str>> {
        let looks = |(key, nick): (&Arc<str>, &Nick)| {
            let looks = nick.keys();
            [looks.folded, looks.drawn].map(|look| (look, Arc::clone(key)))
        };
        self.names.iter().flat_map(looks).collect()
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            guests: false,
            registration: true,
            open_rooms: true,
            lobby: RoomName::lobby(),
            greeting: Arc::from(""),
            names: BTreeMap::new(),
            operators: BTreeSet::new(),
            keep: None,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    pub account: AccountId,
    pub face: Face,
    /// The key it proved; its rights hang on it.
    pub key: Option<Arc<str>>,
    pub address: Option<IpAddr>,
    /// The device it named; clean.
    pub device: Option<Arc<str>>,
    /// The client's version string, empty where none is known; clean.
    pub client: Arc<str>,
    /// Where what is typed goes.
    pub at: Option<Place>,
    pub rate: Rate,
    /// Typed too fast; waits for its turn.
    pub late: VecDeque<Arc<[u8]>>,
    pub muted_until: Time,
    pub since: Time,
}

/// An account with sessions on this node.
#[derive(Debug)]
pub struct Here {
    /// Shared in every line it says.
    pub author: Author,
    pub sessions: Vec<SessionId>,
    pub away: Option<Arc<str>>,
    /// Not written down; forgotten when the last session ends.
    pub guest: bool,
    pub since: Time,
    pub last_typed: Time,
}

/// A room: its record and who is in it now on this node.
#[derive(Debug)]
pub struct Room {
    pub record: Arc<RoomRecord>,
    pub here: HashSet<AccountId>,
    /// Sessions of those here, and those of them that ring for every line; made anew when needed.
    pub audience: Option<Heard>,
}

/// Who hears a room.
#[derive(Debug, Clone)]
pub struct Heard {
    pub sessions: Arc<[SessionId]>,
    pub ring: Arc<[SessionId]>,
}

/// What an answer is waited for.
#[derive(Debug)]
pub enum Waiting {
    /// A line is to be kept.
    Kept(Arc<Line>),
    /// A room is to be locked with a password that is being hashed.
    Lock { session: SessionId, room: RoomName },
    /// Lines of the past, for a session; shown also if there are none?
    Past { session: SessionId, place: Place, title: Arc<str>, always: bool },
    /// What an account searches, for one of its sessions.
    Found { session: SessionId, account: AccountId, title: Arc<str> },
    /// Private messages that waited.
    Inbox { session: SessionId },
    /// How many lines were missed.
    Missed { session: SessionId, place: Place },
    /// The password of a room.
    Enter { session: SessionId, room: RoomName },
    /// A line is on its way into the stream.
    Published(Arc<Line>),
    /// A gap of a feed is being filled.
    Filled(Feed),
    /// Another nick is claimed.
    Rename { session: SessionId, account: AccountId, nick: Nick },
    /// A nick given while nobody could be asked is claimed.
    Reclaim(AccountId),
    /// A nick is claimed for somebody who logs in.
    Claim { connect: Box<Connect>, account: Box<AccountRecord> },
}

/// All of it.
#[derive(Debug, Default)]
pub struct State {
    pub sessions: HashMap<SessionId, Session>,
    pub accounts: HashMap<AccountId, Arc<AccountRecord>>,
    pub here: HashMap<AccountId, Here>,
    /// Accounts by key.
    pub keys: HashMap<Arc<str>, AccountId>,
    /// Accounts by login name.
    pub logins: HashMap<Arc<str>, AccountId>,
    /// Accounts by both keys of their nicks.
    pub nicks: HashMap<Arc<str>, AccountId>,
    /// The keys for whom nicks are kept, by both keys of the nicks.
    pub kept: HashMap<Arc<str>, Arc<str>>,
    /// Accounts by folded nick, for mentions and commands.
    pub names: HashMap<String, AccountId>,
    /// Who ignores an account.
    pub ignored_by: HashMap<AccountId, HashSet<AccountId>>,
    pub rooms: HashMap<RoomName, Room>,
    /// Rooms by both keys of their names.
    pub room_keys: HashMap<Arc<str>, RoomName>,
    pub bans: HashMap<LineId, Arc<Ban>>,
    pub talks: HashMap<Place, Talk>,
    pub waiting: HashMap<RequestId, Waiting>,
    /// Who searches, and in which session.
    pub searching: HashMap<AccountId, SessionId>,
    /// Sessions with lines that wait for their turn, by when it comes.
    pub late: BTreeSet<(Time, SessionId)>,
    /// Accounts that offer to take a key in.
    pub offers: HashMap<Arc<str>, Offer>,
    /// Accounts whose records changed in ways that can wait to be written.
    pub dirty: BTreeSet<AccountId>,
    /// When those are to be written.
    pub write_at: Option<Time>,
    /// Typed before the session was seated.
    pub early: HashMap<SessionId, Vec<Arc<[u8]>>>,
    /// Whether the other nodes can be reached.
    pub linked: bool,
    /// Lines that are not in the stream yet, by place, oldest first.
    pub apart: HashMap<Place, VecDeque<Arc<Line>>>,
    /// Lines that are not confirmed yet, and the sessions that saw them go out.
    pub pale: HashMap<LineId, Arc<[SessionId]>>,
    /// Lines of this node that were shown before they were in the stream.
    pub shown: HashSet<LineId>,
    /// Places whose oldest waiting line is to be published again, by when.
    pub retries: BTreeSet<(Time, Place)>,
    /// Feeds that are to be looked at for gaps, by when.
    pub checks: BTreeSet<(Time, Feed)>,
    /// How far each feed is read.
    pub streams: HashMap<Feed, Stream>,
    /// People on other nodes.
    pub afar: BTreeMap<Arc<str>, HashMap<AccountId, Presence>>,
    /// Accounts whose nicks were given while nobody could be asked.
    pub unclaimed: HashSet<AccountId>,
    /// Records changed while the other nodes could not be reached.
    pub unsent: HashSet<RecordKey>,
    nobody: Option<Arc<[SessionId]>>,
}

impl State {
    /// No session, shared.
    pub fn nobody(&mut self) -> Arc<[SessionId]> {
        Arc::clone(self.nobody.get_or_insert_with(|| Arc::from([])))
    }

    /// The recent past of a place.
    pub fn talk(&mut self, place: &Place) -> &mut Talk {
        if !self.talks.contains_key(place) {
            self.talks.insert(place.clone(), Talk::default());
        }
        self.talks.entry(place.clone()).or_default()
    }

    /// Forgets the lines of private talks that nobody here is left of; how far their part of the
    /// stream was read stays known.
    pub fn forget_talks_of(&mut self, account: AccountId) {
        let here = &self.here;
        let over = |place: &Place| match place {
            Place::Direct(pair) => pair.other(account).is_some_and(|other| !here.contains_key(&other)),
            Place::Room(_) => false,
        };
        self.talks.retain(|place, talk| !over(place) || talk.forget());
    }

    /// Puts an account in place of what was known of it.
    pub fn put_account(&mut self, account: Arc<AccountRecord>) {
        self.forget_account(account.id);
        let id = account.id;
        for key in &account.keys {
            self.keys.insert(Arc::clone(key), id);
        }
        if let Some(login) = &account.login {
            self.logins.insert(Arc::clone(login), id);
        }
        for key in account.nick.keys().both() {
            self.nicks.insert(Arc::clone(key), id);
        }
        self.names.insert(fold(account.nick.as_str()), id);
        for ignored in &account.ignored {
            self.ignored_by.entry(*ignored).or_default().insert(id);
        }
        self.accounts.insert(id, account);
    }

    /// Forgets an account.
    pub fn forget_account(&mut self, id: AccountId) -> Option<Arc<AccountRecord>> {
        let old = self.accounts.remove(&id)?;
        let owns = |map: &HashMap<Arc<str>, AccountId>, key: &str| map.get(key) == Some(&id);
        for key in &old.keys {
            if owns(&self.keys, key) {
                self.keys.remove(key);
            }
        }
        if let Some(login) = old.login.as_ref().filter(|login| owns(&self.logins, login)) {
            self.logins.remove(login);
        }
        for key in old.nick.keys().both() {
            if owns(&self.nicks, key) {
                self.nicks.remove(key);
            }
        }
        let name = fold(old.nick.as_str());
        if self.names.get(&name) == Some(&id) {
            self.names.remove(&name);
        }
        for ignored in &old.ignored {
            if let Some(by) = self.ignored_by.get_mut(ignored) {
                by.remove(&id);
                if by.is_empty() {
                    self.ignored_by.remove(ignored);
                }
            }
        }
        Some(old)
    }

    /// Puts a room in place of what was known of it; who is in it stays.
    pub fn put_room(&mut self, record: Arc<RoomRecord>) {
        for key in record.name.keys().both() {
            self.room_keys.insert(Arc::clone(key), record.name.clone());
        }
        match self.rooms.get_mut(&record.name) {
            Some(room) => room.record = record,
            None => {
                let name = record.name.clone();
                self.rooms.insert(name, Room { record, here: HashSet::new(), audience: None });
            }
        }
    }

    /// Whose a nick is, or one that looks like it.
    pub fn owner(&self, keys: &Keys) -> Option<AccountId> {
        keys.both().find_map(|key| self.nicks.get(key)).copied()
    }

    /// The nick of an account, `?` if it is gone.
    pub fn nick_of(&self, account: AccountId) -> Arc<str> {
        self.accounts.get(&account).map_or_else(|| Arc::from("?"), |record| record.nick.shared())
    }

    /// Sessions of those here who ignore an account.
    pub fn deaf_to(&self, account: AccountId) -> Vec<SessionId> {
        let Some(by) = self.ignored_by.get(&account) else { return Vec::new() };
        by.iter().filter_map(|id| self.here.get(id)).flat_map(|here| here.sessions.iter().copied()).collect()
    }

    /// The rooms an account is in.
    pub fn rooms_of(&self, account: AccountId) -> Vec<RoomName> {
        self.accounts.get(&account).map(|record| record.rooms.keys().cloned().collect()).unwrap_or_default()
    }

    /// Who hears those rooms is to be found out again.
    pub fn stale_rooms_of(&mut self, account: AccountId) {
        for name in self.rooms_of(account) {
            if let Some(room) = self.rooms.get_mut(&name) {
                room.audience = None;
            }
        }
    }

    /// The ban that holds for somebody, on the server or in a room.
    pub fn banned(
        &self,
        now: Time,
        kind: BanKind,
        room: Option<&RoomName>,
        account: Option<AccountId>,
        key: Option<&Arc<str>>,
        address: Option<IpAddr>,
    ) -> Option<&Arc<Ban>> {
        self.bans.values().find(|ban| {
            ban.kind == kind
                && ban.room.as_ref() == room
                && ban.until.is_none_or(|until| until > now)
                && self.is_about(ban, account, key, address)
        })
    }

    /// Whether a ban is about somebody. Who moderates a room shares addresses with others, and is not shut out of it by those.
    pub fn is_about(
        &self,
        ban: &Ban,
        account: Option<AccountId>,
        key: Option<&Arc<str>>,
        address: Option<IpAddr>,
    ) -> bool {
        let role = || ban.room.as_ref().zip(account).and_then(|(room, account)| self.role(account, room));
        match &ban.target {
            BanTarget::Account(id) => account == Some(*id),
            BanTarget::Key(banned) => key == Some(banned),
            BanTarget::Address { .. } => {
                address.is_some_and(|address| ban.target.covers(address)) && role() < Some(Role::Operator)
            }
        }
    }
}
