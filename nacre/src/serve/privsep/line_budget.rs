//! How many lines a net process may bring to the log: enough for any honest one, too few to fill a disk.

use std::time::Instant;

/// Lines at once.
const MOST: f64 = 200.0;
/// Lines a second after that.
const RATE: f64 = 10.0;

/// What a net process may still say.
pub struct LineBudget {
    left: f64,
    since: Instant,
    told: bool,
}

/// What is to be done with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Write it.
    Write,
    /// Write instead that lines are left out from here on.
    Tell,
    /// Leave it out.
    Drop,
}

impl LineBudget {
    /// A full budget.
    pub fn new(now: Instant) -> Self {
        Self { left: MOST, since: now, told: false }
    }

    /// One line more.
    pub fn take(&mut self, now: Instant) -> Verdict {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        self.left = (self.left + passed * RATE).min(MOST);
        if self.left >= 1.0 {
            self.left -= 1.0;
            self.told = false;
            return Verdict::Write;
        }
        if std::mem::replace(&mut self.told, true) { Verdict::Drop } else { Verdict::Tell }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn u07_a_flood_of_lines_is_told_of_once_and_left_out() {
        let start = Instant::now();
        let mut budget = LineBudget::new(start);
        let verdicts: Vec<_> = (0..10_000).map(|_| budget.take(start)).collect();
        let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
        assert_eq!((count(Verdict::Write), count(Verdict::Tell)), (200, 1));
        let later = start + Duration::from_secs(1);
        assert_eq!((0..20).filter(|_| budget.take(later) == Verdict::Write).count(), 10);
    }
}
