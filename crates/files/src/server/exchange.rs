//! The loop: read, answer all that is whole, write, read again.

use super::output::Output;
use super::worker::{Taken, Worker};
use super::{Error, Settings, Totals};
use nacre_sftp::{MAX_PACKET, packet};
use nacre_sys::stdio::widen_pipe;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Room for what one read brings, in bytes: a widened pipe and the rest of a packet before it.
const ROOM: usize = (1 << 20) + packet::LENGTH + MAX_PACKET;

/// Serves one client until it ends the stream, and says what was done.
///
/// # Errors
/// It cannot begin, the client breaks the protocol, or it can be neither heard nor told. What was asked before has been done.
pub fn serve(settings: Settings, input: impl AsFd, output: impl AsFd) -> Result<Totals, Error> {
    let (input, output) = (input.as_fd(), output.as_fd());
    widen_pipe(input);
    widen_pipe(output);
    let mut worker = Worker::new(settings)?;
    worker.watch(output);
    let served = exchange(&mut worker, input, output);
    worker.finish();
    served.map(|()| worker.totals())
}

fn exchange(worker: &mut Worker, input: BorrowedFd<'_>, output: BorrowedFd<'_>) -> Result<(), Error> {
    let (mut waiting, mut replies) = (Input::default(), Output::to(output));
    loop {
        let answered = waiting.answer(worker, &mut replies);
        // What was answered before a fault is told all the same.
        replies.deliver(output).map_err(Error::Write)?;
        match answered? {
            Taken::Enough => {}
            Taken::Unsettled => replies.settle(output),
            Taken::All if waiting.fill(input).map_err(Error::Read)? => {}
            Taken::All => return Ok(()),
        }
    }
}

/// Requests that have come and are not answered yet.
struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { buffer: vec![0; ROOM], start: 0, end: 0 }
    }
}

impl Input {
    /// Answers whole packets as far as may be.
    fn answer(&mut self, worker: &mut Worker, replies: &mut Output) -> Result<Taken, Error> {
        let stream = self.buffer.get(self.start..self.end).unwrap_or_default();
        let (bytes, taken) = worker.take(stream, replies)?;
        self.start += bytes;
        Ok(taken)
    }

    /// Waits for more. False at the end of the stream.
    fn fill(&mut self, input: BorrowedFd<'_>) -> io::Result<bool> {
        // The rest is less than a packet, so room is left for the other part of it.
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let space = self.buffer.get_mut(self.end..).unwrap_or_default();
        loop {
            match rustix::io::read(input, &mut *space) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(Errno::AGAIN) => wait(input, PollFlags::IN)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Writes all of it, waiting where it must.
pub(super) fn write_all(output: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(output, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::AGAIN) => wait(output, PollFlags::OUT)?,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whoever made the descriptor may have made it one that does not block.
pub(super) fn wait(fd: BorrowedFd<'_>, flags: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::from_borrowed_fd(fd, flags)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
