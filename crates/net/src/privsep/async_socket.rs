//! A socket between our processes, as a task waits for it.

use super::message::MAX_MESSAGE;
use nacre_sys::messages::MessageSocket;
use nacre_sys::readiness::wait_writable;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use zeroize::Zeroizing;

/// A message and the descriptors that came with it.
pub type Message = (Zeroizing<Vec<u8>>, Vec<OwnedFd>);

/// The socket as the runtime watches it.
struct Watched(MessageSocket);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A message socket registered with the runtime.
pub struct AsyncMessageSocket(AsyncFd<Watched>);

impl AsyncMessageSocket {
    /// Takes a socket over.
    ///
    /// # Errors
    /// It cannot be watched.
    pub fn new(socket: MessageSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        #[expect(deprecated, reason = "`Watched` owns its descriptor and returns that one until it is dropped")]
        AsyncFd::new(Watched(socket)).map(Self)
    }

    /// The next message with its descriptors; no bytes once the other side is gone.
    pub fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<Message>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            if let Ok(received) = guard.try_io(|fd| fd.get_ref().0.receive_whole(MAX_MESSAGE)) {
                return Poll::Ready(received.map(|(bytes, fds)| (Zeroizing::new(bytes), fds)));
            }
        }
    }

    /// Sends a message. The other side reads whatever comes, so a full socket lasts a moment only.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let socket = &self.0.get_ref().0;
        loop {
            match socket.send(bytes, fds) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_writable(socket.as_fd(), None)?;
                }
                other => return other,
            }
        }
    }
}
