//! Searching, on a thread and a connection of its own: words that are in many lines may take long to look up, and nobody's
//! lines wait for that.

use super::{Done, search};
use nacre_chat::{SearchQuery, StoreAnswer};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long one search may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Searches that wait for their turn.
const WAITING: usize = 64;
/// Steps of the database's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Why nothing is found any more.
const STOPPED: &str = "the store has stopped";

/// What is to be found.
struct Job {
    query: SearchQuery,
    done: Done,
}

/// The thread that searches.
pub(super) struct Finder {
    jobs: mpsc::SyncSender<Job>,
    /// Nobody waits for what is found any more.
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Finder {
    /// Begins, with the file of a store that is there.
    pub(super) fn start(path: &Path) -> Result<Self, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| error.to_string())?;
        let (jobs, inbox) = mpsc::sync_channel(WAITING);
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("chat-search".to_owned());
        let thread = thread.spawn(move || work(connection, &inbox, &ends)).map_err(|error| error.to_string())?;
        Ok(Self { jobs, over, thread })
    }

    /// Searches what was written before this.
    pub(super) fn ask(&self, query: SearchQuery, done: Done) {
        let (job, why) = match self.jobs.try_send(Job { query, done }) {
            Ok(()) => return,
            Err(mpsc::TrySendError::Full(job)) => (job, "too many are searching; try again in a moment"),
            Err(mpsc::TrySendError::Disconnected(job)) => (job, STOPPED),
        };
        (job.done)(StoreAnswer::Failed(Arc::from(why)));
    }

    /// Ends what is searched, and closes the connection.
    pub(super) fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        drop(self.jobs);
        if self.thread.join().is_err() {
            tracing::error!("the chat's store: the search broke down");
        }
    }
}

fn work(mut connection: Connection, inbox: &mpsc::Receiver<Job>, over: &Arc<AtomicBool>) {
    while let Ok(Job { query, done }) = inbox.recv() {
        done(find(&mut connection, &query, Instant::now() + PATIENCE, over));
    }
}

fn find(connection: &mut Connection, query: &SearchQuery, end: Instant, over: &Arc<AtomicBool>) -> StoreAnswer {
    let is_over = Arc::clone(over);
    let look = move || is_over.load(Ordering::Relaxed) || Instant::now() > end;
    if over.load(Ordering::Relaxed) {
        return StoreAnswer::Failed(Arc::from(STOPPED));
    }
    let limited = connection.progress_handler(STEPS, Some(look));
    let found = limited.and_then(|()| search::search(connection, query));
    found.unwrap_or_else(|error| {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
            let why = if over.load(Ordering::Relaxed) { STOPPED } else { "that would take too long: add a rarer word" };
            return StoreAnswer::Failed(Arc::from(why));
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
    use tokio::sync::oneshot;

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
        let late = find(&mut connection, &query, Instant::now(), &Arc::default());
        assert!(matches!(late, StoreAnswer::Failed(why) if why.contains("too long")));
    }

    /// A store whose searches stand still until the sender is dropped.
    fn stuck(path: &Path) -> (Store, mpsc::Sender<()>) {
        let (store, _) = Store::open(path, None).unwrap();
        let (held, until) = mpsc::channel::<()>();
        let places = vec![(line(1, "a").place.clone(), None)];
        let query = SearchQuery { words: Arc::from("x"), places, directs_of: None, from: None, limit: 1 };
        store
            .ask(StoreRequest::Search(query), move |_| {
                let _ = until.recv();
            })
            .unwrap();
        (store, held)
    }

    #[tokio::test]
    async fn nothing_else_waits_for_searches() {
        let folder = tempfile::tempdir().unwrap();
        let (store, held) = stuck(&folder.path().join("chat.db"));
        store.ask(StoreRequest::Append { line: line(1, "a"), sequence: None }, drop).unwrap();
        tokio::time::timeout(Duration::from_secs(60), store.settled()).await.unwrap();
        drop(held);
    }

    #[tokio::test]
    async fn a_store_that_stops_leaves_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let (store, held) = stuck(&folder.path().join("chat.db"));
        store.ask(StoreRequest::Append { line: line(1, "a"), sequence: None }, drop).unwrap();
        tokio::join!(store.stop(), async { drop(held) });
        let names = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["chat.db"]);
        assert!(store.ask(StoreRequest::Append { line: line(2, "a"), sequence: None }, drop).is_err());
    }
}
