//! Time as the engine knows it: a number that comes in with each input.

use std::fmt;
use std::time::Duration;

/// Milliseconds since 1970-01-01 00:00 UTC. The engine never lets it run backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

impl Time {
    /// This much later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This much earlier, at the earliest 1970.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Now, or just after this one where clocks disagree: what is written later is the newer.
    pub fn newer(self, now: Self) -> Self {
        now.max(Self(self.0.saturating_add(1)))
    }

    /// How long ago `earlier` was; zero if it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `hh:mm:ss` at `offset_minutes` east of UTC.
    pub fn clock(self, offset_minutes: i32) -> String {
        let seconds = i128::from(self.0 / 1000) + i128::from(offset_minutes) * 60;
        let of_day = seconds.rem_euclid(86_400);
        format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
    }
}

/// Reads `90`, `90s`, `15m`, `1h`, `2d`, `1w` and sums such as `1h30m`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut number: Option<u64> = None;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit))?);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    let rest = match (number, total) {
        (None, 0) if !text.contains('0') => return None,
        (number, _) => number.unwrap_or(0),
    };
    Some(Duration::from_secs(total.checked_add(rest)?))
}

/// A duration in the words of [`parse_duration`]: `1h30m`.
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_secs();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, name) in [(604_800, 'w'), (86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')] {
            if left >= unit {
                write!(f, "{}{name}", left / unit)?;
                left %= unit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write_the_same() {
        for text in ["1s", "15m", "1h", "1h30m", "2d", "1w2d3h4m5s"] {
            assert_eq!(Span(parse_duration(text).unwrap()).to_string(), text);
        }
        assert_eq!(parse_duration("90"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        for bad in ["", "m", "1x", "hour", "-1s", "99999999999999999999w", "1 h"] {
            assert_eq!(parse_duration(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_clock_knows_zones() {
        assert_eq!(Time(1_000 * (14 * 3600 + 30 * 60 + 15)).clock(0), "14:30:15");
        assert_eq!(Time(0).clock(-60), "23:00:00");
        assert_eq!(Time(0).clock(90), "01:30:00");
    }
}
