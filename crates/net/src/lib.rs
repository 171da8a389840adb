//! Nacre's tokio driver: the one loop that joins a socket, a connection of `nacre-proto`, the pumps
//! of its channels and the owner that decides what it is all for.
//!
//! What is deliberately absent: cryptography (the provider comes as a value), policy and secrets
//! (a server asks its [`server::Authority`], a client its owner).

pub mod admission;
mod backlog;
pub mod descriptor;
pub mod driver;
pub mod forward;
mod leaving_sinks;
pub mod privsep;
pub mod pump;
pub mod server;
mod stdio_stream;

pub use descriptor::Descriptor;
pub use driver::{Driver, Ended, Owner, Port};
pub use forward::{Arrival, ForwardListener, Forwards};
pub use pump::{Pump, PumpEvent, Pumps};
pub use stdio_stream::StdioStream;
