//! The process that monitors are forked from. It is a copy of the listener that does nothing else, so its memory stays as it is and its
//! copies share it. The listener's own changes with every connection, and each monitor would keep what the listener wrote over.

use super::Separation;
use super::control::Monitored;
use super::monitor::{self, Connection};
use crate::serve::audit::ConnectionId;
use crate::serve::login::Ends;
use crate::serve::shared::Shared;
use nacre_sys::forked::{fork_into, fork_sibling_into};
use nacre_sys::messages::MessageSocket;
use nacre_sys::readiness::wait_readable;
use nacre_sys::role::{adopt, set_process_name};
use nacre_sys::spawn::Child;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Two addresses and a number, as text.
const MAX_REQUEST: usize = 256;
/// A process id, or an errno below zero.
const ANSWER: usize = size_of::<i32>();
/// How long one fork may take before the process that should do it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is answered for an error that has no number.
const UNKNOWN: i32 = Errno::IO.raw_os_error();

/// Starts monitors; they are children of this process all the same.
pub struct Spawner {
    shared: Arc<Shared>,
    separation: Separation,
    running: Option<Running>,
}

impl Spawner {
    /// Nothing is started before the first connection.
    pub fn new(shared: Arc<Shared>, separation: Separation) -> Self {
        Self { shared, separation, running: None }
    }

    /// From now on monitors have the configuration of now, and write to this log.
    pub fn renew(&mut self, log: Option<Arc<dyn AsFd + Send + Sync>>) {
        self.separation.log = log;
        self.running = None;
    }

    /// Starts a monitor for a connection.
    ///
    /// # Errors
    /// No process or descriptor is to be had.
    pub fn watch(&mut self, connection: Connection) -> io::Result<Monitored> {
        let (ours, theirs) = MessageSocket::pair()?;
        let Connection { ends, input, output } = connection;
        let fds: Vec<BorrowedFd<'_>> = [Some(theirs.as_fd()), Some(input.as_fd()), output.as_ref().map(AsFd::as_fd)]
            .into_iter()
            .flatten()
            .collect();
        let request = to_text(ends);
        let ask = |running: &Running| running.socket.send(request.as_bytes(), &fds);
        let running = match self.running.take() {
            Some(running) if ask(&running).is_ok() => running,
            // There was none yet, or somebody ended it.
            _ => {
                let running = self.start()?;
                ask(&running)?;
                running
            }
        };
        let pid = running.answer()?;
        // One that does not answer is given up.
        self.running = Some(running);
        if pid < 0 {
            return Err(io::Error::from_raw_os_error(-pid));
        }
        Monitored::new(ours, adopt(pid)?)
    }

    fn start(&self) -> io::Result<Running> {
        let (ours, theirs) = MessageSocket::pair()?;
        let keeps = self.separation.keeps();
        let process = fork_into(vec![theirs.into()], &keeps, |given| {
            set_process_name(c"nacre-spawner");
            given.into_iter().next().map_or(1, |socket| serve(&self.shared, &self.separation, &socket.into()))
        })?;
        Ok(Running { socket: ours, process })
    }
}

/// The process as the listener has it.
struct Running {
    socket: MessageSocket,
    process: Child,
}

impl Running {
    fn answer(&self) -> io::Result<i32> {
        let deadline = Instant::now() + PATIENCE;
        while !wait_readable(&[self.socket.as_fd()], Some(deadline.saturating_duration_since(Instant::now())))?
            .contains(&true)
        {
            // A signal ends the waiting too.
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the process that starts monitors is stuck"));
            }
        }
        let (bytes, _) = self.socket.receive_whole(ANSWER)?;
        let bytes = bytes.try_into().map_err(|_| io::Error::other("the process that starts monitors is gone"))?;
        Ok(i32::from_ne_bytes(bytes))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It waits for the next connection, and holds nothing that would have to be put away.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the process does, until the listener is gone.
fn serve(shared: &Arc<Shared>, separation: &Separation, socket: &MessageSocket) -> i32 {
    loop {
        match socket.receive_whole(MAX_REQUEST) {
            Ok((bytes, _)) if bytes.is_empty() => return 0,
            Ok((bytes, fds)) => {
                shared.revoked.refresh(&shared.options());
                let forked = from_text(&bytes)
                    .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
                    .and_then(|ends| fork(shared, separation, ends, fds));
                let answer = forked.unwrap_or_else(|error| -error.raw_os_error().unwrap_or(UNKNOWN));
                if socket.send(&answer.to_ne_bytes(), &[]).is_err() {
                    return 0;
                }
            }
            Err(_) => return 1,
        }
    }
}

fn fork(shared: &Arc<Shared>, separation: &Separation, ends: Ends, fds: Vec<OwnedFd>) -> io::Result<i32> {
    fork_sibling_into(fds, &separation.keeps(), |given| {
        set_process_name(c"nacre-monitor");
        let mut given = given.into_iter();
        let (Some(control), Some(input)) = (given.next(), given.next()) else { return 1 };
        let connection = Connection { ends, input, output: given.next() };
        monitor::serve(shared, separation, connection, Some(control.into()));
        0
    })
}

fn to_text(ends: Ends) -> String {
    format!("{} {} {}", ends.peer, ends.local, ends.id)
}

fn from_text(bytes: &[u8]) -> Option<Ends> {
    let mut words = std::str::from_utf8(bytes).ok()?.split(' ');
    let (peer, local) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Ends { peer, local, id: ConnectionId::from_text(words.next()?)? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ends_cross_as_text() {
        for (peer, local) in [("127.0.0.1:1", "10.0.0.1:65535"), ("[fe80::1%3]:4022", "[::]:22")] {
            let ends = Ends { peer: peer.parse().unwrap(), local: local.parse().unwrap(), id: ConnectionId::new() };
            let text = to_text(ends);
            assert!(text.len() < MAX_REQUEST);
            let back = from_text(text.as_bytes()).unwrap();
            assert_eq!((back.peer, back.local, back.id.to_string()), (ends.peer, ends.local, ends.id.to_string()));
        }
        for bad in [&b""[..], b"127.0.0.1:1", b"127.0.0.1:1 ::1 00", b"127.0.0.1:1 127.0.0.1:2 x", b"\xff \xff \xff"] {
            assert!(from_text(bad).is_none());
        }
    }
}
