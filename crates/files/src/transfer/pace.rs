//! How much may be under way: bytes and requests unanswered, and bytes a second.

use std::time::{Duration, Instant};

/// The fewest bytes under way that are allowed: what a fast path needs before its rate is known.
const SMALLEST: u64 = 4 * 1024 * 1024;

/// The most: 640 MB a second over a round trip of 100 ms.
const LARGEST: u64 = 64 * 1024 * 1024;

/// How often the rate is taken.
const TICK: Duration = Duration::from_millis(100);

/// How many round trips' worth may be under way: enough to find within a few of them what a far path carries.
const ROUND_TRIPS: u64 = 8;

/// Bytes and requests that are not answered yet. The window follows the rate times the shortest round trip seen, the one
/// that did not wait behind others: on a near path what is under way then stays in the processor's caches, and a slow path
/// can still be cancelled and resumed without much being lost.
#[derive(Debug)]
pub(super) struct Window {
    bytes: u64,
    requests: usize,
    most_requests: usize,
    size: u64,
    answered: u64,
    since: Instant,
    /// When a request was sent, and how many bytes were to be answered then, it included, for its answer to have come.
    timed: Option<(Instant, u64)>,
    round_trip: Duration,
}

impl Window {
    pub(super) fn new(most_requests: usize, now: Instant) -> Self {
        let round_trip = Duration::from_secs(1);
        Self { bytes: 0, requests: 0, most_requests, size: SMALLEST, answered: 0, since: now, timed: None, round_trip }
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.size && self.requests < self.most_requests
    }

    pub(super) fn sent(&mut self, bytes: u64, now: Instant) {
        self.bytes += bytes;
        self.requests += 1;
        self.timed.get_or_insert((now, self.bytes));
    }

    pub(super) fn answered(&mut self, bytes: u64, now: Instant) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.requests = self.requests.saturating_sub(1);
        self.answered += bytes;
        if let Some((sent, left)) = &mut self.timed {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                self.round_trip = self.round_trip.min(now.saturating_duration_since(*sent));
                self.timed = None;
            }
        }
    }

    /// Follows the rate.
    pub(super) fn tick(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed < TICK {
            return;
        }
        let a_round_trip = u128::from(self.answered) * self.round_trip.as_micros() / passed.as_micros().max(1);
        let wanted =
            u64::try_from(a_round_trip).unwrap_or(LARGEST).saturating_mul(ROUND_TRIPS).clamp(SMALLEST, LARGEST);
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

    /// The window's size after 40 round trips over a path that carries so many bytes in one.
    fn size_over(round_trip: Duration, carried: u64) -> u64 {
        let mut now = Instant::now();
        let mut window = Window::new(100_000, now);
        for _ in 0..40 {
            let mut sent = 0;
            while window.has_room() && sent + 4096 <= carried {
                window.sent(4096, now);
                sent += 4096;
            }
            now += round_trip;
            (0..sent / 4096).for_each(|_| window.answered(4096, now));
            window.tick(now);
        }
        window.size
    }

    #[test]
    fn the_window_grows_to_fill_a_long_path_and_is_small_on_a_slow_or_a_near_one() {
        assert_eq!(size_over(Duration::from_millis(100), u64::MAX), LARGEST);
        assert_eq!(size_over(Duration::from_millis(100), 100_000), SMALLEST);
        assert_eq!(size_over(Duration::from_micros(500), 250_000), SMALLEST);
    }

    #[test]
    fn what_waits_behind_others_does_not_make_a_path_longer() {
        let start = Instant::now();
        let mut window = Window::new(100_000, start);
        window.sent(4096, start);
        window.answered(4096, start + Duration::from_millis(1));
        let mut now = start + Duration::from_millis(1);
        while window.has_room() {
            window.sent(4096, now);
        }
        now += Duration::from_millis(1);
        // A gigabyte a second, and each waits behind all the others.
        for _ in 0..200_000 {
            now += Duration::from_micros(4);
            window.answered(4096, now);
            window.sent(4096, now);
            window.tick(now);
        }
        assert_eq!(window.round_trip, Duration::from_millis(1));
        assert!((SMALLEST..2 * SMALLEST + SMALLEST / 8).contains(&window.size), "{}", window.size);
    }
}
