//! A play: who is in it, what they do, and how it is judged. Sockets are the stage's business: here are only values.

use crate::console::Console;
use crate::{Moment, Step};
use nacre_wire::Role;
use std::collections::VecDeque;
use std::fmt;

/// Somebody in a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    /// The server.
    Server,
    /// A client.
    Alice,
    /// Another.
    Bob,
    /// A client who is in league with Mallory.
    Eve,
    /// Whoever attacks.
    Mallory,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Server => "server",
            Self::Alice => "Alice",
            Self::Bob => "Bob",
            Self::Eve => "Eve",
            Self::Mallory => "Mallory",
        })
    }
}

/// What a play waits for: that somebody's lines hold a text so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// Who.
    pub who: Person,
    /// Which text.
    pub text: String,
    /// How often.
    pub times: usize,
}

impl Sign {
    /// Once.
    pub(super) fn of(who: Person, text: impl Into<String>) -> Self {
        Self { who, text: text.into(), times: 1 }
    }
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cue {
    /// A client starts.
    Enter(Person),
    /// A line is typed, at a client or at the server.
    Type(Person, String),
    /// Mallory is given a word.
    Whisper(&'static str),
    /// Mallory looks into the server.
    Open,
    /// Any of these signs is waited for, or that a client has ended.
    Until(Vec<Sign>),
}

/// A connection that Mallory has a hand in.
pub type LinkId = u32;

/// What Mallory sees.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A client has come to Mallory, who has a connection to the server for it.
    Client(LinkId),
    /// A connection that Mallory wanted stands; there is no client on it.
    Own(LinkId),
    /// Bytes came.
    Bytes {
        /// On which connection.
        link: LinkId,
        /// From its client or from the server.
        from: Role,
        /// These.
        bytes: &'a [u8],
    },
    /// One side of a connection is gone.
    Closed {
        /// Which connection.
        link: LinkId,
        /// Which side.
        by: Role,
    },
    /// What was sent has arrived and been dealt with, and nothing more comes of it: what somebody sees who waits.
    Quiet,
    /// What the server has.
    Inside {
        /// Its log.
        lines: Vec<String>,
        /// The texts that passed through its hands.
        texts: Vec<String>,
        /// Rounds of hashing that it has done for keys.
        rounds: u64,
    },
    /// A word of the play.
    Whisper(&'static str),
}

/// What Mallory does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Connects to the server.
    Connect,
    /// Sends bytes.
    Send {
        /// On which connection.
        link: LinkId,
        /// To its client or to the server.
        to: Role,
        /// These.
        bytes: Vec<u8>,
    },
    /// Closes one side of a connection once everything is sent.
    Close {
        /// Which connection.
        link: LinkId,
        /// Which side.
        to: Role,
    },
    /// Waits until nothing more comes.
    Wait,
    /// Says what is going on, to whoever watches.
    Say(String),
    /// Shows bytes.
    Show {
        /// What they are.
        label: String,
        /// Themselves.
        bytes: Vec<u8>,
    },
}

/// What Mallory does, in order.
#[derive(Debug, Default)]
pub struct Deeds(VecDeque<Deed>);

impl Deeds {
    /// The next.
    pub fn poll(&mut self) -> Option<Deed> {
        self.0.pop_front()
    }

    pub(super) fn connect(&mut self) {
        self.0.push_back(Deed::Connect);
    }

    pub(super) fn send(&mut self, link: LinkId, to: Role, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.0.push_back(Deed::Send { link, to, bytes });
        }
    }

    pub(super) fn wait(&mut self) {
        self.0.push_back(Deed::Wait);
    }

    pub(super) fn close(&mut self, link: LinkId, to: Role) {
        self.0.push_back(Deed::Close { link, to });
    }

    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.0.push_back(Deed::Say(text.into()));
    }

    pub(super) fn show(&mut self, label: impl Into<String>, bytes: &[u8]) {
        self.0.push_back(Deed::Show { label: label.into(), bytes: bytes.to_vec() });
    }
}

/// Mallory.
pub trait Attacker: Send {
    /// Takes in what Mallory sees.
    fn handle(&mut self, now: Moment, seen: Seen<'_>, deeds: &mut Deeds);
}

/// What everybody said.
#[derive(Debug, Default)]
pub struct Heard {
    lines: Vec<(Person, String)>,
    steps: Vec<(Person, Step)>,
}

impl Heard {
    /// Somebody printed lines, or Mallory said something.
    pub fn line(&mut self, who: Person, text: &str) {
        self.lines.push((who, text.to_owned()));
    }

    /// A step that was told.
    pub fn step(&mut self, who: Person, step: Step) {
        self.steps.push((who, step));
    }

    /// How often a text stands in somebody's lines.
    pub fn times(&self, who: Person, text: &str) -> usize {
        self.lines_of(who).map(|line| line.matches(text).count()).sum()
    }

    /// Whether a sign is there.
    pub fn has(&self, sign: &Sign) -> bool {
        self.times(sign.who, &sign.text) >= sign.times
    }

    /// Whether somebody said a text.
    pub(super) fn said(&self, who: Person, text: &str) -> bool {
        self.times(who, text) > 0
    }

    /// Somebody's lines.
    pub fn lines_of(&self, who: Person) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |(person, _)| *person == who).flat_map(|(_, text)| text.lines())
    }

    /// The values of a field in somebody's steps.
    pub fn fields(&self, who: Person, label: &str) -> impl Iterator<Item = &str> {
        let steps = self.steps.iter().filter(move |(person, _)| *person == who);
        let fields = steps.flat_map(|(_, step)| &step.fields);
        fields.filter(move |field| field.label == label).map(|field| field.value.as_str())
    }

    /// The sum of a field that is a number in somebody's steps.
    pub fn sum(&self, who: Person, label: &str) -> u64 {
        self.fields(who, label).filter_map(|value| value.parse::<u64>().ok()).fold(0, u64::saturating_add)
    }
}

/// Decides from what was heard whether the attack succeeded.
pub type Judge = Box<dyn Fn(&Heard) -> bool + Send>;

/// A whole play.
pub struct Play {
    /// The server.
    pub server: Box<dyn Console>,
    /// The clients.
    pub clients: Vec<(Person, Box<dyn Console>)>,
    /// Clients that come to the server straight; the others come through Mallory.
    pub straight: Vec<Person>,
    /// Whoever attacks.
    pub mallory: Box<dyn Attacker>,
    /// What happens.
    pub cues: Vec<Cue>,
    /// Whether the attack succeeded.
    pub judge: Judge,
}
