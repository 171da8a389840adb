//! Names that machines give: of lines, accounts, sessions, requests.

use crate::time::Time;
use std::fmt;
use std::str::FromStr;

/// Crockford's base 32, lower case: no i, l, o, u.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn write_ulid(value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for place in (0..26u32).rev() {
        let digit = usize::try_from((value >> (place * 5)) & 31).unwrap_or(0);
        write!(f, "{}", char::from(DIGITS.get(digit).copied().unwrap_or(b'0')))?;
    }
    Ok(())
}

fn read_ulid(text: &str) -> Result<u128, BadId> {
    if text.len() != 26 {
        return Err(BadId);
    }
    let mut value: u128 = 0;
    for byte in text.bytes() {
        let digit = DIGITS.iter().position(|d| *d == byte.to_ascii_lowercase()).ok_or(BadId)?;
        if value >> 123 != 0 {
            return Err(BadId);
        }
        value = (value << 5) | u128::try_from(digit).map_err(|_| BadId)?;
    }
    Ok(value)
}

/// The text is not 26 digits of Crockford's base 32 with a value under 2^128.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: 26 letters and digits are expected")
    }
}

impl std::error::Error for BadId {}

macro_rules! ulid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_ulid(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                read_ulid(text).map(Self)
            }
        }
    };
}

ulid! {
    /// One line: a ULID, so that later lines of one node sort later, and written as 26 letters and
    /// digits. It is the same on every node and doubles are known by it.
    LineId
}
ulid! {
    /// One account, for ever: nicks and keys come and go.
    AccountId
}

impl LineId {
    /// When its node made it.
    pub fn time(self) -> Time {
        Time(u64::try_from(self.0 >> 80).unwrap_or(u64::MAX))
    }

    /// The earliest id of that moment: what compares as "not before".
    pub fn earliest(time: Time) -> Self {
        Self(u128::from(time.0) << 80)
    }

    /// Four letters that are enough to mean it among recent lines: what `/reply` shows and takes.
    pub fn short(self) -> String {
        // Neighbouring ids differ in few bits and must not look alike: mixed as SplitMix64 does.
        let [high, low] = [self.0 >> 64, self.0].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
        let mut hash = high.rotate_left(32) ^ low;
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        let digit = |place: u32| {
            let value = usize::try_from((hash >> (44 + place * 5)) & 31).unwrap_or(0);
            char::from(DIGITS.get(value).copied().unwrap_or(b'0'))
        };
        (0..4).map(digit).collect()
    }
}

/// One connection to the engine, numbered by the embedder; a number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One question the engine asked; its answer brings the number back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Makes ids: 48 bits of time, 64 random bits of this run of the program, 16 bits that count.
/// So they grow on one node, and differ between nodes and runs.
#[derive(Debug)]
pub struct IdSource {
    run: u64,
    millis: u64,
    count: u16,
}

impl IdSource {
    /// `run` is 64 bits from the embedder's randomness, new at each start.
    pub fn new(run: u64) -> Self {
        Self { run, millis: 0, count: 0 }
    }

    /// The next one, greater than all before.
    pub fn next(&mut self, now: Time) -> u128 {
        if now.0 > self.millis {
            self.millis = now.0;
            self.count = 0;
        } else if let Some(count) = self.count.checked_add(1) {
            self.count = count;
        } else {
            self.millis = self.millis.saturating_add(1);
            self.count = 0;
        }
        (u128::from(self.millis & 0xffff_ffff_ffff) << 80) | (u128::from(self.run) << 16) | u128::from(self.count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_stands_or_falls() {
        let mut source = IdSource::new(7);
        let mut last = 0;
        for step in 0..200_000u64 {
            let id = source.next(Time(if step % 3 == 0 { 5 } else { 4 }));
            assert!(id > last);
            last = id;
        }
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        for value in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let text = LineId(value).to_string();
            assert_eq!(text.len(), 26);
            assert_eq!(text.parse::<LineId>().unwrap(), LineId(value));
            assert_eq!(text.to_uppercase().parse::<LineId>().unwrap(), LineId(value));
        }
        for bad in ["", "0", "8zzzzzzzzzzzzzzzzzzzzzzzzz", "0000000000000000000000000u", "000000000000000000000000000"]
        {
            assert_eq!(bad.parse::<LineId>(), Err(BadId), "{bad}");
        }
    }

    #[test]
    fn short_names_of_neighbours_differ() {
        let mut source = IdSource::new(9);
        let names: std::collections::HashSet<String> = (0..200).map(|_| LineId(source.next(Time(1))).short()).collect();
        assert!(names.len() >= 190, "{}", names.len());
    }
}
