//! Moments as ssh-keygen writes them, in local time.

use time::OffsetDateTime;

/// The last second that is shown: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// `YYYY-MM-DDTHH:MM:SS` of a second since 1970.
pub(super) fn long(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = parts(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// `YYYYMMDDTHHMMSS` of a second since 1970.
pub(super) fn compact(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = parts(seconds);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}")
}

fn parts(seconds: u64) -> [i32; 6] {
    let seconds = i64::try_from(seconds).unwrap_or(LAST_SECOND).min(LAST_SECOND);
    let here = seconds.saturating_add(nacre_sys::clock::utc_offset(seconds)).min(LAST_SECOND);
    let time = OffsetDateTime::from_unix_timestamp(here).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (time.date(), time.time());
    let small = [u8::from(date.month()), date.day(), clock.hour(), clock.minute(), clock.second()].map(i32::from);
    let [month, day, hour, minute, second] = small;
    [date.year(), month, day, hour, minute, second]
}
