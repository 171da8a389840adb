//! The two forms of a line in the log.

use serde_json::Value;
use std::fmt::Write as _;
use std::time::SystemTime;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;
use tracing::Level;

/// A message before it has a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How grave it is.
    pub level: Level,
    /// Its stable name.
    pub event: &'static str,
    /// What a person reads.
    pub text: String,
    /// What a program reads, by stable names.
    pub fields: Vec<(&'static str, Value)>,
}

/// One JSON object, without the line feed.
pub fn json(line: &Line, now: SystemTime) -> String {
    let mut out = String::from("{");
    let own = [
        ("time", Value::from(date_and_time(now))),
        ("level", Value::from(level_name(line.level))),
        ("pid", Value::from(std::process::id())),
        ("event", Value::from(line.event)),
    ];
    let text = [("message", Value::from(line.text.as_str()))];
    for (name, value) in own.iter().chain(&line.fields).chain(&text) {
        let comma = if out.len() > 1 { "," } else { "" };
        let _ = write!(out, "{comma}\"{name}\":");
        push_value(&mut out, value);
    }
    out.push('}');
    out
}

/// JSON escapes C0 alone; other characters that some readers take for the end of a line may stand only
/// within strings, where they can be escaped too.
fn push_value(out: &mut String, value: &Value) {
    for c in value.to_string().chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// A moment as RFC 3339 has it, to the millisecond, with the offset of the machine's zone.
pub fn date_and_time(now: SystemTime) -> String {
    let utc = OffsetDateTime::from(now);
    let offset = i32::try_from(nacre_sys::clock::utc_offset(utc.unix_timestamp())).unwrap_or(0);
    let offset = UtcOffset::from_whole_seconds(offset).unwrap_or(UtcOffset::UTC);
    let local = utc.to_offset(offset);
    let nanoseconds = local.millisecond();
    // The library leaves out zeros at the end; columns are easier to read.
    let whole = local.replace_nanosecond(0).unwrap_or(local).format(&Rfc3339).unwrap_or_default();
    match whole.get(..19).zip(whole.get(19..)) {
        Some((seconds, zone)) => format!("{seconds}.{nanoseconds:03}{}", if zone == "Z" { "+00:00" } else { zone }),
        None => whole,
    }
}

/// The same text on one line: whatever could end it or move a cursor is shown as its number. Peers'
/// text is cleaned where it comes in; this is for what nobody thought of.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn u07_whatever_a_text_holds_it_is_one_line_in_both_forms() {
        for text in ["a\nAccepted publickey for root", "a\r\nb", "\u{2028}x", "\u{85}", "\x1b[2J", "\0", "\"},{\""] {
            let line = Line {
                level: Level::INFO,
                event: "message",
                text: text.to_owned(),
                fields: vec![("user", Value::from(text))],
            };
            let json = json(&line, SystemTime::now());
            assert!(!json.contains(|c: char| c.is_control() || c == '\u{2028}'), "{json}");
            let value: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value["message"], text);
            assert_eq!(value["user"], text);
            assert!(!one_line(text).contains(|c: char| c.is_control() || c == '\u{2028}'));
        }
    }

    #[test]
    fn times_have_milliseconds_and_an_offset() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_000_070);
        let text = date_and_time(moment);
        let (seconds, rest) = text.split_at(19);
        assert_eq!(rest.split_at(4).0, ".070");
        let offset = nacre_sys::clock::utc_offset(1_000_000_000);
        if offset == 0 {
            assert_eq!((seconds, rest), ("2001-09-09T01:46:40", ".070+00:00"));
        }
        let digits = |text: &str| text.parse::<i64>().unwrap();
        let (hours, minutes) = (digits(&rest[4..7]), digits(&rest[8..10]));
        assert_eq!(hours * 3600 + hours.signum() * minutes * 60, offset);
    }
}
