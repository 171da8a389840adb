//! What the engine asked for and is not done yet.
//!
//! The engine asks while it is locked, so asking never waits. Each list here is bounded: lines by
//! [`LINES`], fills by the feeds there are, the rest by what there can be of accounts, rooms and bans,
//! as only the newest of each is kept.

use nacre_chat::limits::ACCOUNTS;
use nacre_chat::{AccountId, BackRequest, Feed, Keys, Line, Presence, Record, RecordKey, RequestId};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Lines that wait to be published; the engine keeps and repeats what is refused beyond.
const LINES: usize = 10_000;
/// Nicks that are claimed or given back: those of all accounts, when a server that was alone comes.
const NICKS: usize = ACCOUNTS;

/// Something about nicks, to be done in order.
#[derive(Debug, Clone)]
pub(super) enum NickJob {
    Claim { request: RequestId, keys: Keys, account: AccountId },
    Release { keys: Keys, account: AccountId },
}

/// A gap to be filled.
#[derive(Debug, Clone)]
pub(super) struct FillJob {
    pub(super) request: RequestId,
    pub(super) feed: Feed,
    pub(super) after: u64,
    pub(super) limit: u32,
}

/// The lists.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) lines: VecDeque<(RequestId, Arc<Line>)>,
    pub(super) fills: VecDeque<FillJob>,
    pub(super) nicks: VecDeque<NickJob>,
    /// What is to be written, or deleted; kept while the link is down.
    records: HashMap<RecordKey, Option<Record>>,
    order: VecDeque<RecordKey>,
    /// Who is to be told of, or is gone.
    pub(super) people: HashMap<AccountId, Option<Presence>>,
    /// What is listened to.
    feeds: BTreeSet<Feed>,
}

/// The desk between engine and link.
#[derive(Debug, Default)]
pub(super) struct Desk {
    asked: Mutex<Asked>,
    pub(super) lines: Notify,
    pub(super) fills: Notify,
    pub(super) nicks: Notify,
    pub(super) records: Notify,
    pub(super) people: Notify,
}

impl Desk {
    pub(super) fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request of the engine; false if there is no room for it.
    pub(super) fn ask(&self, request: RequestId, what: BackRequest) -> bool {
        let mut asked = self.asked();
        match what {
            BackRequest::Publish(line) => {
                if asked.lines.len() >= LINES {
                    return false;
                }
                asked.lines.push_back((request, line));
                self.lines.notify_one();
            }
            BackRequest::Backfill { feed, after, limit } => {
                asked.fills.push_back(FillJob { request, feed, after, limit });
                self.fills.notify_one();
            }
            BackRequest::ClaimNick { keys, account } => {
                if asked.nicks.len() >= NICKS {
                    return false;
                }
                asked.nicks.push_back(NickJob::Claim { request, keys, account });
                self.nicks.notify_one();
            }
            BackRequest::ReleaseNick { keys, account } => {
                // One that is forgotten here can be claimed by others after a while all the same.
                if asked.nicks.len() < NICKS {
                    asked.nicks.push_back(NickJob::Release { keys, account });
                    self.nicks.notify_one();
                }
            }
            BackRequest::Subscribe(feed) => drop(asked.feeds.insert(feed)),
            BackRequest::Unsubscribe(feed) => drop(asked.feeds.remove(&feed)),
            BackRequest::Present(presence) => {
                asked.people.insert(presence.who.account, Some(presence));
                self.people.notify_one();
            }
            BackRequest::Absent(account) => {
                asked.people.insert(account, None);
                self.people.notify_one();
            }
            BackRequest::Put(record) => {
                asked.set_record(record.key(), Some(record));
                self.records.notify_one();
            }
            BackRequest::Delete(key) => {
                asked.set_record(key, None);
                self.records.notify_one();
            }
        }
        true
    }

    /// Whether lines of a feed are wanted.
    pub(super) fn listens_to(&self, feed: &Feed) -> bool {
        self.asked().feeds.contains(feed)
    }

    /// The record that was changed first; it stays until it is [`Desk::written`].
    pub(super) fn next_record(&self) -> Option<(RecordKey, Option<Record>)> {
        let asked = self.asked();
        let key = asked.order.front()?.clone();
        let record = asked.records.get(&key)?.clone();
        Some((key, record))
    }

    /// The record is written as it was then; if it was changed meanwhile, it comes again.
    pub(super) fn written(&self, key: &RecordKey, as_it_was: &Option<Record>) {
        let mut asked = self.asked();
        asked.order.pop_front();
        if asked.records.get(key) == Some(as_it_was) {
            asked.records.remove(key);
        } else {
            asked.order.push_back(key.clone());
        }
    }

    /// The link is gone: the requests that will not be answered any more. Records stay to be written;
    /// the engine tells of people and feeds anew.
    pub(super) fn clear(&self) -> Vec<RequestId> {
        let mut asked = self.asked();
        asked.people.clear();
        asked.feeds.clear();
        let mut left: Vec<RequestId> = asked.lines.drain(..).map(|(request, _)| request).collect();
        left.extend(asked.fills.drain(..).map(|fill| fill.request));
        left.extend(asked.nicks.drain(..).filter_map(|job| match job {
            NickJob::Claim { request, .. } => Some(request),
            NickJob::Release { .. } => None,
        }));
        left
    }
}

impl Asked {
    fn set_record(&mut self, key: RecordKey, record: Option<Record>) {
        if self.records.insert(key.clone(), record).is_none() {
            self.order.push_back(key);
        }
    }
}
