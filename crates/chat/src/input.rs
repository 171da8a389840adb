//! What goes into the engine.

use crate::command::{BanOrder, Command};
use crate::engine::Rules;
use crate::id::{LineId, RequestId, SessionId};
use crate::line::{Line, Place};
use crate::record::{Record, RecordKey};
use crate::time::Time;
use core::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Something happened. Every call of [`Engine::handle`](crate::Engine::handle) takes one.
#[derive(Debug, Clone)]
pub enum Input {
    /// At the start, before any [`Input::Connect`] and perhaps in several parts: what the store holds.
    Load(Loaded),
    /// Somebody logged in.
    Connect(Box<Connect>),
    /// A session wrote a line (a paste is one): a command if it begins with `/`, else said where
    /// the session is. `//x` says `/x`.
    Typed {
        /// Who.
        session: SessionId,
        /// The bytes, as they came; at most [`BODY_BYTES`](crate::limits::BODY_BYTES) are taken.
        bytes: Arc<[u8]>,
    },
    /// A face asks for something without spelling it out as text.
    Command {
        /// Who.
        session: SessionId,
        /// What.
        command: Command,
    },
    /// A face says how far somebody read (else the engine takes what was shown where the session is).
    Read {
        /// Who.
        session: SessionId,
        /// Where.
        place: Place,
        /// The last line seen.
        line: LineId,
    },
    /// The session is over; the engine shows it nothing more.
    Disconnect(SessionId),
    /// The time of [`Engine::next_timeout`](crate::Engine::next_timeout) came.
    Tick,
    /// The store's answer to a request.
    Stored {
        /// Of the request.
        request: RequestId,
        /// The answer.
        answer: StoreAnswer,
    },
    /// The answer to a request about a password.
    Password {
        /// Of the request.
        request: RequestId,
        /// The answer.
        answer: PasswordAnswer,
    },
    /// The back plane's answer to a request.
    BackAnswer {
        /// Of the request.
        request: RequestId,
        /// The answer.
        answer: BackAnswer,
    },
    /// News from the other nodes.
    Back(BackNews),
    /// The house rules changed. Whoever is here stays; rights are judged by the new ones at once.
    Rules(Box<Rules>),
    /// An operator at the machine itself asks: `nacre chat admin`. It has every right, and is
    /// answered by [`Effect::Admin`](crate::Effect::Admin) in the same call.
    Admin {
        /// The embedder's number for it; comes back with the answer.
        ticket: u64,
        /// What.
        request: AdminRequest,
    },
}

/// What the store holds.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Accounts, rooms, bans; in any order.
    pub records: Vec<Record>,
    /// The number in the stream of the last line of each place that has one, so that a gap since is seen.
    pub positions: Vec<(Place, u64)>,
    /// Where there are other nodes: lines said on this one that have no number yet, oldest first.
    /// They are published again; those that are in the stream already make no doubles.
    pub unsent: Vec<Arc<Line>>,
    /// The last lines of rooms, oldest first, so that doubles, replies and edits are known over a
    /// restart; at most [`RING`](crate::limits::RING) a room.
    pub recent: Vec<Arc<Line>>,
}

/// Somebody who logged in.
#[derive(Debug, Clone)]
pub struct Connect {
    /// The number of the session, never used before.
    pub session: SessionId,
    /// How he or she proved who it is.
    pub proof: Proof,
    /// The login name as it came: the wished nick, and `nick+room` or `nick@device`.
    pub login: Arc<[u8]>,
    /// Rooms to go to, as they were written after `ssh host`.
    pub rooms: Vec<Arc<str>>,
    /// Whence; none if it is not known.
    pub address: Option<IpAddr>,
    /// The client's version string, as it came.
    pub client: Arc<[u8]>,
    /// Which face it has.
    pub face: Face,
    /// A program that was here before: show what came after this line instead of a greeting.
    pub since: Option<LineId>,
}

/// What the login proved. The engine trusts it: it is the embedder who verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The key with this fingerprint (`SHA256:...`).
    Key(Arc<str>),
    /// The login name, by a password.
    Login,
    /// Nothing.
    Guest,
}

impl Proof {
    /// The fingerprint of the key, if one was shown.
    pub fn key(&self) -> Option<&Arc<str>> {
        match self {
            Self::Key(key) => Some(key),
            Self::Login | Self::Guest => None,
        }
    }
}

/// What a session sees of it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    /// A full screen.
    Full,
    /// Lines of text.
    Plain,
    /// JSON lines: a program. It is shown no past unless it asks.
    Json,
}

/// The store's answers.
#[derive(Debug, Clone)]
pub enum StoreAnswer {
    /// It is written and survives a crash.
    Kept,
    /// What was asked for.
    Lines {
        /// Oldest first, edits and deletions applied.
        lines: Vec<Arc<Line>>,
        /// Whether there are more beyond the limit.
        more: bool,
    },
    /// How many.
    Count(u64),
    /// It could not; why, for the log and the person.
    Failed(Arc<str>),
}

/// Answers to [`PasswordRequest`](crate::effect::PasswordRequest)s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordAnswer {
    /// The hash, in a form that the embedder can verify against.
    Hash(Arc<str>),
    /// Whether the password was right.
    Verified(bool),
    /// It could not be done.
    Failed(Arc<str>),
}

/// The back plane's answers.
#[derive(Debug, Clone)]
pub enum BackAnswer {
    /// The line has its place in the stream (also if it had it already).
    Published {
        /// Its number, one more than the number of the line before it in the same place or greater.
        sequence: u64,
    },
    /// What the gap held.
    Backfilled {
        /// In order, with their numbers.
        lines: Vec<(u64, Arc<Line>)>,
        /// Whether the gap goes on after them.
        more: bool,
    },
    /// The nick is this account's.
    Claimed,
    /// The nick, or one it could be taken for, is another account's.
    Taken,
    /// It could not; why.
    Failed(Arc<str>),
}

/// News from the other nodes.
#[derive(Debug, Clone)]
pub enum BackNews {
    /// The back plane is reached, for the first time or again.
    Up,
    /// It is not reached any more.
    Down,
    /// A line came out of the stream; one's own come too.
    Line {
        /// The line.
        line: Arc<Line>,
        /// Its number in the stream.
        sequence: u64,
        /// The number of the line before it in the same place; 0 if it is the first.
        previous: u64,
    },
    /// Somebody is there on another node, or changed.
    Present(Presence),
    /// Somebody left another node.
    Absent {
        /// The node.
        node: Arc<str>,
        /// Who.
        account: crate::id::AccountId,
    },
    /// Another node is gone, with everybody on it.
    NodeGone {
        /// The node.
        node: Arc<str>,
    },
    /// A record was written on another node.
    Put(Record),
    /// A record was deleted on another node.
    Delete(RecordKey),
}

/// Somebody who is there on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The node.
    pub node: Arc<str>,
    /// Who, as the author of lines.
    pub who: crate::line::Author,
    /// The rooms he or she is in.
    pub rooms: Vec<crate::name::RoomName>,
    /// What he or she says while away.
    pub away: Option<Arc<str>>,
    /// Since when.
    pub since: Time,
}

/// What an operator at the machine may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminRequest {
    /// Keep somebody out, or silent.
    Ban {
        /// Whom, how and why.
        order: BanOrder,
        /// In one room, or everywhere.
        room: Option<Arc<str>>,
    },
    /// Lift that.
    Unban {
        /// Nick, `SHA256:...` or address.
        target: Arc<str>,
        /// Silent, not kept out.
        mute: bool,
        /// In one room, or everywhere.
        room: Option<Arc<str>>,
    },
    /// Make an account for a key, also where unknown ones make none.
    AddAccount {
        /// What it is called.
        nick: Arc<str>,
        /// `SHA256:...`
        key: Arc<str>,
    },
    /// Forget an account: its nick and keys are free again. By nick.
    DeleteAccount(Arc<str>),
    /// Forget a room, with its lines.
    DeleteRoom(Arc<str>),
    /// How long a room's lines are kept.
    Keep {
        /// Which room.
        room: Arc<str>,
        /// As long as the server's own rule says if none.
        time: Option<Duration>,
    },
    /// Say something to everybody.
    Announce(Arc<str>),
    /// The server stops: tell everybody why and end all sessions.
    Shutdown(Arc<str>),
}
