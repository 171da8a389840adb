//! SSH-2 as state machines, sans-IO: no socket, no clock, no thread, no file and no environment.
//!
//! What is deliberately absent: reading the time (every call is told it), randomness and primitives
//! (a [`crypto::Provider`] brings them), private keys, passwords, files and decisions (they are
//! questions that leave as [`Event`]s and come back through [`Connection::answer`]).
//!
//! # The loop that drives a connection
//! Both ends are driven alike. Feed what the socket brought to [`Connection::receive`]; take every
//! [`Connection::poll_event`] and act on it; let [`Connection::poll_transmit`] form packets while the
//! socket takes them; call [`Connection::handle_timeout`] when [`Connection::poll_timeout`] has
//! passed. No order is required: a call that has nothing to do does nothing.
//!
//! ```
//! # use std::time::Instant;
//! # use nacre_proto::{Connection, Event, TransmitBuffer};
//! fn turn(c: &mut Connection, input: &mut bytes::BytesMut, out: &mut TransmitBuffer, now: Instant) {
//!     let over = c.receive(now, input).is_err();
//!     while let Some(event) = c.poll_event() {
//!         match event {
//!             Event::Data { channel, data, .. } => {
//!                 // ... use the data, then give its room back:
//!                 if let Some(mut channel) = c.channel(channel) {
//!                     channel.consumed(data.len());
//!                 }
//!             }
//!             _ => { /* answer questions, note what happened */ }
//!         }
//!     }
//!     let _ = c.poll_transmit(now, out, 256 * 1024);
//!     // ... write `out` to the socket and `consume` what it took; when `over`, close.
//! #   let _ = over;
//! }
//! ```
//!
//! # Secrets
//! Shared secrets and keys live in [`crypto::SecretBytes`], which wipe themselves; none is kept
//! after the sealers and openers were made. Nothing an [`observe::Observer`] sees is secret
//! unless it asks for what is called `dangerous_`.

pub mod algorithm;
mod answer;
pub mod certificate;
mod compress;
pub mod config;
mod connection;
pub mod crypto;
pub mod error;
mod event;
mod exchange;
mod forward;
mod ident;
mod kdf;
pub mod limits;
pub mod login;
mod mux;
mod negotiate;
pub mod negotiate_names;
pub mod observe;
mod packet;
mod question;
mod timer;
mod transmit;
mod transport;

pub use answer::Question;
pub use config::{ConnectionLimits, Keepalive, RekeyPolicy, TransportConfig};
pub use connection::{ChannelMut, ClientConfig, Connection, ServerConfig};
pub use error::Error;
pub use event::Event;
pub use exchange::{HostKeyDecision, HostKeyQuestion, SignExchange};
pub use ident::Ident;
pub use kdf::{ExchangeHash, SessionId};
pub use mux::channel::{LocalChannel, Stream};
pub use mux::outbound::Fill;
pub use mux::{GrantGlobal, GrantRequest, OpenAnswer, OpenChannel};
pub use nacre_wire::Role;
pub use negotiate::{DirectionAlgorithms, Negotiated};
pub use question::Pending;
pub use transmit::TransmitBuffer;
pub use transport::HostKey;
