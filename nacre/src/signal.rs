//! Signals, as something a task can wait for.
//!
//! The runtime's own would keep a channel for each of 65 signals in every process that has a runtime: 23 KiB more for each
//! connection as root.

use signal_hook::low_level::{pipe, unregister};
use signal_hook::{SigId, consts};
use std::future::poll_fn;
use std::io;
use std::os::unix::net::UnixStream as Socket;
use std::task::{Context, Poll, ready};
use tokio::net::UnixStream;

pub use consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGWINCH};

/// A signal that is caught as long as this is kept.
#[derive(Debug)]
pub struct Signal {
    /// The handler writes to the other end.
    came: UnixStream,
    handler: SigId,
}

impl Signal {
    /// Catches a signal from now on. To be called on the runtime.
    ///
    /// # Errors
    /// No handler or no pair of sockets can be made.
    pub fn catch(number: i32) -> io::Result<Self> {
        let (came, told) = Socket::pair()?;
        came.set_nonblocking(true)?;
        let came = UnixStream::from_std(came)?;
        Ok(Self { came, handler: pipe::register(number, told)? })
    }

    /// Ready when it came since the last time, once or more often.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut told = [0; 64];
        loop {
            match ready!(self.came.poll_read_ready(cx)).and_then(|()| self.came.try_read(&mut told)) {
                Ok(1..) => return Poll::Ready(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The other end lives with the handler: there is nothing to wait for any more.
                Ok(_) | Err(_) => return Poll::Pending,
            }
        }
    }

    /// Waits until it comes.
    pub async fn recv(&mut self) {
        poll_fn(|cx| self.poll_recv(cx)).await;
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        unregister(self.handler);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::process::{Signal as Number, getpid, kill_process};

    #[tokio::test]
    async fn a_signal_is_waited_for_and_comes_once_for_many() {
        let mut signal = Signal::catch(consts::SIGUSR2).unwrap();
        for _ in 0..3 {
            kill_process(getpid(), Number::USR2).unwrap();
        }
        signal.recv().await;
        while poll_fn(|cx| Poll::Ready(signal.poll_recv(cx).is_ready())).await {}
        kill_process(getpid(), Number::USR2).unwrap();
        signal.recv().await;
    }
}
