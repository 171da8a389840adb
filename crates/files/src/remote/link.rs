//! The two descriptors of a connection: large reads, large writes, and poll(2) between them.

use super::Error;
use super::outbox::Outbox;
use nacre_sftp::packet::{self, LENGTH};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How much one read(2) may bring: a widened pipe holds 1 MiB.
const READ_SIZE: usize = 1024 * 1024;

/// A partial packet may lie before what is read next.
const INBOX_SIZE: usize = READ_SIZE + packet::LENGTH + nacre_sftp::MAX_PACKET;

/// With so many bytes waiting to be written, no more requests are made.
pub(crate) const OUTBOX_ENOUGH: usize = 256 * 1024;

/// What came in and was not handled yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; INBOX_SIZE], start: 0, end: 0 }
    }

    /// The next whole packet from its type byte on; it stays where it lies.
    pub(crate) fn next_packet(&mut self) -> Result<Option<&[u8]>, Error> {
        let stream = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some(packet) = packet::split(stream)? else { return Ok(None) };
        self.start += LENGTH + packet.len();
        Ok(Some(packet))
    }

    /// Room for what is read next. What is left of a packet moves to the front only when it is in the way.
    fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < READ_SIZE {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }
}

/// Both descriptors, without blocking.
#[derive(Debug)]
pub(crate) struct Link {
    input: OwnedFd,
    output: OwnedFd,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    /// The other side reads no more; what it wrote before that still counts.
    deaf: bool,
}

impl Link {
    pub(crate) fn new(input: OwnedFd, output: OwnedFd) -> Result<Self, Error> {
        for fd in [&input, &output] {
            rustix::io::ioctl_fionbio(fd, true).map_err(|error| Error::io("make a descriptor non-blocking", error))?;
            nacre_sys::stdio::widen_pipe(fd);
        }
        Ok(Self { input, output, inbox: Inbox::new(), outbox: Outbox::default(), deaf: false })
    }

    /// Writes and reads what can be without waiting. Says whether anything came in or went out.
    pub(crate) fn turn(&mut self) -> Result<bool, Error> {
        let wrote = self.write()?;
        Ok(self.read()? || wrote)
    }

    /// Waits until something can be read, or written if something waits to be, or the time is over.
    pub(crate) fn wait(&self, time: Option<Duration>) -> Result<(), Error> {
        let mut both = [PollFd::new(&self.input, PollFlags::IN), PollFd::new(&self.output, PollFlags::OUT)];
        let count = if self.wants_to_write() { 2 } else { 1 };
        wait_for(both.get_mut(..count).unwrap_or_default(), time)
    }

    /// Adds what [`Self::wait`] would wait for; without `read` only writing.
    pub(crate) fn interests<'a>(&'a self, all: &mut Vec<PollFd<'a>>, read: bool) {
        if read {
            all.push(PollFd::new(&self.input, PollFlags::IN));
        }
        if self.wants_to_write() {
            all.push(PollFd::new(&self.output, PollFlags::OUT));
        }
    }

    fn wants_to_write(&self) -> bool {
        !self.deaf && self.outbox.waiting() > 0
    }

    /// Says whether any byte went out.
    pub(crate) fn write(&mut self) -> Result<bool, Error> {
        let mut any = false;
        while self.wants_to_write() {
            match self.outbox.send(&self.output) {
                Ok(_) => any = true,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => self.deaf = true,
                Err(error) => return Err(Error::io("write to the connection", error)),
            }
        }
        if self.deaf {
            self.outbox.clear();
        }
        Ok(any)
    }

    /// Says whether any byte came in.
    pub(crate) fn read(&mut self) -> Result<bool, Error> {
        loop {
            match rustix::io::read(self.input.as_fd(), self.inbox.space()) {
                Ok(0) | Err(Errno::CONNRESET) => return Err(Error::Closed),
                Ok(count) => {
                    self.inbox.end += count;
                    return Ok(true);
                }
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(Error::io("read from the connection", error)),
            }
        }
    }
}

/// poll(2); a signal ends the wait early, which is for the caller to notice.
pub(crate) fn wait_for(all: &mut [PollFd<'_>], time: Option<Duration>) -> Result<(), Error> {
    let time = time.map(|time| Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    });
    match poll(all, time.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(Error::io("wait for the connection", error)),
    }
}
