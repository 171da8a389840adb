//! Accounts, rooms and bans, each whole as one JSON text: they are read all at once at the start
//! and written one at a time, so columns would serve nobody but an operator with `sqlite3`.

use crate::json_text::record::{read, write};
use nacre_chat::{Record, RecordKey};
use rusqlite::{Connection, params};
use serde_json::Value;

/// Writes a record in place of the one with its key.
pub(super) fn put(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    let (kind, key) = key(&record.key());
    connection
        .prepare_cached("INSERT OR REPLACE INTO records (kind, key, value) VALUES (?1, ?2, ?3)")?
        .execute(params![kind, key, write(record).to_string()])
        .map(drop)
}

/// Deletes a record.
pub(super) fn delete(connection: &Connection, of: &RecordKey) -> rusqlite::Result<()> {
    let (kind, key) = key(of);
    connection.prepare_cached("DELETE FROM records WHERE kind = ?1 AND key = ?2")?.execute(params![kind, key]).map(drop)
}

/// All records. One that cannot be read stops the start: going on would give its nick away.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare("SELECT kind, key, value FROM records")?;
    let rows = statement.query_map([], |row| {
        let (kind, key, text): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        serde_json::from_str::<Value>(&text).ok().and_then(|value| read(&kind, &value)).ok_or_else(|| {
            let what = format!("the record of {kind} {key} cannot be read");
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, what.into())
        })
    })?;
    rows.collect()
}

fn key(of: &RecordKey) -> (&'static str, String) {
    match of {
        RecordKey::Account(id) => ("account", id.to_string()),
        RecordKey::Room(name) => ("room", name.to_string()),
        RecordKey::Ban(id) => ("ban", id.to_string()),
    }
}
