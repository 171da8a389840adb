//! How often screens are drawn, by how busy the machine is: everybody's frames come a little later before anybody's come
//! much later.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Between two frames of one session, at least, whatever arrives (threat U8).
pub(crate) const FRAME: Duration = Duration::from_millis(30);
/// Between two frames that nobody's key asked for, at most.
const SLOWEST: Duration = Duration::from_millis(250);
/// One measurement counts for so much of the mean.
const SHARE: u64 = 16;
/// So many times the mean lateness is put between two frames.
const FACTOR: u32 = 4;

/// How late sessions wake when they wanted to draw: the mean of the last ones, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU64);

impl Pace {
    /// A session woke so much later than it had asked for. Two that do so at once may count as one.
    pub(crate) fn woke_late(&self, by: Duration) {
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let mean = self.0.load(Ordering::Relaxed);
        self.0.store(mean - mean / SHARE + by.min(1_000_000) / SHARE, Ordering::Relaxed);
    }

    /// Time between two frames.
    pub(crate) fn frame(&self) -> Duration {
        let mean = Duration::from_micros(self.0.load(Ordering::Relaxed));
        (FRAME + mean * FACTOR).min(SLOWEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_less_often_while_wakings_are_late() {
        let pace = Pace::default();
        assert_eq!(pace.frame(), FRAME);
        for _ in 0..100 {
            pace.woke_late(Duration::from_millis(20));
        }
        assert!((Duration::from_millis(90)..Duration::from_millis(115)).contains(&pace.frame()), "{:?}", pace.frame());
        for _ in 0..100 {
            pace.woke_late(Duration::from_secs(10_000));
        }
        assert_eq!(pace.frame(), SLOWEST);
        for _ in 0..1_000 {
            pace.woke_late(Duration::ZERO);
        }
        assert!(pace.frame() < FRAME + Duration::from_millis(1));
    }
}
