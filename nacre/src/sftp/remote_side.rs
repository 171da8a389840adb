//! The far side as two look at it: the commands, and completion while a line is typed.

use nacre_files::remote::{Error, Remote};
use nacre_sftp::attributes::Kind;
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a person who presses Tab waits for a folder's names.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long names are good for.
const FRESH: Duration = Duration::from_secs(15);
/// The most folders that are remembered, and the most names of one of them.
const MAX_FOLDERS: usize = 16;
const MAX_NAMES: usize = 20_000;

/// A name, and whether it is a folder.
pub(super) type Entry = (Vec<u8>, bool);

/// The names in a folder, and when they were asked for.
type Seen = (Instant, Arc<Vec<Entry>>);

/// The connection, the working folder, and folders seen of late.
pub(super) struct RemoteSide {
    remote: Mutex<Remote>,
    folder: Mutex<Vec<u8>>,
    seen: Mutex<BTreeMap<Vec<u8>, Seen>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RemoteSide {
    /// A session that begins in `folder`.
    pub fn new(remote: Remote, folder: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { remote: Mutex::new(remote), folder: Mutex::new(folder), seen: Mutex::default() })
    }

    /// The connection, for one command: waits for a completion that is still under way.
    pub fn remote(&self) -> MutexGuard<'_, Remote> {
        lock(&self.remote)
    }

    /// The working folder.
    pub fn folder(&self) -> Vec<u8> {
        lock(&self.folder).clone()
    }

    /// Sets the working folder.
    pub fn enter(&self, folder: Vec<u8>) {
        *lock(&self.folder) = folder;
    }

    /// Forgets what folders held: a command may have changed it.
    pub fn forget(&self) {
        lock(&self.seen).clear();
    }

    /// The names in a folder, for completion: those known, or those that come within a second or two. A list that takes longer
    /// is there for the next time.
    pub fn names(self: &Arc<Self>, folder: &[u8]) -> Arc<Vec<Entry>> {
        if let Some((since, names)) = lock(&self.seen).get(folder)
            && since.elapsed() < FRESH
        {
            return Arc::clone(names);
        }
        let (tell, told) = mpsc::channel();
        let (this, asked) = (Arc::clone(self), folder.to_vec());
        let look = move || {
            let names = Arc::new(this.look(&asked).unwrap_or_default());
            this.remember(asked, Arc::clone(&names));
            // Nobody waits any more when it took too long.
            let _ = tell.send(names);
        };
        match std::thread::Builder::new().name("completion".to_owned()).spawn(look) {
            Ok(_) => told.recv_timeout(PATIENCE).unwrap_or_default(),
            Err(_) => Arc::default(),
        }
    }

    fn look(&self, folder: &[u8]) -> Result<Vec<Entry>, Error> {
        // A list is under way already: the person pressed Tab again, which is no reason to ask again.
        let Ok(mut remote) = self.remote.try_lock() else { return Ok(Vec::new()) };
        let entries = remote.list(folder)?;
        let kind = |attributes: &nacre_sftp::Attributes| attributes.kind() == Some(Kind::Directory);
        Ok(entries.into_iter().take(MAX_NAMES).map(|entry| (entry.name, kind(&entry.attributes))).collect())
    }

    fn remember(&self, folder: Vec<u8>, names: Arc<Vec<Entry>>) {
        let mut seen = lock(&self.seen);
        if seen.len() >= MAX_FOLDERS {
            seen.clear();
        }
        if !names.is_empty() {
            seen.insert(folder, (Instant::now(), names));
        }
    }
}
