//! What is kept: lines with a search over their words, accounts, rooms, bans. SQLite, on a thread of
//! its own.
//!
//! Requests that wait at the same time are one transaction, so that a busy chat pays for one write
//! to the disk and not for a hundred; each is answered after that write, so what was answered
//! survives a crash.

mod lines;
mod records;
mod schema;
mod search;

use lines::Lines;
use nacre_chat::{Loaded, StoreAnswer, StoreRequest};
use rusqlite::Connection;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
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
    /// Everything before it is done.
    Settle(oneshot::Sender<()>),
}

/// The store. Dropping it ends its thread once what was asked is done.
pub struct Store {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
    /// What was there when it was opened.
    loaded: Mutex<Option<Loaded>>,
}

impl Store {
    /// Opens the file, which is made if there is none, for its owner alone.
    ///
    /// # Errors
    /// It cannot be made or read, it is none of ours, or a newer Nacre made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: &dyn fmt::Display| StoreError { path: path.to_owned(), what: error.to_string() };
        private(path).map_err(|error| failed(&error))?;
        let connection = Connection::open(path).map_err(|error| failed(&error))?;
        schema::prepare(&connection).map_err(|error| failed(&error))?;
        let loaded = load(&connection).map_err(|error| failed(&error))?;
        let (jobs, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new().name("chat-store".to_owned());
        thread.spawn(move || work(connection, &inbox)).map_err(|error| failed(&error))?;
        Ok(Self { path: path.to_owned(), jobs, loaded: Mutex::new(Some(loaded)) })
    }

    /// What was there when it was opened; once.
    pub(crate) fn load(&self) -> Result<Loaded, StoreError> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).take();
        loaded.ok_or_else(|| StoreError { path: self.path.clone(), what: "it is in use already".to_owned() })
    }

    /// Asks; the answer comes on the store's thread.
    pub(crate) fn ask(&self, what: StoreRequest, done: impl FnOnce(StoreAnswer) + Send + 'static) {
        if let Err(mpsc::SendError(Job::Ask { done, .. })) = self.jobs.send(Job::Ask { what, done: Box::new(done) }) {
            done(StoreAnswer::Failed(Arc::from("the store has stopped")));
        }
    }

    /// Waits until everything asked so far is answered.
    pub(crate) async fn settled(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.jobs.send(Job::Settle(sender)).is_ok() {
            let _ = receiver.await;
        }
    }
}

/// Private messages are nobody else's business.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

fn load(connection: &Connection) -> rusqlite::Result<Loaded> {
    let records = records::all(connection)?;
    let lines = Lines::new(connection);
    Ok(Loaded { records, positions: lines.positions()?, recent: lines.recent()?, ..Loaded::default() })
}

fn work(connection: Connection, inbox: &mpsc::Receiver<Job>) {
    while let Ok(first) = inbox.recv() {
        let mut jobs = vec![first];
        jobs.extend(inbox.try_iter().take(BATCH - 1));
        let answers = transact(&connection, &jobs);
        for (job, answer) in jobs.into_iter().zip(answers) {
            match job {
                Job::Ask { done, .. } => done(answer),
                Job::Settle(sender) => drop(sender.send(())),
            }
        }
    }
    // Leaves one file behind, without a journal beside it.
    if let Err((_, error)) = connection.close() {
        tracing::error!("the chat's store: {error}");
    }
}

fn transact(connection: &Connection, jobs: &[Job]) -> Vec<StoreAnswer> {
    let failed = |error: rusqlite::Error| {
        tracing::error!("the chat's store: {error}");
        StoreAnswer::Failed(Arc::from(error.to_string()))
    };
    let answers = connection.unchecked_transaction().and_then(|transaction| {
        let answer = |job: &Job| match job {
            Job::Ask { what, .. } => answer(&transaction, what).unwrap_or_else(failed),
            Job::Settle(_) => StoreAnswer::Kept,
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
        StoreRequest::Search(query) => return search::search(connection, query),
        StoreRequest::Count { place, after, not_before, not_by } => {
            return lines.count(place, *after, *not_before, *not_by);
        }
        StoreRequest::Inbox { account, after, limit } => return lines.inbox(*account, *after, *limit),
    }
    Ok(StoreAnswer::Kept)
}
