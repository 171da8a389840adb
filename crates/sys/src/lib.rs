//! The operating system under Nacre on Linux: pseudo-terminals, accounts, processes, privileges, standard streams and sockets.
//!
//! The only crate that holds `unsafe`. Calls block; descriptors come out ready to be registered with an event loop.

pub mod account;
pub mod background;
pub mod become_account;
pub mod clock;
pub mod daemon;
mod error;
pub mod forked;
pub mod handover;
pub mod interfaces;
pub mod jail;
pub mod memory;
pub mod messages;
pub mod modes;
pub mod pam;
pub mod password;
pub mod privileges;
pub mod pty;

pub mod readiness;
pub mod records;
pub mod role;
pub mod sandbox;
pub mod shadow;
pub mod slots;
pub mod socket;
pub mod spawn;
pub mod stdio;
pub mod strict_modes;
pub mod terminal;
pub mod undisturbed;
pub mod user_files;

pub use error::{SysError, errno_of};
