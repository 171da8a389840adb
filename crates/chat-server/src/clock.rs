//! The time: that of the machine, but never backwards and never at a stand.

use nacre_chat::Time;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the clock stands: a time, and when it was that.
#[derive(Debug, Clone, Copy)]
struct Clock {
    time: Time,
    at: Instant,
}

impl Clock {
    /// The time, by the machine's clock `wall` at the moment `at`. Where that was set back, time goes on from where it was.
    fn read(&mut self, wall: Time, at: Instant) -> Time {
        let steady = self.time.after(at.saturating_duration_since(self.at));
        if wall >= steady {
            *self = Self { time: wall, at };
        }
        wall.max(steady)
    }
}

static CLOCK: Mutex<Option<Clock>> = Mutex::new(None);

/// Milliseconds since 1970.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (wall, at) = (Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)), Instant::now());
    let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    clock.get_or_insert(Clock { time: wall, at }).read(wall, at)
}

/// It is later than this, unless that is nonsense: what was said before the machine's clock was set back came first.
pub(crate) fn is_after(time: Time) {
    /// More than a clock is ever set back by.
    const NONSENSE: Duration = Duration::from_secs(24 * 3600);
    let now = now();
    if time > now && time.since(now) < NONSENSE {
        *CLOCK.lock().unwrap_or_else(PoisonError::into_inner) = Some(Clock { time, at: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let wall = |seconds: u64| Time(1_000_000 + seconds * 1000);
        let mut clock = Clock { time: wall(0), at: start };
        assert_eq!(clock.read(wall(5), later(5)), wall(5));
        // An hour back, and on.
        assert_eq!(clock.read(Time(0), later(6)), wall(6));
        assert_eq!(clock.read(Time(1000), later(7)), wall(7));
        // Set forward, and right again.
        assert_eq!(clock.read(wall(60), later(8)), wall(60));
        assert_eq!(clock.read(wall(9), later(9)), wall(61));
        assert_eq!(clock.read(wall(70), later(70)), wall(122));
    }
}
