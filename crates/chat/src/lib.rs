//! The chat as a state machine: what happens goes in, what is to be done comes out.
//!
//! The engine knows no SSH, no socket, clock, file or environment. [`Engine::handle`] takes the time
//! and one [`Input`] and returns [`Effect`]s, to be done in their order. What takes long (the store,
//! passwords, other nodes) leaves as an effect with a [`RequestId`] and comes back as an input with
//! the same number; nothing waits for it but what depends on it.
//!
//! ```
//! use nacre_chat::{Config, Connect, Effect, Engine, Face, Input, Proof, SessionId, Time};
//! use std::sync::Arc;
//!
//! let mut engine = Engine::new(Config::new("node-1", 0x5eed));
//! let connect = Connect {
//!     session: SessionId(1),
//!     proof: Proof::Key(Arc::from("SHA256:alice")),
//!     login: Arc::from(*b"alice"),
//!     rooms: Vec::new(),
//!     address: None,
//!     client: Arc::from(*b"SSH-2.0-OpenSSH_9.2"),
//!     face: Face::Plain,
//!     since: None,
//! };
//! let now = Time(1_700_000_000_000);
//! for effect in engine.handle(now, Input::Connect(Box::new(connect))) {
//!     if let Effect::Show { to, event, .. } = effect {
//!         for session in to.sessions() {
//!             println!("{session:?} sees {event:?}");
//!         }
//!     }
//! }
//! ```
//!
//! An embedder's loop: call `handle` for each input; call it with [`Input::Tick`] when the time of
//! [`Engine::next_timeout`] has come; give each session an [`Outbox`] for what it is shown; do the
//! other effects and bring their answers back. [`render`] turns events into plain lines, and
//! [`Engine::complete`] answers a face's completion key.

pub mod command;
mod effect;
mod engine;
mod event;
mod id;
mod input;
pub mod limits;
mod line;
mod look_alikes;
pub mod name;
mod outbox;
mod rate;
mod record;
pub mod render;
mod talk;
pub mod text;
mod time;

pub use effect::{
    AdminAnswer, Audience, Audit, BackRequest, Effect, Feed, HistoryQuery, PasswordRequest, Range, SearchQuery, Secret,
    StoreRequest,
};
pub use engine::{Config, Engine, Rules};
pub use event::{Event, Leaving, Person, RoomSummary, RoomView};
pub use id::{AccountId, BadId, LineId, RequestId, SessionId};
pub use input::{
    AdminRequest, BackAnswer, BackNews, Connect, Face, Input, Loaded, PasswordAnswer, Presence, Proof, StoreAnswer,
};
pub use line::{Author, Line, LineKind, Pair, Place, Standing};
pub use name::{BadName, Keys, Nick, RoomName};
pub use outbox::{Outbox, Pressure};
pub use record::{
    AccountRecord, Ban, BanKind, BanTarget, Bell, HistoryMode, Modes, Record, RecordKey, Role, RoomRecord, Settings,
    THEMES,
};
pub use time::{Span, Time, parse_duration};
