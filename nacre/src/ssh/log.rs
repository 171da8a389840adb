//! What the client says to the person: lines on standard error, or in the file of `-E`, by level.

use nacre_config::client::LogLevel;
use nacre_sys::stdio::Stdio;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The levels in order.
const LEVELS: [LogLevel; 8] = [
    LogLevel::Quiet,
    LogLevel::Fatal,
    LogLevel::Error,
    LogLevel::Info,
    LogLevel::Verbose,
    LogLevel::Debug1,
    LogLevel::Debug2,
    LogLevel::Debug3,
];

/// A level in the system log (syslog(3)).
fn severity(level: LogLevel) -> u32 {
    match level {
        LogLevel::Quiet | LogLevel::Fatal => 2,
        LogLevel::Error => 3,
        LogLevel::Info | LogLevel::Verbose => 6,
        LogLevel::Debug1 | LogLevel::Debug2 | LogLevel::Debug3 => 7,
    }
}

fn system_log() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect("/dev/log").ok()?;
    Some(socket)
}

fn place_of(level: LogLevel) -> u8 {
    LEVELS.iter().zip(0..).find(|(other, _)| **other == level).map_or(0, |(_, place)| place)
}

/// Where lines go and how many of them.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The place of the level in [`LEVELS`]; a person may change it while the session runs.
    level: AtomicU8,
    file: Option<Mutex<File>>,
    /// The system log and the facility's number there (`-y`).
    system: Option<(UnixDatagram, u32)>,
    /// The terminal of another process's person; `None` for ours.
    terminal: Option<Stdio>,
    /// The terminal is in raw mode, so that a line needs its own carriage return.
    raw: AtomicBool,
}

impl Log {
    /// Lines up to `level`; with a file they are appended to it and standard error stays free, and so with the number of a
    /// facility of the system log, where there is one.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn new(level: LogLevel, file: Option<&Path>, facility: Option<u32>) -> io::Result<Self> {
        let open = |path: &Path| OpenOptions::new().append(true).create(true).open(path).map(Mutex::new);
        let file = file.map(open).transpose()?;
        let system = facility.filter(|_| file.is_none()).and_then(|facility| Some((system_log()?, facility)));
        let level = AtomicU8::new(place_of(level));
        Ok(Self(Arc::new(Inner { level, file, system, terminal: None, raw: AtomicBool::new(false) })))
    }

    /// Lines for the person behind another process, whose standard error this is. Our steps are none of theirs, and a line
    /// that finds no room there is lost: nobody else may wait for it.
    pub fn for_another(&self, errors: Stdio) -> Self {
        let level = self.0.level.load(Ordering::Relaxed).min(place_of(LogLevel::Info));
        let (level, terminal, raw) = (AtomicU8::new(level), Some(errors), AtomicBool::new(false));
        Self(Arc::new(Inner { level, file: None, system: None, terminal, raw }))
    }

    /// Whether lines of this level are wanted.
    pub fn wants(&self, level: LogLevel) -> bool {
        place_of(level) <= self.0.level.load(Ordering::Relaxed)
    }

    /// Says one level more, or one less; gives the level that holds now.
    pub fn change(&self, more: bool) -> LogLevel {
        let now = usize::from(self.0.level.load(Ordering::Relaxed));
        let next = if more { (now + 1).min(LEVELS.len() - 1) } else { now.saturating_sub(1) };
        let level = LEVELS.get(next).copied().unwrap_or_default();
        self.0.level.store(place_of(level), Ordering::Relaxed);
        level
    }

    /// Whether lines go to standard error.
    pub fn is_on_stderr(&self) -> bool {
        self.0.file.is_none() && self.0.system.is_none()
    }

    /// The terminal went into raw mode, or came back from it.
    pub fn set_raw(&self, raw: bool) {
        self.0.raw.store(raw, Ordering::Relaxed);
    }

    /// Says a line, or several, if the level is wanted.
    pub fn say(&self, level: LogLevel, text: &str) {
        if !self.wants(level) {
            return;
        }
        let mark = match level {
            LogLevel::Debug1 => "debug1: ",
            LogLevel::Debug2 => "debug2: ",
            LogLevel::Debug3 => "debug3: ",
            _ => "",
        };
        if let Some((socket, facility)) = &self.0.system {
            let first = format!("<{}>ssh[{}]: {mark}", facility * 8 + severity(level), std::process::id());
            return text.lines().for_each(|line| drop(socket.send(format!("{first}{line}").as_bytes())));
        }
        match &self.0.file {
            // One write a call, so that lines of several processes do not mix. A failure is ignored
            // here and below: there is nowhere left to say so.
            Some(file) => {
                let whole: String = text.lines().map(|line| format!("{mark}{line}\n")).collect();
                let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(whole.as_bytes());
            }
            None => self.to_terminal(mark, text),
        }
    }

    /// Says something to the person at the terminal, whatever the level.
    pub fn tell(&self, text: &str) {
        self.to_terminal("", text);
    }

    fn to_terminal(&self, mark: &str, text: &str) {
        let end = if self.0.raw.load(Ordering::Relaxed) { "\r\n" } else { "\n" };
        let whole: String = text.lines().map(|line| format!("{mark}{line}{end}")).collect();
        match &self.0.terminal {
            Some(terminal) => drop(terminal.write(whole.as_bytes())),
            None => drop(io::stderr().lock().write_all(whole.as_bytes())),
        }
    }

    /// What ends the program.
    pub fn fatal(&self, text: &str) {
        self.say(LogLevel::Fatal, text);
    }

    /// What fails.
    pub fn error(&self, text: &str) {
        self.say(LogLevel::Error, text);
    }

    /// What a person should know.
    pub fn info(&self, text: &str) {
        self.say(LogLevel::Info, text);
    }

    /// What an operator may want to know.
    pub fn verbose(&self, text: &str) {
        self.say(LogLevel::Verbose, text);
    }

    /// A step, for finding mistakes. The text is made only when it is wanted.
    pub fn debug(&self, text: impl FnOnce() -> String) {
        if self.wants(LogLevel::Debug1) {
            self.say(LogLevel::Debug1, &text());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn lines_for_the_system_log_carry_facility_and_severity() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let level = AtomicU8::new(place_of(LogLevel::Info));
        let log = Log(Arc::new(Inner {
            level,
            file: None,
            system: Some((ours, 1)),
            terminal: None,
            raw: AtomicBool::new(false),
        }));
        log.error("one\ntwo");
        log.debug(|| "not wanted".to_owned());
        log.info("three");
        let mut space = [0; 256];
        for expected in [("<11>", "one"), ("<11>", "two"), ("<14>", "three")] {
            let length = theirs.recv(&mut space).unwrap();
            let line = String::from_utf8_lossy(&space[..length]).into_owned();
            let wanted = format!("{}ssh[{}]: {}", expected.0, std::process::id(), expected.1);
            assert_eq!(line, wanted);
        }
    }
}
