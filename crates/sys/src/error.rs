//! What failed, and with which errno: the text behind every `io::Error` this crate makes itself.

use std::fmt;
use std::io;

/// An operating-system call that failed, with what it was for. Found inside an [`io::Error`] of the same
/// [`io::ErrorKind`]: `err.get_ref().and_then(|e| e.downcast_ref::<SysError>())`.
#[derive(Debug)]
pub struct SysError {
    doing: String,
    source: io::Error,
}

impl SysError {
    /// The errno of the failed call, if a call failed (and not a check of our own).
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The errno's number helps nobody who reads a message; `{:?}` has it.
        let why = self.source.to_string();
        write!(f, "{}: {}", self.doing, why.split(" (os error").next().unwrap_or(&why))
    }
}

impl std::error::Error for SysError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The errno behind an `io::Error`, whether bare or wrapped in a [`SysError`].
pub fn errno_of(err: &io::Error) -> Option<i32> {
    err.raw_os_error().or_else(|| err.get_ref()?.downcast_ref::<SysError>()?.errno())
}

/// Says what a call was for, so that the error names it.
pub(crate) trait Doing<T> {
    /// Wraps the error; `doing` reads like "open /dev/ptmx".
    fn doing(self, doing: impl FnOnce() -> String) -> io::Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> io::Result<T> {
        self.map_err(|err| {
            let source: io::Error = err.into();
            io::Error::new(source.kind(), SysError { doing: doing(), source })
        })
    }
}

/// A refusal of our own (no system call failed), in the same shape.
pub(crate) fn refused(kind: io::ErrorKind, doing: impl Into<String>, why: impl Into<String>) -> io::Error {
    let source = io::Error::other(why.into());
    io::Error::new(kind, SysError { doing: doing.into(), source })
}

/// An error with its sources: libloading keeps the loader's own words (which file, what is wrong with it) there.
pub(crate) fn causes(err: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(err), |err| err.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
