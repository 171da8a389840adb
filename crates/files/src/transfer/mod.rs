//! Files on the move: here to there, there to here, and from one server to another through this machine.
//!
//! One thread and one loop (`run`) keep the connections full. Each file is a task (`file`) that opens its source
//! and its target, hands its bytes to the loop as a flow (`flow`, `pump`), and ends them; hundreds are under way at a
//! time, so that no round trip is waited for by all. Folders are tasks too (`walk`).
//!
//! A part lies beside its target as `.NAME.nacre-part` until it is complete. While it is a part, its time of last
//! access is made of the source's size and time of last change: that is how a later transfer knows whose part it is.

mod compare;
mod file;
mod flow;
mod frontier;
mod listing;
mod local;
mod pace;
mod pump;
mod run;
mod source;
mod sparse;
mod start;
mod target;
mod tasks;
mod walk;

use crate::remote::{Error, Remote};
use run::Run;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How to move files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Times and modes too.
    pub preserve: bool,
    /// Folders with all that is in them.
    pub recursive: bool,
    /// Go on with what an earlier transfer left, after checking that it matches.
    pub resume: bool,
    /// Hash both ends afterwards.
    pub verify: bool,
    /// Write straight into the file in place of a part that is renamed.
    pub in_place: bool,
    /// Have each file written to the disk before it is called finished.
    pub fsync: bool,
    /// Leave symbolic links to files inside of a folder out; without this they are followed.
    pub skip_links: bool,
    /// At most so many bytes a second.
    pub limit: Option<u64>,
    /// At most so many requests under way; 0: chosen by the bytes under way.
    pub requests: usize,
    /// Bytes of one READ or WRITE; 0: as many as the server bears.
    pub buffer: u32,
}

/// How the beginning of a resumed file was found to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It begins at its beginning: nothing was there, or resuming was not asked for.
    Fresh,
    /// Both ends were hashed.
    Hash,
    /// The part was read back and compared.
    ReadBack,
    /// The part says that its source had the size and time that it has now.
    SizeAndTime,
    /// Something was there, and does not match: it begins again.
    Mismatch,
}

/// How both ends of a file were compared when it was complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The server hashed its side.
    Hash,
    /// The server's side was read back.
    ReadBack,
}

/// What happens. `id` counts files from 0 in the order they were started; names are paths as they were given or found,
/// any bytes: whoever shows them cleans them ([`crate::remote::shown`]).
#[derive(Debug)]
pub enum Event<'a> {
    /// What is known of the work: grows while folders are read.
    Planned { files: u64, bytes: u64 },
    /// A file begins, or goes on at `resumed_at` bytes.
    Started { id: u64, name: &'a [u8], size: u64, resumed_at: u64, how: How },
    /// So many bytes of it, from its beginning, are done.
    Progress { id: u64, done: u64 },
    /// Both ends are equal.
    Verified { id: u64, how: Proof },
    /// It is complete and has its name. `bytes` is its size.
    Finished { id: u64, bytes: u64 },
    /// It could not be done; the others go on. No id: it was never started.
    Failed { id: Option<u64>, name: &'a [u8], error: &'a Error },
    /// Something that people may want to know, one line.
    Note(&'a str),
}

/// Is told what happens.
pub trait Watcher {
    /// Something happened.
    fn event(&mut self, event: &Event<'_>);
    /// Asked at least ten times a second: true ends the transfer, what is partial stays as parts.
    fn cancelled(&self) -> bool {
        false
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that are complete.
    pub files: u64,
    /// Bytes that travelled.
    pub bytes: u64,
    /// Files and folders that failed; each had its [`Event::Failed`].
    pub failed: u64,
}

/// What a reply is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// One of the calls that wait.
    Call,
    /// A task waits for it.
    Reply,
    /// Nobody does.
    Ignored,
    /// A READ of a file on its way.
    Read { offset: u64, length: u32 },
    /// A WRITE of one.
    Write { offset: u64, length: u32 },
}

/// Brings files and folders of the server here. `target` is a folder, or the name of the one copy.
///
/// # Errors
/// Nothing more can be done: the connection is gone, the target is no folder and must be, or the watcher cancelled.
/// What befalls single files is told by events and counted.
pub fn get(
    remote: &mut Remote,
    sources: &[Vec<u8>],
    target: &Path,
    options: &Options,
    watcher: &mut dyn Watcher,
) -> Result<Report, Error> {
    let run = Run::new(options, Some(remote), None, watcher);
    start::begin(&run, sources.to_vec(), target.as_os_str().as_bytes().to_vec())
}

/// Brings files and folders from here to the server. `target` is a folder, or the name of the one copy.
///
/// # Errors
/// As [`get`].
pub fn put(
    remote: &mut Remote,
    sources: &[PathBuf],
    target: &[u8],
    options: &Options,
    watcher: &mut dyn Watcher,
) -> Result<Report, Error> {
    let run = Run::new(options, None, Some(remote), watcher);
    let sources = sources.iter().map(|source| source.as_os_str().as_bytes().to_vec()).collect();
    start::begin(&run, sources, target.to_vec())
}

/// Brings files and folders from one server to another through this machine.
///
/// # Errors
/// As [`get`].
pub fn between(
    from: &mut Remote,
    sources: &[Vec<u8>],
    to: &mut Remote,
    target: &[u8],
    options: &Options,
    watcher: &mut dyn Watcher,
) -> Result<Report, Error> {
    let run = Run::new(options, Some(from), Some(to), watcher);
    start::begin(&run, sources.to_vec(), target.to_vec())
}
