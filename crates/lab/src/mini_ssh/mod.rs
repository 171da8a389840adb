//! `mini-ssh`: X25519, HKDF, Fernet, a password, commands. Nobody checks whose key came, a captured token can be sent
//! again, and the user is whoever has the password.
//!
//! Frames have a length of four bytes before them. Both ends send an X25519 public key, the client first; after that
//! each frame is a Fernet token. The server asks for name and password, then answers each command with its output.

mod client;
mod commands;
mod fernet;
mod server;
mod session;

pub use client::Client;
pub use server::Server;
pub use session::{Event, Session};

/// Bytes of output that an answer holds.
pub const MAX_OUTPUT: usize = crate::frame::MAX_PASSED_ON;
/// What the server says to somebody whose name and password are right.
pub(crate) const LOGGED_IN: &str = server::OK;
/// What the session key is for.
const INFO: &str = "mini-ssh session key";
/// How often a client may say name and password.
pub const TRIES: u32 = 3;

/// What can be set at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// Commands are run by a shell of this machine; otherwise a few are answered from a table.
    pub really_exec: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { user: "user".to_owned(), password: "pass123".to_owned(), really_exec: false }
    }
}
