//! The socket that stands for a client's agent: in a folder that only the account may enter (threats G5, A18), and gone
//! with the connection.

use super::agent_folder::{self, AgentFolder, SOCKET};
use super::open::BACKLOG;
use crate::agent::socket::new_folder;
use nacre_sys::socket;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Such a socket.
#[derive(Debug)]
pub struct AgentSocket {
    /// Where it is.
    folder: PathBuf,
    /// What sessions are told.
    path: PathBuf,
    /// What says that it lives, and the folder where that counts.
    lives: Option<(File, AgentFolder)>,
}

impl AgentSocket {
    /// Makes one as the account whose home this is: below `~/.ssh/agent`, and where that cannot be, in a folder of its
    /// own elsewhere.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn make(home: &Path) -> io::Result<(Self, UnixListener)> {
        Self::at_home(home).or_else(|error| {
            tracing::debug!("no agent sockets below {}: {error}", home.display());
            Self::elsewhere()
        })
    }

    fn at_home(home: &Path) -> io::Result<(Self, UnixListener)> {
        let all = AgentFolder::below(home)?;
        let own = all.add()?;
        // From here on it is taken away whatever happens.
        let made = Self { folder: own.folder, path: own.link, lives: Some((own.lives, all.clone())) };
        let listener = made.listen()?;
        all.follow()?;
        Ok((made, listener))
    }

    fn elsewhere() -> io::Result<(Self, UnixListener)> {
        let folder = new_folder().map_err(|failure| io::Error::other(failure.to_string()))?;
        let made = Self { path: folder.join(SOCKET), folder, lives: None };
        let listener = made.listen()?;
        Ok((made, listener))
    }

    fn listen(&self) -> io::Result<UnixListener> {
        socket::listen_unix(&self.folder.join(SOCKET), 0o600, BACKLOG)
    }

    /// What sessions are told. Below the home folder it goes on to lead to an agent when this one is gone and another
    /// is there.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        agent_folder::take_away(&self.folder);
        if let Some((lives, all)) = self.lives.take() {
            drop(lives);
            // Others are served on this thread, so it does not wait. What fails now is done by the next connection.
            if all.follow_at_once().is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                std::thread::spawn(move || drop(all.follow()));
            }
        }
    }
}
