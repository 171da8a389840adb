//! The bytes of one file on their way: which pieces are asked for or sent next, which are under way, what has arrived.

use super::frontier::Frontier;
use super::run::Side;
use super::tasks::TaskId;
use crate::remote::{Error, shown};
use nacre_crypto::{HashKind, Hasher};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Between which two places.
#[derive(Debug)]
pub(super) enum Way {
    /// From a file here to a handle there.
    Up { from: Arc<OwnedFd>, to: Vec<u8> },
    /// From a handle there to a file here; zeros become holes.
    Down { from: Vec<u8>, to: Arc<OwnedFd> },
    /// From a handle of one server to a handle of another.
    Across { from: Vec<u8>, to: Vec<u8> },
    /// From a handle of a server, only to be hashed.
    Hash { side: Side, from: Vec<u8>, hashes: BlockHashes },
}

/// One hash for each block of so many bytes.
#[derive(Debug)]
pub(super) struct BlockHashes {
    kind: HashKind,
    block: u64,
    left: u64,
    hasher: Option<HasherBox>,
    pub(super) done: Vec<u8>,
}

/// [`Hasher`] shows nothing of itself.
struct HasherBox(Hasher);

impl std::fmt::Debug for HasherBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

/// One file's bytes.
#[derive(Debug)]
pub(super) struct Flow {
    /// Who is woken when everything is sent, and when everything is answered.
    pub(super) task: TaskId,
    pub(super) way: Way,
    /// For progress: the file's id, none when this is no progress of the file.
    pub(super) id: Option<u64>,
    pub(super) name: Vec<u8>,
    /// The next byte to be asked for, or sent.
    pub(super) next: u64,
    /// Where the source is believed to end.
    pub(super) end: u64,
    /// Whether that is believed at all: a file of size 0 may be one that does not tell, as in /proc, and then only the
    /// source says where its end is.
    pub(super) sized: bool,
    /// Whether to stop at `end`; else it goes on until the source has no more.
    pub(super) exact: bool,
    /// What has arrived.
    pub(super) frontier: Frontier,
    /// Where the source ended.
    pub(super) eof: Option<u64>,
    /// Pieces that came shorter than asked for.
    pub(super) again: VecDeque<(u64, u32)>,
    /// Where the source has data, from `next` on, if it has holes.
    pub(super) holes: Option<Holes>,
    /// Where the data that `next` is in end, if the source has holes.
    pub(super) data_end: u64,
    /// READs and WRITEs that are not answered.
    pub(super) under_way: usize,
    /// Nothing more is to be asked for or sent.
    pub(super) exhausted: bool,
    pub(super) error: Option<Error>,
    /// The last byte written is before the frontier: a hole is at the end.
    pub(super) written_to: u64,
    /// The part bears a record of its source that is true only while it has no gap.
    pub(super) recorded: bool,
    /// Where it began.
    pub(super) began: u64,
    told: u64,
}

/// Where a source has data.
#[derive(Debug)]
pub(super) enum Holes {
    /// Ask the file itself.
    Here,
    /// The server said: starts and ends.
    Told(VecDeque<(u64, u64)>),
}

impl Flow {
    pub(super) fn new(task: TaskId, name: &[u8], way: Way, start: u64, end: u64) -> Self {
        Self {
            task,
            way,
            id: None,
            name: name.to_vec(),
            next: start,
            end,
            sized: end > 0,
            exact: false,
            frontier: Frontier::new(start),
            eof: None,
            again: VecDeque::new(),
            holes: None,
            data_end: u64::MAX,
            under_way: 0,
            exhausted: false,
            error: None,
            written_to: start,
            recorded: false,
            began: start,
            told: start,
        }
    }

    /// Whether every piece is answered and there will be no more.
    pub(super) fn is_done(&self) -> bool {
        self.under_way == 0 && (self.error.is_some() || self.exhausted && self.again.is_empty())
    }

    /// The first error is the one that counts; nothing more is asked for.
    pub(super) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
        self.exhausted = true;
        self.again.clear();
    }

    /// The source ends here.
    pub(super) fn ends_at(&mut self, end: u64) {
        self.eof = Some(self.eof.map_or(end, |eof| eof.min(end)));
        self.exhausted = true;
        self.again.retain(|(offset, _)| *offset < end);
    }

    /// A piece of a hole needs no journey.
    pub(super) fn skip_to(&mut self, offset: u64) {
        if offset > self.next {
            self.frontier.add(self.next, offset);
            self.next = offset;
        }
    }

    /// What a piece of at most `most` bytes that begins at `next` may hold: one byte past the end shows that there is
    /// no more.
    pub(super) fn piece(&self, most: u32) -> u32 {
        let left = self.end.saturating_sub(self.next);
        let wanted = match (self.exact, left) {
            (true, left) => left,
            // How far it goes past the end is not known.
            (false, 0) => u64::from(most),
            (false, left) => left + 1,
        };
        let data = self.data_end.saturating_sub(self.next);
        u32::try_from(wanted.min(data)).unwrap_or(u32::MAX).min(most).max(1)
    }

    /// Which connection its pieces are asked of, or sent to.
    pub(super) fn side(&self) -> Side {
        match self.way {
            Way::Up { .. } => Side::To,
            Way::Down { .. } | Way::Across { .. } => Side::From,
            Way::Hash { side, .. } => side,
        }
    }

    pub(super) fn words(&self, verb: &str) -> String {
        format!("{verb} {}", shown(&self.name))
    }
}

impl BlockHashes {
    pub(super) fn new(kind: HashKind, block: u64) -> Self {
        Self { kind, block, left: block, hasher: None, done: Vec::new() }
    }

    pub(super) fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let count = data.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let (now, later) = data.split_at(count);
            self.hasher.get_or_insert_with(|| HasherBox(Hasher::new(self.kind))).0.update(now);
            self.left -= now.len() as u64;
            if self.left == 0 {
                self.finish();
            }
            data = later;
        }
    }

    /// Ends the last block, which may be shorter.
    pub(super) fn finish(&mut self) {
        if let Some(hasher) = self.hasher.take() {
            self.done.extend_from_slice(&hasher.0.finish());
        }
        self.left = self.block;
    }
}

/// All flows; those that have something to ask for or to send are in `queue`, and the first goes first, so that as few
/// files as can be are partial at any time.
#[derive(Debug, Default)]
pub(super) struct Flows {
    flows: Vec<Option<Flow>>,
    free: Vec<usize>,
    pub(super) queue: VecDeque<usize>,
}

impl Flows {
    pub(super) fn add(&mut self, flow: Flow) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.flows.push(None);
            self.flows.len() - 1
        });
        if let Some(empty) = self.flows.get_mut(place) {
            *empty = Some(flow);
        }
        self.queue.push_back(place);
        place
    }

    pub(super) fn get(&mut self, place: usize) -> Option<&mut Flow> {
        self.flows.get_mut(place).and_then(Option::as_mut)
    }

    /// Takes one out for good.
    pub(super) fn take(&mut self, place: usize) -> Option<Flow> {
        let flow = self.flows.get_mut(place)?.take()?;
        if !flow.exhausted || !flow.again.is_empty() {
            self.queue.retain(|queued| *queued != place);
        }
        // With pieces under way the number must not be given to another file.
        if flow.under_way == 0 {
            self.free.push(place);
        }
        Some(flow)
    }

    /// A file could not be read: its flow ends when all that was sent of it is answered.
    pub(super) fn fail_file(&mut self, file: &Arc<OwnedFd>, error: Errno) {
        for flow in self.flows.iter_mut().flatten() {
            if matches!(&flow.way, Way::Up { from, .. } if Arc::ptr_eq(from, file)) {
                flow.fail(Error::io(flow.words("read"), error));
            }
        }
    }

    /// Has one asked again soon, before those that come later.
    pub(super) fn requeue(&mut self, place: usize) {
        if !self.queue.contains(&place) {
            self.queue.push_front(place);
        }
    }

    /// Ids and bytes done of those that went on since this was last asked.
    pub(super) fn progress(&mut self) -> Vec<(u64, u64)> {
        let flows = self.flows.iter_mut().flatten();
        let moved = flows.filter_map(|flow| {
            let done = flow.frontier.at();
            let id = flow.id.filter(|_| done != flow.told)?;
            flow.told = done;
            Some((id, done))
        });
        moved.collect()
    }
}
