//! The line of `ls -l` that READDIR gives with each name (draft §7).

use super::dispatch::links;
use super::people::People;
use rustix::fs::{FileType, Stat};
use std::io::Write;
use time::OffsetDateTime;

/// Files changed within half a year show the time of day, others the year, as ls does.
const RECENT: i64 = 365 * 24 * 60 * 60 / 2;

/// The line. The name's bytes are as they are: whoever shows it cleans it (threat U2).
pub fn longname(name: &[u8], stat: &Stat, people: &mut People, now: i64) -> Vec<u8> {
    let mut line = mode_text(stat.st_mode).to_vec();
    // Writing to memory does not fail.
    let _ = write!(line, "  {:3} ", links(stat));
    for owner in [people.user(stat.st_uid), people.group(stat.st_gid)] {
        line.extend_from_slice(owner.as_bytes());
        line.resize(line.len() + 8_usize.saturating_sub(owner.len()) + 1, b' ');
    }
    let _ = write!(line, "{:8} {} ", stat.st_size, date(stat.st_mtime, now));
    line.extend_from_slice(name);
    line
}

/// `Nov 21 13:05`, or `Nov 21  2024`, in the zone of the server.
fn date(seconds: i64, now: i64) -> String {
    let local = seconds.saturating_add(nacre_sys::clock::utc_offset(seconds));
    let Ok(date) = OffsetDateTime::from_unix_timestamp(local) else { return String::new() };
    let month = date.month().to_string();
    let month = month.get(..3).unwrap_or_default();
    if now.saturating_sub(RECENT) < seconds && now >= seconds {
        format!("{month} {:2} {:02}:{:02}", date.day(), date.hour(), date.minute())
    } else {
        format!("{month} {:2}  {}", date.day(), date.year())
    }
}

/// `20261121-13:05:00`, as the log has times.
pub fn stamp(seconds: u32) -> String {
    let seconds = i64::from(seconds);
    let local = seconds.saturating_add(nacre_sys::clock::utc_offset(seconds));
    let Ok(date) = OffsetDateTime::from_unix_timestamp(local) else { return String::new() };
    let (hour, minute, second) = date.to_hms();
    format!("{}{:02}{:02}-{hour:02}:{minute:02}:{second:02}", date.year(), u8::from(date.month()), date.day())
}

/// `drwxr-xr-x`.
fn mode_text(mode: u32) -> [u8; 10] {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => b'-',
        FileType::Directory => b'd',
        FileType::Symlink => b'l',
        FileType::CharacterDevice => b'c',
        FileType::BlockDevice => b'b',
        FileType::Fifo => b'p',
        FileType::Socket => b's',
        FileType::Unknown => b'?',
    };
    let bit = |mask: u32, letter: u8| if mode & mask != 0 { letter } else { b'-' };
    // The x of each class shares its place with a bit of another meaning.
    let last = |run: u32, special: u32, [both, alone]: [u8; 2]| match (mode & run != 0, mode & special != 0) {
        (true, true) => both,
        (false, true) => alone,
        (true, false) => b'x',
        (false, false) => b'-',
    };
    [
        kind,
        bit(0o400, b'r'),
        bit(0o200, b'w'),
        last(0o100, 0o4000, *b"sS"),
        bit(0o040, b'r'),
        bit(0o020, b'w'),
        last(0o010, 0o2000, *b"sS"),
        bit(0o004, b'r'),
        bit(0o002, b'w'),
        last(0o001, 0o1000, *b"tT"),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn modes_look_like_those_of_ls() {
        for (mode, text) in [
            (0o100_644, "-rw-r--r--"),
            (0o040_755, "drwxr-xr-x"),
            (0o120_777, "lrwxrwxrwx"),
            (0o104_755, "-rwsr-xr-x"),
            (0o102_640, "-rw-r-S---"),
            (0o041_777, "drwxrwxrwt"),
            (0o041_776, "drwxrwxrwT"),
            (0o020_620, "crw--w----"),
            (0o140_000, "s---------"),
        ] {
            assert_eq!(str::from_utf8(&mode_text(mode)).unwrap(), text);
        }
    }

    #[test]
    fn dates_show_the_year_when_they_are_old_or_to_come() {
        let now = 1_800_000_000;
        let clock = |text: &str| text.contains(':');
        assert!(clock(&date(now, now)) && clock(&date(now - RECENT + 1, now)));
        assert!(!clock(&date(now - RECENT, now)) && !clock(&date(now + 1, now)));
        assert_eq!(date(now - RECENT, now).len(), date(now, now).len());
        assert_eq!(date(i64::MAX, now), "");
    }
}
