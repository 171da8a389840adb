//! Lines whose time is over are deleted, a few at a time so that nobody waits for it.

use super::lines::blob;
use super::records;
use crate::clock::now;
use nacre_chat::LineId;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Lines that are deleted in one step.
const LINES: usize = 200;
/// Places that are looked at in one step.
const PLACES: usize = 500;
/// How long others have the store to themselves between two steps.
const PAUSE: Duration = Duration::from_millis(20);
/// How long it rests when nothing is left to delete.
const REST: Duration = Duration::from_secs(10);

/// What goes when.
pub(super) struct Sweep {
    /// How long lines are kept where a room does not say.
    usual: Option<Duration>,
    round: Option<Round>,
    next: Instant,
}

/// One time through all places.
struct Round {
    /// Places with the first line that stays.
    named: Vec<(String, LineId)>,
    /// They are not looked at by the usual rule.
    own: HashSet<String>,
    /// The first line that stays elsewhere, where there is a usual rule.
    usual: Option<LineId>,
    /// The last place that was looked at by it.
    after: String,
}

impl Sweep {
    pub(super) fn new() -> Self {
        Self { usual: None, round: None, next: Instant::now() }
    }

    /// Another rule, which is followed at once.
    pub(super) fn set_usual(&mut self, keep: Option<Duration>) {
        *self = Self { usual: keep, ..Self::new() };
    }

    /// How long until the next step.
    pub(super) fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Does a step, if it is time.
    pub(super) fn step(&mut self, connection: &Connection) {
        if !self.wait().is_zero() {
            return;
        }
        let more = self.delete_some(connection).unwrap_or_else(|error| {
            tracing::error!("the chat's store: old lines: {error}");
            false
        });
        if !more {
            self.round = None;
        }
        self.next = Instant::now() + if more { PAUSE } else { REST };
    }

    /// False when nothing is left to delete.
    fn delete_some(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let round = match &mut self.round {
            Some(round) => round,
            none => none.insert(Round::begin(connection, self.usual)?),
        };
        for _ in 0..PLACES {
            let Some((place, stays)) = round.next(connection)? else { return Ok(false) };
            if delete(connection, &place, stays)? == LINES {
                round.named.push((place, stays));
                return Ok(true);
            }
            records::not_forgotten(connection, &place, stays)?;
        }
        Ok(true)
    }
}

impl Round {
    fn begin(connection: &Connection, usual: Option<Duration>) -> rusqlite::Result<Self> {
        let before = |keep: Duration| LineId::earliest(now().before(keep));
        let rooms = records::kept(connection)?;
        let own = rooms.iter().map(|(place, _)| place.clone()).collect();
        let mut named: Vec<_> = rooms.into_iter().map(|(place, keep)| (place, before(keep))).collect();
        named.extend(records::forgotten(connection)?);
        Ok(Self { named, own, usual: usual.map(before), after: String::new() })
    }

    fn next(&mut self, connection: &Connection) -> rusqlite::Result<Option<(String, LineId)>> {
        if let Some(named) = self.named.pop() {
            return Ok(Some(named));
        }
        let Some(stays) = self.usual else { return Ok(None) };
        let text = "SELECT place FROM lines WHERE place > ?1 ORDER BY place LIMIT 1";
        loop {
            let found = connection.prepare_cached(text)?.query_row([&self.after], |row| row.get(0)).optional()?;
            let Some(place) = found else { return Ok(None) };
            self.after = place;
            if !self.own.contains(&self.after) {
                return Ok(Some((self.after.clone(), stays)));
            }
        }
    }
}

/// Deletes the oldest lines of a place: how many.
fn delete(connection: &Connection, place: &str, stays: LineId) -> rusqlite::Result<usize> {
    let text = "DELETE FROM lines WHERE number IN
                (SELECT number FROM lines WHERE place = ?1 AND id < ?2 ORDER BY id LIMIT ?3)";
    let most = i64::try_from(LINES).unwrap_or(i64::MAX);
    connection.prepare_cached(text)?.execute(params![place, blob(stays.0), most])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::lines::Lines;
    use super::super::schema;
    use super::*;
    use nacre_chat::{
        AccountId, Author, Line, LineKind, Modes, Place, Record, RecordKey, RoomName, RoomRecord, Standing, Time,
    };
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    const HOUR: Duration = Duration::from_secs(3600);

    fn room(name: &str, keep: Option<Duration>) -> Record {
        Record::Room(Arc::new(RoomRecord {
            name: RoomName::parse(name).unwrap(),
            topic: Arc::from(""),
            made: Time(1),
            stamp: Time(1),
            modes: Modes { keep, ..Modes::default() },
            roles: BTreeMap::new(),
            invited: BTreeSet::new(),
        }))
    }

    /// So many lines said that long ago.
    fn say(connection: &Connection, place: &str, ago: Duration, count: u128) {
        let at = now().before(ago);
        for number in 0..count {
            let line = Line {
                id: LineId(LineId::earliest(at).0 + number),
                node: Arc::from("a"),
                kind: LineKind::Message,
                place: Place::parse(place).unwrap(),
                from: Author { account: AccountId(1), nick: Arc::from("alice"), verified: true, key: None },
                to: None,
                at,
                body: Arc::from(format!("words{}", ago.as_secs())),
                reply_to: None,
                standing: Standing::AsSaid,
            };
            Lines::new(connection).append(&line, None).unwrap();
        }
    }

    fn swept(connection: &Connection, usual: Option<Duration>) -> usize {
        let mut sweep = Sweep::new();
        sweep.set_usual(usual);
        let mut steps = 0;
        while sweep.delete_some(connection).unwrap() {
            steps += 1;
        }
        steps
    }

    fn count(connection: &Connection, table: &str, rest: &str) -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table} WHERE {rest}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn lines_go_when_their_rooms_say_so_with_their_words() {
        let connection = Connection::open_in_memory().unwrap();
        schema::prepare(&connection).unwrap();
        let direct = format!("@{}-{}", AccountId(1), AccountId(2));
        records::put(&connection, &room("short", Some(HOUR))).unwrap();
        records::put(&connection, &room("long", Some(HOUR * 1000))).unwrap();
        for place in ["#short", "#long", "#usual", &direct] {
            say(&connection, place, HOUR * 100, 500);
            say(&connection, place, HOUR / 2, 5);
        }
        // Nothing but what a room says itself.
        assert!(swept(&connection, None) >= 500 / LINES);
        assert_eq!(count(&connection, "lines", "place = '#short'"), 5);
        assert_eq!(count(&connection, "lines", "place <> '#short'"), 3 * 505);
        // The usual rule holds for all others, private lines too.
        swept(&connection, Some(HOUR * 10));
        assert_eq!(count(&connection, "lines", "place = '#long'"), 505);
        assert_eq!(count(&connection, "lines", "1"), 505 + 3 * 5);
        assert_eq!(count(&connection, "words", "words MATCH 'words360000'"), 500);
        assert_eq!(count(&connection, "words", "words MATCH 'words1800'"), 20);
    }

    #[test]
    fn a_room_that_is_deleted_takes_its_lines_along_but_no_later_ones() {
        let connection = Connection::open_in_memory().unwrap();
        schema::prepare(&connection).unwrap();
        records::put(&connection, &room("r", None)).unwrap();
        say(&connection, "#r", HOUR, 1000);
        say(&connection, "#s", HOUR, 10);
        records::delete(&connection, &RecordKey::Room(RoomName::parse("r").unwrap())).unwrap();
        let later = now().after(HOUR);
        let line = LineId::earliest(later);
        connection.execute("UPDATE lines SET id = ?1 WHERE place = '#r' AND number = 1000", [blob(line.0)]).unwrap();
        assert_eq!(records::all(&connection).unwrap(), []);
        assert!(swept(&connection, None) >= 4);
        assert_eq!(count(&connection, "lines", "place = '#r'"), 1);
        assert_eq!(count(&connection, "lines", "place = '#s'"), 10);
        assert_eq!(count(&connection, "records", "1"), 0);
    }
}
