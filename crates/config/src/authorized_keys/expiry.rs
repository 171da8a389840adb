//! `expiry-time`: `YYYYMMDD[Z]` or `YYYYMMDDHHMM[SS][Z]`.

/// A date and time of day without a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// From 1970.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

/// When a key stops being accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// The time as written.
    pub civil: Civil,
    /// True with `Z`; otherwise the time is in the machine's own zone.
    pub utc: bool,
}

impl Expiry {
    /// Reads the text; `None` when it is no such time.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, utc) = match text.strip_suffix(['Z', 'z']) {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
            return None;
        }
        let two = |at: usize| match digits.get(at..at + 2) {
            Some(text) => text.parse::<u8>().ok(),
            None => Some(0),
        };
        let civil = Civil {
            year: digits.get(..4)?.parse().ok()?,
            month: two(4)?,
            day: two(6)?,
            hour: two(8)?,
            minute: two(10)?,
            second: two(12)?,
        };
        civil.is_real().then_some(Self { civil, utc })
    }

    /// Seconds since 1970 in UTC. `offset` is how far the machine's zone was east of UTC at that time, in seconds.
    pub fn instant(&self, offset: i64) -> i64 {
        self.civil.seconds() - if self.utc { 0 } else { offset }
    }

    /// True when the key is no longer accepted at `now` (seconds since 1970).
    pub fn is_past(&self, now: i64, offset: i64) -> bool {
        now >= self.instant(offset)
    }
}

impl Civil {
    fn is_real(&self) -> bool {
        let leap = self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return false,
        };
        self.year >= 1970 && (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second <= 60
    }

    /// Seconds since 1970, as if the time were UTC.
    fn seconds(&self) -> i64 {
        // Days by the civil calendar, counting years from March so that the leap day comes last.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let day_of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
        ((days * 24 + i64::from(self.hour)) * 60 + i64::from(self.minute)) * 60 + i64::from(self.second)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn formats() {
        let at = |text: &str| Expiry::parse(text).map(|e| e.instant(3_600));
        assert_eq!(at("19700101Z"), Some(0));
        assert_eq!(at("19700102"), Some(86_400 - 3_600));
        assert_eq!(at("200002291234Z"), Some(951_827_640));
        assert_eq!(at("20261121060005Z"), Some(1_795_240_805));
        for bad in [
            "",
            "Z",
            "2026",
            "20260229Z",
            "20261301",
            "2026112124",
            "202611212400",
            "2026-11-21",
            "19691231Z",
            "99999999999999",
        ] {
            assert_eq!(at(bad), None, "{bad:?}");
        }
        assert!(Expiry::parse("20200101Z").unwrap().is_past(1_795_240_805, 0));
        assert!(!Expiry::parse("20990101Z").unwrap().is_past(1_795_240_805, 0));
    }
}
