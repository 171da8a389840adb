//! Records, each whole.

use super::{Fields, account_id, line_id, room_name};
use nacre_chat::{
    AccountRecord, Ban, BanKind, BanTarget, Bell, HistoryMode, Modes, Nick, Record, Role, RoomRecord, Settings, Time,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A record as JSON.
pub(crate) fn write(record: &Record) -> Value {
    match record {
        Record::Account(account) => write_account(account),
        Record::Room(room) => write_room(room),
        Record::Ban(ban) => write_ban(ban),
    }
}

fn write_account(account: &AccountRecord) -> Value {
    let rooms: Map<String, Value> =
        account.rooms.iter().map(|(room, since)| (room.to_string(), Value::from(since.0))).collect();
    let read: Map<String, Value> =
        account.read.iter().map(|(room, line)| (room.to_string(), Value::from(line.to_string()))).collect();
    json!({
        "id": account.id.to_string(), "nick": account.nick.as_str(),
        "keys": account.keys.iter().map(|key| &**key).collect::<Vec<_>>(),
        "login": account.login.as_deref(),
        "made": account.made.0, "seen": account.seen.0, "stamp": account.stamp.0,
        "rooms": rooms, "read": read, "inbox": account.inbox.map(|line| line.to_string()),
        "ignored": account.ignored.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "settings": {
            "bell": account.settings.bell.word(), "zone": account.settings.zone, "theme": &*account.settings.theme,
            "times": account.settings.times, "emoji_as_text": account.settings.emoji_as_text,
        },
    })
}

fn write_room(room: &RoomRecord) -> Value {
    let modes = &room.modes;
    let roles: Map<String, Value> =
        room.roles.iter().map(|(account, role)| (account.to_string(), Value::from(role.word()))).collect();
    json!({
        "name": room.name.to_string(), "topic": &*room.topic, "made": room.made.0, "stamp": room.stamp.0,
        "modes": {
            "invite": modes.invite, "password": modes.password.as_deref(), "moderated": modes.moderated,
            "topic_locked": modes.topic_locked, "since_joined": modes.history == HistoryMode::SinceJoined,
            "keep": modes.keep.map(|keep| keep.as_secs()),
        },
        "roles": roles,
        "invited": room.invited.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn write_ban(ban: &Ban) -> Value {
    let target = match &ban.target {
        BanTarget::Account(account) => json!({"account": account.to_string()}),
        BanTarget::Key(key) => json!({"key": &**key}),
        BanTarget::Address { address, bits } => json!({"address": address.to_string(), "bits": bits}),
    };
    json!({
        "id": ban.id.to_string(), "room": ban.room.as_ref().map(ToString::to_string), "target": target,
        "mute": ban.kind == BanKind::Mute, "until": ban.until.map(|until| until.0), "by": &*ban.by,
        "reason": &*ban.reason,
    })
}

/// The reverse of [`write`]; the kind is `account`, `room` or `ban`.
pub(crate) fn read(kind: &str, value: &Value) -> Option<Record> {
    let fields = Fields(value);
    Some(match kind {
        "account" => Record::Account(Arc::new(read_account(&fields)?)),
        "room" => Record::Room(Arc::new(read_room(&fields)?)),
        "ban" => Record::Ban(Arc::new(read_ban(&fields)?)),
        _ => return None,
    })
}

fn read_account(fields: &Fields<'_>) -> Option<AccountRecord> {
    let rooms = fields.map("rooms")?.iter().map(|(room, since)| Some((room_name(room)?, Time(since.as_u64()?))));
    let read = fields.map("read")?.iter().map(|(room, line)| Some((room_name(room)?, line_id(line)?)));
    let settings = Fields(fields.0.get("settings")?);
    Some(AccountRecord {
        id: account_id(fields.text("id")?)?,
        nick: Nick::parse(fields.text("nick")?).ok()?,
        keys: fields.texts("keys")?.into_iter().map(Arc::from).collect(),
        login: fields.maybe("login", |login| login.as_str().map(Arc::from))?,
        made: fields.time("made")?,
        seen: fields.time("seen")?,
        stamp: fields.time("stamp")?,
        rooms: rooms.collect::<Option<_>>()?,
        read: read.collect::<Option<_>>()?,
        inbox: fields.maybe("inbox", line_id)?,
        ignored: fields.texts("ignored")?.into_iter().map(account_id).collect::<Option<_>>()?,
        settings: Settings {
            bell: Bell::from_word(settings.text("bell")?)?,
            zone: settings.0.get("zone")?.as_i64().and_then(|zone| i32::try_from(zone).ok())?,
            theme: settings.shared("theme")?,
            times: settings.flag("times")?,
            emoji_as_text: settings.flag("emoji_as_text")?,
        },
    })
}

fn read_room(fields: &Fields<'_>) -> Option<RoomRecord> {
    let modes = Fields(fields.0.get("modes")?);
    let roles = fields.map("roles")?.iter().map(|(id, role)| Some((account_id(id)?, Role::from_word(role.as_str()?)?)));
    let history = if modes.flag("since_joined")? { HistoryMode::SinceJoined } else { HistoryMode::All };
    Some(RoomRecord {
        name: room_name(fields.text("name")?)?,
        topic: fields.shared("topic")?,
        made: fields.time("made")?,
        stamp: fields.time("stamp")?,
        modes: Modes {
            invite: modes.flag("invite")?,
            password: modes.maybe("password", |hash| hash.as_str().map(Arc::from))?,
            moderated: modes.flag("moderated")?,
            topic_locked: modes.flag("topic_locked")?,
            history,
            keep: modes.maybe("keep", |keep| keep.as_u64().map(Duration::from_secs))?,
        },
        roles: roles.collect::<Option<_>>()?,
        invited: fields.texts("invited")?.into_iter().map(account_id).collect::<Option<_>>()?,
    })
}

fn read_ban(fields: &Fields<'_>) -> Option<Ban> {
    let whom = Fields(fields.0.get("target")?);
    let target = if let Some(account) = whom.text("account") {
        BanTarget::Account(account_id(account)?)
    } else if let Some(key) = whom.shared("key") {
        BanTarget::Key(key)
    } else {
        let bits = whom.0.get("bits")?.as_u64().and_then(|bits| u8::try_from(bits).ok())?;
        BanTarget::Address { address: whom.text("address")?.parse().ok()?, bits }
    };
    Some(Ban {
        id: fields.text("id")?.parse().ok()?,
        room: fields.maybe("room", |room| room_name(room.as_str()?))?,
        target,
        kind: if fields.flag("mute")? { BanKind::Mute } else { BanKind::Out },
        until: fields.maybe("until", |until| until.as_u64().map(Time))?,
        by: fields.shared("by")?,
        reason: fields.shared("reason")?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nacre_chat::{AccountId, LineId, RoomName};
    use std::collections::{BTreeMap, BTreeSet};

    fn account() -> Record {
        Record::Account(Arc::new(AccountRecord {
            id: AccountId(7),
            nick: Nick::parse("Zoë").unwrap(),
            keys: vec![Arc::from("SHA256:one"), Arc::from("SHA256:two")],
            login: Some(Arc::from("zoe")),
            made: Time(1),
            seen: Time(2),
            stamp: Time(3),
            rooms: BTreeMap::from([(RoomName::parse("rust").unwrap(), Time(4))]),
            read: BTreeMap::from([(RoomName::parse("rust").unwrap(), LineId(5))]),
            inbox: Some(LineId(6)),
            ignored: BTreeSet::from([AccountId(8)]),
            settings: Settings { bell: Bell::All, zone: -90, times: false, ..Settings::default() },
        }))
    }

    fn room() -> Record {
        let modes = Modes {
            invite: true,
            password: Some(Arc::from("a hash")),
            history: HistoryMode::SinceJoined,
            keep: Some(Duration::from_secs(60)),
            ..Modes::default()
        };
        Record::Room(Arc::new(RoomRecord {
            name: RoomName::parse("rust").unwrap(),
            topic: Arc::from("crabs"),
            made: Time(1),
            stamp: Time(2),
            modes,
            roles: BTreeMap::from([(AccountId(7), Role::Owner)]),
            invited: BTreeSet::from([AccountId(9)]),
        }))
    }

    fn ban(target: BanTarget, room: Option<RoomName>) -> Record {
        Record::Ban(Arc::new(Ban {
            id: LineId(1),
            room,
            target,
            kind: BanKind::Mute,
            until: Some(Time(9)),
            by: Arc::from("op"),
            reason: Arc::from(""),
        }))
    }

    fn kind(record: &Record) -> &'static str {
        match record {
            Record::Account(_) => "account",
            Record::Room(_) => "room",
            Record::Ban(_) => "ban",
        }
    }

    #[test]
    fn records_are_read_as_they_are_written() {
        let room_name = RoomName::parse("rust").unwrap();
        let records = [
            account(),
            room(),
            ban(BanTarget::Account(AccountId(1)), Some(room_name)),
            ban(BanTarget::Key(Arc::from("SHA256:x")), None),
            ban(BanTarget::Address { address: "10.0.0.0".parse().unwrap(), bits: 8 }, None),
        ];
        for record in records {
            let kind = kind(&record);
            let text = write(&record).to_string();
            assert_eq!(read(kind, &serde_json::from_str(&text).unwrap()), Some(record));
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_taken_for_nothing() {
        let value = write(&account());
        for name in ["id", "nick", "login", "inbox", "rooms", "settings"] {
            let mut broken = value.clone();
            *broken.get_mut(name).unwrap() = Value::from(17.5);
            assert_eq!(read("account", &broken), None, "{name}");
        }
    }
}
