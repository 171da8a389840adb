//! The chat as people meet it: faces over the engine, the store of its lines, and what joins them.
//!
//! A [`Hub`] owns the engine and the [`Store`]. Whoever has a byte stream to a person or a program
//! (the binary has one for each SSH session; this crate knows nothing of that) calls
//! [`Hub::serve`] with it, and a [`Face`] turns bytes into what is asked for and events into bytes.

pub mod admin;
mod clock;
pub mod face;
mod hub;
pub mod join;
mod json_text;
#[cfg(feature = "nats")]
pub mod nats;
mod pace;
mod seat;
mod session;
mod store;

pub use face::{Asked, Face, Size};
pub use hub::{Hub, Passwords};
pub use session::{Arrival, Ended};
pub use store::{Archive, Store, StoreError, line_as_json, record_as_json};
