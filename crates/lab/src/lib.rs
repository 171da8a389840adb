//! The laboratory: four protocols that people learn from, exactly as their descriptions have them, as state
//! machines that tell every step.
//!
//! Nothing here has a socket, a clock, a file or a thread: [`console::Console`] takes what happened and gives back
//! what is to be done, for whole programs (a server with all its clients, or a client). Below each console is a
//! `Session`, one connection's end. The binary joins them to sockets and terminals.
//!
//! These protocols are unsafe, each in its own way; that is what they are for. [`ssh`] stands beside them.
#![deny(missing_docs)]

pub mod attack;
mod cbc;
pub mod challenge;
pub mod console;
pub mod cost;
pub mod dh_chat;
mod end;
mod fault;
mod fix;
mod frame;
pub mod mini_ssh;
mod moment;
mod protocol;
mod random;
mod rehearsal;
pub mod rsa_chat;
pub mod ssh;
mod step;
pub mod tls;
pub mod toy_socket;
mod x25519;

pub use fault::Fault;
pub use fix::{Fix, Fixes, Identity, Repairs};
pub use frame::MAX_FRAME;
pub use moment::Moment;
pub use protocol::Protocol;
pub use random::Randomness;
pub use rehearsal::rehearse;
pub use step::{Field, Row, Step, Who};
