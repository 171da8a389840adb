//! The face for programs: one JSON object a line, both ways.
//!
//! A program writes `{"do":"say","to":"#rust","text":"hello"}` (`to` may be a nick),
//! `{"do":"type","text":"/join #rust"}` for whatever a person can type,
//! `{"do":"read","place":"#rust","line":"ID"}` and `{"do":"quit"}`. It reads objects with an
//! `event` each; times are milliseconds since 1970, ids are those that `since=ID` and `line` take.

use super::lines::LineReader;
use super::{Asked, Face};
use nacre_chat::command::Command;
use nacre_chat::limits::BODY_BYTES;
use nacre_chat::{Author, Event, Leaving, Line, Person, Place, Standing, Time};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Bytes of an object that are kept: any body with every character escaped.
const OBJECT_BYTES: usize = 8 * BODY_BYTES;

/// JSON lines.
#[derive(Debug, Default)]
pub struct Json {
    reader: LineReader,
    out: Vec<u8>,
}

impl Json {
    fn write(&mut self, value: &Value) {
        self.out.extend_from_slice(value.to_string().as_bytes());
        self.out.push(b'\n');
    }
}

impl Face for Json {
    fn typed(&mut self, now: Time, bytes: &[u8], asked: &mut Vec<Asked>) {
        let mut problems = Vec::new();
        self.reader.feed(bytes, OBJECT_BYTES, |line| {
            if line.iter().all(u8::is_ascii_whitespace) {
                return;
            }
            match order(&line) {
                Ok(order) => asked.push(order),
                Err(why) => problems.push(json!({"event": "problem", "text": why, "at": now.0})),
            }
        });
        problems.iter().for_each(|problem| self.write(problem));
    }

    fn show(&mut self, _now: Time, event: &Event, ring: bool) {
        if let Some(mut value) = told(event) {
            if ring {
                value.insert("ring".to_owned(), Value::Bool(true));
            }
            self.write(&Value::Object(value));
        }
    }

    fn draw(&mut self, _now: Time, out: &mut Vec<u8>) {
        out.append(&mut self.out);
    }
}

/// What one object asks for.
fn order(line: &[u8]) -> Result<Asked, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("not a JSON object: {error}"))?;
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let needed = |name: &str| field(name).ok_or_else(|| format!("{name}: a string is needed"));
    match needed("do")? {
        "say" => Ok(Asked::Command(Command::SayIn { to: Arc::from(needed("to")?), text: Arc::from(needed("text")?) })),
        "type" => Ok(Asked::Typed(needed("text")?.as_bytes().to_vec())),
        "read" => {
            let place = Place::parse(needed("place")?).ok_or("place: `#room` or a place as events name it")?;
            let line = needed("line")?.parse().map_err(|error| format!("line: {error}"))?;
            Ok(Asked::Read { place, line })
        }
        "quit" => Ok(Asked::End),
        other => Err(format!("do: `{other}` is none of say, type, read, quit")),
    }
}

/// An event as an object; none for what only screens need.
fn told(event: &Event) -> Option<Map<String, Value>> {
    let value = match event {
        Event::Welcome { you, greeting, at, .. } => {
            json!({"event": "welcome", "you": author(you), "greeting": &**greeting, "at": at.0})
        }
        Event::Line(said) => with_line("line", said),
        Event::Pending(said) => with_line("pending", said),
        Event::Confirmed { line: said, sequence } => {
            json!({"event": "confirmed", "line": line(said), "sequence": sequence})
        }
        Event::Lost { id, why } => json!({"event": "lost", "id": id.to_string(), "why": &**why}),
        Event::Joined { room, who, at } => {
            json!({"event": "joined", "room": room.to_string(), "who": author(who), "at": at.0})
        }
        Event::Left { room, who, how, at } => {
            json!({"event": "left", "room": room.to_string(), "who": author(who), "how": leaving(how), "at": at.0})
        }
        Event::NodeLeft { room, nicks, at } => {
            let nicks: Vec<&str> = nicks.iter().map(|nick| &**nick).collect();
            json!({"event": "node-left", "room": room.to_string(), "nicks": nicks, "at": at.0})
        }
        Event::Renamed { old, who, at } => {
            json!({"event": "renamed", "old": &**old, "who": author(who), "at": at.0})
        }
        Event::Away { who, message, at } => {
            json!({"event": "away", "who": author(who), "message": message.as_deref(), "at": at.0})
        }
        Event::Entered(view) => json!({
            "event": "entered", "room": view.name.to_string(), "topic": &*view.topic,
            "people": view.people.iter().map(person).collect::<Vec<_>>(),
        }),
        Event::Gone(room) => json!({"event": "gone", "room": room.to_string()}),
        Event::Focus(place) => json!({"event": "focus", "place": place.as_ref().map(Place::to_string)}),
        Event::Past { place, title, lines, more } => json!({
            "event": "past", "place": place.as_ref().map(Place::to_string), "title": &**title,
            "lines": lines.iter().map(|said| line(said)).collect::<Vec<_>>(), "more": more,
        }),
        Event::Missed { place, count } => json!({"event": "missed", "place": place.to_string(), "count": count}),
        Event::Apart { place, count } => json!({"event": "apart", "place": place.to_string(), "count": count}),
        Event::Linked(linked) => json!({"event": "linked", "linked": linked}),
        Event::Notice { place, text, at } => {
            let place = place.as_ref().map(Place::to_string);
            json!({"event": "notice", "place": place, "text": &**text, "at": at.0})
        }
        Event::Problem { text, at, .. } => json!({"event": "problem", "text": &**text, "at": at.0}),
        Event::People { room, people, at } => json!({
            "event": "people", "room": room.as_ref().map(ToString::to_string),
            "people": people.iter().map(person).collect::<Vec<_>>(), "at": at.0,
        }),
        Event::Rooms { rooms, at } => {
            let rooms: Vec<Value> = rooms
                .iter()
                .map(|room| {
                    json!({
                        "room": room.name.to_string(), "topic": &*room.topic, "people": room.people,
                        "joined": room.joined, "locked": room.locked,
                    })
                })
                .collect();
            json!({"event": "rooms", "rooms": rooms, "at": at.0})
        }
        Event::Skipped { count } => json!({"event": "skipped", "count": count}),
        Event::Bye { reason, at } => json!({"event": "bye", "reason": &**reason, "at": at.0}),
        Event::Chosen(_) | Event::Face(_) | Event::Clear => return None,
    };
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

fn with_line(event: &str, said: &Line) -> Value {
    json!({"event": event, "line": line(said)})
}

/// A line as an object.
pub(crate) fn line(said: &Line) -> Value {
    json!({
        "id": said.id.to_string(),
        "node": &*said.node,
        "kind": said.kind.word(),
        "target": said.kind.target().map(|id| id.to_string()),
        "place": said.place.to_string(),
        "from": author(&said.from),
        "to": said.to.as_deref(),
        "at": said.at.0,
        "body": &*said.body,
        "reply_to": said.reply_to.map(|id| id.to_string()),
        "standing": match said.standing {
            Standing::AsSaid => "as-said",
            Standing::Edited => "edited",
            Standing::Deleted => "deleted",
        },
    })
}

fn author(who: &Author) -> Value {
    json!({"account": who.account.to_string(), "nick": &*who.nick, "verified": who.verified, "key": who.key.as_deref()})
}

fn person(person: &Person) -> Value {
    json!({
        "who": author(&person.who), "role": person.role.map(nacre_chat::Role::word), "away": person.away.as_deref(),
    })
}

fn leaving(how: &Leaving) -> Value {
    match how {
        Leaving::Quit => json!({"word": "quit"}),
        Leaving::Parted(reason) => json!({"word": "part", "reason": &**reason}),
        Leaving::Kicked { by, reason } => json!({"word": "kick", "by": &**by, "reason": &**reason}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(bytes: &[u8]) -> (Vec<Asked>, String) {
        let (mut face, mut asked, mut out) = (Json::default(), Vec::new(), Vec::new());
        face.typed(Time(7), bytes, &mut asked);
        face.draw(Time(7), &mut out);
        (asked, String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn objects_are_orders() {
        let (orders, problems) = asked(
            b"{\"do\":\"say\",\"to\":\"#rust\",\"text\":\"hi\"}\n{\"do\":\"type\",\"text\":\"/list\"}\n{\"do\":\"quit\"}\n",
        );
        let said = Command::SayIn { to: Arc::from("#rust"), text: Arc::from("hi") };
        assert_eq!(orders, [Asked::Command(said), Asked::Typed(b"/list".to_vec()), Asked::End]);
        assert_eq!(problems, "");
    }

    #[test]
    fn what_is_none_is_named() {
        for (bytes, why) in [
            (&b"hello\n"[..], "not a JSON object"),
            (b"{}\n", "do: a string is needed"),
            (b"{\"do\":\"shout\"}\n", "`shout` is none of"),
            (b"{\"do\":\"say\",\"to\":\"#rust\"}\n", "text: a string is needed"),
            (b"{\"do\":\"read\",\"place\":\"#rust\",\"line\":\"1\"}\n", "line: not an id"),
            (b"\xff\n", "not a JSON object"),
        ] {
            let (orders, problems) = asked(bytes);
            assert!(orders.is_empty() && problems.contains(why), "{problems}");
        }
    }

    #[test]
    fn u03_an_event_is_one_line_without_control_characters() {
        let mut face = Json::default();
        let text = Arc::from("one\ntwo\u{1b}[2J");
        face.show(Time(1), &Event::Notice { place: None, text, at: Time(1) }, true);
        let mut out = Vec::new();
        face.draw(Time(1), &mut out);
        let line = out.strip_suffix(b"\n").unwrap_or_default();
        assert!(line.iter().all(|byte| *byte >= 0x20));
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        assert_eq!(value.get("text").and_then(Value::as_str), Some("one\ntwo\u{1b}[2J"));
        assert_eq!(value.get("ring"), Some(&Value::Bool(true)));
    }
}
