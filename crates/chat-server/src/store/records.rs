//! Accounts, rooms and bans, each whole as one JSON text: they are read all at once at the start
//! and written one at a time, so columns would serve nobody but an operator with `sqlite3`.

use crate::clock::now;
use crate::json_text::record::{read, write};
use nacre_chat::{LineId, Record, RecordKey};
use rusqlite::{Connection, params};
use serde_json::Value;
use std::time::Duration;

/// Writes a record in place of the one with its key.
pub(super) fn put(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    let (kind, key) = key(&record.key());
    connection
        .prepare_cached("INSERT OR REPLACE INTO records (kind, key, value) VALUES (?1, ?2, ?3)")?
        .execute(params![kind, key, write(record).to_string()])
        .map(drop)
}

/// Deletes a record, and with a room's its lines.
pub(super) fn delete(connection: &Connection, of: &RecordKey) -> rusqlite::Result<()> {
    let (kind, key) = key(of);
    if let RecordKey::Room(_) = of {
        forget(connection, &key)?;
    }
    connection.prepare_cached("DELETE FROM records WHERE kind = ?1 AND key = ?2")?.execute(params![kind, key]).map(drop)
}

/// All records. One that cannot be read stops the start: going on would give its nick away.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare("SELECT kind, key, value FROM records WHERE kind <> 'forgotten'")?;
    let rows = statement.query_map([], |row| {
        let (kind, key, text): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        serde_json::from_str::<Value>(&text).ok().and_then(|value| read(&kind, &value)).ok_or_else(|| {
            let what = format!("the record of {kind} {key} cannot be read");
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, what.into())
        })
    })?;
    rows.collect()
}

/// The rooms that say how long their lines are kept.
pub(super) fn kept(connection: &Connection) -> rusqlite::Result<Vec<(String, Duration)>> {
    let text = "SELECT key, json_extract(value, '$.modes.keep') AS keep FROM records WHERE kind = 'room' AND keep > 0";
    let mut statement = connection.prepare_cached(text)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    rows.map(|row| row.map(|(room, keep)| (room, Duration::from_secs(keep.unsigned_abs())))).collect()
}

/// Notes that a place's lines of before now are to go.
pub(super) fn forget(connection: &Connection, place: &str) -> rusqlite::Result<()> {
    let stays = LineId::earliest(now()).to_string();
    let text = "INSERT OR REPLACE INTO records (kind, key, value) VALUES ('forgotten', ?1, ?2)";
    connection.execute(text, params![place, stays]).map(drop)
}

/// Those places, each with the first line that may stay.
pub(super) fn forgotten(connection: &Connection) -> rusqlite::Result<Vec<(String, LineId)>> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM records WHERE kind = 'forgotten'")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let read = |(place, id): (String, String)| id.parse().ok().map(|id| (place, id));
    rows.filter_map(|row| row.map(read).transpose()).collect()
}

/// A place's lines of before that line are gone. What was noted since then stays noted.
pub(super) fn not_forgotten(connection: &Connection, place: &str, stays: LineId) -> rusqlite::Result<()> {
    let text = "DELETE FROM records WHERE kind = 'forgotten' AND key = ?1 AND value = ?2";
    connection.prepare_cached(text)?.execute(params![place, stays.to_string()]).map(drop)
}

fn key(of: &RecordKey) -> (&'static str, String) {
    match of {
        RecordKey::Account(id) => ("account", id.to_string()),
        RecordKey::Room(name) => ("room", name.to_string()),
        RecordKey::Ban(id) => ("ban", id.to_string()),
    }
}
