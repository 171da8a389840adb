//! The socket of operators at the machine, in the chat's folder.

use crate::failure::Failure;
use nacre_chat_server::Hub;
use nacre_chat_server::admin;
use nacre_sys::privileges;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use tokio::net::UnixListener;

/// The socket's name in the chat's folder.
pub(super) const SOCKET: &str = "chat.sock";

/// Where operators come in. Two servers of one folder would each believe that theirs is the truth, so the second one gets none.
pub struct Door(UnixListener);

impl Door {
    /// Makes the socket.
    ///
    /// # Errors
    /// Another server has the folder, or the socket cannot be made.
    pub fn make(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(SOCKET);
        if UnixStream::connect(&path).is_ok() {
            return Err(Failure::new(format!("{}: another server has this chat already", folder.display()))
                .hint("stop it first, or give this one a folder of its own with --state"));
        }
        bind(&path).map(Self).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    }

    /// Operators are answered from now on.
    pub fn open(self, hub: &Hub) {
        tokio::spawn(admin::serve(hub.clone(), self.0, privileges::effective_uid()));
    }
}

/// The folder is its owner's alone, and so is the socket.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
