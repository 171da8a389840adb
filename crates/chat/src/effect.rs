//! What comes out of the engine.

use crate::event::Event;
use crate::id::{AccountId, LineId, RequestId, SessionId};
use crate::input::Presence;
use crate::line::{Line, Place};
use crate::name::{Keys, RoomName};
use crate::record::{Record, RecordKey};
use crate::time::Time;
use std::fmt;
use std::sync::Arc;

/// Something to do, in the order given.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Show an event to sessions: put it into their [`Outbox`](crate::Outbox)es.
    Show {
        /// To whom.
        to: Audience,
        /// What; shared by all.
        event: Arc<Event>,
        /// The sessions whose bell rings for it; mostly none.
        ring: Arc<[SessionId]>,
    },
    /// End a session, after what was shown to it before. [`Input::Disconnect`](crate::Input) need
    /// not follow.
    Close {
        /// Which.
        session: SessionId,
        /// Why; shown by nobody else.
        reason: Arc<str>,
    },
    /// Ask the store. Every request is answered once, by [`Input::Stored`](crate::Input). A
    /// question about the past must see all lines appended before it was asked.
    Store {
        /// Brought back by the answer.
        request: RequestId,
        /// What.
        what: StoreRequest,
    },
    /// Ask about a password; answered once, by [`Input::Password`](crate::Input).
    Password {
        /// Brought back by the answer.
        request: RequestId,
        /// What.
        what: PasswordRequest,
    },
    /// Ask the back plane; only when there is one. Answered once where the request says so.
    Back {
        /// Brought back by the answer.
        request: RequestId,
        /// What.
        what: BackRequest,
    },
    /// Write a line of audit.
    Audit(Audit),
    /// Answer an operator at the machine.
    Admin {
        /// Of the request.
        ticket: u64,
        /// The answer.
        answer: AdminAnswer,
    },
}

/// Answers to an operator at the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAnswer {
    /// It is done.
    Done,
    /// It cannot be done; why.
    Refused(Arc<str>),
}

/// Sessions that something is shown to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One.
    One(SessionId),
    /// Many.
    Many {
        /// These: the list is shared from one line to the next.
        sessions: Arc<[SessionId]>,
        /// But not these; mostly none to a few.
        except: Arc<[SessionId]>,
    },
}

impl Audience {
    /// One after the other.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        let (all, except): (&[SessionId], &[SessionId]) = match self {
            Self::One(session) => (std::slice::from_ref(session), &[]),
            Self::Many { sessions, except } => (sessions, except),
        };
        all.iter().copied().filter(|session| !except.contains(session))
    }
}

/// Requests to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreRequest {
    /// Keep a line. `Kept` is answered when it survives a crash. A line whose id is there already
    /// is there once. An edit or deletion also changes the line it names, where that has the same
    /// place and the same author account (a deletion by a moderator comes with the author's account
    /// as its own author, so the store need not know rights).
    Append {
        /// The line.
        line: Arc<Line>,
        /// Its number in the stream; none when there are no other nodes or they cannot be reached.
        sequence: Option<u64>,
    },
    /// A line that is there got its number. Answer: `Kept`.
    Number {
        /// Which.
        line: LineId,
        /// The number.
        sequence: u64,
    },
    /// Write a record in place of the one with its key. Answer: `Kept`.
    Put(Record),
    /// Delete a record. Answer: `Kept`.
    Delete(RecordKey),
    /// Lines of one place. Answer: `Lines`, oldest first.
    History(HistoryQuery),
    /// Lines that hold words. Answer: `Lines`, oldest first, of the newest that match.
    Search(SearchQuery),
    /// How many messages and actions (not one's own) came after a line. Answer: `Count`.
    Count {
        /// Where.
        place: Place,
        /// After this line; from the first one if none.
        after: Option<LineId>,
        /// But not before that time.
        not_before: Option<Time>,
        /// Lines of this account do not count.
        not_by: AccountId,
    },
    /// Private messages that others sent to an account after a line. Answer: `Lines`, oldest first,
    /// of the newest.
    Inbox {
        /// Whose.
        account: AccountId,
        /// After this line.
        after: Option<LineId>,
        /// At most so many.
        limit: u32,
    },
}

/// Which lines of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Where.
    pub place: Place,
    /// Which.
    pub range: Range,
    /// At most so many.
    pub limit: u32,
    /// None said before that time: what the room's rule lets this person see.
    pub not_before: Option<Time>,
}

/// Which part of a history. Where more lines fit than the limit allows, those nearest to the named
/// line or end are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The newest.
    Latest,
    /// Said at or after that time; the newest of them.
    Since(Time),
    /// The last ones before a line.
    Before(LineId),
    /// The first ones after a line.
    After(LineId),
    /// Half of them before a line, then the line, then what follows.
    Around(LineId),
}

/// What to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// Words that must all be there, as typed and cleaned: data, never a query language.
    pub words: Arc<str>,
    /// In which rooms, and since when this person may see each.
    pub places: Vec<(Place, Option<Time>)>,
    /// And in the private messages from and to this account.
    pub directs_of: Option<AccountId>,
    /// Only lines of this account.
    pub from: Option<AccountId>,
    /// At most so many.
    pub limit: u32,
}

/// Requests about rooms' passwords. Hashing takes long on purpose, so it is done elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordRequest {
    /// Make a hash. Answer: `Hash`.
    Hash(Secret),
    /// Compare. Answer: `Verified`.
    Verify {
        /// What was typed.
        password: Secret,
        /// The room's.
        hash: Arc<str>,
    },
}

/// A password: it never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Arc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// Requests to the back plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackRequest {
    /// Put a line into the stream, with its id to know doubles by. Answer: `Published` or `Failed`;
    /// the engine asks again with the same id after a failure.
    Publish(Arc<Line>),
    /// Hear the lines of a feed from now on. No answer.
    Subscribe(Feed),
    /// Not any more. No answer.
    Unsubscribe(Feed),
    /// Lines of a feed after a number of the stream. Answer: `Backfilled`, oldest first.
    Backfill {
        /// Where.
        feed: Feed,
        /// After that number; from the first one that is kept if 0.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// Make the nick this account's, if neither key is another's: compare and set, first of all
    /// nodes wins; claiming what is one's own is `Claimed`. Answer: `Claimed` or `Taken`.
    ClaimNick {
        /// What must be free.
        keys: Keys,
        /// For whom.
        account: AccountId,
    },
    /// Give a nick back. No answer.
    ReleaseNick {
        /// Its keys.
        keys: Keys,
        /// Whose it was.
        account: AccountId,
    },
    /// Somebody is here, or changed: tell it, and again every 10 to 15 s until `Absent`. No answer.
    Present(Presence),
    /// Somebody left this node. No answer.
    Absent(AccountId),
    /// Write a record where all nodes see it. No answer; lost while the back plane is down, and
    /// written again by the engine when it is up.
    Put(Record),
    /// Delete a record everywhere. No answer.
    Delete(RecordKey),
}

/// What a node listens to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    /// A room with members here.
    Room(RoomName),
    /// All private messages: each node keeps them, so that whoever was away finds them wherever he
    /// or she comes back.
    Directs,
}

/// A line of audit: who did what to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// When.
    pub at: Time,
    /// The nick of who did it; `-` for the server itself.
    pub by: Arc<str>,
    /// The key of who did it.
    pub key: Option<Arc<str>>,
    /// One word: `kick`, `ban`, `op`, `login`, `register` ...
    pub what: &'static str,
    /// To whom or where; clean, one line.
    pub target: Arc<str>,
    /// More, clean, one line; may be empty.
    pub detail: Arc<str>,
}

impl fmt::Display for Audit {
    /// One line. All in it is clean and quoted, so none can forge another (threat U7).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_deref().unwrap_or("-");
        write!(f, "{} by={:?} key={key:?} target={:?}", self.what, self.by, self.target)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " detail={:?}", self.detail) }
    }
}
