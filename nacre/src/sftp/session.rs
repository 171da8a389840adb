//! One session: where we are on both sides, and what has been asked for so far.

use super::remote_side::RemoteSide;
use super::words::as_pattern;
use crate::cli::sftp::SftpArgs;
use crate::failure::Failure;
use crate::output;
use nacre_files::remote::{Error, shown};
use nacre_sftp::Code;
use std::sync::Arc;

/// Why a command did not do all that it should.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was said already.
    Told,
    /// This is to be said.
    Say(String),
    /// There is no connection any more.
    Gone(Error),
    /// Nobody reads what we print.
    Output(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Output(failure)
    }
}

/// What is known between two commands.
pub(super) struct Session<'a> {
    /// The far side, which completion looks at as well.
    pub far: Arc<RemoteSide>,
    /// The far folder that the session began in.
    pub start: Vec<u8>,
    /// What the command line asked for.
    pub args: &'a SftpArgs,
    /// Whether transfers show bars.
    pub progress: bool,
    /// Whether transfers are compared at both ends.
    pub verify: bool,
}

impl Session<'_> {
    /// The working folder there.
    pub fn folder(&self) -> Vec<u8> {
        self.far.folder()
    }

    /// A path there, as it was typed, made absolute.
    pub fn absolute(&self, path: &[u8]) -> Vec<u8> {
        if path.first() == Some(&b'/') { path.to_vec() } else { joined(&self.folder(), path) }
    }

    /// A pattern there, as it was typed, made absolute: the working folder's own stars match only themselves.
    pub fn absolute_pattern(&self, pattern: &[u8]) -> Vec<u8> {
        if pattern.first() == Some(&b'/') { pattern.to_vec() } else { joined(&as_pattern(&self.folder()), pattern) }
    }

    /// A remark that quiet sessions leave out.
    pub fn remark(&self, line: &str) -> Result<(), Trouble> {
        if self.args.quiet { Ok(()) } else { say(line) }
    }
}

/// Prints a line.
pub(super) fn say(line: &str) -> Result<(), Trouble> {
    Ok(output::print(&format!("{line}\n"))?)
}

/// `folder/name` without a slash too many.
pub(super) fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if !path.is_empty() && path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The last component of a path; the path itself when it has only slashes.
pub(super) fn base_name(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let trimmed = path.get(..end).unwrap_or_default();
    match trimmed.rsplit(|byte| *byte == b'/').next() {
        Some(name) if !name.is_empty() => name,
        _ => path,
    }
}

/// A path for people, in quotes where OpenSSH has them.
pub(super) fn quoted(path: &[u8]) -> String {
    format!("\"{}\"", shown(path))
}

/// The line for an error of a request: `what` in OpenSSH's words, and why in those of the protocol.
pub(super) fn refused(what: &str, error: Error) -> Trouble {
    match error {
        error if error.is_fatal() => Trouble::Gone(error),
        Error::Status { code, message, .. } => Trouble::Say(format!("{what}: {}", reason(code, &message))),
        other => Trouble::Say(other.to_string()),
    }
}

/// Why a server refused: the code's words, which are the same with every server, and its own if those tell more.
fn reason(code: Code, message: &str) -> String {
    match code.words() {
        Some(words) if code == Code::Failure && !message.is_empty() && message != words => {
            format!("{words} ({message})")
        }
        Some(words) => words.to_owned(),
        None => code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_taken_apart() {
        assert_eq!(joined(b"/", b"x"), b"/x");
        assert_eq!(joined(b"/a", b"x"), b"/a/x");
        assert_eq!(joined(b"", b"x"), b"x");
        for (path, name) in [("/a/b", "b"), ("/a/b/", "b"), ("a", "a"), ("/", "/"), ("", ""), ("a//", "a")] {
            assert_eq!(base_name(path.as_bytes()), name.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_bare_failure_is_explained_by_the_server() {
        assert_eq!(reason(Code::Failure, "Failure"), "Failure");
        assert_eq!(reason(Code::Failure, "Directory not empty"), "Failure (Directory not empty)");
        assert_eq!(reason(Code::NoSuchFile, "nope"), "No such file or directory");
        assert_eq!(reason(Code::Other(99), "x"), "Status 99");
    }
}
