//! The choices that client keywords offer, as types.

use std::time::Duration;

/// Which addresses to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressFamily {
    /// Both.
    #[default]
    Any,
    /// IPv4 only.
    Inet,
    /// IPv6 only.
    Inet6,
}

impl AddressFamily {
    /// From the printed word.
    pub fn of(word: &str) -> Self {
        match word {
            "inet" => Self::Inet,
            "inet6" => Self::Inet6,
            _ => Self::Any,
        }
    }
}

/// What to do about a host key that is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StrictHostKeyChecking {
    /// Refuse what is not on record.
    Yes,
    /// Ask about new keys, refuse changed ones.
    #[default]
    Ask,
    /// Record new keys without asking, refuse changed ones.
    AcceptNew,
    /// Record new keys, and go on (with less allowed) when one changed.
    Off,
}

impl StrictHostKeyChecking {
    pub(super) fn of(word: &str) -> Self {
        match word {
            "true" => Self::Yes,
            "false" => Self::Off,
            "accept-new" => Self::AcceptNew,
            _ => Self::Ask,
        }
    }
}

/// Whether to learn host keys that the server announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpdateHostKeys {
    /// Yes.
    #[default]
    Yes,
    /// No.
    No,
    /// Ask first.
    Ask,
}

impl UpdateHostKeys {
    pub(super) fn of(word: &str) -> Self {
        match word {
            "false" => Self::No,
            "ask" => Self::Ask,
            _ => Self::Yes,
        }
    }
}

/// Where the agent is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IdentityAgent {
    /// At the path in `SSH_AUTH_SOCK`.
    #[default]
    Environment,
    /// Nowhere.
    None,
    /// At this path.
    Path(String),
}

/// Whether keys that were read go to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddKeysToAgent {
    /// They stay out.
    #[default]
    No,
    /// They go in.
    Yes {
        /// The agent asks before each use.
        confirm: bool,
        /// The agent forgets them after this long.
        lifetime: Option<Duration>,
    },
    /// The person is asked.
    Ask,
}

impl AddKeysToAgent {
    pub(super) fn of(printed: &str) -> Self {
        let seconds = |text: &str| text.trim().parse().ok().map(Duration::from_secs);
        match printed {
            "false" => Self::No,
            "true" => Self::Yes { confirm: false, lifetime: None },
            "ask" => Self::Ask,
            other => match other.strip_prefix("confirm") {
                Some(rest) => Self::Yes { confirm: true, lifetime: seconds(rest) },
                None => Self::Yes { confirm: false, lifetime: seconds(other) },
            },
        }
    }
}

/// Whether a connection is shared with those who call the same host later (`ControlMaster`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ControlMaster {
    /// Somebody else's is used where there is one; ours is not shared.
    #[default]
    No,
    /// Ours is shared.
    Yes,
    /// Ours is shared, and the person is asked each time.
    Ask,
    /// Somebody else's is used where there is one, otherwise ours is shared.
    Auto,
    /// As [`ControlMaster::Auto`], and the person is asked each time.
    AutoAsk,
}

impl ControlMaster {
    pub(super) fn of(word: &str) -> Self {
        match word {
            "true" => Self::Yes,
            "ask" => Self::Ask,
            "auto" => Self::Auto,
            "autoask" => Self::AutoAsk,
            _ => Self::No,
        }
    }

    /// Whether a connection of somebody else's may be used.
    pub fn joins(self) -> bool {
        matches!(self, Self::No | Self::Auto | Self::AutoAsk)
    }

    /// Whether the person is asked before anything is shared.
    pub fn asks(self) -> bool {
        matches!(self, Self::Ask | Self::AutoAsk)
    }
}

/// Whether to ask the server for a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestTty {
    /// For a shell, when there is one here.
    #[default]
    Auto,
    /// Never (`-T`).
    No,
    /// When there is one here (`-t`).
    Yes,
    /// Always (`-tt`).
    Force,
}

impl RequestTty {
    pub(super) fn of(word: &str) -> Self {
        match word {
            "false" => Self::No,
            "true" => Self::Yes,
            "force" => Self::Force,
            _ => Self::Auto,
        }
    }
}

/// What kind of session to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionType {
    /// A shell or a command.
    #[default]
    Default,
    /// None (`-N`).
    None,
    /// The command is a subsystem's name (`-s`).
    Subsystem,
}

impl SessionType {
    pub(super) fn of(word: &str) -> Self {
        match word {
            "none" => Self::None,
            "subsystem" => Self::Subsystem,
            _ => Self::Default,
        }
    }
}

/// How much to say, from nothing upwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Nothing.
    Quiet,
    /// What ends the program.
    Fatal,
    /// What fails.
    Error,
    /// What a person should know.
    #[default]
    Info,
    /// What an operator may want to know.
    Verbose,
    /// For finding mistakes.
    Debug1,
    /// More.
    Debug2,
    /// All.
    Debug3,
}

impl LogLevel {
    /// From the printed word.
    pub fn of(word: &str) -> Self {
        match word {
            "QUIET" => Self::Quiet,
            "FATAL" => Self::Fatal,
            "ERROR" => Self::Error,
            "VERBOSE" => Self::Verbose,
            "DEBUG" => Self::Debug1,
            "DEBUG2" => Self::Debug2,
            "DEBUG3" => Self::Debug3,
            _ => Self::Info,
        }
    }
}
