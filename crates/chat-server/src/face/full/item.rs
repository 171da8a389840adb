//! What stands between the bars: lines, notes, rules. All of it is shared with the other members as far as it can be.

use nacre_chat::{AccountId, Line, Standing, Time};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One entry of a pane's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Somebody said a line.
    Said(Said),
    /// The server says something.
    Note(Arc<Note>),
    /// Between what was and what is: `— 12 missed —`, with its words.
    Rule(Arc<str>),
    /// What came while one was elsewhere begins here.
    Unseen,
    /// People came and went.
    Traffic(Arc<Traffic>),
}

/// A line that somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The line; another one with the new text once it was edited or taken back.
    pub line: Arc<Line>,
    /// What it answers, if that is known.
    pub answers: Option<Arc<Line>>,
    /// Whether it is kept.
    pub fate: Fate,
    /// Whether one said it oneself.
    pub own: bool,
    /// Whether one is named in it.
    pub mention: bool,
    /// Whether it was found in another place than the one it is shown in.
    pub found: bool,
}

/// Whether a line is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is.
    Kept,
    /// Not known yet.
    Pending,
    /// It is not.
    Lost,
}

/// The server says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// When, where that is known.
    pub at: Option<Time>,
    /// Something went wrong.
    pub alarm: bool,
    /// One or several lines.
    pub text: String,
}

/// People came and went, one after the other, with nothing said between: one entry, however many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Since when.
    pub at: Time,
    /// Who came.
    pub came: Crowd,
    /// Who left.
    pub left: Crowd,
}

/// Some people by name and the number of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    names: Vec<Arc<str>>,
    others: u32,
}

/// People named in one entry.
const NAMED: usize = 5;

impl Crowd {
    /// One more.
    pub fn add(&mut self, nick: &Arc<str>) {
        if self.names.len() < NAMED {
            self.names.push(Arc::clone(nick));
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    /// `Alice, Bob and 3 others`; none if nobody.
    pub fn words(&self) -> Option<String> {
        let names = self.names.join(", ");
        match self.others {
            _ if names.is_empty() => None,
            0 => Some(names),
            others => Some(format!("{names} and {others} others")),
        }
    }
}

impl Traffic {
    /// In words.
    pub fn words(&self) -> String {
        match (self.came.words(), self.left.words()) {
            (Some(came), Some(left)) => format!("{came} joined; {left} left"),
            (Some(came), None) => format!("{came} joined (secure channel)"),
            (None, left) => format!("{} left", left.unwrap_or_default()),
        }
    }
}

impl Said {
    /// A line as it comes, for who is `you`.
    pub fn new(line: &Arc<Line>, you: AccountId) -> Self {
        let own = line.from.account == you;
        Self { line: Arc::clone(line), answers: None, fate: Fate::Kept, own, mention: false, found: false }
    }

    /// Its author changed it, or took it back.
    pub fn change(&mut self, body: &Arc<str>, standing: Standing) {
        let line = Arc::make_mut(&mut self.line);
        line.body = Arc::clone(body);
        line.standing = standing;
    }
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Said(said) => (0, said.line.id).hash(state),
            Self::Note(note) => (1, &note.text).hash(state),
            Self::Rule(text) => (2, text).hash(state),
            Self::Unseen => 3.hash(state),
            Self::Traffic(traffic) => (4, traffic.at.0).hash(state),
        }
    }
}
