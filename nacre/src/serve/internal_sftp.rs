//! `internal-sftp`: the SFTP server that is built in. In place of the user's shell this very program is started, in
//! another role: a process of the user, with nothing of the server in its memory.

use super::launch::Launch;
use super::rc::{OWN_PROGRAM, Run};
use nacre_net::server::authority::Start;

const NAME: &str = "internal-sftp";
/// What it calls itself, which is how it knows its role.
const ROLE: &str = "sftp-server";

/// Whether the server's configuration, or a key's `command=`, names the server that is built in. What a client asks for
/// is never looked at so.
pub fn is_internal(command: &str) -> bool {
    command.strip_prefix(NAME).is_some_and(|flags| flags.is_empty() || flags.starts_with([' ', '\t']))
}

impl Launch {
    /// This program as the SFTP server, if that is what is to run.
    pub(super) fn internal_sftp(&self) -> Option<Run> {
        let Start::Subsystem(command) = &self.start else { return None };
        let flags = command.strip_prefix(NAME).filter(|_| is_internal(command))?;
        // Quotes that are never closed are passed on as they are, for the server to complain of.
        let words = nacre_config::token::words(flags, false).unwrap_or_else(|_| vec![flags.trim().to_owned()]);
        Some((OWN_PROGRAM.into(), ROLE.into(), words.into_iter().map(Into::into).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::is_internal;

    #[test]
    fn only_the_name_as_a_word_is_the_server_inside() {
        assert!(is_internal("internal-sftp") && is_internal("internal-sftp -R") && is_internal("internal-sftp\t-e"));
        for other in ["internal-sftpd", "internal", "/internal-sftp", "Internal-sftp", " internal-sftp", ""] {
            assert!(!is_internal(other), "{other}");
        }
    }
}
