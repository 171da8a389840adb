//! Lines: written, edited, and read back by place.

use nacre_chat::limits::RING;
use nacre_chat::{AccountId, Author, HistoryQuery, Line, LineId, LineKind, Place, Range, Standing, StoreAnswer, Time};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Row, ToSql, params, params_from_iter};
use std::sync::Arc;

/// The columns that [`read`] takes.
pub(super) const COLUMNS: &str =
    "lines.id, place, kind, target, at, node, account, nick, verified, key, to_nick, lines.body, reply_to, standing";

/// What history shows: edits and deletions are seen in what they changed.
const SHOWN: &str = "target IS NULL";

/// Among so many of the newest lines are those that other nodes were not told yet: a file of millions
/// is not read through at each start.
const UNSENT_AMONG: u32 = 100_000;

/// The lines' table.
pub(super) struct Lines<'a> {
    connection: &'a Connection,
}

pub(super) fn blob(id: u128) -> [u8; 16] {
    id.to_be_bytes()
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u128> {
    row.get::<_, [u8; 16]>(column).map(u128::from_be_bytes)
}

fn optional_number(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u128>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(u128::from_be_bytes))
}

fn shared(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    row.get::<_, String>(column).map(Arc::from)
}

fn optional_shared(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Arc<str>>> {
    Ok(row.get::<_, Option<String>>(column)?.map(Arc::from))
}

/// A time as SQLite keeps it.
pub(super) fn millis(time: Time) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn standing(code: i64) -> Standing {
    match code {
        1 => Standing::Edited,
        2 => Standing::Deleted,
        _ => Standing::AsSaid,
    }
}

fn code(standing: Standing) -> i64 {
    match standing {
        Standing::AsSaid => 0,
        Standing::Edited => 1,
        Standing::Deleted => 2,
    }
}

/// A row as a line.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Arc<Line>> {
    let unread = |column: usize, what: &str| Error::FromSqlConversionFailure(column, Type::Text, what.into());
    let place = Place::parse(&row.get::<_, String>(1)?).ok_or_else(|| unread(1, "no place"))?;
    let target = optional_number(row, 3)?.map(LineId);
    let kind = LineKind::from_word(&row.get::<_, String>(2)?, target).ok_or_else(|| unread(2, "no kind of line"))?;
    Ok(Arc::new(Line {
        id: LineId(number(row, 0)?),
        node: shared(row, 5)?,
        kind,
        place,
        from: Author {
            account: AccountId(number(row, 6)?),
            nick: shared(row, 7)?,
            verified: row.get(8)?,
            key: optional_shared(row, 9)?,
        },
        to: optional_shared(row, 10)?,
        at: Time(u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0)),
        body: shared(row, 11)?,
        reply_to: optional_number(row, 12)?.map(LineId),
        standing: standing(row.get(13)?),
    }))
}

/// Lines that were read newest first, with one more than the limit if there are more.
pub(super) fn newest_first(mut lines: Vec<Arc<Line>>, limit: u32) -> StoreAnswer {
    let more = lines.len() > limit as usize;
    lines.truncate(limit as usize);
    lines.reverse();
    StoreAnswer::Lines { lines, more }
}

impl<'a> Lines<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Writes a line, once however often it is asked for, and does what it does to another one.
    pub(super) fn append(&self, line: &Line, sequence: Option<u64>) -> rusqlite::Result<()> {
        let to_account = match line.place {
            Place::Direct(pair) => pair.other(line.from.account).map(|account| blob(account.0)),
            Place::Room(_) => None,
        };
        let added = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO lines (id, place, kind, target, at, node, account, nick, verified, key, to_nick,
                 to_account, body, reply_to, standing, sequence)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?
            .execute(params![
                blob(line.id.0),
                line.place.to_string(),
                line.kind.word(),
                line.kind.target().map(|id| blob(id.0)),
                millis(line.at),
                line.node,
                blob(line.from.account.0),
                line.from.nick,
                line.from.verified,
                line.from.key,
                line.to,
                to_account,
                line.body,
                line.reply_to.map(|id| blob(id.0)),
                code(line.standing),
                sequence.map(|sequence| i64::try_from(sequence).unwrap_or(i64::MAX)),
            ])?;
        if added == 0 {
            return sequence.map_or(Ok(()), |sequence| self.number(line.id, sequence));
        }
        let (target, standing) = match line.kind {
            LineKind::Edit(target) => (target, Standing::Edited),
            LineKind::Delete(target) => (target, Standing::Deleted),
            _ => return Ok(()),
        };
        // What was taken back does not come again by an edit that was late.
        self.connection
            .prepare_cached(
                "UPDATE lines SET body = ?1, standing = ?2
                 WHERE id = ?3 AND place = ?4 AND account = ?5 AND target IS NULL AND standing <> 2",
            )?
            .execute(params![
                line.body,
                code(standing),
                blob(target.0),
                line.place.to_string(),
                blob(line.from.account.0)
            ])?;
        if standing == Standing::Deleted {
            // Nor do the texts it had in between stay.
            self.connection
                .prepare_cached("UPDATE lines SET body = '' WHERE target = ?1 AND place = ?2 AND account = ?3")?
                .execute(params![blob(target.0), line.place.to_string(), blob(line.from.account.0)])?;
        }
        Ok(())
    }

    /// Notes a line's number in the stream.
    pub(super) fn number(&self, line: LineId, sequence: u64) -> rusqlite::Result<()> {
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached("UPDATE lines SET sequence = ?1 WHERE id = ?2")?
            .execute(params![sequence, blob(line.0)])
            .map(drop)
    }

    fn lines(&self, query: &str, parameters: &[&dyn ToSql]) -> rusqlite::Result<Vec<Arc<Line>>> {
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map(params_from_iter(parameters), read)?;
        rows.collect()
    }

    /// Lines of one place.
    pub(super) fn history(&self, query: &HistoryQuery) -> rusqlite::Result<StoreAnswer> {
        let place = query.place.to_string();
        let limit = query.limit;
        let not_before = query.not_before.map_or(0, millis);
        let before = |end: LineId, since: i64, limit: u32| {
            let text = format!(
                "SELECT {COLUMNS} FROM lines WHERE place = ?1 AND id < ?2 AND at >= ?3 AND {SHOWN}
                 ORDER BY id DESC LIMIT ?4"
            );
            self.lines(&text, &[&place, &blob(end.0), &since, &(i64::from(limit) + 1)])
        };
        let after = |start: LineId, limit: u32| {
            let text = format!(
                "SELECT {COLUMNS} FROM lines WHERE place = ?1 AND id > ?2 AND at >= ?3 AND {SHOWN}
                 ORDER BY id LIMIT ?4"
            );
            self.lines(&text, &[&place, &blob(start.0), &not_before, &(i64::from(limit) + 1)])
        };
        let end = LineId(u128::MAX);
        Ok(match query.range {
            Range::Latest => newest_first(before(end, not_before, limit)?, limit),
            Range::Since(time) => newest_first(before(end, not_before.max(millis(time)), limit)?, limit),
            Range::Before(id) => newest_first(before(id, not_before, limit)?, limit),
            Range::After(id) => {
                let mut lines = after(id, limit)?;
                let more = lines.len() > limit as usize;
                lines.truncate(limit as usize);
                StoreAnswer::Lines { lines, more }
            }
            Range::Around(id) => {
                let half = limit / 2;
                let mut lines = before(LineId(id.0.saturating_add(1)), not_before, half)?;
                lines.truncate(half as usize + 1);
                lines.reverse();
                let room = limit.saturating_sub(u32::try_from(lines.len()).unwrap_or(limit));
                let mut later = after(id, room)?;
                let more = later.len() > room as usize;
                later.truncate(room as usize);
                lines.append(&mut later);
                StoreAnswer::Lines { lines, more }
            }
        })
    }

    /// How many messages of others came after a line.
    pub(super) fn count(
        &self,
        place: &Place,
        after: Option<LineId>,
        not_before: Option<Time>,
        not_by: AccountId,
    ) -> rusqlite::Result<StoreAnswer> {
        let count: i64 = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM lines WHERE place = ?1 AND id > ?2 AND at >= ?3 AND account <> ?4
                 AND kind IN ('msg', 'action') AND standing <> 2",
            )?
            .query_row(
                params![
                    place.to_string(),
                    blob(after.map_or(0, |id| id.0)),
                    not_before.map_or(0, millis),
                    blob(not_by.0)
                ],
                |row| row.get(0),
            )?;
        Ok(StoreAnswer::Count(u64::try_from(count).unwrap_or(0)))
    }

    /// Private messages to an account after a line.
    pub(super) fn inbox(&self, to: AccountId, after: Option<LineId>, limit: u32) -> rusqlite::Result<StoreAnswer> {
        let text = format!(
            "SELECT {COLUMNS} FROM lines WHERE to_account = ?1 AND id > ?2 AND {SHOWN} AND account <> ?1
             ORDER BY id DESC LIMIT ?3"
        );
        let after = blob(after.map_or(0, |id| id.0));
        let lines = self.lines(&text, &[&blob(to.0), &after, &(i64::from(limit) + 1)])?;
        Ok(newest_first(lines, limit))
    }

    /// The greatest number of each place that has one.
    pub(super) fn positions(&self) -> rusqlite::Result<Vec<(Place, u64)>> {
        let text = "SELECT place, max(sequence) FROM lines WHERE sequence IS NOT NULL GROUP BY place";
        let mut statement = self.connection.prepare(text)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        let mut positions = Vec::new();
        for row in rows {
            let (place, sequence) = row?;
            positions.extend(Place::parse(&place).map(|place| (place, u64::try_from(sequence).unwrap_or(0))));
        }
        Ok(positions)
    }

    /// Lines that a node said and that have no number in the stream yet, oldest first.
    pub(super) fn unsent(&self, node: &str) -> rusqlite::Result<Vec<Arc<Line>>> {
        let text = format!(
            "SELECT {COLUMNS} FROM lines WHERE number > (SELECT max(number) FROM lines) - {UNSENT_AMONG}
             AND sequence IS NULL AND node = ?1 ORDER BY id"
        );
        self.lines(&text, &[&node])
    }

    /// The last lines of each room.
    pub(super) fn recent(&self) -> rusqlite::Result<Vec<Arc<Line>>> {
        let mut recent = Vec::new();
        let mut room = String::from("#");
        // From each room's name to the next one: the index is jumped through, not read.
        let next = "SELECT place FROM lines WHERE place > ?1 AND place < '$' ORDER BY place LIMIT 1";
        while let Some(place) = self.connection.query_row(next, [&room], |row| row.get::<_, String>(0)).optional()? {
            let text = format!("SELECT {COLUMNS} FROM lines WHERE place = ?1 ORDER BY id DESC LIMIT ?2");
            let last = i64::try_from(RING).unwrap_or(i64::MAX);
            let mut lines = self.lines(&text, &[&place, &last])?;
            lines.reverse();
            recent.append(&mut lines);
            room = place;
        }
        Ok(recent)
    }
}
