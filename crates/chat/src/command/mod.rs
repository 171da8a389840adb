//! Commands: what a person can ask for, as values; the words for them are in [`TABLE`].

mod complete;
mod nearest;
mod parse;
mod table;

pub use complete::{Completion, Names, complete};
pub use parse::{BadCommand, Typed, parse};
pub use table::{Argument, Entry, TABLE, find};

use std::sync::Arc;
use std::time::Duration;

/// What is asked for. Names and texts are as typed; the engine reads and cleans them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Say where the session is.
    Say(Arc<str>),
    /// Say in a certain room or to a certain person: for programs.
    SayIn {
        /// `#room` or a nick.
        to: Arc<str>,
        /// What.
        text: Arc<str>,
    },
    /// `/me`.
    Me(Arc<str>),
    /// `/pm`, `/msg`.
    Direct {
        /// To whom, or `#room`.
        to: Arc<str>,
        /// What.
        text: Arc<str>,
    },
    /// `/query`: what is typed goes to this person from now on.
    Query(Arc<str>),
    /// `/list`: who is online.
    List,
    /// `/quit`.
    Quit(Arc<str>),
    /// `/help`, perhaps on one command.
    Help(Option<Arc<str>>),
    /// `/join`.
    Join {
        /// Which room.
        room: Arc<str>,
        /// Its password.
        password: Option<Arc<str>>,
    },
    /// `/part`.
    Part {
        /// Which room; where the session is if none.
        room: Option<Arc<str>>,
        /// Why.
        reason: Arc<str>,
    },
    /// `/go`: what is typed goes there from now on.
    Go(Arc<str>),
    /// `/rooms`.
    Rooms,
    /// `/names`.
    Names(Option<Arc<str>>),
    /// `/whois`.
    Whois(Arc<str>),
    /// `/topic`: show or set.
    Topic(Option<Arc<str>>),
    /// `/nick`.
    Nick(Arc<str>),
    /// `/away`; back if none.
    Away(Option<Arc<str>>),
    /// `/ignore`: the list if none.
    Ignore(Option<Arc<str>>),
    /// `/unignore`.
    Unignore(Arc<str>),
    /// `/invite`.
    Invite {
        /// Whom.
        nick: Arc<str>,
        /// Where to; where the session is if none.
        room: Option<Arc<str>>,
    },
    /// `/kick`.
    Kick {
        /// Whom.
        nick: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// `/ban`, `/mute`.
    Ban {
        /// What.
        order: BanOrder,
        /// On the whole server, not only where the session is.
        everywhere: bool,
    },
    /// `/unban`, `/unmute`.
    Unban {
        /// Nick, `SHA256:...` or address.
        target: Arc<str>,
        /// Silent, not kept out.
        mute: bool,
        /// On the whole server.
        everywhere: bool,
    },
    /// `/bans`.
    Bans,
    /// `/op`, `/deop`, `/voice`, `/devoice`.
    Role {
        /// Whose.
        nick: Arc<str>,
        /// Which; none takes it away.
        role: Option<crate::record::Role>,
    },
    /// `/mode`: show, or change by `+i`, `-i`, `+k PASSWORD`, `+m`, `+t`, `+h`, `+e 30d`.
    Mode(Vec<Arc<str>>),
    /// `/history`.
    History(Past),
    /// `/search`.
    Search(Arc<str>),
    /// `/reply`; shows the short ids if none.
    Reply {
        /// A short id, an id, or a nick for his or her last line.
        to: Option<Arc<str>>,
        /// What.
        text: Arc<str>,
    },
    /// `/edit`.
    Edit {
        /// A short id or an id; one's last line if none.
        line: Option<Arc<str>>,
        /// The new text.
        text: Arc<str>,
    },
    /// `/delete`.
    Delete(Option<Arc<str>>),
    /// `/key`.
    Key(KeyOrder),
    /// `/bell`; shows if none.
    Bell(Option<crate::record::Bell>),
    /// `/theme`.
    Theme(Option<Arc<str>>),
    /// `/zone`: minutes east of UTC.
    Zone(Option<i32>),
    /// `/times on` or `off`.
    Times(bool),
    /// `/emoji text` or `on`.
    EmojiAsText(bool),
    /// `/plain`.
    Plain,
    /// `/clear`.
    Clear,
}

/// A ban or a mute to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanOrder {
    /// Nick, `SHA256:...`, address or address/bits.
    pub target: Arc<str>,
    /// For how long; for ever if none.
    pub time: Option<Duration>,
    /// Why.
    pub reason: Arc<str>,
    /// Silent, not kept out.
    pub mute: bool,
}

/// Which part of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// The last lines: so many.
    Last(u32),
    /// What was said in the last so long.
    For(Duration),
    /// Before a line.
    Before(Arc<str>, u32),
    /// After a line.
    After(Arc<str>, u32),
    /// Around a line.
    Around(Arc<str>, u32),
}

/// What to do with keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrder {
    /// Show one's own.
    List,
    /// Offer one's account to a key, which must accept.
    Add(Arc<str>),
    /// Let the key of this session join the account that offered.
    Accept(Arc<str>),
    /// Take a key out of one's account.
    Remove(Arc<str>),
}
