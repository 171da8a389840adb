//! `internal-chat`: a session of the chat that runs on this machine, in place of the user's shell. As `internal-sftp` it is this
//! very program in another role, as the user.

use super::launch::Launch;
use super::rc::{OWN_PROGRAM, Run};
use super::shared::{Mode, Shared};
use crate::chat::{self, attend};
use std::ffi::OsString;
use std::io;

const NAME: &str = "internal-chat";
/// The only variables that reach it: the account's own files may set any.
const VARIABLES: [&str; 3] = ["TERM", chat::NO_COLOR, chat::SINCE];

/// Whether the server's configuration, or a key's `command=`, names the chat. What a client asks for is never looked at so.
pub fn is_chat(command: &str) -> bool {
    command.strip_prefix(NAME).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// What the process that attends is told: the chat's socket, the login, whence it comes and what was asked for.
pub fn words(command: &str, shared: &Shared, login: &str, address: String, asked: Option<&[u8]>) -> Vec<String> {
    let named = command.strip_prefix(NAME).unwrap_or_default().trim();
    let usual = || match shared.mode {
        Mode::Root => chat::root_socket(),
        Mode::User(_) => chat::socket(&shared.state),
    };
    let socket = if named.is_empty() { usual().display().to_string() } else { named.to_owned() };
    let asked = asked.map(|asked| String::from_utf8_lossy(asked).into_owned()).unwrap_or_default();
    vec![socket, login.to_owned(), address, asked]
}

impl Launch {
    /// The process that attends the chat, if that is what is to run.
    ///
    /// # Errors
    /// It cannot be run where a folder is all there is.
    pub(super) fn internal_chat(&self) -> io::Result<Option<Run>> {
        if self.chat.is_empty() {
            return Ok(None);
        }
        if self.jailed {
            return Err(io::Error::other("internal-chat does not work in a ChrootDirectory"));
        }
        Ok(Some((OWN_PROGRAM.into(), attend::ROLE.into(), self.chat.iter().map(OsString::from).collect())))
    }

    /// What is left of its variables.
    pub(super) fn chat_variables(&self, mut env: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
        if !self.chat.is_empty() {
            env.retain(|(name, _)| VARIABLES.iter().any(|known| name == known));
        }
        env
    }
}

#[cfg(test)]
mod tests {
    use super::is_chat;

    #[test]
    fn only_the_name_as_a_word_is_the_chat() {
        assert!(is_chat("internal-chat") && is_chat("internal-chat /run/chat.sock"));
        for other in ["internal-chats", "internal", "/internal-chat", "Internal-chat", " internal-chat", ""] {
            assert!(!is_chat(other), "{other}");
        }
    }
}
