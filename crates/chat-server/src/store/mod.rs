//! What is kept: lines with a search over their words, accounts, rooms, bans. SQLite, on a thread of
//! its own.
//!
//! Requests that wait at the same time are one transaction, so that a busy chat pays for one write
//! to the disk and not for a hundred; each is answered after that write, so what was answered
//! survives a crash.

mod archive;
mod finder;
mod lines;
mod records;
mod schema;
mod search;
mod sweep;

pub use archive::{Archive, line_as_json, record_as_json};

use finder::Finder;
use lines::Lines;
use nacre_chat::{Loaded, StoreAnswer, StoreRequest};
use rusqlite::Connection;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use sweep::Sweep;
use tokio::sync::oneshot;

/// Requests of one transaction.
const BATCH: usize = 1000;

/// The store cannot be opened or read.
#[derive(Debug)]
pub struct StoreError {
    path: PathBuf,
    what: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

impl std::error::Error for StoreError {}

type Done = Box<dyn FnOnce(StoreAnswer) + Send>;

enum Job {
    Ask {
        what: StoreRequest,
        done: Done,
    },
    /// Everything before it is written, and answered but for searches.
    Settle(oneshot::Sender<()>),
    /// The file is to be closed.
    Stop(oneshot::Sender<()>),
    /// How long lines are kept where a room does not say.
    Keep(Option<Duration>),
}

/// The store. Dropping it ends its thread once what was asked is done.
pub struct Store {
    jobs: mpsc::Sender<Job>,
}

impl Store {
    /// Opens the file, which is made if there is none, for its owner alone; with it comes what is in
    /// it. Where there are other nodes, `node` is the name of this one: lines that it could not tell
    /// them come too.
    ///
    /// # Errors
    /// It cannot be made or read, it is none of ours, or a newer Nacre made it.
    pub fn open(path: &Path, node: Option<&str>) -> Result<(Self, Loaded), StoreError> {
        let failed = |error: &dyn fmt::Display| StoreError { path: path.to_owned(), what: error.to_string() };
        private(path).map_err(|error| failed(&error))?;
        let connection = Connection::open(path).map_err(|error| failed(&error))?;
        schema::prepare(&connection).map_err(|error| failed(&error))?;
        let loaded = load(&connection, node).map_err(|error| failed(&error))?;
        let finder = Finder::start(path).map_err(|error| failed(&error))?;
        let (jobs, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new().name("chat-store".to_owned());
        thread.spawn(move || work(connection, finder, inbox)).map_err(|error| failed(&error))?;
        Ok((Self { jobs }, loaded))
    }

    /// Asks; the answer comes on a thread of the store.
    ///
    /// # Errors
    /// There is no store any more: the answer.
    pub fn ask(&self, what: StoreRequest, done: impl FnOnce(StoreAnswer) + Send + 'static) -> Result<(), StoreAnswer> {
        let asked = self.jobs.send(Job::Ask { what, done: Box::new(done) });
        asked.map_err(|_| StoreAnswer::Failed(Arc::from("the store has stopped")))
    }

    /// How long lines are kept where a room does not say; for ever if none.
    pub(crate) fn keep(&self, usual: Option<Duration>) {
        // A store that has stopped deletes nothing.
        let _ = self.jobs.send(Job::Keep(usual));
    }

    /// Waits until everything asked so far is written, and answered but for searches, which may take long.
    pub(crate) async fn settled(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.jobs.send(Job::Settle(sender)).is_ok() {
            let _ = receiver.await;
        }
    }

    /// Writes what was asked so far and closes the file, beside which no journal is left. What is asked later is refused.
    pub(crate) async fn stop(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.jobs.send(Job::Stop(sender)).is_ok() {
            let _ = receiver.await;
        }
    }
}

/// Private messages are nobody else's business.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

fn load(connection: &Connection, node: Option<&str>) -> rusqlite::Result<Loaded> {
    let records = records::all(connection)?;
    let lines = Lines::new(connection);
    let unsent = node.map_or_else(|| Ok(Vec::new()), |node| lines.unsent(node))?;
    Ok(Loaded { records, positions: lines.positions()?, unsent, recent: lines.recent()? })
}

fn work(connection: Connection, finder: Finder, inbox: mpsc::Receiver<Job>) {
    let mut sweep = Sweep::new();
    let mut stopped = Vec::new();
    while stopped.is_empty() {
        let jobs = match inbox.recv_timeout(sweep.wait()) {
            Ok(first) => std::iter::once(first).chain(inbox.try_iter().take(BATCH - 1)).collect(),
            Err(mpsc::RecvTimeoutError::Timeout) => Vec::new(),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        };
        let answers = if jobs.is_empty() { Vec::new() } else { transact(&connection, &jobs) };
        for (job, answer) in jobs.into_iter().zip(answers) {
            match job {
                // By now what was said before is there to be found.
                Job::Ask { what: StoreRequest::Search(query), done } => finder.ask(query, done),
                Job::Ask { done, .. } => done(answer),
                Job::Settle(sender) => drop(sender.send(())),
                Job::Stop(sender) => stopped.push(sender),
                Job::Keep(usual) => sweep.set_usual(usual),
            }
        }
        sweep.step(&connection);
    }
    drop(inbox);
    // Whoever closes the file last leaves no journal beside it; but who only reads cannot do that.
    finder.end();
    if let Err((_, error)) = connection.close() {
        tracing::error!("the chat's store: {error}");
    }
    drop(stopped);
}

fn transact(connection: &Connection, jobs: &[Job]) -> Vec<StoreAnswer> {
    let failed = |error: rusqlite::Error| {
        tracing::error!("the chat's store: {error}");
        StoreAnswer::Failed(Arc::from(error.to_string()))
    };
    let answers = connection.unchecked_transaction().and_then(|transaction| {
        let answer = |job: &Job| match job {
            Job::Ask { what, .. } => answer(&transaction, what).unwrap_or_else(failed),
            Job::Settle(_) | Job::Stop(_) | Job::Keep(_) => StoreAnswer::Kept,
        };
        let answers: Vec<StoreAnswer> = jobs.iter().map(answer).collect();
        transaction.commit()?;
        Ok(answers)
    });
    answers.unwrap_or_else(|error| {
        let answer = failed(error);
        jobs.iter().map(|_| answer.clone()).collect()
    })
}

fn answer(connection: &Connection, what: &StoreRequest) -> rusqlite::Result<StoreAnswer> {
    let lines = Lines::new(connection);
    match what {
        StoreRequest::Append { line, sequence } => lines.append(line, *sequence)?,
        StoreRequest::Number { line, sequence } => lines.number(*line, *sequence)?,
        StoreRequest::Put(record) => records::put(connection, record)?,
        StoreRequest::Delete(key) => records::delete(connection, key)?,
        StoreRequest::History(query) => return lines.history(query),
        // The finder's.
        StoreRequest::Search(_) => {}
        StoreRequest::Count { place, after, not_before, not_by } => {
            return lines.count(place, *after, *not_before, *not_by);
        }
        StoreRequest::Inbox { account, after, limit } => return lines.inbox(*account, *after, *limit),
    }
    Ok(StoreAnswer::Kept)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nacre_chat::{AccountId, Author, Line, LineId, LineKind, Place, RoomName, Standing, Time};

    pub(super) fn line(id: u128, node: &str) -> Arc<Line> {
        Arc::new(Line {
            id: LineId(id),
            node: Arc::from(node),
            kind: LineKind::Message,
            place: Place::Room(RoomName::parse("rust").unwrap()),
            from: Author { account: AccountId(1), nick: Arc::from("alice"), verified: true, key: None },
            to: None,
            at: Time(1),
            body: Arc::from("hello"),
            reply_to: None,
            standing: Standing::AsSaid,
        })
    }

    #[tokio::test]
    async fn lines_that_the_other_nodes_were_not_told_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        let (store, loaded) = Store::open(&path, Some("a")).unwrap();
        assert!(loaded.recent.is_empty() && loaded.unsent.is_empty());
        for (id, node, sequence) in [(1, "a", Some(7)), (3, "a", None), (2, "a", None), (4, "b", None), (5, "a", None)]
        {
            store.ask(StoreRequest::Append { line: line(id, node), sequence }, drop).unwrap();
        }
        store.ask(StoreRequest::Number { line: LineId(5), sequence: 8 }, drop).unwrap();
        store.settled().await;
        let unsent = |node| -> Vec<u128> {
            let (_store, loaded) = Store::open(&path, node).unwrap();
            assert_eq!(loaded.recent.len(), 5);
            assert_eq!(loaded.positions, [(line(1, "a").place.clone(), 8)]);
            loaded.unsent.iter().map(|line| line.id.0).collect()
        };
        assert_eq!(unsent(Some("a")), [2, 3]);
        assert_eq!(unsent(None), [0; 0]);
    }
}
