//! `internal-sftp`: the SFTP server that is built in. In place of the user's shell this very program is started, in
//! another role: a process of the user, with nothing of the server in its memory. In a jail, where no program is, the helper
//! makes a copy of itself instead.

use super::launch::{Launch, Opened, OpenedStreams};
use super::rc::{OWN_PROGRAM, Run};
use crate::sftp_server::{self, Who};
use nacre_net::server::authority::Start;
use nacre_sys::forked::{PANICKED, fork_into};
use nacre_sys::spawn::{pipe_from_child, pipe_to_child};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

const NAME: &str = "internal-sftp";
/// What it calls itself, which is how it knows its role.
const ROLE: &str = "sftp-server";

/// Whether the server's configuration, or a key's `command=`, names the server that is built in. What a client asks for
/// is never looked at so.
pub fn is_internal(command: &str) -> bool {
    command.strip_prefix(NAME).is_some_and(|flags| flags.is_empty() || flags.starts_with([' ', '\t']))
}

impl Launch {
    /// The words after the name of the SFTP server that is built in, if that is what is to run.
    pub(super) fn internal_sftp(&self) -> Option<Vec<OsString>> {
        let Start::Subsystem(command) = &self.start else { return None };
        let flags = command.strip_prefix(NAME).filter(|_| is_internal(command))?;
        // Quotes that are never closed are passed on as they are, for the server to complain of.
        let words = nacre_config::token::words(flags, false).unwrap_or_else(|_| vec![flags.trim().to_owned()]);
        Some(words.into_iter().map(Into::into).collect())
    }

    /// A copy of this process, which is the user already, as the SFTP server; it logs by this socket, if there is one.
    pub(super) fn sftp_in_jail(&self, words: Vec<OsString>, log: Option<OwnedFd>) -> io::Result<Opened> {
        if self.pty.is_some() {
            return Err(io::Error::other("internal-sftp in a ChrootDirectory has no terminal"));
        }
        let (stdin, stdout, stderr) = (pipe_to_child()?, pipe_from_child()?, pipe_from_child()?);
        let who = Who::of(&self.account, &self.peer.ip().to_string());
        let serve = |given: Vec<OwnedFd>| match take_streams(given, &self.account.home) {
            Ok(log) => i32::from(sftp_server::serve_called(ROLE, words, &who, log)),
            Err(_) => PANICKED,
        };
        let given = [stdin.child, stdout.child, stderr.child].into_iter().chain(log).collect();
        let child = fork_into(given, &[], serve)?;
        let streams = OpenedStreams::Pipes([stdin.parent, stdout.parent, stderr.parent]);
        Ok(Opened { streams, child, preamble: Vec::new(), auth_info: None })
    }
}

/// What a started program has: three streams, and its folder, which is the root where there is no home. What else was given
/// comes back.
fn take_streams(given: Vec<OwnedFd>, home: &Path) -> io::Result<Option<OwnedFd>> {
    let mut given = given.into_iter();
    let (Some(stdin), Some(stdout), Some(stderr)) = (given.next(), given.next(), given.next()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)?;
    std::env::set_current_dir(home).or_else(|_| std::env::set_current_dir("/"))?;
    Ok(given.next())
}

/// This program as the SFTP server.
pub fn started_anew(words: Vec<OsString>) -> Run {
    (OWN_PROGRAM.into(), ROLE.into(), words)
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
