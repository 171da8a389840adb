//! One JSON object a line: `start`, `progress`, `verified`, `done`, `failed`, `note`, `total`.

use super::{Moving, Totals};
use data_encoding::BASE64;
use nacre_files::transfer::{How, Proof};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{BufWriter, Stdout, Write};
use std::time::{Duration, Instant};

/// The least time between two `progress` objects.
const STEP: Duration = Duration::from_millis(200);
/// The most files that one `progress` object lists.
const MAX_FILES: usize = 64;

/// Writes the objects.
#[derive(Debug)]
pub(super) struct Json {
    out: BufWriter<Stdout>,
    told: Instant,
}

impl Default for Json {
    fn default() -> Self {
        Self { out: BufWriter::new(std::io::stdout()), told: Instant::now() }
    }
}

/// A name as `name`, and its very bytes as `name_base64` where they are no UTF-8.
fn with_name(mut object: Value, name: &[u8]) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.insert("name".to_owned(), String::from_utf8_lossy(name).into());
        if std::str::from_utf8(name).is_err() {
            object.insert("name_base64".to_owned(), BASE64.encode(name).into());
        }
    }
    object
}

impl Json {
    fn put(&mut self, object: &Value) {
        // A reader that has gone does not stop the transfer.
        let _ = writeln!(self.out, "{object}");
    }

    pub(super) fn start(&mut self, id: u64, moving: &Moving, how: How) {
        let (size, at) = (moving.size, moving.resumed_at);
        let mut object = json!({"event": "start", "id": id, "size": size, "resumed_at": at});
        let checked_by = match how {
            How::Fresh => None,
            How::Hash => Some("hash"),
            How::ReadBack => Some("read back"),
            How::SizeAndTime => Some("size and time"),
            How::Mismatch => Some("mismatch"),
        };
        if let (Some(how), Some(object)) = (checked_by, object.as_object_mut()) {
            object.insert("resumed_by".to_owned(), how.into());
        }
        self.put(&with_name(object, &moving.name));
    }

    pub(super) fn refresh(&mut self, moving: &BTreeMap<u64, Moving>, totals: &Totals) {
        if self.told.elapsed() < STEP {
            return;
        }
        self.told = Instant::now();
        let under_way = moving.iter().take(MAX_FILES).map(|(id, moving)| (id.to_string(), moving.done.into()));
        let under_way: Map<String, Value> = under_way.collect();
        self.put(&json!({
            "event": "progress", "files": totals.files, "of_files": totals.planned_files,
            "bytes": totals.bytes, "of_bytes": totals.planned_bytes, "under_way": under_way,
        }));
        let _ = self.out.flush();
    }

    pub(super) fn verified(&mut self, id: u64, how: Proof) {
        let how = match how {
            Proof::Hash => "hash",
            Proof::ReadBack => "read back",
        };
        self.put(&json!({"event": "verified", "id": id, "by": how}));
    }

    pub(super) fn done(&mut self, id: u64, bytes: u64, seconds: f64) {
        self.put(&json!({"event": "done", "id": id, "bytes": bytes, "seconds": seconds}));
    }

    pub(super) fn failed(&mut self, id: Option<u64>, name: &[u8], error: &str, left: Option<&Moving>) {
        let kept = left.map_or(0, |left| left.done);
        self.put(&with_name(json!({"event": "failed", "id": id, "error": error, "kept": kept}), name));
        let _ = self.out.flush();
    }

    pub(super) fn note(&mut self, text: &str) {
        self.put(&json!({"event": "note", "text": text}));
    }

    pub(super) fn total(&mut self, totals: &Totals, seconds: f64) {
        let (files, bytes, moved, failed) = (totals.files, totals.bytes, totals.moved, totals.failed);
        self.put(&json!({
            "event": "total", "files": files, "bytes": bytes, "moved": moved, "failed": failed, "seconds": seconds,
        }));
        let _ = self.out.flush();
    }
}
