//! How connections end, what of it is an offence, and what a refused peer and the log are told.

use std::fmt;
use std::time::Duration;

/// How a connection ended, as far as its source is to answer for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last attempt to log in failed, or the attempts ran out.
    AuthFailed {
        /// The user asked for does not exist.
        invalid_user: bool,
    },
    /// Ended before login by nobody's fault: a shutdown, an evicted peer that is to be spared, a lost network.
    Clean,
    /// The server's part of the connection panicked or died of a signal, before login or after.
    Crash,
    /// `LoginGraceTime` ran out.
    GraceExceeded,
    /// Ended after login.
    LoggedIn,
    /// Ended before the first attempt to log in.
    NoAuth,
    /// The configuration refuses this connection (`RefuseConnection`).
    RefusedByPolicy,
}

impl Ending {
    pub(super) fn offence(self) -> Option<Offence> {
        match self {
            Self::AuthFailed { invalid_user: false } => Some(Offence::AuthFailed),
            Self::AuthFailed { invalid_user: true } => Some(Offence::InvalidUser),
            Self::Crash => Some(Offence::Crash),
            Self::GraceExceeded => Some(Offence::GraceExceeded),
            Self::NoAuth => Some(Offence::NoAuth),
            Self::RefusedByPolicy => Some(Offence::RefusedByPolicy),
            Self::Clean | Self::LoggedIn => None,
        }
    }
}

/// What a source is penalised for. Displays as the phrase for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// Failed to log in.
    AuthFailed,
    /// Crashed the server's part of a connection.
    Crash,
    /// Did not log in within `LoginGraceTime`.
    GraceExceeded,
    /// Tried to log in as a user that does not exist.
    InvalidUser,
    /// Connected and left without trying to log in.
    NoAuth,
    /// Was refused by `RefuseConnection`.
    RefusedByPolicy,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthFailed => "failed login (authfail)",
            Self::Crash => "crash of its connection (crash)",
            Self::GraceExceeded => "LoginGraceTime exceeded (grace-exceeded)",
            Self::InvalidUser => "login as an unknown user (invaliduser)",
            Self::NoAuth => "left without trying to log in (noauth)",
            Self::RefusedByPolicy => "connection refused by configuration (refuseconnection)",
        })
    }
}

/// Why a newcomer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its source is under an enforced penalty.
    Penalised {
        /// Until the penalty runs out.
        remaining: Duration,
        /// The latest offence of the source.
        offence: Offence,
    },
    /// So many sources have penalties that no more can be remembered, and `overflow` is `deny-all`.
    PenaltiesFull {
        /// Until the first of the penalties runs out.
        remaining: Duration,
    },
    /// Its source has `PerSourceMaxStartups` connections that are not logged in.
    TooManyFromSource,
    /// `MaxStartups`: full, or the random early drop hit, with nobody to evict.
    TooManyStartups,
}

impl Refusal {
    /// What the peer is told before it is closed: one line of printable ASCII without its line end, fit to stand
    /// where a server may write before its identification string (RFC 4253 §4.2). It names no other peer and no user.
    pub fn line(&self) -> String {
        match self {
            Self::Penalised { remaining, .. } => format!(
                "Refused: failed logins or faults from your network; try again in {}.",
                whole_seconds(*remaining)
            ),
            Self::PenaltiesFull { remaining } => {
                format!("Refused: the server is under attack; try again in {}.", whole_seconds(*remaining))
            }
            Self::TooManyFromSource => {
                "Refused: too many connections from your network are not logged in yet; try again later.".to_owned()
            }
            Self::TooManyStartups => {
                "Refused: too many connections to this server are not logged in yet; try again shortly.".to_owned()
            }
        }
    }

    /// What the log says, with the setting that decided.
    pub fn reason(&self) -> String {
        match self {
            Self::Penalised { remaining, offence } => {
                format!("PerSourcePenalties: {:.3} s left, last for: {offence}", remaining.as_secs_f64())
            }
            Self::PenaltiesFull { remaining } => format!(
                "PerSourcePenalties: too many penalised sources and overflow is deny-all; the first runs out in {:.3} s",
                remaining.as_secs_f64()
            ),
            Self::TooManyFromSource => "PerSourceMaxStartups reached".to_owned(),
            Self::TooManyStartups => "past MaxStartups".to_owned(),
        }
    }
}

/// Rounded up: a peer that waits as long as it was told must not come too early.
fn whole_seconds(time: Duration) -> String {
    let up = u64::from(time.subsec_nanos() > 0);
    format!("{} s", time.as_secs().saturating_add(up))
}
