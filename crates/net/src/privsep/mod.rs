//! Privilege separation: the protocol runs in a process that may do nothing, and asks another one.
//!
//! As root a connection has two processes. The **net** process parses what strangers send, without
//! rights, and answers the protocol's questions by asking its **monitor**, which believes nothing it
//! is told: [`Gate`] holds every message against the state the login has really reached. What
//! belongs to the user is opened by a **helper** that runs as the user and comes to the net process
//! as descriptors.

mod async_socket;
mod gate;
mod message;
mod packed;
mod remote;
mod remote_forward;
mod settings;

pub use async_socket::AsyncMessageSocket;
pub use gate::{Gate, Phase, Violation};
pub use message::{EndedHow, FromMonitor, MAX_MESSAGE, StreamsKind, ToMonitor};
pub use packed::{Packed, SECRET_ROOM, bad};
pub use remote::{RemoteAuthority, RemoteLink};
pub use settings::ConnectionSettings;
