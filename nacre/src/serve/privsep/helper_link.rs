//! The monitor's end of the helper.

use super::HELPER;
use super::helper_messages::{FromHelper, ToHelper};
use nacre_net::privsep::MAX_MESSAGE;
use nacre_sys::account::Credentials;
use nacre_sys::messages::MessageSocket;
use nacre_sys::readiness::{wait_readable, wait_writable};
use nacre_sys::role::{Program, RoleSpec};
use nacre_sys::spawn::Child;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the helper has to become the user: a name service may be slow to say the groups.
const BECOME_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the helper may leave unread what it is told, once there is no room for more.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// A helper that runs as the user.
pub struct HelperLink {
    socket: MessageSocket,
    child: Child,
}

impl HelperLink {
    /// Starts a helper and waits until it runs as the account, in its jail if there is one.
    ///
    /// # Errors
    /// It cannot be started, or cannot become the account.
    pub fn start(program: &Program, name: &str, credentials: Credentials, jail: Option<PathBuf>) -> io::Result<Self> {
        let (socket, theirs) = MessageSocket::pair()?;
        let child = program.start(RoleSpec {
            arg0: HELPER.into(),
            args: Vec::new(),
            // What it starts reads the server's time zone from there.
            env: std::env::var_os("TZ").map(|zone| ("TZ".into(), zone)).into_iter().collect(),
            fds: vec![theirs.into()],
            stderr: None,
            new_session: true,
            ends_with_parent: false,
        })?;
        let link = Self { socket, child };
        link.tell(&ToHelper::Become { credentials, jail })?;
        let answered = wait_readable(&[link.socket.as_fd()], Some(BECOME_TIMEOUT))?;
        let why = match answered.first().filter(|answered| **answered).map(|_| link.receive()) {
            Some(Ok(Some((FromHelper::Ready {}, _)))) => return Ok(link),
            Some(Ok(Some((FromHelper::NotReady { why }, _)))) => why,
            _ => "the helper did not answer".to_owned(),
        };
        let _ = link.child.kill_group();
        let _ = link.child.wait();
        Err(io::Error::other(format!("cannot become {name}: {why}")))
    }

    /// The next message with its descriptors; `None` when the helper is gone.
    ///
    /// # Errors
    /// It said what cannot be.
    pub fn receive(&self) -> io::Result<Option<(FromHelper, Vec<OwnedFd>)>> {
        let (bytes, fds) = self.socket.receive_whole(MAX_MESSAGE)?;
        match bytes.as_slice() {
            [] => Ok(None),
            bytes => FromHelper::from_bytes(bytes).map(|m| Some((m, fds))).map_err(io::Error::other),
        }
    }

    /// Says something. A helper that reads nothing, because its user stopped it, is ended; that it is gone is then received like
    /// any other end.
    ///
    /// # Errors
    /// The helper is gone, or was ended now.
    pub fn tell(&self, message: &ToHelper) -> io::Result<()> {
        self.tell_with(message, &[])
    }

    /// [`Self::tell`], with descriptors.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub fn tell_with(&self, message: &ToHelper, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let deadline = Instant::now() + SEND_TIMEOUT;
        while !wait_writable(self.socket.as_fd(), Some(deadline.saturating_duration_since(Instant::now())))? {
            if Instant::now() >= deadline {
                let _ = self.child.kill_group();
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the helper does not read"));
            }
        }
        self.socket.send(&message.to_bytes(), fds)
    }

    /// Lets it go and waits until it has ended what it started.
    pub fn leave(self, at_most: Duration) {
        drop(self.socket);
        let _ = wait_readable(&[self.child.as_fd()], Some(at_most));
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill_group();
            let _ = self.child.wait();
        }
    }
}

impl AsFd for HelperLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
