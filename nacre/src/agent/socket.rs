//! The agent's socket, which only its owner reaches (threat G5), and its end.

use super::failure;
use crate::failure::Failure;
use rustix::fs::Mode;
use rustix::process::umask;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// How many names of folders are tried.
const MAX_TRIES: u32 = 16;

/// Where the agent listens.
pub struct Socket {
    /// The socket's absolute path.
    pub path: PathBuf,
    /// The folder that was made for it.
    folder: Option<PathBuf>,
}

impl Socket {
    /// Listens at `path`, or in a new folder that only this user may enter. Call it while there is one thread: the file
    /// mode mask is the process's.
    pub fn listen(path: Option<&Path>) -> Result<(Self, UnixListener), Failure> {
        let socket = match path {
            Some(path) => Self { path: std::path::absolute(path).map_err(failure)?, folder: None },
            None => {
                let folder = new_folder()?;
                Self { path: folder.join(format!("agent.{}", std::process::id())), folder: Some(folder) }
            }
        };
        let old = umask(Mode::from_raw_mode(0o177));
        let listener = UnixListener::bind(&socket.path);
        umask(old);
        match listener {
            Ok(listener) => Ok((socket, listener)),
            Err(error) => {
                // What stands there is somebody else's; the folder is ours.
                socket.folder.iter().for_each(|folder| drop(fs::remove_dir(folder)));
                Err(refused(&socket.path, &error))
            }
        }
    }

    /// Takes the socket and its folder away.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Failure {
    let told = failure(format!("{}: {error}", path.display()));
    match error.kind() {
        ErrorKind::AddrInUse => told.hint("if no agent listens there any more, remove the file"),
        ErrorKind::InvalidInput => told.hint("a socket's path has at most 107 bytes; choose a shorter one with -a"),
        _ => told,
    }
}

/// A folder with a name that nobody can guess, in `$TMPDIR` or /tmp.
pub fn new_folder() -> Result<PathBuf, Failure> {
    let place = std::env::temp_dir();
    for _ in 0..MAX_TRIES {
        let random = nacre_crypto::random_bytes::<8>().map_err(failure)?;
        let name = data_encoding::BASE32_NOPAD.encode(&random).to_ascii_lowercase();
        let folder = std::path::absolute(place.join(format!("ssh-{name}"))).map_err(failure)?;
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(
                    failure(format!("{}: {error}", folder.display())).hint("set TMPDIR, or name a socket with -a")
                );
            }
        }
    }
    Err(failure(format!("{}: no folder can be made there", place.display())))
}
