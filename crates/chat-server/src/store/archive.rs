//! What the store holds, read from outside: also while nobody serves it, and without a trace.

use super::lines::{COLUMNS, blob, read};
use super::{StoreError, records, schema};
use crate::face::json::line;
use crate::json_text::record::write;
use nacre_chat::{Line, LineId, Record, RoomName, Time};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A line as programs read it.
pub fn line_as_json(said: &Line) -> Value {
    line(said)
}

/// A record as programs read it: of a password they see that there is one.
pub fn record_as_json(of: &Record) -> Value {
    let mut value = write(of);
    if let Some(password) = value.pointer_mut("/modes/password") {
        *password = Value::Bool(!password.is_null());
    }
    value
}

/// The file of a chat, to be read alone.
pub struct Archive {
    path: PathBuf,
    connection: Connection,
}

impl Archive {
    /// Opens it.
    ///
    /// # Errors
    /// There is none, it cannot be read, it is none of ours, or a newer Nacre made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: &dyn Display| StoreError { path: path.to_owned(), what: error.to_string() };
        std::fs::metadata(path).map_err(|error| failed(&error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(&error))?;
        schema::check(&connection).map_err(|error| failed(&error))?;
        Ok(Self { path: path.to_owned(), connection })
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError { path: self.path.clone(), what: error.to_string() }
    }

    /// Accounts, rooms and bans.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, StoreError> {
        records::all(&self.connection).map_err(|error| self.failed(&error))
    }

    /// Goes through all lines since a time, in one room or everywhere, oldest first, while `each` says so.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn lines(
        &self,
        room: Option<&RoomName>,
        since: Time,
        mut each: impl FnMut(Arc<Line>) -> bool,
    ) -> Result<(), StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM lines WHERE id >= ?1 AND (?2 IS NULL OR place = ?2) AND target IS NULL ORDER BY id"
        );
        let place = room.map(ToString::to_string);
        let mut go = || {
            let mut statement = self.connection.prepare(&text)?;
            for line in statement.query_map(params![blob(LineId::earliest(since).0), place], read)? {
                if !each(line?) {
                    break;
                }
            }
            Ok(())
        };
        go().map_err(|error| self.failed(&error))
    }
}
