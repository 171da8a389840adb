//! What a person or a program sees of a transfer.

mod bars;
mod json;

use super::legacy::{Tell, line, reason};
use crate::output;
use crate::ssh_child::interrupts;
use bars::Bars;
use json::Json;
use nacre_files::remote::{Error, shown};
use nacre_files::transfer::{Event, How, Proof, Watcher};
use nacre_sftp::Code;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::Instant;

/// The most unfinished files that are named one by one.
const MAX_NAMED: usize = 10;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Bars on the terminal that standard output is.
    Bars,
    /// Objects on standard output.
    Json,
    /// A line a file on standard error.
    Lines,
    /// Errors only.
    Errors,
}

impl Style {
    /// As the flags ask for.
    pub fn choose(json: bool, quiet: bool, verbose: bool) -> Self {
        match (json, quiet, verbose) {
            (true, ..) => Self::Json,
            (false, true, _) => Self::Errors,
            // ssh's own words would run through the bars.
            (_, _, true) => Self::Lines,
            _ if io::stdout().is_terminal() => Self::Bars,
            _ => Self::Errors,
        }
    }
}

/// How a program that shows transfers speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voice {
    /// The name before each line; empty for none.
    pub name: &'static str,
    /// What a person says to go on with what was cut.
    pub resume: &'static str,
}

/// scp's.
const SCP: Voice = Voice { name: "scp", resume: "--resume" };

/// A file under way.
#[derive(Debug)]
struct Moving {
    name: Vec<u8>,
    size: u64,
    resumed_at: u64,
    done: u64,
    since: Instant,
}

/// What is known of the whole.
#[derive(Debug, Default)]
struct Totals {
    planned_files: u64,
    planned_bytes: u64,
    files: u64,
    /// Of finished files and of those under way, resumed beginnings included.
    bytes: u64,
    /// Without what was there already.
    moved: u64,
    failed: u64,
}

/// The view of one call of scp, which may take several transfers.
pub struct View {
    inner: RefCell<Inner>,
    any_failed: bool,
}

struct Inner {
    style: Style,
    voice: Voice,
    bars: Option<Bars>,
    json: Option<Json>,
    moving: BTreeMap<u64, Moving>,
    totals: Totals,
    /// Plans and counts of transfers that are over.
    before: Totals,
    since: Instant,
}

impl View {
    /// Nothing was shown yet.
    pub fn new(style: Style) -> Self {
        Self::speaking(style, SCP)
    }

    /// The same for another program.
    pub fn speaking(style: Style, voice: Voice) -> Self {
        let inner = Inner {
            style,
            voice,
            bars: (style == Style::Bars).then(Bars::default),
            json: (style == Style::Json).then(Json::default),
            moving: BTreeMap::new(),
            totals: Totals::default(),
            before: Totals::default(),
            since: Instant::now(),
        };
        Self { inner: RefCell::new(inner), any_failed: false }
    }

    /// One line on standard error that says why something was not done; counts as a failure.
    pub fn complain(&mut self, line: &str) {
        self.any_failed = true;
        self.inner.get_mut().say(line);
    }

    /// Something failed that was told already, by another program perhaps.
    pub fn count_failure(&mut self) {
        self.any_failed = true;
    }

    /// Whether anything failed so far.
    pub fn any_failed(&self) -> bool {
        self.any_failed
    }

    /// A transfer ended, well or not: what is unfinished is named, with what is left of it.
    pub fn transfer_ended(&mut self, resumable: bool) {
        let inner = self.inner.get_mut();
        if !inner.moving.is_empty() {
            self.any_failed = true;
        }
        inner.leave_behind(resumable);
        inner.next_transfer();
    }

    /// The last words.
    pub fn finish(&mut self) {
        let inner = self.inner.get_mut();
        let seconds = inner.since.elapsed().as_secs_f64();
        if let Some(bars) = inner.bars.take() {
            bars.finish(&inner.before, seconds);
        }
        if let Some(json) = &mut inner.json {
            json.total(&inner.before, seconds);
        }
    }
}

impl Inner {
    fn say(&mut self, line: &str) {
        let text = match self.voice.name {
            "" => line.to_owned(),
            name => format!("{name}: {line}"),
        };
        match &self.bars {
            Some(bars) => bars.aside(|| output::complain(&text)),
            None => output::complain(&text),
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Planned { files, bytes } => {
                self.totals.planned_files = files;
                self.totals.planned_bytes = bytes;
            }
            Event::Started { id, name, size, resumed_at, how } => self.started(id, name, size, resumed_at, how),
            Event::Progress { id, done } => self.progress(id, done),
            Event::Verified { id, how } => self.verified(id, how),
            Event::Finished { id, bytes } => self.finished(id, bytes),
            Event::Failed { id, name, error } => self.failed(id, name, &because(name, error), !is_everyone_s(error)),
            Event::Note(text) => match &mut self.json {
                Some(json) => json.note(text),
                None if self.style != Style::Errors => self.say(text),
                None => {}
            },
        }
        self.refresh();
    }

    fn started(&mut self, id: u64, name: &[u8], size: u64, resumed_at: u64, how: How) {
        let now = Instant::now();
        let moving = Moving { name: name.to_vec(), size, resumed_at, done: resumed_at, since: now };
        if let Some(json) = &mut self.json {
            json.start(id, &moving, how);
        }
        if self.style != Style::Json && self.style != Style::Errors {
            match how {
                How::Fresh => {}
                How::Mismatch => self.say(&format!("{}: what is there does not match; it begins again", shown(name))),
                How::Hash => self.say(&format!("{}: goes on at {resumed_at}, the hashes match", shown(name))),
                How::ReadBack => self.say(&format!("{}: goes on at {resumed_at}, read back and equal", shown(name))),
                How::SizeAndTime => {
                    self.say(&format!("{}: goes on at {resumed_at}, by size and time of the source", shown(name)));
                }
            }
        }
        self.totals.bytes += resumed_at;
        self.moving.insert(id, moving);
    }

    fn progress(&mut self, id: u64, done: u64) {
        if let Some(moving) = self.moving.get_mut(&id) {
            let more = done.saturating_sub(moving.done);
            self.totals.bytes += more;
            self.totals.moved += more;
            moving.done = moving.done.max(done);
        }
    }

    fn verified(&mut self, id: u64, how: Proof) {
        let name = self.moving.get(&id).map(|moving| shown(&moving.name)).unwrap_or_default();
        match (&mut self.json, how) {
            (Some(json), how) => json.verified(id, how),
            (None, _) if self.style == Style::Errors => {}
            (None, Proof::Hash) => self.say(&format!("{name}: verified, the hashes match")),
            (None, Proof::ReadBack) => self.say(&format!("{name}: verified, read back and equal")),
        }
    }

    fn finished(&mut self, id: u64, bytes: u64) {
        self.progress(id, bytes);
        self.totals.files += 1;
        let Some(moving) = self.moving.remove(&id) else { return };
        let seconds = moving.since.elapsed().as_secs_f64();
        if let Some(json) = &mut self.json {
            json.done(id, bytes, seconds);
        }
        let planned = self.before.planned_files + self.totals.planned_files;
        match (&self.bars, self.style) {
            (Some(bars), _) => bars.file_done(&moving, planned, seconds),
            (None, Style::Lines) => {
                let name = shown(&moving.name);
                self.say(&format!("{name}: {} in {seconds:.1} s", indicatif::BinaryBytes(bytes)));
            }
            _ => {}
        }
    }

    /// `alone` says that the line tells something about this file, not what will be told of the whole.
    fn failed(&mut self, id: Option<u64>, name: &[u8], line: &str, alone: bool) {
        self.totals.failed += 1;
        let left = id.and_then(|id| self.moving.remove(&id));
        if let Some(json) = &mut self.json {
            json.failed(id, name, line, left.as_ref());
        }
        if alone {
            self.say(line);
        }
        if let Some(left) = left {
            self.say_left(&left);
        }
    }

    fn say_left(&mut self, left: &Moving) {
        if left.done > 0 {
            let bytes = indicatif::BinaryBytes;
            let (done, size, resume) = (bytes(left.done), bytes(left.size), self.voice.resume);
            self.say(&format!("{}: {done} of {size} are kept, {resume} goes on from there", shown(&left.name)));
        }
    }

    fn leave_behind(&mut self, resumable: bool) {
        let left = std::mem::take(&mut self.moving);
        self.totals.failed += left.len() as u64;
        let more = left.len().saturating_sub(MAX_NAMED);
        for (place, (id, moving)) in left.into_iter().enumerate() {
            if let Some(json) = &mut self.json {
                json.failed(Some(id), &moving.name, "not finished", Some(&moving));
            }
            if place < MAX_NAMED && moving.done > 0 && resumable {
                self.say_left(&moving);
            } else if place < MAX_NAMED {
                self.say(&format!("{}: not finished", shown(&moving.name)));
            }
        }
        if more > 0 {
            self.say(&format!("{more} more files are not finished"));
        }
    }

    /// Numbers of files begin anew with each transfer.
    fn next_transfer(&mut self) {
        let (sum, totals) = (&mut self.before, std::mem::take(&mut self.totals));
        sum.planned_files += totals.planned_files;
        sum.planned_bytes += totals.planned_bytes;
        sum.files += totals.files;
        sum.bytes += totals.bytes;
        sum.moved += totals.moved;
        sum.failed += totals.failed;
    }

    fn refresh(&mut self) {
        if let Some(bars) = &mut self.bars {
            bars.refresh(&self.moving, &self.totals, &self.before);
        }
        if let Some(json) = &mut self.json {
            json.refresh(&self.moving, &self.totals);
        }
    }
}

/// Whether it ended everything, so that a line for each file would say the same again.
fn is_everyone_s(error: &Error) -> bool {
    error.is_fatal() || matches!(error, Error::Cancelled)
}

/// The line for an error, `NAME: reason`, in the words of OpenSSH where it has any.
fn because(name: &[u8], error: &Error) -> String {
    let name = shown(name);
    let (what, reason) = match error {
        Error::Status { code: Code::NoSuchFile, what, .. } => (what, "No such file or directory".to_owned()),
        Error::Status { code: Code::PermissionDenied, what, .. } => (what, "Permission denied".to_owned()),
        Error::Status { code, message, what } if message.is_empty() => (what, code.to_string()),
        Error::Status { message, what, .. } => (what, message.clone()),
        Error::Io { what, error } => (what, reason(error)),
        other => {
            let text = other.to_string();
            return if text.contains(&name) { text } else { format!("{name}: {text}") };
        }
    };
    // What was tried with this very file says less than why it failed.
    let with_itself = what.strip_suffix(name.as_str()).is_some_and(|verb| !verb.contains('/'));
    match (with_itself, what.contains(&name)) {
        (true, _) => format!("{name}: {reason}"),
        (false, true) => format!("{what}: {reason}"),
        (false, false) => format!("{name}: {what}: {reason}"),
    }
}

impl Watcher for View {
    fn event(&mut self, event: &Event<'_>) {
        self.any_failed |= matches!(event, Event::Failed { .. });
        self.inner.get_mut().event(event);
    }

    fn cancelled(&self) -> bool {
        // Nobody else tells us that time goes by.
        if let Ok(mut inner) = self.inner.try_borrow_mut() {
            inner.refresh();
        }
        interrupts::came().is_some()
    }
}

/// The old protocol has one file under way at a time, and no numbers.
const THE_FILE: u64 = 0;

impl Tell for View {
    fn started(&mut self, name: &[u8], size: u64) {
        let inner = self.inner.get_mut();
        let (files, bytes) = (inner.totals.planned_files + 1, inner.totals.planned_bytes + size);
        inner.event(&Event::Planned { files, bytes });
        inner.event(&Event::Started { id: THE_FILE, name, size, resumed_at: 0, how: How::Fresh });
    }

    fn progress(&mut self, done: u64) {
        self.inner.get_mut().event(&Event::Progress { id: THE_FILE, done });
    }

    fn finished(&mut self, size: u64) {
        self.inner.get_mut().event(&Event::Finished { id: THE_FILE, bytes: size });
    }

    fn failed(&mut self, name: &[u8], error: &io::Error) -> String {
        self.any_failed = true;
        let text = line(name, error);
        let inner = self.inner.get_mut();
        // It is no transfer that --resume could go on with: the far side has given it up in order.
        inner.moving.clear();
        inner.failed(None, name, &text, true);
        text
    }

    fn cancelled(&mut self) -> bool {
        interrupts::came().is_some()
    }

    fn said(&mut self, message: &str) {
        self.any_failed = true;
        let inner = self.inner.get_mut();
        inner.moving.clear();
        // The far side's scp says its name itself.
        inner.say(message.strip_prefix("scp: ").unwrap_or(message));
    }
}
