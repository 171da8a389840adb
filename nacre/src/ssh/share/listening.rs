//! The socket at ControlPath: made under another name and then linked to its own, so that nobody meets it half made, and
//! taken away with its master.

use super::super::connect::plain;
use nacre_net::ForwardListener;
use nacre_sys::socket;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Bytes of a socket's path that the kernel takes, its end mark counted.
const MAX_PATH: usize = 108;
/// What the name has behind it while the socket is made: a dot and random letters.
const SUFFIX: usize = 17;
/// Guests that may wait to be heard.
const BACKLOG: i32 = 64;
/// Only its owner may connect.
const MODE: u32 = 0o600;

/// Why nobody can share the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotListening {
    /// Another master is there, or something that is no socket; the connection works without.
    Exists(String),
    /// Something is wrong with the path.
    Failed(String),
}

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: ForwardListener,
    path: PathBuf,
    /// Device and number of its file.
    file: (u64, u64),
}

/// Says when a path is too long for the kernel; `more` bytes are needed behind it.
pub fn too_long(path: &str, more: usize) -> Option<String> {
    let most = MAX_PATH - more;
    (path.len() >= most).then(|| format!("ControlPath too long ('{path}' >= {most} bytes)"))
}

/// Says when a path is too long to listen there.
pub fn too_long_to_listen(path: &str) -> Option<String> {
    too_long(path, SUFFIX)
}

/// Listens.
///
/// # Errors
/// See [`NotListening`].
pub fn listen(path: &str) -> Result<Listening, NotListening> {
    if let Some(line) = too_long_to_listen(path) {
        return Err(NotListening::Failed(line));
    }
    let failed = |error: &io::Error| {
        NotListening::Failed(format!("unix_listener: cannot bind to path {path}: {}", plain(error)))
    };
    let (letters, path) = (random_letters().map_err(|error| failed(&error))?, Path::new(path));
    let temporary = PathBuf::from(format!("{}.{letters}", path.display()));
    let listener = socket::listen_unix(&temporary, MODE, BACKLOG).map_err(|error| failed(&error))?;
    let linked = link(&temporary, path);
    let file = fs::symlink_metadata(&temporary).map(|found| (found.dev(), found.ino()));
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let path = path.display();
            return Err(NotListening::Exists(format!("ControlSocket {path} already exists, disabling multiplexing")));
        }
        Err(error) => return Err(failed(&error)),
    }
    let made = file.and_then(|file| Ok((file, ForwardListener::unix(listener)?)));
    let (file, listener) = made.map_err(|error| failed(&error))?;
    Ok(Listening { listener, path: path.to_owned(), file })
}

/// Gives the socket its name. One that a dead master left makes way.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && is_stale(to) => {
            fs::remove_file(to)?;
            fs::hard_link(from, to)
        }
        other => other,
    }
}

/// Whether nobody listens on this socket any more. Connecting to what is no socket is refused as well.
fn is_stale(path: &Path) -> bool {
    is_socket(path) && UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn random_letters() -> io::Result<String> {
    let bytes = nacre_crypto::random_bytes::<8>().map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Whoever put another one there keeps it.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
