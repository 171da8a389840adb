//! "Last login: Sat Nov 21 09:00:00 2026 from 127.0.0.1" (PrintLastLog).

use nacre_sys::clock;
use nacre_sys::records::LastLogin;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;

/// The line about it, without its end.
pub fn line(last: &LastLogin) -> String {
    let when = date(seconds(last.time));
    match last.host.as_str() {
        "" => format!("Last login: {when}"),
        host => format!("Last login: {when} from {host}"),
    }
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix = i64::try_from(since.as_secs()).unwrap_or(0);
    unix + clock::utc_offset(unix)
}

/// As ctime(3) writes it, of local seconds since 1970.
fn date(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    let (hour, minute, second) = time.to_hms();
    format!("{weekday:.3} {month:.3} {:>2} {hour:02}:{minute:02}:{second:02} {}", time.day(), time.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_ctime_writes_them() {
        for (seconds, text) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (951_782_399, "Mon Feb 28 23:59:59 2000"),
            (951_782_400, "Tue Feb 29 00:00:00 2000"),
            (1_709_164_800, "Thu Feb 29 00:00:00 2024"),
            (1_795_251_600, "Sat Nov 21 09:00:00 2026"),
            (4_107_542_400, "Mon Mar  1 00:00:00 2100"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }
}
