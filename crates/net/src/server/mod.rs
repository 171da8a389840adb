//! A server's connections: questions go to an [`Authority`], sessions run, everything ends.

pub mod authority;
mod connection;
mod forwarding;
mod host_proof;
mod leaving;
mod process;
mod session;
mod tasks;

pub use authority::Authority;
pub use connection::{Order, ServerOwner, Watcher};
pub use host_proof::AnnouncedKey;
pub use process::{LocalProcess, exit_of};
pub use session::terminal_streams;
