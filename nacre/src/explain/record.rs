//! What happened on a connection, as records that story, JSON and page are all made from.

pub use nacre_lab::{Row, Who};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of a message that a record keeps.
pub const MAX_BYTES: usize = 4096;
/// Records of a connection that are kept; what comes after is counted.
const MAX_RECORDS: usize = 2000;

/// The beginning of some bytes, and how many there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes {
    /// The first of them, [`MAX_BYTES`] at most.
    pub first: Vec<u8>,
    /// All of them.
    pub count: usize,
}

impl Bytes {
    /// The beginning of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self { first: bytes.get(..MAX_BYTES).unwrap_or(bytes).to_vec(), count: bytes.len() }
    }

    /// Whether there were none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Since the start.
    pub at: Duration,
    /// Which row it belongs to.
    pub row: Row,
    /// Which of the nine steps.
    pub step: u8,
    /// Who did it.
    pub who: Who,
    /// A short name for programs.
    pub name: String,
    /// The message's name and number, when it is a message of SSH.
    pub message: Option<String>,
    /// A sentence.
    pub text: String,
    /// What can be unfolded: label and value.
    pub details: Vec<(String, String)>,
    /// How many messages this record stands for.
    pub times: usize,
    /// More of its kind may join it.
    pub flows: bool,
    /// What passed on the wire.
    pub wire: Bytes,
    /// The message inside, when the wire hides it and secrets are to be shown.
    pub plain: Bytes,
    /// A command that shows the same.
    pub check: Option<String>,
}

impl Record {
    /// A record without anything to unfold.
    pub fn new(at: Duration, (row, step, who): (Row, u8, Who), name: &str, text: impl Into<String>) -> Self {
        Self {
            at,
            row,
            step,
            who,
            name: name.to_owned(),
            message: None,
            text: text.into(),
            details: Vec::new(),
            times: 1,
            flows: false,
            wire: Bytes::default(),
            plain: Bytes::default(),
            check: None,
        }
    }

    /// With these to unfold.
    pub fn details(mut self, details: Vec<(String, String)>) -> Self {
        self.details = details;
        self
    }
}

/// The records of a connection, shared with the observer inside it.
#[derive(Debug, Clone)]
pub struct Recorder {
    start: Instant,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Recorder {
    /// Starts the clock.
    pub fn new(start: Instant) -> Self {
        Self { start, records: Arc::default() }
    }

    /// What was recorded.
    pub fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    /// What was recorded, to be changed.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long after the start `now` is.
    pub fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    /// Adds a record; the last ones of a connection that goes on and on take each other's place.
    pub fn push(&self, record: Record) {
        let mut records = self.lock();
        if records.len() >= MAX_RECORDS {
            records.pop();
        }
        records.push(record);
    }

    /// Adds a record of what is no message.
    pub fn add(
        &self,
        now: Instant,
        place: (Row, u8, Who),
        name: &str,
        text: impl Into<String>,
        details: Vec<(String, String)>,
    ) {
        self.push(Record::new(self.at(now), place, name, text).details(details));
    }
}
