//! A point in time as it comes in from outside.

/// A point in time, with where the local clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970 began, UTC.
    pub unix: u64,
    /// Seconds that local time is ahead of UTC.
    pub offset: i64,
}

impl Moment {
    /// The moment of every run with a seed.
    pub const FIXED: Self = Self { unix: 1_700_058_610, offset: 0 };

    /// Local time as `hh:mm:ss`.
    pub fn hms(self) -> String {
        let second = self.local().rem_euclid(86_400);
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    /// Seconds since 1970 began on the local clock.
    pub fn local(self) -> i64 {
        i64::try_from(self.unix).unwrap_or(i64::MAX).saturating_add(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn lab_local_time_is_told() {
        assert_eq!(Moment::FIXED.hms(), "14:30:10");
        assert_eq!(Moment { unix: 3600, offset: -7200 }.hms(), "23:00:00");
    }
}
