//! `-l`: not more than so many bytes a second.

use std::time::{Duration, Instant};

/// The longest that may be caught up on after a pause.
const SLACK: Duration = Duration::from_millis(200);

/// Makes whoever moves bytes wait.
#[derive(Debug)]
pub struct Pace {
    limit: Option<u64>,
    /// When what was moved so far may have been moved.
    due: Instant,
}

impl Pace {
    /// At most `limit` bytes a second.
    pub fn new(limit: Option<u64>) -> Self {
        Self { limit: limit.filter(|limit| *limit > 0), due: Instant::now() }
    }

    /// Bytes were moved: returns when the next may be.
    pub fn spent(&mut self, bytes: u64) {
        let Some(limit) = self.limit else { return };
        let now = Instant::now();
        let from = now.checked_sub(SLACK).map_or(self.due, |earliest| self.due.max(earliest));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(limit);
        self.due = from + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        std::thread::sleep(self.due.saturating_duration_since(now));
    }
}
