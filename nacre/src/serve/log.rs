//! Where the server's messages go and how they look.

use crate::failure::Failure;
use nacre_config::client::LogLevel;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Where messages go.
pub enum Target {
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(Arc<File>),
    /// The system log, under a facility's number.
    Syslog(Arc<UnixDatagram>, u8),
    /// Somebody who takes a severity of syslog and a line.
    Function(Box<dyn Fn(u32, &str) + Send + Sync>),
}

impl Target {
    /// Standard error.
    pub const fn stderr() -> Self {
        Self::Stderr
    }

    /// Opens a log file.
    ///
    /// # Errors
    /// It cannot be opened for appending.
    pub fn file(path: &Path) -> Result<Self, Failure> {
        let open = OpenOptions::new().append(true).create(true).open(path);
        open.map(|file| Self::File(Arc::new(file)))
            .map_err(|error| Failure::new(format!("cannot open log file {}: {error}", path.display())))
    }

    /// The system log; standard error where there is none.
    pub fn syslog(facility: &str) -> Self {
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.connect("/dev/log")?;
            io::Result::Ok(socket)
        };
        connect().map_or(Self::Stderr, |socket| Self::Syslog(Arc::new(socket), facility_number(facility)))
    }

    /// Somebody who takes a severity of syslog and a line.
    pub fn function(take: impl Fn(u32, &str) + Send + Sync + 'static) -> Self {
        Self::Function(Box::new(take))
    }

    /// The descriptor it writes to, for a process that keeps no others.
    pub fn descriptor(&self) -> Option<Arc<dyn AsFd + Send + Sync>> {
        match self {
            Self::File(file) => Some(file.clone()),
            Self::Syslog(socket, _) => Some(socket.clone()),
            Self::Stderr | Self::Function(_) => None,
        }
    }

    fn write(&self, level: Level, line: &str) {
        // A log that cannot be written has nowhere to say so.
        let _ = match self {
            Self::Stderr => writeln!(io::stderr().lock(), "{} {line}", time_of_day()),
            Self::File(file) => {
                let mut file = file.as_ref();
                writeln!(file, "{} {line}", time_of_day())
            }
            Self::Syslog(socket, facility) => {
                let priority = u32::from(*facility) * 8 + severity(level);
                let text = format!("<{priority}>nacre[{}]: {line}", std::process::id());
                socket.send(text.as_bytes()).map(|_| ())
            }
            Self::Function(take) => {
                take(severity(level), line);
                Ok(())
            }
        };
    }
}

fn facility_number(name: &str) -> u8 {
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

/// Sends messages of the whole process to `target` from here on.
///
/// # Errors
/// Somebody has done so already.
pub fn start(target: Target, level: LevelFilter) -> Result<(), Failure> {
    let log = Log { target, level, spans: Mutex::default() };
    tracing::subscriber::set_global_default(log).map_err(|error| Failure::new(format!("cannot log: {error}")))
}

/// One line a message: `level: [who] text`.
struct Log {
    target: Target,
    level: LevelFilter,
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
        metadata.is_span() || (ours && *metadata.level() <= self.level)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Spans carry the peer's name to errors, so they exist at every level.
        Some(self.level.max(LevelFilter::ERROR))
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
        let label = match level {
            // Whoever takes the severity writes the label.
            _ if matches!(self.target, Target::Function(_)) => "",
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            Level::INFO => "",
            _ => "debug: ",
        };
        let who = peer.filter(|peer| !peer.is_empty()).map(|peer| format!("[{peer}] ")).unwrap_or_default();
        self.target.write(level, &format!("{label}{who}{}", text.message));
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
