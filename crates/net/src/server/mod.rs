//! A server's connections: questions go to an [`Authority`], sessions run, everything ends.

pub mod authority;
mod connection;
mod process;
mod session;
mod tasks;

pub use authority::Authority;
pub use connection::{AnnouncedKey, Order, ServerOwner, Watcher};
pub use process::{LocalProcess, exit_of};
pub use session::terminal_streams;
