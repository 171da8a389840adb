//! The chat's sockets for this machine, in its folder.

use super::SESSIONS;
use super::admin::SOCKET;
use crate::failure::Failure;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use tokio::net::UnixListener;

/// Where operators come in. Two servers of one folder would each believe that theirs is the truth, so the second one gets none.
pub(super) fn operators(folder: &Path) -> Result<UnixListener, Failure> {
    if UnixStream::connect(folder.join(SOCKET)).is_ok() {
        return Err(Failure::new(format!("{}: another server has this chat already", folder.display()))
            .hint("stop it first, or give this one a folder of its own with --state"));
    }
    bind(&folder.join(SOCKET), 0o600)
}

/// Where sessions come in; who may reach it is decided by the folder's rights.
pub(super) fn sessions(folder: &Path) -> Result<UnixListener, Failure> {
    bind(&folder.join(SESSIONS), 0o666)
}

/// In the place of one that a server before this left behind.
fn bind(path: &Path, mode: u32) -> Result<UnixListener, Failure> {
    let make = || -> io::Result<UnixListener> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        Ok(listener)
    };
    make().map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
