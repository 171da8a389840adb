//! What a session is shown. The faces draw it; [`crate::render`] says it in plain lines.
//!
//! All text in an event is clean already (see [`crate::text`]); a face adds its own colours after.

use crate::id::LineId;
use crate::line::{Author, Line, Place};
use crate::name::RoomName;
use crate::record::{Role, Settings};
use crate::time::Time;
use std::sync::Arc;

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// First of all: who this session is.
    Welcome {
        /// The person, as the author of lines.
        you: Author,
        /// The server's greeting, several lines; may be empty.
        greeting: Arc<str>,
        /// What he or she chose.
        settings: Settings,
        /// When.
        at: Time,
    },
    /// Somebody else said a line, or it came from another node.
    Line(Arc<Line>),
    /// One's own line is on its way: to be shown pale, until the [`Event::Confirmed`] or
    /// [`Event::Lost`] with its id. Goes to all sessions of its author.
    Pending(Arc<Line>),
    /// One's own line is kept for good and everybody has it.
    Confirmed {
        /// The line; the same as in [`Event::Pending`].
        line: Arc<Line>,
        /// Its number in the stream, if there is one.
        sequence: Option<u64>,
    },
    /// One's own line could not be kept.
    Lost {
        /// Which.
        id: LineId,
        /// Why.
        why: Arc<str>,
    },
    /// Somebody came into a room.
    Joined {
        /// Where.
        room: RoomName,
        /// Who.
        who: Author,
        /// When.
        at: Time,
    },
    /// Somebody left a room.
    Left {
        /// Where.
        room: RoomName,
        /// Who.
        who: Author,
        /// How.
        how: Leaving,
        /// When.
        at: Time,
    },
    /// A node went, with several people of a room.
    NodeLeft {
        /// Where.
        room: RoomName,
        /// Their nicks.
        nicks: Arc<[Arc<str>]>,
        /// When.
        at: Time,
    },
    /// Somebody is called otherwise now.
    Renamed {
        /// As he or she was.
        old: Arc<str>,
        /// As he or she is.
        who: Author,
        /// When.
        at: Time,
    },
    /// Somebody is away, or back (no message).
    Away {
        /// Who.
        who: Author,
        /// Why.
        message: Option<Arc<str>>,
        /// When.
        at: Time,
    },
    /// This session's account is in a room: what a face needs to draw it.
    Entered(Arc<RoomView>),
    /// This session's account is not in a room any more.
    Gone(RoomName),
    /// What is typed goes there from now on.
    Focus(Option<Place>),
    /// Lines of the past, as an answer or on entering.
    Past {
        /// Where; none for what was found in several places.
        place: Option<Place>,
        /// What it is, in a few words: `Last lines`, `Found: rust`.
        title: Arc<str>,
        /// Oldest first, edits and deletions applied.
        lines: Arc<[Arc<Line>]>,
        /// Whether there are more.
        more: bool,
    },
    /// So many lines came since this account last read there.
    Missed {
        /// Where.
        place: Place,
        /// How many.
        count: u64,
    },
    /// Lines said on other nodes while they could not be reached; the lines follow.
    Apart {
        /// Where.
        place: Place,
        /// How many.
        count: u64,
    },
    /// The other nodes can be reached, or not: a banner.
    Linked(bool),
    /// The server says something: `[SYSTEM]`. Several lines for answers such as `/help`.
    Notice {
        /// Where it belongs, if anywhere.
        place: Option<Place>,
        /// The text.
        text: Arc<str>,
        /// When.
        at: Time,
    },
    /// What was typed could not be done. The draft is what a face may put back into its editor.
    Problem {
        /// Why, and what to do.
        text: Arc<str>,
        /// What was typed, where that is worth having back.
        draft: Option<Arc<str>>,
        /// When.
        at: Time,
    },
    /// Who is there: the answer to `/list` (no room) and `/names`.
    People {
        /// Where; none for the whole server.
        room: Option<RoomName>,
        /// Sorted by nick.
        people: Arc<[Person]>,
        /// When.
        at: Time,
    },
    /// The rooms this person may know of.
    Rooms {
        /// Sorted by name.
        rooms: Arc<[RoomSummary]>,
        /// When.
        at: Time,
    },
    /// What the person chose, after a change.
    Chosen(Settings),
    /// The face is to become another one: `/plain`.
    Face(crate::input::Face),
    /// Clear the screen of what was shown.
    Clear,
    /// Lines were left out since this session's reader was too slow. Made by the
    /// [`Outbox`](crate::Outbox), not by the engine.
    Skipped {
        /// How many events.
        count: u64,
    },
    /// The session ends.
    Bye {
        /// Why.
        reason: Arc<str>,
        /// When.
        at: Time,
    },
}

/// How somebody left a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// The connection is over; the account stays a member.
    Quit,
    /// By `/part`, with a reason that may be empty.
    Parted(Arc<str>),
    /// By `/kick` or a ban.
    Kicked {
        /// The nick of who did it.
        by: Arc<str>,
        /// Why; may be empty.
        reason: Arc<str>,
    },
}

/// A room as a face draws it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomView {
    /// Which.
    pub name: RoomName,
    /// What it is about.
    pub topic: Arc<str>,
    /// Who is there, sorted by nick.
    pub people: Vec<Person>,
}

/// Somebody who is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub who: Author,
    /// Rights in the room asked about.
    pub role: Option<Role>,
    /// What he or she says while away.
    pub away: Option<Arc<str>>,
}

/// A room in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// Which.
    pub name: RoomName,
    /// What it is about.
    pub topic: Arc<str>,
    /// How many people are there.
    pub people: u64,
    /// Whether the one who asks is in it.
    pub joined: bool,
    /// Whether it takes a password.
    pub locked: bool,
}
