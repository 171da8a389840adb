//! Where the server's messages go and how they look.

use super::audit::{Line, date_and_time, json, one_line};
use crate::failure::Failure;
use nacre_config::client::LogLevel;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Takes a severity of syslog and a line.
type Take = Box<dyn Fn(u32, &str) + Send + Sync>;

/// Where messages go.
pub enum Target {
    /// Standard error, for somebody who reads along.
    Stderr,
    /// Standard error, which the journal reads: it takes the severity from the line's head.
    Journal,
    /// A file, appended to; opened again by its name when the log is rotated.
    File(PathBuf, Arc<File>),
    /// The system log, under a facility's number.
    Syslog(Arc<UnixDatagram>, u8),
    /// Somebody who takes a severity of syslog and a line.
    Function(Take),
}

/// A socket that is connected to the system log.
///
/// # Errors
/// There is none on this machine.
pub fn syslog_socket() -> io::Result<OwnedFd> {
    let socket = UnixDatagram::unbound()?;
    socket.connect("/dev/log")?;
    Ok(socket.into())
}

impl Target {
    /// Standard error, be it a person's or the journal's.
    pub fn stderr() -> Self {
        if is_journal() { Self::Journal } else { Self::Stderr }
    }

    /// Opens a log file.
    ///
    /// # Errors
    /// It cannot be opened for appending.
    pub fn file(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot open log file {}: {error}", path.display()));
        // A server that detaches leaves its folder before it opens the file again.
        let path = std::path::absolute(path).map_err(failed)?;
        let file = append(&path).map_err(failed)?;
        Ok(Self::File(path, Arc::new(file)))
    }

    /// The system log; standard error where there is none.
    pub fn syslog(facility: &str) -> Self {
        syslog_socket().map_or(Self::Stderr, |socket| Self::syslog_by(socket, facility))
    }

    /// The system log, by a socket that is connected to it.
    pub fn syslog_by(socket: OwnedFd, facility: &str) -> Self {
        Self::Syslog(Arc::new(socket.into()), facility_number(facility))
    }

    /// Somebody who takes a severity of syslog and a line.
    pub fn function(take: impl Fn(u32, &str) + Send + Sync + 'static) -> Self {
        Self::Function(Box::new(take))
    }

    fn descriptor(&self) -> Option<Arc<dyn AsFd + Send + Sync>> {
        match self {
            Self::File(_, file) => Some(file.clone()),
            Self::Syslog(socket, _) => Some(socket.clone()),
            Self::Stderr | Self::Journal | Self::Function(_) => None,
        }
    }

    /// Writes a line in one call, so that lines of several processes do not mix.
    fn write(&self, severity: u32, program: &str, json: bool, line: &str) {
        let pid = std::process::id();
        let text = match self {
            Self::Stderr if json => format!("{line}\n"),
            Self::Stderr => format!("{} {line}\n", time_of_day()),
            Self::Journal => format!("<{severity}>{line}\n"),
            Self::File(..) if json => format!("{line}\n"),
            Self::File(..) => format!("{} {program}[{pid}]: {line}\n", date_and_time(SystemTime::now())),
            Self::Syslog(_, facility) => format!("<{}>{program}[{pid}]: {line}", u32::from(*facility) * 8 + severity),
            Self::Function(take) => return take(severity, line),
        };
        // A log that cannot be written has nowhere to say so.
        let _ = match self {
            Self::File(_, file) => file.as_ref().write_all(text.as_bytes()),
            Self::Syslog(socket, _) => socket.send(text.as_bytes()).map(|_| ()),
            _ => io::stderr().lock().write_all(text.as_bytes()),
        };
    }
}

fn append(path: &Path) -> io::Result<File> {
    // Lines name accounts and addresses, which are nobody else's business.
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// systemd says of which stream it reads (systemd.exec(5)): somebody between it and us may have
/// redirected ours since.
fn is_journal() -> bool {
    let Some(said) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|stat| said == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// The number of a facility of the system log (syslog(3)), by its name.
pub fn facility_number(name: &str) -> u8 {
    let name = name.to_ascii_uppercase();
    match name.as_str() {
        "USER" => 1,
        "DAEMON" => 3,
        "AUTHPRIV" => 10,
        local if local.starts_with("LOCAL") => local.bytes().last().map_or(16, |b| 16 + (b.wrapping_sub(b'0') & 7)),
        _ => 4,
    }
}

fn severity(level: Level) -> u32 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn time_of_day() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix = i64::try_from(now.as_secs()).unwrap_or(0);
    let local = (unix + nacre_sys::clock::utc_offset(unix)).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}.{:03}", local / 3600, local / 60 % 60, local % 60, now.subsec_millis())
}

/// The levels of sshd_config as the library's.
pub fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Quiet => LevelFilter::OFF,
        LogLevel::Fatal | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Info | LogLevel::Verbose => LevelFilter::INFO,
        LogLevel::Debug1 | LogLevel::Debug2 => LevelFilter::DEBUG,
        LogLevel::Debug3 => LevelFilter::TRACE,
    }
}

/// A level as a number that can be sent: 0 none to 5 all.
pub fn number(level: LevelFilter) -> u32 {
    FILTERS.iter().position(|known| *known == level).and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

/// The level of a number.
pub fn filter_of(number: u32) -> LevelFilter {
    usize::try_from(number).ok().and_then(|n| FILTERS.get(n).copied()).unwrap_or(LevelFilter::INFO)
}

const FILTERS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

/// How the log looks and what of it is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The least grave level that is written.
    pub level: LevelFilter,
    /// One JSON object a line (`LogFormat json`).
    pub json: bool,
    /// What the program calls itself to the system log.
    pub program: &'static str,
}

impl Style {
    /// What the net process sends to its monitor, which gives it its form.
    pub fn plain(level: LevelFilter) -> Self {
        Self { level, json: false, program: "nacre" }
    }
}

/// The one place that messages of this process go through.
struct Sink {
    target: RwLock<Target>,
    level: AtomicU32,
    json: AtomicBool,
    program: &'static str,
}

static SINK: OnceLock<Sink> = OnceLock::new();

/// Sends messages of the whole process to `target` from here on.
///
/// # Errors
/// Somebody has done so already.
pub fn start(target: Target, style: Style) -> Result<(), Failure> {
    let Style { level, json, program } = style;
    let (level, json) = (AtomicU32::new(number(level)), AtomicBool::new(json));
    let sink = SINK.get_or_init(|| Sink { target: RwLock::new(target), level, json, program });
    let log = Log { sink, spans: Mutex::default() };
    tracing::subscriber::set_global_default(log).map_err(|error| Failure::new(format!("cannot log: {error}")))
}

/// Level and form change, as a new configuration has it.
pub fn change(level: LevelFilter, json: bool) {
    let Some(sink) = SINK.get() else { return };
    sink.level.store(number(level), Ordering::Relaxed);
    sink.json.store(json, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Opens a log file again by its name, which may be another file by now. Processes that run already
/// keep writing to the one they have.
pub fn reopen() {
    let Some(sink) = SINK.get() else { return };
    let mut target = sink.target.write().unwrap_or_else(PoisonError::into_inner);
    let Target::File(path, file) = &mut *target else { return };
    let failed = match append(path) {
        Ok(new) => {
            *file = Arc::new(new);
            return;
        }
        Err(error) => format!("log file {}: {error}; the old one stays", path.display()),
    };
    drop(target);
    tracing::error!("{failed}");
}

/// The descriptor messages go to, for a process that keeps no others.
pub fn descriptor() -> Option<Arc<dyn AsFd + Send + Sync>> {
    let sink = SINK.get()?;
    sink.target.read().unwrap_or_else(PoisonError::into_inner).descriptor()
}

/// Writes an event of the audit log.
pub fn write(line: &Line) {
    if let Some(sink) = SINK.get()
        && line.level <= sink.level()
    {
        sink.write(line);
    }
}

impl Sink {
    fn level(&self) -> LevelFilter {
        filter_of(self.level.load(Ordering::Relaxed))
    }

    fn write(&self, line: &Line) {
        let target = self.target.read().unwrap_or_else(PoisonError::into_inner);
        let as_json = self.json.load(Ordering::Relaxed);
        let label = match line.level {
            // Whoever takes the severity writes the label.
            _ if matches!(*target, Target::Function(_)) => "",
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            Level::INFO => "",
            _ => "debug: ",
        };
        let text = match as_json {
            true => json(line, SystemTime::now()),
            false => format!("{label}{}", one_line(&line.text)),
        };
        target.write(severity(line.level), self.program, as_json, &text);
    }
}

/// The library's end: messages that are no events of the audit log.
struct Log {
    sink: &'static Sink,
    /// What the spans that exist say of their connection.
    spans: Mutex<Spans>,
}

#[derive(Default)]
struct Spans {
    next: u64,
    named: std::collections::HashMap<u64, (Arc<str>, usize)>,
}

/// Collects the message and the field `peer`.
#[derive(Default)]
struct Text {
    message: String,
    peer: Option<String>,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "peer" => self.peer = Some(format!("{value:?}")),
            _ => {}
        }
    }
}

impl Log {
    fn spans(&self) -> std::sync::MutexGuard<'_, Spans> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("nacre");
        metadata.is_span() || (ours && *metadata.level() <= self.sink.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Spans carry the peer's name to errors, so they exist at every level.
        Some(self.sink.level().max(LevelFilter::ERROR))
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut text = Text::default();
        attributes.record(&mut text);
        let mut spans = self.spans();
        spans.next += 1;
        let id = spans.next;
        spans.named.insert(id, (Arc::from(text.peer.unwrap_or_default()), 1));
        span::Id::from_u64(id)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let peer = event.parent().and_then(|id| self.spans().named.get(&id.into_u64()).map(|(peer, _)| peer.clone()));
        let level = *event.metadata().level();
        let peer = peer.filter(|peer| !peer.is_empty());
        // In JSON the peer has a field of its own, and the text says it all the same.
        let who = peer.as_ref().map(|peer| format!("[{peer}] ")).unwrap_or_default();
        let fields = peer.map(|peer| ("peer", serde_json::Value::from(peer.as_ref()))).into_iter().collect();
        self.sink.write(&Line { level, event: "message", text: format!("{who}{}", text.message), fields });
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}

    fn clone_span(&self, id: &span::Id) -> span::Id {
        if let Some((_, count)) = self.spans().named.get_mut(&id.into_u64()) {
            *count += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: span::Id) -> bool {
        let mut spans = self.spans();
        let Some((_, count)) = spans.named.get_mut(&id.into_u64()) else { return false };
        *count -= 1;
        if *count > 0 {
            return false;
        }
        spans.named.remove(&id.into_u64());
        true
    }
}
