//! What the chat's file holds, for people and for programs.

use crate::failure::Failure;
use nacre_chat::{
    AccountId, AccountRecord, Ban, BanKind, BanTarget, Line, LineKind, Place, Record, RoomName, RoomRecord, Span, Time,
};
use nacre_chat_server::{Archive, StoreError, line_as_json, record_as_json};
use std::io::{self, Write};
use std::sync::Arc;
use time::OffsetDateTime;

fn unread(error: StoreError) -> Failure {
    Failure::new(format!("the chat cannot be read: {error}"))
}

/// The records of one kind, each as text or as JSON.
fn records<T>(
    archive: &Archive,
    json: bool,
    of_kind: impl Fn(&Record) -> Option<Arc<T>>,
    sorted_by: impl Fn(&T) -> String,
    text: impl Fn(&T, &[Record]) -> String,
) -> Result<(), Failure> {
    let all = archive.records().map_err(unread)?;
    let mut found: Vec<(&Record, Arc<T>)> = all.iter().filter_map(|record| Some((record, of_kind(record)?))).collect();
    found.sort_by_key(|(_, one)| sorted_by(one));
    let mut out = String::new();
    for (record, one) in found {
        match json {
            true => out += &record_as_json(record).to_string(),
            false => out += &text(&one, &all),
        }
        out.push('\n');
    }
    crate::output::print(&out)
}

fn account(record: &Record) -> Option<Arc<AccountRecord>> {
    if let Record::Account(account) = record { Some(account.clone()) } else { None }
}

fn nick_of(all: &[Record], id: AccountId) -> String {
    let found = all.iter().filter_map(account).find(|account| account.id == id);
    found.map_or_else(|| id.to_string(), |account| account.nick.to_string())
}

/// Accounts by nick.
pub(super) fn accounts(archive: &Archive, json: bool) -> Result<(), Failure> {
    let text = |one: &AccountRecord, _: &[Record]| {
        let login = one.login.iter().map(|login| format!("login:{login}"));
        let proofs: Vec<String> = one.keys.iter().map(ToString::to_string).chain(login).collect();
        format!("{}  made {}  seen {}  {}", one.nick, date(one.made), date(one.seen), proofs.join(" "))
    };
    records(archive, json, account, |one| one.nick.to_string(), text)
}

/// Rooms by name.
pub(super) fn rooms(archive: &Archive, json: bool) -> Result<(), Failure> {
    let of_kind = |record: &Record| if let Record::Room(room) = record { Some(room.clone()) } else { None };
    let text = |one: &RoomRecord, all: &[Record]| {
        let members = all.iter().filter_map(account).filter(|account| account.rooms.contains_key(&one.name)).count();
        let keep = one.modes.keep.map_or_else(|| "by ChatKeep".to_owned(), |keep| format!("for {}", Span(keep)));
        let mut modes = String::new();
        for (on, word) in [
            (one.modes.invite, " by invitation"),
            (one.modes.password.is_some(), " password"),
            (one.modes.moderated, " moderated"),
        ] {
            modes += if on { word } else { "" };
        }
        format!("{}  {members} members  kept {keep} {modes} {}", one.name, one.topic)
    };
    records(archive, json, of_kind, |one| one.name.to_string(), text)
}

/// Bans that still hold, oldest first.
pub(super) fn bans(archive: &Archive, json: bool, now: Time) -> Result<(), Failure> {
    let of_kind = |record: &Record| match record {
        Record::Ban(ban) if ban.until.is_none_or(|until| until > now) => Some(ban.clone()),
        _ => None,
    };
    let text = |one: &Ban, all: &[Record]| {
        let target = match &one.target {
            BanTarget::Account(id) => nick_of(all, *id),
            BanTarget::Key(key) => key.to_string(),
            BanTarget::Address { address, bits } => format!("{address}/{bits}"),
        };
        let kind = if one.kind == BanKind::Mute { "muted" } else { "banned" };
        let place = one.room.as_ref().map_or_else(|| "everywhere".to_owned(), ToString::to_string);
        let left = one.until.map_or_else(|| "for ever".to_owned(), |until| format!("for {}", Span(until.since(now))));
        format!("{target}  {kind}  {place}  {left}  by {}  {}", one.by, one.reason)
    };
    records(archive, json, of_kind, |one| one.id.to_string(), text)
}

/// Lines, oldest first, as they are read.
pub(super) fn lines(archive: &Archive, json: bool, room: Option<&RoomName>, since: Time) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let each = |line: Arc<Line>| {
        written = if json { writeln!(out, "{}", line_as_json(&line)) } else { writeln!(out, "{}", as_text(&line)) };
        written.is_ok()
    };
    archive.lines(room, since, each).map_err(unread)?;
    written.and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::closed_pipe(),
        _ => Failure::new(format!("cannot write: {error}")),
    })
}

/// One line a line: what has several is written on, indented.
fn as_text(line: &Line) -> String {
    let nick = &line.from.nick;
    let head = match (&line.place, line.kind) {
        (Place::Direct(_), _) => format!("PM {nick} to {}:", line.to.as_deref().unwrap_or("?")),
        (Place::Room(room), LineKind::Action) => format!("{room} * {nick}"),
        (Place::Room(room), LineKind::Topic) => format!("{room} topic by {nick}:"),
        (Place::Room(room), _) => format!("{room} {nick}:"),
    };
    format!("{} {head} {}", date(line.at), line.body.replace('\n', "\n    "))
}

/// To the second, in UTC.
fn date(time: Time) -> String {
    let seconds = i64::try_from(time.0 / 1000).unwrap_or(i64::MAX);
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else { return "?".to_owned() };
    format!("{:04}-{:02}-{:02}T{}Z", at.year(), u8::from(at.month()), at.day(), time.clock(0))
}
