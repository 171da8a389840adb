//! The values of server keywords, as types.

use std::time::Duration;

use crate::time;

pub use crate::authorized_keys::{PermitPort, PermitTarget};

/// Whether root may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PermitRootLogin {
    /// By every method.
    Yes,
    /// By no method.
    No,
    /// By a key, never by a password or by answering questions.
    #[default]
    ProhibitPassword,
    /// By a key whose line forces a command.
    ForcedCommandsOnly,
}

impl PermitRootLogin {
    pub(super) fn of(word: &str) -> Self {
        match word {
            "yes" => Self::Yes,
            "without-password" => Self::ProhibitPassword,
            "forced-commands-only" => Self::ForcedCommandsOnly,
            // What is not understood must not open a door.
            _ => Self::No,
        }
    }
}

/// Which directions of forwarding are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllowForwarding {
    /// The client may connect through us.
    pub local: bool,
    /// The client may listen on us.
    pub remote: bool,
}

impl AllowForwarding {
    pub(super) fn of(word: &str) -> Self {
        Self { local: matches!(word, "yes" | "local"), remote: matches!(word, "yes" | "remote") }
    }
}

/// Who may use a client's listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GatewayPorts {
    /// This machine only.
    #[default]
    No,
    /// Everybody.
    Yes,
    /// As the client says.
    ClientSpecified,
}

impl GatewayPorts {
    pub(super) fn of(word: &str) -> Self {
        match word {
            "yes" => Self::Yes,
            "clientspecified" => Self::ClientSpecified,
            _ => Self::No,
        }
    }
}

/// What `PermitOpen` or `PermitListen` allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Permits {
    /// Everything.
    #[default]
    Any,
    /// Nothing.
    None,
    /// These.
    Only(Vec<PermitTarget>),
}

impl Permits {
    pub(super) fn of(words: &[String], bare_port: bool) -> Self {
        match words {
            [word] if word == "any" => Self::Any,
            [word] if word == "none" => Self::None,
            many => Self::Only(many.iter().filter_map(|word| PermitTarget::parse(word, bare_port)).collect()),
        }
    }
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The name or address; brackets taken off.
    pub host: String,
    /// The port; `None` listens on every Port.
    pub port: Option<u16>,
}

impl Listen {
    /// Reads `host`, `host:port` or `[host]:port`; a bare IPv6 address has no port.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']')?;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None if text.matches(':').count() > 1 => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|p| *p != 0)?)
            }
            Some(_) => return None,
            None => None,
        };
        // `*` is what people write for every address.
        let host = if host == "*" { "0.0.0.0" } else { host };
        (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| Self { host: host.to_owned(), port })
    }
}

/// How many connections may be on their way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxStartups {
    /// From here on new ones are dropped at random.
    pub start: u32,
    /// The chance at `start`, in percent, growing to all at `full`.
    pub rate: u32,
    /// From here on all are dropped.
    pub full: u32,
}

impl MaxStartups {
    /// Reads `full` or `start:rate:full`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n >= 1 && i32::try_from(*n).is_ok());
        let mut parts = text.split(':');
        let start = number(parts.next()?)?;
        let limits = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => Self { start, rate: 30, full: start },
            (Some(rate), Some(full), None) => Self { start, rate: number(rate)?, full: number(full)? },
            _ => return None,
        };
        (limits.start <= limits.full && limits.rate <= 100).then_some(limits)
    }
}

/// What happens when too many sources have penalties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The oldest penalty is forgotten.
    #[default]
    Permissive,
    /// Every source without a record is refused.
    DenyAll,
}

/// `PerSourcePenalties`: how long a source is refused for what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Penalties {
    /// Whether there are penalties at all.
    pub enabled: bool,
    /// A client made the server crash.
    pub crash: Duration,
    /// A login failed.
    pub auth_fail: Duration,
    /// A login as somebody who does not exist failed.
    pub invalid_user: Duration,
    /// The client went away without trying to log in.
    pub no_auth: Duration,
    /// The client did not log in within LoginGraceTime.
    pub grace_exceeded: Duration,
    /// RefuseConnection refused the client.
    pub refuse_connection: Duration,
    /// No penalty grows beyond this.
    pub max: Duration,
    /// Penalties below this are remembered and not enforced.
    pub min: Duration,
    /// IPv4 sources remembered.
    pub max_sources4: u32,
    /// IPv6 sources remembered.
    pub max_sources6: u32,
    /// When there are more IPv4 sources.
    pub overflow: Overflow,
    /// When there are more IPv6 sources.
    pub overflow6: Overflow,
}

impl Default for Penalties {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            enabled: true,
            crash: seconds(90),
            auth_fail: seconds(5),
            invalid_user: seconds(5),
            no_auth: seconds(1),
            grace_exceeded: seconds(10),
            refuse_connection: seconds(10),
            max: seconds(600),
            min: seconds(15),
            max_sources4: 65_536,
            max_sources6: 65_536,
            overflow: Overflow::Permissive,
            overflow6: Overflow::Permissive,
        }
    }
}

impl Penalties {
    /// What a word may be.
    pub const ALLOWED: &'static str = "no, yes, or words like crash:90s with crash, authfail, invaliduser, noauth, \
        grace-exceeded, refuseconnection, max, min, max-sources4, max-sources6, overflow, overflow6";

    /// From all words of all lines: the first word for each name wins.
    pub(super) fn of(words: &[String]) -> Self {
        let mut out = Self::default();
        // Applied from the last to the first, so that the first stays.
        for word in words.iter().rev() {
            out.set(word);
        }
        out
    }

    /// Applies one word; false when it means nothing.
    pub(super) fn set(&mut self, word: &str) -> bool {
        match word.to_ascii_lowercase().as_str() {
            "yes" => self.enabled = true,
            "no" => self.enabled = false,
            lower => {
                let Some((name, value)) = lower.split_once(':') else { return false };
                return self.set_named(name, value).is_some();
            }
        }
        true
    }

    fn set_named(&mut self, name: &str, value: &str) -> Option<()> {
        let overflow = || match value {
            "permissive" => Some(Overflow::Permissive),
            "deny-all" => Some(Overflow::DenyAll),
            _ => None,
        };
        let count = || value.parse::<u32>().ok().filter(|n| *n > 0);
        match name {
            "crash" => self.crash = time::fine_span(value)?,
            "authfail" => self.auth_fail = time::fine_span(value)?,
            "invaliduser" => self.invalid_user = time::fine_span(value)?,
            "noauth" => self.no_auth = time::fine_span(value)?,
            "grace-exceeded" => self.grace_exceeded = time::fine_span(value)?,
            "refuseconnection" => self.refuse_connection = time::fine_span(value)?,
            "max" => self.max = time::fine_span(value)?,
            "min" => self.min = time::fine_span(value)?,
            "max-sources4" => self.max_sources4 = count()?,
            "max-sources6" => self.max_sources6 = count()?,
            "overflow" => self.overflow = overflow()?,
            "overflow6" => self.overflow6 = overflow()?,
            _ => return None,
        }
        Some(())
    }

    /// As printed by `sshd -T`.
    pub(super) fn printed(&self) -> String {
        if !self.enabled {
            return "no".to_owned();
        }
        let word = |overflow| if overflow == Overflow::DenyAll { "deny-all" } else { "permissive" };
        format!(
            "crash:{} authfail:{} invaliduser:{} noauth:{} grace-exceeded:{} refuseconnection:{} max:{} min:{} \
             max-sources4:{} max-sources6:{} overflow:{} overflow6:{}",
            self.crash.as_secs_f64(),
            self.auth_fail.as_secs_f64(),
            self.invalid_user.as_secs_f64(),
            self.no_auth.as_secs_f64(),
            self.grace_exceeded.as_secs_f64(),
            self.refuse_connection.as_secs_f64(),
            self.max.as_secs_f64(),
            self.min.as_secs_f64(),
            self.max_sources4,
            self.max_sources6,
            word(self.overflow),
            word(self.overflow6),
        )
    }
}

/// A subsystem and the command that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subsystem {
    /// Its name, such as `sftp`.
    pub name: String,
    /// The command, `internal-sftp` for the one built in.
    pub command: String,
}
