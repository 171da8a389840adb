//! What keeps the pipes full: pieces are asked for and sent as far as the window allows, and handled as they come.

use super::flow::{Flow, Holes, Way};
use super::run::{Run, Side};
use super::sparse;
use super::tasks::TaskId;
use super::{Step, local};
use crate::remote::{Error, OUTBOX_ENOUGH, Remote, Tag, shown};
use nacre_sftp::{Code, Reply, Request};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Pieces from this size on go from file to connection directly.
const DIRECT: u32 = 64 * 1024;

impl Run<'_> {
    /// Begins a flow, and gives its number for [`Self::sent`] and [`Self::done`].
    pub(super) fn flow(&self, flow: Flow) -> usize {
        self.flows.borrow_mut().add(flow)
    }

    /// Waits until a flow has sent everything it will.
    pub(super) async fn sent(&self, place: usize) {
        self.wait_for(place, |flow| flow.exhausted && flow.again.is_empty()).await;
    }

    /// Waits until everything of a flow is answered, and takes it out. With the transfer ended, its error says so.
    pub(super) async fn done(&self, place: usize) -> Option<Flow> {
        self.wait_for(place, Flow::is_done).await;
        let mut flow = self.flows.borrow_mut().take(place)?;
        if !flow.is_done() {
            flow.fail(self.ended());
        }
        self.update(|report| report.bytes += flow.frontier.at().saturating_sub(flow.began));
        Some(flow)
    }

    async fn wait_for(&self, place: usize, until: impl Fn(&Flow) -> bool) {
        std::future::poll_fn(|_| {
            let mut flows = self.flows.borrow_mut();
            let Some(flow) = flows.get(place) else { return Poll::Ready(()) };
            flow.task = self.wakes.current();
            if until(flow) || self.has_ended() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Asks and sends as much as may be. Gives how long the limit holds the rest back.
    pub(super) fn pump(&self) -> Option<Duration> {
        let unreadable = self.remote(Side::To).map(|mut remote| remote.link.outbox.take_unreadable());
        for (file, error) in unreadable.into_iter().flatten() {
            self.flows.borrow_mut().fail_file(&file, error);
        }
        loop {
            let mut flows = self.flows.borrow_mut();
            let place = *flows.queue.front()?;
            if !self.window.borrow().has_room() {
                return None;
            }
            let held_back = self.held_back();
            if held_back.is_some() {
                return held_back;
            }
            let Some(flow) = flows.get(place) else {
                flows.queue.pop_front();
                continue;
            };
            let mut remote = self.remote(flow.side())?;
            if remote.link.outbox.waiting() >= OUTBOX_ENOUGH {
                return None;
            }
            if flow.again.is_empty() && !flow.exhausted {
                find_data(flow);
            }
            if !flow.exhausted || !flow.again.is_empty() {
                let count = step(flow, place, &mut remote, self.piece());
                self.window_sent(count);
            }
            if flow.exhausted && flow.again.is_empty() {
                let task = flow.task;
                flows.queue.pop_front();
                self.wakes.wake(task);
            }
        }
    }

    fn window_sent(&self, count: u32) {
        if count > 0 {
            self.window.borrow_mut().sent(u64::from(count), Instant::now());
            self.took(u64::from(count));
        }
    }

    /// The answer to a READ.
    pub(super) fn arrived(&self, place: u32, offset: u64, length: u32, reply: &Reply<'_>) {
        let Ok(place) = usize::try_from(place) else { return };
        let mut flows = self.flows.borrow_mut();
        let Some(flow) = flows.get(place) else { return };
        flow.under_way -= 1;
        let mut wake = None;
        if flow.error.is_none() {
            match reply {
                Reply::Data(data) if data.len() <= usize::try_from(length).unwrap_or(0) => {
                    self.data(flow, place, offset, length, data);
                }
                Reply::Data(_) => {
                    let what = format!("{}: the server sent more than was asked for", flow.words("read"));
                    flow.fail(Error::Nonsense { what });
                }
                Reply::Status { code: Code::Eof, .. } => flow.ends_at(offset),
                reply => flow.fail(refusal(reply, flow.words("read"))),
            }
        }
        let again = !flow.again.is_empty() || !flow.exhausted;
        if flow.is_done() {
            wake = Some(flow.task);
        }
        if again {
            flows.requeue(place);
        }
        wake.into_iter().for_each(|task: TaskId| self.wakes.wake(task));
    }

    /// Bytes that a READ brought, where they lie.
    fn data(&self, flow: &mut Flow, place: usize, offset: u64, length: u32, data: &[u8]) {
        let end = offset + data.len() as u64;
        let short = u32::try_from(data.len()).map_or(0, |count| length.saturating_sub(count));
        // A regular file's READ is short only at its end (draft §6.4); one that is shorter before the end that we know of
        // is a server's own limit, and the rest is asked for again, in pieces that it seems to like better.
        if short > 0 && end >= flow.end && flow.sized {
            flow.ends_at(end);
        } else if short > 0 {
            flow.again.push_back((end, short));
            if flow.sized {
                self.prefer_piece(length - short);
            }
        } else if end > flow.end && !flow.exact {
            // It grew: on until its end.
            flow.end = end;
            flow.exhausted = flow.eof.is_some() || flow.next > end;
        }
        let written = match &mut flow.way {
            Way::Down { to, .. } => sparse::write_at(to, offset, data).map(|last| {
                flow.written_to = flow.written_to.max(last.unwrap_or(0));
            }),
            Way::Across { to, .. } => {
                let tag = (place, offset, data.len());
                flow.under_way += self.pass_on(to, tag, data);
                return;
            }
            Way::Hash { hashes, .. } => {
                if offset == flow.frontier.at() {
                    hashes.update(data);
                } else {
                    // Hashed only in order: it is asked for again.
                    flow.again.push_back((offset, length));
                    return;
                }
                Ok(())
            }
            Way::Up { .. } => Ok(()),
        };
        match written {
            Ok(()) => {
                flow.frontier.add(offset, end);
                keep_record_true(flow);
            }
            Err(error) => flow.fail(Error::io(flow.words("write"), error)),
        }
    }

    /// Sends what came from one server to the other. Says how many WRITEs that were.
    fn pass_on(&self, handle: &[u8], (place, offset, count): (usize, u64, usize), data: &[u8]) -> usize {
        let Some(mut to) = self.remote(Side::To) else { return 0 };
        let length = u32::try_from(count).unwrap_or(u32::MAX);
        let tag =
            Tag { run: to.run(), job: u32::try_from(place).unwrap_or(u32::MAX), step: Step::Write { offset, length } };
        to.send(&Request::Write { handle, offset, data }, tag);
        self.window.borrow_mut().sent(u64::from(length), Instant::now());
        1
    }

    /// The answer to a WRITE.
    pub(super) fn written(&self, place: u32, offset: u64, length: u32, reply: &Reply<'_>) {
        let Ok(place) = usize::try_from(place) else { return };
        let mut flows = self.flows.borrow_mut();
        let Some(flow) = flows.get(place) else { return };
        flow.under_way -= 1;
        match reply {
            Reply::Status { code: Code::Ok, .. } => {
                let end = offset + u64::from(length);
                flow.frontier.add(offset, end);
                flow.written_to = flow.written_to.max(end);
            }
            reply => flow.fail(refusal(reply, flow.words("write"))),
        }
        if flow.is_done() {
            self.wakes.wake(flow.task);
        }
    }
}

/// Sends one WRITE or READ. Says how many bytes it is for.
fn step(flow: &mut Flow, place: usize, remote: &mut Remote, piece: u32) -> u32 {
    let job = u32::try_from(place).unwrap_or(u32::MAX);
    let run = remote.run();
    match &flow.way {
        Way::Up { from, to } => {
            let (offset, length) = (flow.next, flow.piece(piece));
            let tag = |length| Tag { run, job, step: Step::Write { offset, length } };
            // A whole piece that is surely there need not pass through here.
            if length >= DIRECT && length == piece && offset + u64::from(length) <= flow.end.min(flow.data_end) {
                remote.send_file((to, offset, length), tag(length), from);
                flow.next += u64::from(length);
                flow.under_way += 1;
                return length;
            }
            let sent = remote.send_write((to, offset, length), tag, |space| local::read_at(from, space, offset));
            match sent {
                Ok(count) => {
                    flow.next += u64::from(count);
                    flow.under_way += usize::from(count > 0);
                    flow.end = flow.end.max(flow.next);
                    if count == 0 || count < length && flow.sized || flow.exact && flow.next >= flow.end {
                        flow.ends_at(flow.next);
                    }
                    count
                }
                Err(error) => {
                    flow.fail(Error::io(flow.words("read"), error));
                    0
                }
            }
        }
        Way::Down { from, .. } | Way::Across { from, .. } | Way::Hash { from, .. } => {
            let again = flow.again.pop_front();
            let (offset, length) = again.unwrap_or_else(|| (flow.next, flow.piece(piece)));
            let tag = Tag { run, job, step: Step::Read { offset, length } };
            remote.send(&Request::Read { handle: from, offset, length }, tag);
            flow.under_way += 1;
            if again.is_none() {
                flow.next += u64::from(length);
                // One byte past the end was asked for, which tells whether it is the end.
                flow.exhausted = flow.next > flow.end || flow.exact && flow.next >= flow.end;
            }
            length
        }
    }
}

/// Passes over a hole in the source.
fn find_data(flow: &mut Flow) {
    let range = match (&mut flow.holes, &flow.way) {
        (Some(Holes::Told(ranges)), _) => {
            while ranges.front().is_some_and(|(_, end)| *end <= flow.next) {
                ranges.pop_front();
            }
            ranges.front().copied()
        }
        (Some(Holes::Here), Way::Up { from, .. }) => sparse::data_after(from, flow.next),
        _ => return,
    };
    let range = range.filter(|(start, _)| *start < flow.end);
    match range {
        Some((start, end)) => {
            flow.skip_to(start);
            flow.data_end = end;
        }
        None => {
            flow.skip_to(flow.end);
            flow.ends_at(flow.end);
        }
    }
}

/// A part that has a gap must not look as if it were whole up to its length.
fn keep_record_true(flow: &mut Flow) {
    if let Way::Down { to, .. } = &flow.way
        && flow.recorded
        && flow.frontier.has_gap()
    {
        flow.recorded = false;
        if let Err(error) = local::record(to, 0) {
            flow.fail(Error::io(flow.words("set the times of"), error));
        }
    }
}

fn refusal(reply: &Reply<'_>, what: String) -> Error {
    match reply {
        Reply::Status { code, message } => Error::Status { code: *code, message: shown(message), what },
        _ => Error::Nonsense { what: format!("{what}: the server's answer makes no sense") },
    }
}
