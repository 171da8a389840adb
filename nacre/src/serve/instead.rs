//! What a session gets in place of its command, when it may not have one now.

use super::launch::Launch;
use super::rc::Run;
use std::path::{Path, PathBuf};

const SH: &str = "/bin/sh";
const PASSWD: &str = "/usr/bin/passwd";
/// nologin(5): while one of these is there, only root gets in.
const CLOSED: [&str; 2] = ["/etc/nologin", "/run/nologin"];

/// With OpenSSH's exit status.
const SHOW: &str = "cat -- \"$1\" >&2; exit 254";
const CHANGE: &str = "echo 'WARNING: Your password has expired.' >&2
echo 'You must change your password now and login again!' >&2
exec \"$1\"";
const SFTP_ONLY: &str = "echo 'This service allows sftp connections only.'; exit 1";
const NO_TERMINAL: &str = "echo 'WARNING: Your password has expired.' >&2
echo 'Password change required but no TTY available.' >&2
exit 1";

/// The file that keeps everybody but root out now, if one does. Looked for before a jail is entered, which has none.
pub fn closed() -> Option<PathBuf> {
    CLOSED.into_iter().map(PathBuf::from).find(|path| path.exists())
}

impl Launch {
    /// What runs in place of the command: the change of a password whose time is over, or the text that says why
    /// logins are closed, or that there is nothing but SFTP here.
    pub(super) fn instead(&self) -> Option<Run> {
        if self.must_change {
            let script = if self.pty.is_some() { CHANGE } else { NO_TERMINAL };
            return Some(script_on(script, PASSWD));
        }
        match &self.closed {
            Some(path) => Some(script_on(SHOW, path)),
            None => self.sftp_only.then(|| script_on(SFTP_ONLY, "")),
        }
    }
}

fn script_on(script: &str, argument: impl AsRef<Path>) -> Run {
    let argument = argument.as_ref().as_os_str().to_owned();
    (SH.into(), "sh".into(), vec!["-c".into(), script.into(), "sh".into(), argument])
}
