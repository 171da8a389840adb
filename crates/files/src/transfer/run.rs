//! One transfer under way: what its tasks share, and the requests they wait for.

mod drive;
mod slots;

use super::flow::Flows;
use super::pace::{Limit, Window};
use super::tasks::{Permits, TaskId, Wakes};
use super::walk::Work;
use super::{Event, Options, Report, Step, Watcher};
use crate::remote::{Answer, Error, Remote, Tag, shown};
use nacre_sftp::Request;
use slots::Slots;
use std::cell::{Cell, RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Files that wait for their turn, so that the totals are known early; more are not listed until some are done.
const QUEUE: usize = 20_000;

/// Files under way at once, if server and system bear it.
const FILES: usize = 256;

/// Folders that are listed at once.
const FOLDERS: usize = 16;

/// What a server that does not tell its limits is asked for at once.
const MODEST_REQUESTS: usize = 256;

/// READ and WRITE of a server that does not tell its limits (draft §3: all bear packets of 34,000 bytes).
const MODEST_PIECE: u32 = 32 * 1024;

/// Pieces no smaller than this are asked for, however short a server's answers are.
const SMALLEST_PIECE: u32 = 4096;

const PAGE: u32 = 4096;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// That of the sources.
    From,
    /// That of the target.
    To,
}

/// Why nothing more is begun.
#[derive(Debug)]
enum End {
    Cancelled,
    Broken(Error),
}

/// Requests made and their answers awaited, by [`Run::ask`] or [`Run::request`].
#[derive(Debug)]
pub(super) struct Reply {
    slot: Option<usize>,
}

/// Everything that tasks share.
pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    from: Option<RefCell<&'a mut Remote>>,
    to: Option<RefCell<&'a mut Remote>>,
    watcher: RefCell<&'a mut dyn Watcher>,
    pub(super) wakes: Wakes,
    pub(super) flows: RefCell<Flows>,
    pub(super) window: RefCell<Window>,
    limit: Option<RefCell<Limit>>,
    slots: RefCell<Slots>,
    work: RefCell<VecDeque<Work>>,
    work_waiting: RefCell<Vec<TaskId>>,
    pub(super) folders: Permits,
    files: Permits,
    claims: RefCell<HashMap<Vec<u8>, Vec<TaskId>>>,
    end: RefCell<Option<End>>,
    report: Cell<Report>,
    planned: Cell<(u64, u64)>,
    told: Cell<(u64, u64)>,
    next_id: Cell<u64>,
    piece: Cell<u32>,
    /// Whether the target's server renames, once that was asked.
    pub(super) renames: Cell<Option<bool>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        options: &'a Options,
        mut from: Option<&'a mut Remote>,
        mut to: Option<&'a mut Remote>,
        watcher: &'a mut dyn Watcher,
    ) -> Rc<Self> {
        let now = Instant::now();
        let mut requests = if options.requests == 0 { usize::MAX } else { options.requests };
        let mut files = FILES;
        let mut piece = if options.buffer == 0 { nacre_sftp::MAX_DATA } else { options.buffer };
        for remote in from.iter_mut().chain(to.iter_mut()) {
            remote.begin();
            let limits = remote.limits();
            if limits.packet == 0 && options.requests == 0 {
                requests = requests.min(MODEST_REQUESTS);
            }
            let handles = usize::try_from(limits.handles).unwrap_or(usize::MAX);
            files = files.min(if handles == 0 { 64 } else { handles / 2 }).max(1);
            let bears = |limit: u64| if limit == 0 { MODEST_PIECE } else { u32::try_from(limit).unwrap_or(u32::MAX) };
            piece = piece.min(bears(limits.read)).min(bears(limits.write)).min(nacre_sftp::MAX_DATA);
        }
        // Whole pages, so that zeros lie alike in every piece.
        if options.buffer == 0 {
            piece = (piece / PAGE * PAGE).max(piece.min(PAGE));
        }
        let limit = options.limit.map(|rate| Limit::new(rate, now));
        piece = limit.as_ref().map_or(piece, |limit| limit.piece(piece)).max(1);
        Rc::new(Self {
            options,
            from: from.map(RefCell::new),
            to: to.map(RefCell::new),
            watcher: RefCell::new(watcher),
            wakes: Wakes::default(),
            flows: RefCell::default(),
            window: RefCell::new(Window::new(requests, now)),
            limit: limit.map(RefCell::new),
            slots: RefCell::default(),
            work: RefCell::default(),
            work_waiting: RefCell::default(),
            folders: Permits::new(FOLDERS),
            files: Permits::new(files),
            claims: RefCell::default(),
            end: RefCell::new(None),
            report: Cell::default(),
            planned: Cell::default(),
            told: Cell::default(),
            next_id: Cell::new(0),
            piece: Cell::new(piece),
            renames: Cell::default(),
        })
    }

    /// Bytes of one READ or WRITE.
    pub(super) fn piece(&self) -> u32 {
        self.piece.get()
    }

    /// A server answers READs no longer than this.
    pub(super) fn prefer_piece(&self, bytes: u32) {
        self.piece.set(self.piece.get().min(bytes.max(SMALLEST_PIECE)));
    }

    /// The connection of a side, if that side is not this machine.
    pub(super) fn remote(&self, side: Side) -> Option<RefMut<'_, &'a mut Remote>> {
        match side {
            Side::From => self.from.as_ref(),
            Side::To => self.to.as_ref(),
        }
        .map(RefCell::borrow_mut)
    }

    pub(super) fn is_remote(&self, side: Side) -> bool {
        match side {
            Side::From => self.from.is_some(),
            Side::To => self.to.is_some(),
        }
    }

    /// Whether the server of that side announces an extension.
    pub(super) fn has(&self, side: Side, extension: &str) -> bool {
        self.remote(side).is_some_and(|remote| remote.extensions().has(extension))
    }

    /// Makes a request now; its answer is awaited by [`Self::answer`].
    pub(super) fn request(&self, side: Side, request: &Request<'_>) -> Reply {
        if self.end.borrow().is_some() {
            return Reply { slot: None };
        }
        let Some(mut remote) = self.remote(side) else { return Reply { slot: None } };
        let slot = self.slots.borrow_mut().take(self.wakes.current());
        let tag = Tag { run: remote.run(), job: u32::try_from(slot).unwrap_or(u32::MAX), step: Step::Reply };
        remote.send(request, tag);
        Reply { slot: Some(slot) }
    }

    /// Makes a request whose answer does not matter. After a cancellation too: handles are given back.
    pub(super) fn tell(&self, side: Side, request: &Request<'_>) {
        if matches!(*self.end.borrow(), Some(End::Broken(_))) {
            return;
        }
        if let Some(mut remote) = self.remote(side) {
            let tag = Tag { run: remote.run(), job: 0, step: Step::Ignored };
            remote.send(request, tag);
        }
    }

    /// The answer to a request. `what` says what was asked.
    pub(super) async fn answer(&self, reply: Reply, what: impl Fn() -> String) -> Result<Answer, Error> {
        let Some(slot) = reply.slot else { return Err(self.ended()) };
        let answer = std::future::poll_fn(|_| {
            if let Some(answer) = self.slots.borrow_mut().answer(slot, self.wakes.current()) {
                return Poll::Ready(Ok(answer));
            }
            if self.end.borrow().is_some() { Poll::Ready(Err(self.ended())) } else { Poll::Pending }
        });
        answer.await?.map_err(|(code, message)| Error::Status { code, message, what: what() })
    }

    /// Makes a request and awaits its answer.
    pub(super) async fn ask(
        &self,
        side: Side,
        request: &Request<'_>,
        what: impl Fn() -> String,
    ) -> Result<Answer, Error> {
        let reply = self.request(side, request);
        self.answer(reply, what).await
    }

    /// Why nothing can be asked any more.
    pub(super) fn ended(&self) -> Error {
        match *self.end.borrow() {
            Some(End::Cancelled) => Error::Cancelled,
            _ => Error::Closed,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Nothing more can be done.
    pub(super) fn stop(&self, error: Error) {
        self.end.borrow_mut().get_or_insert(End::Broken(error));
    }

    pub(super) fn event(&self, event: &Event<'_>) {
        self.watcher.borrow_mut().event(event);
    }

    pub(super) fn note(&self, line: &str) {
        self.event(&Event::Note(line));
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next_id.replace(self.next_id.get() + 1)
    }

    /// One more file or folder failed.
    pub(super) fn failed(&self, id: Option<u64>, name: &[u8], error: &Error) {
        self.update(|report| report.failed += 1);
        self.event(&Event::Failed { id, name, error });
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Report)) {
        let mut report = self.report.get();
        change(&mut report);
        self.report.set(report);
    }

    /// One more file is to be moved.
    pub(super) fn plan(&self, bytes: u64) {
        let (files, all) = self.planned.get();
        self.planned.set((files + 1, all.saturating_add(bytes)));
    }

    /// Queues work; waits while there is plenty.
    pub(super) async fn push(&self, work: Work) {
        std::future::poll_fn(|_| {
            if self.work.borrow().len() < QUEUE || self.has_ended() {
                return Poll::Ready(());
            }
            self.work_waiting.borrow_mut().push(self.wakes.current());
            Poll::Pending
        })
        .await;
        self.work.borrow_mut().push_back(work);
    }

    /// Queues work that has a permit of its own.
    pub(super) fn push_front(&self, work: Work) {
        self.work.borrow_mut().push_front(work);
    }

    /// Waits until no other file of this transfer is being written under that path, and holds it. A server that lists a
    /// name twice would else have two files written into one part.
    pub(super) async fn claim(&self, path: &[u8]) {
        std::future::poll_fn(|_| {
            let mut claims = self.claims.borrow_mut();
            match claims.get_mut(path) {
                None => {
                    claims.insert(path.to_vec(), Vec::new());
                    Poll::Ready(())
                }
                Some(waiting) => {
                    waiting.push(self.wakes.current());
                    Poll::Pending
                }
            }
        })
        .await;
    }

    pub(super) fn release(&self, path: &[u8]) {
        for task in self.claims.borrow_mut().remove(path).into_iter().flatten() {
            self.wakes.wake(task);
        }
    }

    /// How long the limit holds back the next piece.
    pub(super) fn held_back(&self) -> Option<Duration> {
        self.limit.as_ref().and_then(|limit| limit.borrow_mut().wait(Instant::now()))
    }

    pub(super) fn took(&self, bytes: u64) {
        if let Some(limit) = &self.limit {
            limit.borrow_mut().take(bytes);
        }
    }
}

/// A handle, or an error that says what was asked.
pub(super) fn handle_of(answer: Answer, what: impl Fn() -> String) -> Result<Vec<u8>, Error> {
    match answer {
        Answer::Handle(handle) => Ok(handle),
        _ => Err(Error::Nonsense { what: format!("{}: the server's answer makes no sense", what()) }),
    }
}

/// `open NAME`, for errors.
pub(super) fn doing(verb: &str, name: &[u8]) -> String {
    format!("{verb} {}", shown(name))
}
