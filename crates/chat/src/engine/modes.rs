//! A room's modes and topic.

use super::Engine;
use crate::id::SessionId;
use crate::line::{LineKind, Place};
use crate::name::RoomName;
use crate::record::{HistoryMode, Modes};
use crate::time::{Span, parse_duration};
use std::sync::Arc;

impl Engine {
    /// `/topic`.
    pub(super) fn topic(&mut self, session: SessionId, text: Option<&str>) {
        let name = match self.room_meant(session, None) {
            Ok(name) => name,
            Err(why) => return self.problem(session, why),
        };
        let Some(record) = self.state.rooms.get(&name).map(|room| Arc::clone(&room.record)) else { return };
        let Some(text) = text else {
            let text = match &*record.topic {
                "" => format!("{name} has no topic"),
                topic => format!("Topic of {name}: {topic}"),
            };
            return self.notice(session, text);
        };
        let lobby = name == self.config.rules.lobby;
        if (record.modes.topic_locked || lobby) && !self.is_moderator(session, &name) {
            return self.problem(session, format!("Only operators of {name} may set its topic"));
        }
        let place = Place::Room(name.clone());
        if let Err(why) = self.may_speak(session, &place) {
            return self.problem(session, why);
        }
        let topic = if text == "-" { Arc::from("") } else { self.phrase(text) };
        let kept = Arc::clone(&topic);
        self.change_room(&name, |record| record.topic = kept);
        self.say_in(session, place, LineKind::Topic, &topic, None);
    }

    /// `/mode`: shows, or changes one after the other.
    pub(super) fn mode(&mut self, session: SessionId, words: &[Arc<str>]) {
        let (room, words) = match words.split_first() {
            Some((first, rest)) if first.starts_with('#') => (Some(&**first), rest),
            _ => (None, words),
        };
        let name = match self.room_meant(session, room) {
            Ok(name) if self.may_look_into(session, &name) => name,
            Ok(name) => return self.problem(session, format!("No such room: {name}")),
            Err(why) => return self.problem(session, why),
        };
        let Some(modes) = self.state.rooms.get(&name).map(|room| room.record.modes.clone()) else { return };
        if words.is_empty() {
            return self.notice(session, format!("{name}: {}", describe(&modes)));
        }
        if !self.is_moderator(session, &name) {
            return self.problem(session, format!("Only operators of {name} may do that"));
        }
        // Nobody who is kept out rules a room from outside.
        if let Err(why) = self.account_of(session).map_or(Ok(()), |own| self.may_enter(session, own, &name)) {
            return self.problem(session, why);
        }
        match changed(modes, words) {
            Err(why) => self.problem(session, why),
            Ok(change) => self.set_modes(session, &name, change),
        }
    }

    fn set_modes(&mut self, session: SessionId, name: &RoomName, change: Change) {
        let shown = describe(&change.modes);
        if self.state.rooms.get(name).is_some_and(|room| room.record.modes != change.modes) {
            let modes = change.modes;
            self.change_room(name, |record| record.modes = modes);
            self.audit(session, "mode", &name.to_string(), &shown);
            self.tell_room(name, &format!("{name}: {shown}"));
        }
        if let Some(password) = change.password {
            self.hash_for(session, name, &password);
        }
    }
}

/// What `/mode` is to make of a room.
struct Change {
    modes: Modes,
    /// To be hashed first.
    password: Option<Arc<str>>,
}

fn changed(mut modes: Modes, words: &[Arc<str>]) -> Result<Change, String> {
    let mut password = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let on = word.starts_with('+');
        match &**word {
            "+i" | "-i" => modes.invite = on,
            "+m" | "-m" => modes.moderated = on,
            "+t" | "-t" => modes.topic_locked = on,
            "+h" => modes.history = HistoryMode::SinceJoined,
            "-h" => modes.history = HistoryMode::All,
            "-k" => modes.password = None,
            "+k" => password = Some(Arc::clone(words.next().ok_or("After +k comes the password")?)),
            "-e" => modes.keep = None,
            "+e" => {
                let time = words.next().and_then(|word| parse_duration(word)).filter(|time| time.as_secs() > 0);
                modes.keep = Some(time.ok_or("After +e comes for how long lines are kept: 30d")?);
            }
            _ => {
                return Err(
                    "Usage: /mode [+i] [-i] [+k password] [-k] [+m] [-m] [+t] [-t] [+h] [-h] [+e 30d] [-e]".to_owned()
                );
            }
        }
    }
    Ok(Change { modes, password })
}

fn describe(modes: &Modes) -> String {
    let mut says = vec![if modes.invite { "by invitation (+i)" } else { "open" }.to_owned()];
    let mut add = |on: bool, text: &str| {
        if on {
            says.push(text.to_owned());
        }
    };
    add(modes.password.is_some(), "password (+k)");
    add(modes.moderated, "moderated (+m)");
    add(modes.topic_locked, "topic set by operators (+t)");
    add(modes.history == HistoryMode::SinceJoined, "past hidden from newcomers (+h)");
    if let Some(keep) = modes.keep {
        says.push(format!("lines kept for {} (+e)", Span(keep)));
    }
    says.join(", ")
}
