//! What is told of a client's doings, as OpenSSH's sftp-server words it.

/// How grave a line is; each level has those above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Files opened, closed, made, renamed, removed, changed.
    Info,
    /// Refusals, and answers that are not success.
    Verbose,
    /// Every request that is not READ or WRITE.
    Debug,
}

/// Somebody who is told.
pub trait Log {
    /// Whether lines of this level are of use, so that others are not made at all.
    fn wants(&self, level: Level) -> bool;
    /// Takes a line. Names in it are cleaned already (threat U2).
    fn line(&self, level: Level, line: &str);
}

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Log for Silent {
    fn wants(&self, _level: Level) -> bool {
        false
    }

    fn line(&self, _level: Level, _line: &str) {}
}

/// A path fit for a line of a log.
pub fn shown(path: &[u8]) -> String {
    nacre_wire::text::clean_line(path, nacre_sftp::MAX_PATH).replace('"', "\\\"")
}
