//! What other nodes of a chat say: lines, who is there, records.

use nacre_chat::limits::BODY_BYTES;
use nacre_chat::{Line, Record};
use nacre_chat_server::nats::text::{
    read_line, read_node, read_owner, read_person, read_record, write_line, write_person, write_record,
};

/// What is taken holds nothing that a terminal would obey, and is the same when it is told again.
pub fn chat_nodes(data: &[u8]) {
    if let Some(line) = read_line(data) {
        check_line(&line);
        assert_eq!(read_line(&write_line(&line)), Some(line));
    }
    if let Some(told) = read_person(data) {
        harmless(&told.presence.who.nick);
        told.presence.away.iter().for_each(|away| harmless(away));
        assert_eq!(read_person(&write_person(&told)), Some(told));
    }
    if let Some(record) = read_record(data) {
        match &record {
            Record::Account(account) => account.keys.iter().for_each(|key| harmless(key)),
            Record::Room(room) => harmless(&room.topic),
            Record::Ban(ban) => [&ban.by, &ban.reason].into_iter().for_each(|text| harmless(text)),
        }
        assert_eq!(read_record(&write_record(&record)), Some(record));
    }
    let _ = (read_node(data), read_owner(data));
}

fn check_line(line: &Line) {
    assert!(line.body.len() <= BODY_BYTES);
    harmless(&line.body.replace(['\n', '\t'], ""));
    harmless(&line.from.nick);
    harmless(&line.node);
    line.to.iter().for_each(|to| harmless(to));
}

fn harmless(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
