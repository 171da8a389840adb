//! How much may be under way: bytes and requests unanswered, and bytes a second.

use std::time::{Duration, Instant};

/// The fewest bytes under way that are allowed: what a fast path needs before its rate is known.
const SMALLEST: u64 = 4 * 1024 * 1024;

/// The most: 640 MB a second over a round trip of 100 ms.
const LARGEST: u64 = 64 * 1024 * 1024;

/// How often the rate is taken.
const TICK: Duration = Duration::from_millis(100);

/// Bytes and requests that are not answered yet. The window follows the rate: about a second's worth, so that a round
/// trip of up to that is filled, and a slow path can still be cancelled and resumed without much being lost.
#[derive(Debug)]
pub(super) struct Window {
    bytes: u64,
    requests: usize,
    most_requests: usize,
    size: u64,
    answered: u64,
    since: Instant,
}

impl Window {
    pub(super) fn new(most_requests: usize, now: Instant) -> Self {
        Self { bytes: 0, requests: 0, most_requests, size: SMALLEST, answered: 0, since: now }
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.size && self.requests < self.most_requests
    }

    pub(super) fn sent(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.requests += 1;
    }

    pub(super) fn answered(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.requests = self.requests.saturating_sub(1);
        self.answered += bytes;
    }

    /// Follows the rate.
    pub(super) fn tick(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed < TICK {
            return;
        }
        let a_second = u128::from(self.answered) * 1000 / passed.as_millis().max(1);
        let wanted = u64::try_from(a_second).unwrap_or(LARGEST).clamp(SMALLEST, LARGEST);
        // A pause is no reason to begin anew.
        self.size = wanted.max(self.size / 2).max(SMALLEST);
        (self.answered, self.since) = (0, now);
    }
}

/// A token bucket: a tenth of a second's bytes may go at once.
#[derive(Debug)]
pub(super) struct Limit {
    rate: u64,
    /// Bytes that may go, in millionths; below 0 after a piece that was larger than what there was.
    tokens: i128,
    filled: Instant,
}

impl Limit {
    pub(super) fn new(rate: u64, now: Instant) -> Self {
        Self { rate: rate.max(1), tokens: 0, filled: now }
    }

    /// How long until something may go; none: now.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        let rate = i128::from(self.rate);
        let passed = i128::try_from(now.saturating_duration_since(self.filled).as_micros()).unwrap_or(0);
        self.tokens = (self.tokens + passed * rate).min(rate * 100_000);
        self.filled = now;
        if self.tokens >= 0 {
            return None;
        }
        Some(Duration::from_micros(u64::try_from(-self.tokens / rate + 1).unwrap_or(u64::MAX)))
    }

    pub(super) fn take(&mut self, bytes: u64) {
        self.tokens -= i128::from(bytes) * 1_000_000;
    }

    /// A piece that takes no longer than about an eighth of a second.
    pub(super) fn piece(&self, most: u32) -> u32 {
        u32::try_from(self.rate / 8).unwrap_or(most).clamp(1024.min(most), most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_over_time() {
        let start = Instant::now();
        let (mut now, mut limit, mut sent) = (start, Limit::new(100_000, start), 0u64);
        let piece = u64::from(limit.piece(255 * 1024));
        assert_eq!(piece, 12_500);
        while now < start + Duration::from_secs(20) {
            match limit.wait(now) {
                Some(wait) => now += wait,
                None => {
                    limit.take(piece);
                    sent += piece;
                }
            }
        }
        assert!((1_980_000..2_040_000).contains(&sent), "{sent} in 20 seconds");
    }

    #[test]
    fn the_window_grows_to_fill_a_long_path_and_is_small_on_a_slow_one() {
        let round_trip = Duration::from_millis(100);
        for (rate_limit, smallest, largest) in [(u64::MAX, LARGEST, LARGEST), (1_000_000, SMALLEST, SMALLEST)] {
            let mut now = Instant::now();
            let mut window = Window::new(10_000, now);
            for _ in 0..40 {
                let mut sent = 0;
                while window.has_room() && sent + 4096 <= rate_limit / 10 {
                    window.sent(4096);
                    sent += 4096;
                }
                now += round_trip;
                (0..sent / 4096).for_each(|_| window.answered(4096));
                window.tick(now);
            }
            assert!((smallest..=largest).contains(&window.size), "{}", window.size);
        }
    }
}
