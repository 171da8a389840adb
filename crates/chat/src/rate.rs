//! How fast one session may speak: so many at once, then one for each interval. Who is faster waits.

use crate::limits::{BURST, REFILL};
use crate::time::Time;

/// A bucket of [`BURST`] lines that refills one each [`REFILL`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// When the bucket will be full again.
    full_at: Time,
}

impl Rate {
    /// Takes one if there is one.
    pub fn take(&mut self, now: Time) -> bool {
        if self.next(now) > now {
            return false;
        }
        self.full_at = self.full_at.max(now).after(REFILL);
        true
    }

    /// When the next one may be taken; now or earlier if at once.
    pub fn next(&self, now: Time) -> Time {
        self.full_at.max(now).before(REFILL * (BURST - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_two_a_second() {
        let mut rate = Rate::default();
        let start = Time(1_000_000);
        assert_eq!((0..10).filter(|_| rate.take(start)).count(), 5);
        assert_eq!(rate.next(start), Time(1_000_500));
        assert!(!rate.take(Time(1_000_499)));
        assert!(rate.take(Time(1_000_500)));
        assert!(!rate.take(Time(1_000_500)));
        assert_eq!((0..10).filter(|_| rate.take(Time(1_100_000))).count(), 5);
    }
}
