//! The tables.

use rusqlite::{Connection, Error};

/// The version of the tables below.
const VERSION: i64 = 1;

/// Lines have a number of their own, in the order they came, which the search's index is kept by.
/// Ids are 16 bytes, most significant first, so that they sort as numbers.
const TABLES: &str = "
CREATE TABLE lines (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    place TEXT NOT NULL,
    kind TEXT NOT NULL,
    target BLOB,
    at INTEGER NOT NULL,
    node TEXT NOT NULL,
    account BLOB NOT NULL,
    nick TEXT NOT NULL,
    verified INTEGER NOT NULL,
    key TEXT,
    to_nick TEXT,
    to_account BLOB,
    body TEXT NOT NULL,
    reply_to BLOB,
    standing INTEGER NOT NULL,
    sequence INTEGER
);
CREATE INDEX lines_of_place ON lines (place, id);
CREATE INDEX lines_to ON lines (to_account, id) WHERE to_account IS NOT NULL;
CREATE INDEX lines_numbered ON lines (place, sequence) WHERE sequence IS NOT NULL;
CREATE VIRTUAL TABLE words USING fts5 (
    body, content='lines', content_rowid='number', tokenize='unicode61 remove_diacritics 2'
);
CREATE TRIGGER lines_added AFTER INSERT ON lines WHEN new.target IS NULL BEGIN
    INSERT INTO words (rowid, body) VALUES (new.number, new.body);
END;
CREATE TRIGGER lines_changed AFTER UPDATE OF body ON lines WHEN old.target IS NULL BEGIN
    INSERT INTO words (words, rowid, body) VALUES ('delete', old.number, old.body);
    INSERT INTO words (rowid, body) VALUES (new.number, new.body);
END;
CREATE TRIGGER lines_gone AFTER DELETE ON lines WHEN old.target IS NULL BEGIN
    INSERT INTO words (words, rowid, body) VALUES ('delete', old.number, old.body);
END;
CREATE TABLE records (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
";

/// Makes the tables where there are none. What is written is on the disk when a transaction ends.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is not left behind in the file, nor its words in the index.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    if version(connection)? == 0 {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    check(connection)?;
    connection.execute("INSERT INTO words (words, rank) VALUES ('secure-delete', 1)", []).map(drop)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether the tables are those above.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    match version(connection)? {
        VERSION => Ok(()),
        version => Err(Error::ToSqlConversionFailure(
            format!(
                "version {version} of its tables is not known here (newest: {VERSION}); use the Nacre that made it"
            )
            .into(),
        )),
    }
}
