//! Lines, people and records as other nodes write them. They are a peer's text: whatever is out of
//! bounds makes the whole of it nothing, and what people will see is cleaned again.

use super::names::is_node_name;
use crate::json_text::{Fields, account_id, line_id, record, room_name};
use nacre_chat::limits::{
    BODY_BYTES, BODY_LINES, IGNORED, KEYS_PER_ACCOUNT, NICK_CHARS, PHRASE_BYTES, ROOM_LIST, ROOMS_PER_ACCOUNT,
};
use nacre_chat::text::{clean, clean_line};
use nacre_chat::{Author, Ban, BanTarget, Line, LineKind, Nick, Place, Presence, Record, Standing};
use serde_json::{Value, json};
use std::sync::Arc;

/// The version of what is written here.
const VERSION: u64 = 1;
/// Bytes of a line or a person: a body with every character escaped, and all about it.
const LINE_BYTES: usize = 8 * BODY_BYTES;
/// Bytes of a record: a room with all its lists.
const RECORD_BYTES: usize = 256 * 1024;
/// Bytes of a fingerprint or a hash.
const KEY_BYTES: usize = 256;
/// Rooms that one has read something in, also if one is not there any more.
const ROOMS_READ: usize = 20 * ROOMS_PER_ACCOUNT;

/// Somebody as a node tells of him or her, and of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Milliseconds since 1970 when that node was started: a later start takes the place of an earlier.
    pub started: u64,
    /// Who is there.
    pub presence: Presence,
}

fn parse(bytes: &[u8], most: usize) -> Option<Value> {
    let value: Value =
        serde_json::from_slice(bytes.get(..bytes.len().min(most + 1)).filter(|b| b.len() <= most)?).ok()?;
    (value.get("v").and_then(Value::as_u64) == Some(VERSION)).then_some(value)
}

/// A line as it is published.
pub fn write_line(line: &Line) -> Vec<u8> {
    let value = json!({
        "v": VERSION, "id": line.id.to_string(), "node": &*line.node, "kind": line.kind.word(),
        "target": line.kind.target().map(|id| id.to_string()), "place": line.place.to_string(),
        "from": write_author(&line.from), "to": line.to.as_deref(), "at": line.at.0, "body": &*line.body,
        "reply_to": line.reply_to.map(|id| id.to_string()),
    });
    value.to_string().into_bytes()
}

/// The reverse; none if anything about it is not as it should be.
pub fn read_line(bytes: &[u8]) -> Option<Line> {
    let value = parse(bytes, LINE_BYTES)?;
    let fields = Fields(&value);
    let kind = LineKind::from_word(fields.text("kind")?, fields.maybe("target", line_id)?)?;
    let body = clean(fields.text("body")?.as_bytes());
    let empty = body.trim().is_empty();
    let fits = match kind {
        LineKind::Delete(_) => body.is_empty(),
        LineKind::Topic => body.len() <= PHRASE_BYTES + '…'.len_utf8() && !body.contains('\n'),
        _ => !empty && body.len() <= BODY_BYTES && body.lines().count() <= BODY_LINES,
    };
    let line = Line {
        id: fields.text("id")?.parse().ok()?,
        node: node(fields.text("node")?)?,
        kind,
        place: Place::parse(fields.text("place")?)?,
        from: read_author(&Fields(value.get("from")?))?,
        to: fields.maybe("to", |to| Some(to.as_str()?.into()))?,
        at: fields.time("at")?,
        body: body.into(),
        reply_to: fields.maybe("reply_to", line_id)?,
        standing: Standing::AsSaid,
    };
    let between = match &line.place {
        Place::Room(_) => line.to.is_none(),
        Place::Direct(pair) => {
            pair.other(line.from.account).is_some() && line.to.as_deref().is_some_and(is_nick_or_none)
        }
    };
    (fits && between).then_some(line)
}

/// A nick, or the sign for somebody who is gone.
fn is_nick_or_none(text: &str) -> bool {
    text == "?" || nick(text).is_some()
}

fn nick(text: &str) -> Option<Arc<str>> {
    let short = text.len() <= NICK_CHARS * 4;
    Nick::parse(text).ok().filter(|nick| short && nick.as_str() == text).map(|nick| nick.shared())
}

fn node(text: &str) -> Option<Arc<str>> {
    is_node_name(text).then(|| Arc::from(text))
}

/// A fingerprint, a hash, a login name: short, with nothing invisible in it.
fn is_word(text: &str) -> bool {
    text.len() <= KEY_BYTES && clean_line(text.as_bytes(), KEY_BYTES) == text
}

fn write_author(who: &Author) -> Value {
    json!({"account": who.account.to_string(), "nick": &*who.nick, "verified": who.verified, "key": who.key.as_deref()})
}

fn read_author(fields: &Fields<'_>) -> Option<Author> {
    Some(Author {
        account: account_id(fields.text("account")?)?,
        nick: nick(fields.text("nick")?)?,
        verified: fields.flag("verified")?,
        key: fields.maybe("key", |key| key.as_str().filter(|key| is_word(key)).map(Arc::from))?,
    })
}

/// Somebody who is here.
pub fn write_person(told: &Told) -> Vec<u8> {
    let Told { started, presence } = told;
    let rooms: Vec<String> = presence.rooms.iter().map(ToString::to_string).collect();
    let value = json!({
        "v": VERSION, "started": started, "node": &*presence.node, "who": write_author(&presence.who), "rooms": rooms,
        "away": presence.away.as_deref(), "since": presence.since.0,
    });
    value.to_string().into_bytes()
}

/// The reverse.
pub fn read_person(bytes: &[u8]) -> Option<Told> {
    let value = parse(bytes, LINE_BYTES)?;
    let fields = Fields(&value);
    let rooms: Vec<_> = fields.texts("rooms")?.into_iter().map(room_name).collect::<Option<_>>()?;
    let presence = Presence {
        node: node(fields.text("node")?)?,
        who: read_author(&Fields(value.get("who")?))?,
        away: fields.maybe("away", |away| Some(clean_line(away.as_str()?.as_bytes(), PHRASE_BYTES).into()))?,
        since: fields.time("since")?,
        rooms,
    };
    let fits = presence.rooms.len() <= ROOMS_PER_ACCOUNT;
    fits.then_some(Told { started: value.get("started")?.as_u64()?, presence })
}

/// A node that is there: when it was started.
pub fn write_node(started: u64) -> Vec<u8> {
    json!({"v": VERSION, "started": started}).to_string().into_bytes()
}

/// The reverse.
pub fn read_node(bytes: &[u8]) -> Option<u64> {
    parse(bytes, LINE_BYTES)?.get("started")?.as_u64()
}

/// Whose a nick is.
pub fn write_owner(account: nacre_chat::AccountId) -> Vec<u8> {
    json!({"v": VERSION, "account": account.to_string()}).to_string().into_bytes()
}

/// The reverse.
pub fn read_owner(bytes: &[u8]) -> Option<nacre_chat::AccountId> {
    account_id(parse(bytes, LINE_BYTES)?.get("account")?.as_str()?)
}

/// A record.
pub fn write_record(whole: &Record) -> Vec<u8> {
    let kind = match whole {
        Record::Account(_) => "account",
        Record::Room(_) => "room",
        Record::Ban(_) => "ban",
    };
    json!({"v": VERSION, "kind": kind, "record": record::write(whole)}).to_string().into_bytes()
}

/// The reverse.
pub fn read_record(bytes: &[u8]) -> Option<Record> {
    let value = parse(bytes, RECORD_BYTES)?;
    let mut whole = record::read(value.get("kind")?.as_str()?, value.get("record")?)?;
    let fits = match &mut whole {
        Record::Account(account) => {
            account.keys.len() <= KEYS_PER_ACCOUNT
                && account.keys.iter().chain(&account.login).all(|word| is_word(word))
                && account.rooms.len() <= ROOMS_PER_ACCOUNT
                && account.read.len() <= ROOMS_READ
                && account.ignored.len() <= IGNORED
                && is_word(&account.settings.theme)
                && account.settings.zone.abs() <= 24 * 60
        }
        Record::Room(room) => {
            let room = Arc::make_mut(room);
            room.topic = phrase(&room.topic);
            room.roles.len() <= ROOM_LIST
                && room.invited.len() <= ROOM_LIST
                && room.modes.password.as_deref().is_none_or(is_word)
        }
        Record::Ban(ban) => {
            let Ban { target, by, reason, .. } = Arc::make_mut(ban);
            (*by, *reason) = (phrase(by), phrase(reason));
            match target {
                BanTarget::Account(_) => true,
                BanTarget::Key(key) => is_word(key),
                BanTarget::Address { address, bits } => *bits <= if address.is_ipv4() { 32 } else { 128 },
            }
        }
    };
    fits.then_some(whole)
}

fn phrase(text: &str) -> Arc<str> {
    clean_line(text.as_bytes(), PHRASE_BYTES).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nacre_chat::{AccountId, LineId, Pair, RoomName, Time};

    fn author() -> Author {
        Author { account: AccountId(7), nick: Arc::from("Zoë"), verified: true, key: Some(Arc::from("SHA256:abc")) }
    }

    fn said(kind: LineKind, place: Place, body: &str) -> Line {
        let to = matches!(place, Place::Direct(_)).then(|| Arc::from("bob"));
        Line {
            id: LineId(1),
            node: Arc::from("a"),
            kind,
            place,
            from: author(),
            to,
            at: Time(5),
            body: Arc::from(body),
            reply_to: Some(LineId(9)),
            standing: Standing::AsSaid,
        }
    }

    fn room() -> Place {
        Place::Room(RoomName::parse("rust").unwrap())
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        let direct = Place::Direct(Pair::new(AccountId(7), AccountId(8)));
        for line in [
            said(LineKind::Message, room(), "hello\nthere 🙂"),
            said(LineKind::Delete(LineId(4)), direct, ""),
            said(LineKind::Topic, room(), ""),
        ] {
            assert_eq!(read_line(&write_line(&line)), Some(line));
        }
    }

    #[test]
    fn u03_a_line_of_another_node_is_cleaned_again() {
        let line = said(LineKind::Message, room(), "red \u{1b}[31m\u{202e}text\u{9b}");
        let read = read_line(&write_line(&line)).unwrap();
        assert_eq!(&*read.body, "red [31mtext");
    }

    #[test]
    fn what_is_out_of_bounds_is_nothing() {
        let good = said(LineKind::Message, room(), "hello");
        let with = |change: fn(&mut Line)| {
            let mut line = good.clone();
            change(&mut line);
            read_line(&write_line(&line))
        };
        assert!(with(|_| {}).is_some());
        assert_eq!(with(|line| line.body = "x".repeat(BODY_BYTES + 1).into()), None);
        assert_eq!(with(|line| line.body = Arc::from(" \u{200b} ")), None);
        assert_eq!(with(|line| line.node = Arc::from("a.b")), None);
        assert_eq!(with(|line| line.from.nick = Arc::from("SYSTEM")), None);
        assert_eq!(with(|line| line.from.nick = Arc::from("a b")), None);
        assert_eq!(with(|line| line.from.key = Some(Arc::from("\u{7}"))), None);
        assert_eq!(with(|line| line.to = Some(Arc::from("bob"))), None);
        assert_eq!(with(|line| line.place = Place::Direct(Pair::new(AccountId(1), AccountId(2)))), None);
        let text = String::from_utf8(write_line(&good)).unwrap();
        assert_eq!(read_line(text.replace("\"v\":1", "\"v\":2").as_bytes()), None);
        assert_eq!(read_line(format!("{text}{}", " ".repeat(LINE_BYTES)).as_bytes()), None);
    }

    #[test]
    fn people_and_nodes_are_read_as_they_are_written() {
        let rooms = vec![RoomName::parse("rust").unwrap()];
        let presence =
            Presence { node: Arc::from("b"), who: author(), rooms, away: Some(Arc::from("tea")), since: Time(3) };
        let told = Told { started: 9, presence };
        assert_eq!(read_person(&write_person(&told)), Some(told.clone()));
        let mut many = told;
        many.presence.rooms = (0..=ROOMS_PER_ACCOUNT).map(|n| RoomName::parse(&format!("r{n}")).unwrap()).collect();
        assert_eq!(read_person(&write_person(&many)), None);
        assert_eq!(read_node(&write_node(17)), Some(17));
        assert_eq!(read_owner(&write_owner(AccountId(6))), Some(AccountId(6)));
    }

    #[test]
    fn records_of_other_nodes_are_bounded() {
        let ban = |bits, reason: &str| {
            Record::Ban(Arc::new(Ban {
                id: LineId(1),
                room: None,
                target: BanTarget::Address { address: "10.0.0.0".parse().unwrap(), bits },
                kind: nacre_chat::BanKind::Out,
                until: None,
                by: Arc::from("op"),
                reason: Arc::from(reason),
            }))
        };
        assert_eq!(read_record(&write_record(&ban(8, "spam"))), Some(ban(8, "spam")));
        assert_eq!(read_record(&write_record(&ban(8, "sp\u{1b}am\n"))), Some(ban(8, "spam")));
        assert_eq!(read_record(&write_record(&ban(33, "spam"))), None);
    }
}
