//! The operating system under Nacre on Linux: pseudo-terminals, accounts, processes, privileges, standard streams and sockets.
//!
//! The only crate that holds `unsafe`. Calls block; descriptors come out ready to be registered with an event loop.

pub mod account;
mod error;
pub mod modes;
pub mod password;
pub mod privileges;
pub mod pty;
pub mod shadow;
pub mod spawn;
pub mod stdio;
pub mod terminal;

pub use error::{SysError, errno_of};
