//! Completion: the names a session may know.

use super::Engine;
use crate::command::{Completion, Names, complete};
use crate::id::SessionId;
use crate::line::Place;
use std::collections::HashSet;

impl Engine {
    /// What the text before a session's cursor may become; changes nothing. Nicks of where the
    /// session is come from there, others from everybody online.
    pub fn complete(&self, session: SessionId, before: &str) -> Completion {
        complete(before, &Known { engine: self, session })
    }
}

struct Known<'a> {
    engine: &'a Engine,
    session: SessionId,
}

impl Names for Known<'_> {
    fn nicks(&self) -> Vec<String> {
        let state = &self.engine.state;
        let at = state.sessions.get(&self.session).and_then(|s| s.at.as_ref());
        let room = at.and_then(Place::room).and_then(|name| state.rooms.get(name));
        let here: HashSet<_> = match room {
            Some(room) if room.here.len() > 1 => room.here.clone(),
            _ => state.here.keys().copied().collect(),
        };
        here.iter().map(|account| state.nick_of(*account).to_string()).collect()
    }

    fn rooms(&self) -> Vec<String> {
        let known = |name: &&crate::name::RoomName| self.engine.may_look_into(self.session, name);
        self.engine.state.rooms.keys().filter(known).map(ToString::to_string).collect()
    }
}
