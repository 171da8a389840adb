//! Records as JSON, one object a line, and back.

use super::record::{Bytes, Record, Row, Who};
use nacre_wire::text::clean;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// The longest trace that is read, in bytes.
pub const MAX_TRACE: u64 = 64 * 1024 * 1024;

/// The longest text of a trace that is kept, in bytes.
const MAX_TEXT: usize = 16 * 1024;

/// A record as it is written.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    row: Cow<'a, str>,
    step: u8,
    at_ms: f64,
    who: Cow<'a, str>,
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
    text: Cow<'a, str>,
    details: Details,
    #[serde(default = "once", skip_serializing_if = "is_once")]
    times: usize,
    #[serde(default, skip_serializing_if = "Shown::is_empty")]
    wire: Shown,
    #[serde(default, skip_serializing_if = "Shown::is_empty")]
    plain: Shown,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<Cow<'a, str>>,
}

const fn once() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
const fn is_once(times: &usize) -> bool {
    *times == 1
}

/// Bytes: how many, and the first of them in hexadecimal.
#[derive(Default, Serialize, Deserialize)]
struct Shown {
    count: usize,
    hex: String,
}

impl Shown {
    fn of(bytes: &Bytes) -> Self {
        Self { count: bytes.count, hex: super::message::hex(&bytes.first) }
    }

    const fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn bytes(&self) -> Result<Bytes, String> {
        let first = data_encoding::HEXLOWER_PERMISSIVE.decode(self.hex.as_bytes());
        let first = first.map_err(|error| format!("bytes that are not hexadecimal: {error}"))?;
        Ok(Bytes { count: self.count, ..Bytes::of(&first) })
    }
}

/// Labels and values in their order, as a JSON object.
struct Details(Vec<(String, String)>);

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(label, value)| (label, value)))
    }
}

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Details;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Details, A::Error> {
                let mut details = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    details.push(entry);
                }
                Ok(Details(details))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// One JSON object a record.
pub fn write(records: &[Record]) -> String {
    let mut out = String::new();
    for record in records {
        let line = Line {
            row: record.row.title().into(),
            step: record.step,
            at_ms: record.at.as_secs_f64() * 1000.0,
            who: record.who.word().into(),
            name: record.name.as_str().into(),
            message: record.message.as_deref().map(Cow::Borrowed),
            text: record.text.as_str().into(),
            details: Details(record.details.clone()),
            times: record.times,
            wire: Shown::of(&record.wire),
            plain: Shown::of(&record.plain),
            check: record.check.as_deref().map(Cow::Borrowed),
        };
        // A struct of texts and finite numbers is always written.
        out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        out.push('\n');
    }
    out
}

/// The records of a trace.
///
/// # Errors
/// The line that is none, and why.
pub fn read(text: &str) -> Result<Vec<Record>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let records: Result<Vec<Record>, String> =
        lines.map(|(at, line)| record(line).map_err(|problem| format!("line {}: {problem}", at + 1))).collect();
    match records {
        Ok(records) if records.is_empty() => Err("there is nothing in it".to_owned()),
        records => records,
    }
}

fn record(line: &str) -> Result<Record, String> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| format!("no step of a trace: {error}"))?;
    let row = Row::ALL.into_iter().find(|row| row.title() == line.row).ok_or("no such row")?;
    let who = [Who::Client, Who::Server, Who::Both].into_iter().find(|who| who.word() == line.who);
    let at = Duration::try_from_secs_f64(line.at_ms / 1000.0).map_err(|_| "no such time")?;
    if !(1..=9).contains(&line.step) {
        return Err("no such step".to_owned());
    }
    if line.times == 0 {
        return Err("a step that happened no times".to_owned());
    }
    let clean = |text: Cow<'_, str>| clean(text.as_bytes(), MAX_TEXT);
    let details = line.details.0.iter().map(|(label, value)| (clean(label.into()), clean(value.into()))).collect();
    Ok(Record {
        message: line.message.map(clean),
        times: line.times,
        wire: line.wire.bytes()?,
        plain: line.plain.bytes()?,
        check: line.check.map(clean),
        ..Record::new(at, (row, line.step, who.ok_or("nobody by that name")?), &clean(line.name), clean(line.text))
            .details(details)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample() -> Record {
        let place = (Row::Versions, 2, Who::Server);
        let record = Record::new(Duration::from_micros(1500), place, "ident", "a\"b<script>");
        let details = vec![("z".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
        Record {
            message: Some("KEXINIT (20)".to_owned()),
            times: 3,
            wire: Bytes { count: 9000, ..Bytes::of(&[1, 2, 255]) },
            check: Some("true".to_owned()),
            ..record.details(details)
        }
    }

    #[test]
    fn a_trace_is_one_object_a_line_and_reads_back_as_it_was() {
        let records = [sample(), Record::new(Duration::ZERO, (Row::End, 9, Who::Both), "end", "x")];
        let text = write(&records);
        assert_eq!(text.lines().count(), 2);
        assert_eq!(read(&text).unwrap(), records);
    }

    #[test]
    fn what_is_no_trace_is_refused_by_its_line() {
        let good = write(&[sample()]);
        for (bad, said) in [
            ("", "nothing"),
            ("hello\n", "line 1"),
            (&good.replace("versions", "v"), "no such row"),
            (&good.replace("\"server\"", "\"nobody\""), "nobody"),
            (&good.replace("1.5", "-1.5"), "no such time"),
            (&good.replace("\"step\":2", "\"step\":10"), "no such step"),
            (&good.replace("\"times\":3", "\"times\":0"), "no times"),
            (&good.replace("0102ff", "0102f"), "hexadecimal"),
            (&format!("{good}{{}}\n"), "line 2"),
        ] {
            let problem = read(bad).unwrap_err();
            assert!(problem.contains(said), "{problem}");
        }
    }
}
