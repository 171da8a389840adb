//! A line: what was said, where, by whom. The thing that is shown, stored and published.

use crate::id::{AccountId, LineId};
use crate::name::RoomName;
use crate::time::Time;
use std::fmt;
use std::sync::Arc;

/// One line. It is made once, shared by all who see it, and never changed: an edit is another line
/// that names it, and the store answers with the edited text in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name on every node, by which doubles are known.
    pub id: LineId,
    /// The node where it was said.
    pub node: Arc<str>,
    /// What kind of line it is.
    pub kind: LineKind,
    /// Where it was said.
    pub place: Place,
    /// Who said it.
    pub from: Author,
    /// In a private talk, the nick of whom it was said to at that time.
    pub to: Option<Arc<str>>,
    /// When, by its node's clock.
    pub at: Time,
    /// The text, clean (see [`crate::text::clean`]); it may hold line feeds and tabs. For a
    /// [`LineKind::Edit`] the new text; empty for a [`LineKind::Delete`].
    pub body: Arc<str>,
    /// The line it answers.
    pub reply_to: Option<LineId>,
    /// Whether the text is still what was first said. Only lines from the store are ever anything
    /// but [`Standing::AsSaid`].
    pub standing: Standing,
}

/// Whether a line's text is what was first said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is.
    AsSaid,
    /// Its author changed it.
    Edited,
    /// It was taken back: the body is empty.
    Deleted,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// Said.
    Message,
    /// Done: `/me waves`.
    Action,
    /// The room's topic became the body.
    Topic,
    /// The body is the new text of that line.
    Edit(LineId),
    /// That line was taken back.
    Delete(LineId),
}

impl LineKind {
    /// The word for it in JSON, in the store and between nodes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Message => "msg",
            Self::Action => "action",
            Self::Topic => "topic",
            Self::Edit(_) => "edit",
            Self::Delete(_) => "redact",
        }
    }

    /// The line that an edit or a deletion is about.
    pub fn target(self) -> Option<LineId> {
        match self {
            Self::Edit(id) | Self::Delete(id) => Some(id),
            Self::Message | Self::Action | Self::Topic => None,
        }
    }

    /// The reverse of [`LineKind::word`] and [`LineKind::target`].
    pub fn from_word(word: &str, target: Option<LineId>) -> Option<Self> {
        Some(match (word, target) {
            ("msg", None) => Self::Message,
            ("action", None) => Self::Action,
            ("topic", None) => Self::Topic,
            ("edit", Some(id)) => Self::Edit(id),
            ("redact", Some(id)) => Self::Delete(id),
            _ => return None,
        })
    }
}

/// Who said a line, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Author {
    /// The account; nicks change.
    pub account: AccountId,
    /// The nick at that time.
    pub nick: Arc<str>,
    /// Whether the nick is owned by the key that said it: the mark that guests lack.
    pub verified: bool,
    /// The key, as `SHA256:...`; none for guests and for logins by password.
    pub key: Option<Arc<str>>,
}

/// Where lines are said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A room.
    Room(RoomName),
    /// Between two accounts.
    Direct(Pair),
}

impl Place {
    /// The room, if it is one.
    pub fn room(&self) -> Option<&RoomName> {
        match self {
            Self::Room(name) => Some(name),
            Self::Direct(_) => None,
        }
    }
}

impl fmt::Display for Place {
    /// `#room`, or `@ULID-ULID`: one word, the same on every node; [`Place::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(name) => name.fmt(f),
            Self::Direct(pair) => write!(f, "@{}-{}", pair.low, pair.high),
        }
    }
}

impl Place {
    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(pair) = text.strip_prefix('@') {
            let (low, high) = pair.split_once('-')?;
            return Some(Self::Direct(Pair::new(low.parse().ok()?, high.parse().ok()?)));
        }
        RoomName::parse(text.strip_prefix('#')?).ok().map(Self::Room)
    }
}

/// Two accounts, in order, so that both directions are one place. Somebody may talk to oneself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    low: AccountId,
    high: AccountId,
}

impl Pair {
    /// In any order.
    pub fn new(one: AccountId, other: AccountId) -> Self {
        Self { low: one.min(other), high: one.max(other) }
    }

    /// The smaller and the greater.
    pub fn both(self) -> [AccountId; 2] {
        [self.low, self.high]
    }

    /// The one that is not `me`, if `me` is one of them.
    pub fn other(self, me: AccountId) -> Option<AccountId> {
        if self.low == me {
            Some(self.high)
        } else if self.high == me {
            Some(self.low)
        } else {
            None
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        let pair = Pair::new(AccountId(9), AccountId(4));
        assert_eq!(pair.both(), [AccountId(4), AccountId(9)]);
        for place in [Place::Direct(pair), Place::Room(RoomName::parse("rust").unwrap())] {
            assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
        for bad in ["", "rust", "#", "@", "@x-y", "#a b"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn kinds_are_read_as_they_are_written() {
        let id = LineId(3);
        for kind in [LineKind::Message, LineKind::Action, LineKind::Topic, LineKind::Edit(id), LineKind::Delete(id)] {
            assert_eq!(LineKind::from_word(kind.word(), kind.target()), Some(kind));
        }
        assert_eq!(LineKind::from_word("edit", None), None);
        assert_eq!(LineKind::from_word("msg", Some(id)), None);
    }
}
