//! RevokedKeys: keys that never log in, nor does anything they signed (sshd_config(5)).

use super::login::Login;
use crate::failure::Failure;
use crate::revocations::{self, Revocations};
use nacre_config::server::ServerOptions;
use nacre_crypto::{Certificate, RevocationList};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// A file that was changed less than this before it was read may be changed again without showing it, in seconds: clocks of
/// file systems are that coarse.
const UNSETTLED: i64 = 2;

/// Stops a server whose key revocation list cannot be read, is damaged or holds what is not known: as long as it stands nobody gets in
/// by a key.
pub fn check(options: &ServerOptions) -> Result<(), Failure> {
    for (path, origin) in options.revoked_keys_files() {
        let bytes = match revocations::read(Path::new(&path)) {
            Ok(bytes) => bytes,
            // Whoever makes it may come later.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::new(format!("{origin}: RevokedKeys {path}: {error}"))),
        };
        if !RevocationList::is_list(&bytes) {
            continue;
        }
        if let Err(error) = RevocationList::read(&bytes) {
            return Err(Failure::new(format!("{origin}: RevokedKeys {path}: {error}"))
                .hint("make it anew: nacre keygen -k -f FILE KEYS..."));
        }
    }
    Ok(())
}

/// The files as they were read last, for all connections: what a question about a key costs must neither grow with a list nor
/// tell who exists (threat A12). Processes that are forked have the lists of their time, and look themselves whether they still hold.
#[derive(Default)]
pub struct RevokedLists(Mutex<HashMap<String, Arc<Kept>>>);

/// One file as it was read.
struct Kept {
    stamp: Stamp,
    /// Nothing that changes the file can leave the stamp as it is.
    settled: bool,
    content: Result<Revocations, String>,
}

/// What changes with a file.
#[derive(PartialEq, Eq)]
struct Stamp([u64; 3], [i64; 4]);

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self([file.dev(), file.ino(), file.size()], [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()])
    }

    fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
        let Self(_, [changed, _, noted, _]) = self;
        (*changed).max(*noted) < now - UNSETTLED
    }
}

impl RevokedLists {
    /// Reads what has changed of these files, so that who is forked next need not.
    pub fn refresh(&self, options: &ServerOptions) {
        for (path, _) in options.revoked_keys_files() {
            // What is wrong is told to whom it concerns.
            let _ = self.get(&path);
        }
    }

    /// The file as it is now.
    fn get(&self, path: &str) -> io::Result<Arc<Kept>> {
        // Held while a file is read: it is read once, however many ask.
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&fs::metadata(path)?);
        if let Some(kept) = lists.get(path).filter(|kept| kept.settled && kept.stamp == stamp) {
            return Ok(kept.clone());
        }
        lists.remove(path);
        let kept = Arc::new(read(path)?);
        lists.insert(path.to_owned(), kept.clone());
        Ok(kept)
    }

    /// Why this key is refused as revoked; `None` when it is not.
    pub fn refusal(&self, login: &Login, shown: &[u8], certificate: Option<&Certificate>) -> Option<String> {
        let path = login.options.revoked_keys.as_ref()?;
        let why = match self.get(path) {
            Ok(kept) => match &kept.content {
                Ok(revoked) => return revoked.refusal(path, shown, certificate),
                Err(why) => why.clone(),
            },
            Err(error) => revocations::unreadable(error),
        };
        Some(format!("RevokedKeys {path}{why}"))
    }
}

fn read(path: &str) -> io::Result<Kept> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let (stamp, started) = (Stamp::of(&metadata), SystemTime::now());
    let mut bytes = Vec::new();
    revocations::read_whole(file, metadata.len(), &mut bytes)?;
    let settled = metadata.is_file() && stamp.is_settled(started);
    Ok(Kept { settled, stamp, content: Revocations::parse(&bytes) })
}
