//! What things are called in NATS: streams, buckets, subjects.
//!
//! Subjects may hold no dots, stars and spaces of their own, so names that people chose are written in
//! base 32; ids and the names of nodes are fit as they are.

use data_encoding::BASE32_NOPAD;
use nacre_chat::{AccountId, Feed, Place, RecordKey, RoomName};

/// The stream of all lines.
pub(super) const CHAT: &str = "nx_chat";
/// The subjects of its lines, without the [`LIVE`] that a republished one begins with.
pub(super) const ROOM_SUBJECTS: &str = "nx.room.*.ev";
/// Those of private lines.
pub(super) const DIRECT_SUBJECTS: &str = "nx.dm.*.ev";
/// What is stored comes out again under this.
pub(super) const LIVE: &str = "nx.live.";
/// All of it.
pub(super) const ALL_LIVE: &str = "nx.live.>";

/// A bucket of keys and values: a stream with a name that says so, as NATS' own clients make them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bucket {
    /// Accounts, rooms, bans.
    Records,
    /// Whose a nick is.
    Nicks,
    /// Who is here; in memory.
    Presence,
}

impl Bucket {
    pub(super) const ALL: [Self; 3] = [Self::Records, Self::Nicks, Self::Presence];

    pub(super) fn stream(self) -> &'static str {
        match self {
            Self::Records => "KV_nx_records",
            Self::Nicks => "KV_nx_nicks",
            Self::Presence => "KV_nx_presence",
        }
    }

    /// What its subjects begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Records => "$KV.nx_records.",
            Self::Nicks => "$KV.nx_nicks.",
            Self::Presence => "$KV.nx_presence.",
        }
    }

    /// What is stored in it comes out again under this; nicks are only asked for.
    pub(super) fn live(self) -> Option<&'static str> {
        match self {
            Self::Records => Some("nx.live.record."),
            Self::Nicks => None,
            Self::Presence => Some("nx.live.presence."),
        }
    }
}

fn token(name: &str) -> String {
    BASE32_NOPAD.encode(name.as_bytes())
}

/// The subject of a place's lines.
pub(super) fn subject(place: &Place) -> String {
    match place {
        Place::Room(name) => room_subject(name),
        Place::Direct(pair) => {
            let [low, high] = pair.both();
            format!("nx.dm.{low}-{high}.ev")
        }
    }
}

fn room_subject(name: &RoomName) -> String {
    format!("nx.room.{}.ev", token(name.as_str()))
}

/// The subjects of a feed's lines.
pub(super) fn subjects(feed: &Feed) -> String {
    match feed {
        Feed::Room(name) => room_subject(name),
        Feed::Directs => DIRECT_SUBJECTS.to_owned(),
    }
}

/// The key of a record in its bucket.
pub(super) fn record_key(key: &RecordKey) -> String {
    match key {
        RecordKey::Account(id) => format!("account.{id}"),
        RecordKey::Room(name) => format!("room.{}", token(name.as_str())),
        RecordKey::Ban(id) => format!("ban.{id}"),
    }
}

/// The reverse of [`record_key`].
pub(super) fn read_record_key(text: &str) -> Option<RecordKey> {
    let (kind, name) = text.split_once('.')?;
    Some(match kind {
        "account" => RecordKey::Account(name.parse().ok()?),
        "ban" => RecordKey::Ban(name.parse().ok()?),
        "room" => {
            let bytes = BASE32_NOPAD.decode(name.as_bytes()).ok()?;
            RecordKey::Room(RoomName::parse(std::str::from_utf8(&bytes).ok()?).ok()?)
        }
        _ => return None,
    })
}

/// The key of what a nick looks like.
pub(super) fn nick_key(look: &str) -> String {
    token(look)
}

/// The key of a node that is there.
pub(super) fn node_key(node: &str) -> String {
    format!("node.{node}")
}

/// The key of somebody who is there.
pub(super) fn person_key(account: AccountId, node: &str) -> String {
    format!("sess.{account}.{node}")
}

/// A key among those present.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PresenceKey<'a> {
    Node(&'a str),
    Person(AccountId, &'a str),
}

/// The reverse of [`node_key`] and [`person_key`].
pub(super) fn read_presence_key(text: &str) -> Option<PresenceKey<'_>> {
    let (kind, rest) = text.split_once('.')?;
    match kind {
        "node" => Some(PresenceKey::Node(rest)),
        "sess" => {
            let (account, node) = rest.split_once('.')?;
            Some(PresenceKey::Person(account.parse().ok()?, node))
        }
        _ => None,
    }
    .filter(|key| {
        is_node_name(match key {
            PresenceKey::Node(node) | PresenceKey::Person(_, node) => node,
        })
    })
}

/// Whether a node may be called so: 1 to 64 letters, digits, `-` and `_`.
pub fn is_node_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nacre_chat::{LineId, Pair};

    #[test]
    fn keys_are_read_as_they_are_written() {
        let room = RecordKey::Room(RoomName::parse("größe").unwrap());
        for key in [room, RecordKey::Account(AccountId(7)), RecordKey::Ban(LineId(8))] {
            assert_eq!(read_record_key(&record_key(&key)), Some(key));
        }
        assert_eq!(read_presence_key(&node_key("a-1")), Some(PresenceKey::Node("a-1")));
        assert_eq!(read_presence_key(&person_key(AccountId(7), "b")), Some(PresenceKey::Person(AccountId(7), "b")));
        for bad in ["", "node.", "node.a.b", "node.a b", "sess.7.a", "room.!", "account.", "x.y"] {
            assert!(read_record_key(bad).is_none() && read_presence_key(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn subjects_have_no_more_tokens_than_they_should() {
        let places =
            [Place::Room(RoomName::parse("größe").unwrap()), Place::Direct(Pair::new(AccountId(1), AccountId(2)))];
        for place in places {
            assert_eq!(subject(&place).split('.').count(), 4);
            assert!(subject(&place).is_ascii());
        }
    }
}
