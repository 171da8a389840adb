//! Searching, on a thread and a connection of its own: words that are in many lines may take long to look up, and nobody's
//! lines wait for that.

use super::{Done, search};
use nacre_chat::{SearchQuery, StoreAnswer};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long one search may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Searches that wait for their turn.
const WAITING: usize = 64;
/// Steps of the database's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// What is to be found, or told.
pub(super) enum Job {
    Search {
        query: SearchQuery,
        done: Done,
    },
    /// Everything before it is done.
    Settle(oneshot::Sender<()>),
}

/// The thread that searches. Dropping it ends the thread once what was asked is done.
pub(super) struct Finder(mpsc::SyncSender<Job>);

impl Finder {
    /// Begins, with the file of a store that is there.
    pub(super) fn start(path: &Path) -> Result<Self, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| error.to_string())?;
        let (jobs, inbox) = mpsc::sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("chat-search".to_owned());
        thread.spawn(move || work(connection, &inbox)).map_err(|error| error.to_string())?;
        Ok(Self(jobs))
    }

    /// Searches what was written before this.
    pub(super) fn ask(&self, job: Job) {
        match self.0.try_send(job) {
            Ok(()) => {}
            Err(mpsc::TrySendError::Full(Job::Search { done, .. })) => {
                done(StoreAnswer::Failed(Arc::from("too many are searching; try again in a moment")));
            }
            Err(mpsc::TrySendError::Disconnected(Job::Search { done, .. })) => {
                done(StoreAnswer::Failed(Arc::from("the store has stopped")));
            }
            Err(
                mpsc::TrySendError::Full(Job::Settle(sender)) | mpsc::TrySendError::Disconnected(Job::Settle(sender)),
            ) => {
                drop(sender);
            }
        }
    }
}

fn work(mut connection: Connection, inbox: &mpsc::Receiver<Job>) {
    while let Ok(job) = inbox.recv() {
        match job {
            Job::Search { query, done } => done(find(&mut connection, &query, Instant::now() + PATIENCE)),
            Job::Settle(sender) => drop(sender.send(())),
        }
    }
}

fn find(connection: &mut Connection, query: &SearchQuery, end: Instant) -> StoreAnswer {
    let limited = connection.progress_handler(STEPS, Some(move || Instant::now() > end));
    let found = limited.and_then(|()| search::search(connection, query));
    found.unwrap_or_else(|error| {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
            return StoreAnswer::Failed(Arc::from("that would take too long: add a rarer word"));
        }
        tracing::error!("the chat's store: {error}");
        StoreAnswer::Failed(Arc::from(error.to_string()))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Store;
    use super::super::tests::line;
    use super::*;
    use nacre_chat::StoreRequest;

    #[tokio::test]
    async fn what_was_said_just_now_is_found_and_no_search_takes_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        let (store, _) = Store::open(&path, None).unwrap();
        for id in 1..3000 {
            store.ask(StoreRequest::Append { line: line(id, "a"), sequence: None }, drop).unwrap();
        }
        let places = vec![(line(1, "a").place.clone(), None)];
        let query = SearchQuery { words: Arc::from("hello"), places, directs_of: None, from: None, limit: 5000 };
        let (sender, receiver) = oneshot::channel();
        store.ask(StoreRequest::Search(query.clone()), |answer| drop(sender.send(answer))).unwrap();
        store.settled().await;
        let StoreAnswer::Lines { lines, .. } = receiver.await.unwrap() else { unreachable!() };
        assert_eq!(lines.len(), 2999);
        let mut connection = Connection::open(&path).unwrap();
        let late = find(&mut connection, &query, Instant::now());
        assert!(matches!(late, StoreAnswer::Failed(why) if why.contains("too long")));
    }
}
