//! The time that the machines are told.

use nacre_lab::Moment;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine's clock, or one that a seed has stopped.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    stopped: bool,
}

impl Clock {
    /// A clock of a run with or without a seed.
    pub const fn new(seed: Option<u64>) -> Self {
        Self { stopped: seed.is_some() }
    }

    /// Now.
    pub fn now(self) -> Moment {
        if self.stopped {
            return Moment::FIXED;
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
        Moment { unix, offset: nacre_sys::clock::utc_offset(i64::try_from(unix).unwrap_or(i64::MAX)) }
    }
}
