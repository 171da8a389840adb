//! The worker of an SFTP server: a blocking loop over two descriptors, requests answered strictly in order.
//!
//! Whatever one read brought is answered as a whole and its replies leave in one write, so a client that keeps many
//! requests under way costs few system calls, and what comes of them never depends on timing.

mod attributes;
mod copy;
mod dispatch;
mod exchange;
mod files;
mod folders;
mod handles;
mod hashes;
mod journal;
mod lending;
mod longname;
mod names;
mod output;
mod people;
mod policy;
mod realpath;
mod refusal;
mod tree;
mod worker;

pub use exchange::serve;
pub use journal::{Level, Log, Silent};
pub use output::Output;
pub use policy::{known_request, request_names};
pub use worker::{Taken, Worker};

use nacre_sftp::packet::BadLength;
use nacre_sftp::server::Fault;
use std::io;
use std::path::PathBuf;

/// The most handles at a time (threat F4); fewer where the process may open fewer files.
pub const MAX_HANDLES: usize = 1024;

/// What a worker may do, and where.
pub struct Settings {
    /// Nothing on the disk changes (threat F5).
    pub read_only: bool,
    /// The folder that relative paths count from; below `root` if there is one. `None`: where the process is, or `root`.
    pub start: Option<PathBuf>,
    /// The folder that is the client's whole world: `/` is this folder, `..` stops at it, links lead to places in it.
    pub root: Option<PathBuf>,
    /// The only requests that are answered, by the names of [`request_names`]; `None`: all.
    pub allowed: Option<Vec<String>>,
    /// Requests that are refused, by the same names.
    pub denied: Vec<String>,
    /// Who is told what happens.
    pub log: Box<dyn Log + Send>,
}

impl Default for Settings {
    /// All of what the process may do, told to nobody.
    fn default() -> Self {
        Self { read_only: false, start: None, root: None, allowed: None, denied: Vec::new(), log: Box::new(Silent) }
    }
}

/// What a worker did in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files opened for reading.
    pub files_read: u64,
    /// Files opened for writing (and perhaps reading).
    pub files_written: u64,
    /// Bytes of files that were sent.
    pub bytes_read: u64,
    /// Bytes that were written to files.
    pub bytes_written: u64,
    /// Requests answered.
    pub requests: u64,
}

/// Why a worker could not begin, or had to end.
#[derive(Debug)]
pub enum Error {
    /// The root folder cannot be had.
    Root { path: PathBuf, source: io::Error },
    /// The folder that the process is in cannot be had.
    Start(io::Error),
    /// The client cannot be heard.
    Read(io::Error),
    /// The client cannot be told; `BrokenPipe` when it is gone.
    Write(io::Error),
    /// The stream holds no packet.
    Length(BadLength),
    /// The client does what no client may.
    Fault(Fault),
}

impl Error {
    /// The client broke the protocol, for which OpenSSH's server has an exit code of its own.
    pub fn is_protocol(&self) -> bool {
        matches!(self, Self::Length(_) | Self::Fault(_))
    }

    /// The client has gone, which is no failure of anything.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Write(error) | Self::Read(error)
            if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset))
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root { path, source } if source.raw_os_error() == Some(rustix::io::Errno::NOSYS.raw_os_error()) => {
                write!(f, "cannot keep a client inside {}: the kernel has no openat2 (Linux 5.6)", path.display())
            }
            Self::Root { path, source } => write!(f, "cannot open the root folder {}: {source}", path.display()),
            Self::Start(source) => write!(f, "cannot open the current folder: {source}"),
            Self::Read(source) => write!(f, "cannot read from the client: {source}"),
            Self::Write(source) => write!(f, "cannot write to the client: {source}"),
            Self::Length(bad) => bad.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<BadLength> for Error {
    fn from(bad: BadLength) -> Self {
        Self::Length(bad)
    }
}
