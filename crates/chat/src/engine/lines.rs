//! Lines that are about lines: answers, edits, taking back; and what leads to a place.

use super::Engine;
use super::speak::message_to;
use crate::id::SessionId;
use crate::line::{Line, LineKind, Pair, Place};
use crate::talk::NotFound;
use crate::text::fold;
use std::fmt::Write;
use std::sync::Arc;

/// Lines whose short names `/reply` shows.
const NAMED: usize = 10;

impl Engine {
    /// `/reply`.
    pub(super) fn reply(&mut self, session: SessionId, to: Option<&str>, text: &str) {
        let Some(to) = to else { return self.show_short_names(session) };
        if text.is_empty() {
            return self.problem(session, "Usage: /reply <line or user> <message>");
        }
        match self.line_meant(session, to) {
            Ok(line) => self.say_in(session, line.place.clone(), LineKind::Message, text, Some(line.id)),
            Err(why) => self.problem_with(session, why, Some(text.into())),
        }
    }

    /// `/edit`.
    pub(super) fn edit(&mut self, session: SessionId, line: Option<&str>, text: &str) {
        match self.own_line(session, line) {
            Ok(line) => self.say_in(session, line.place.clone(), LineKind::Edit(line.id), text, None),
            Err(why) => self.problem_with(session, why, Some(text.into())),
        }
    }

    /// `/delete`: one's own line; a moderator any line of the room.
    pub(super) fn delete(&mut self, session: SessionId, line: Option<&str>) {
        let found = match line {
            None => self.own_line(session, None),
            Some(word) => self.line_meant(session, word),
        };
        let line = match found {
            Ok(line) => line,
            Err(why) => return self.problem(session, why),
        };
        let own = self.account_of(session) == Some(line.from.account);
        if own {
            return self.say_in(session, line.place.clone(), LineKind::Delete(line.id), "", None);
        }
        let moderates = line.place.room().is_some_and(|room| self.is_moderator(session, room));
        if !moderates {
            return self.problem(
                session,
                format!("That is a line of {}: only its author or an operator can take it back", line.from.nick),
            );
        }
        self.audit(session, "delete", &line.from.nick, &format!("{} {}", line.place, line.id));
        // In the author's name, so that stores and other nodes need not know who had the right.
        let change = Line {
            id: self.line_id(),
            node: Arc::clone(&self.config.node),
            kind: LineKind::Delete(line.id),
            at: self.now,
            body: Arc::from(""),
            ..(*line).clone()
        };
        self.send(Arc::new(change));
    }

    fn own_line(&self, session: SessionId, word: Option<&str>) -> Result<Arc<Line>, String> {
        let account = self.account_of(session).ok_or_else(String::new)?;
        let Some(word) = word else {
            let place = self.place_of(session)?;
            let last = self.state.talks.get(&place).and_then(|talk| talk.last_of(account));
            return last
                .filter(|line| self.sees(session, line))
                .cloned()
                .ok_or_else(|| "You said nothing here lately".to_owned());
        };
        let line = self.line_meant(session, word)?;
        if line.from.account == account && matches!(line.kind, LineKind::Message | LineKind::Action) {
            Ok(line)
        } else {
            Err(format!("That is a line of {}: only its author can change it", line.from.nick))
        }
    }

    /// The line a person named where the session is: by short name, id or nick.
    pub(super) fn line_meant(&self, session: SessionId, word: &str) -> Result<Arc<Line>, String> {
        let place = self.place_of(session)?;
        let word = word.trim_start_matches('^');
        let nick = fold(word.trim_start_matches('@').trim_end_matches(':'));
        let talk = self.state.talks.get(&place);
        let found = talk.map_or(Err(NotFound::None), |talk| talk.named(word, |line| fold(&line.from.nick) == nick));
        match found {
            Ok(line) if self.sees(session, line) => Ok(Arc::clone(line)),
            Err(NotFound::Several) => Err(format!("Several recent lines are called {word}: name it by its whole id")),
            _ => Err(format!("No recent line here is called {}: /reply alone shows their names", self.phrase(word))),
        }
    }

    /// Where a session is and may read.
    pub(super) fn place_of(&self, session: SessionId) -> Result<Place, String> {
        let at = self.state.sessions.get(&session).and_then(|s| s.at.clone().map(|at| (s.account, at)));
        match at {
            None => Err("You are in no room: /join #room".to_owned()),
            Some((account, Place::Room(name))) if !self.state.is_member(account, &name) => {
                Err(format!("You are not in {name}: /join {name}"))
            }
            Some((_, place)) => Ok(place),
        }
    }

    /// Whether a session sees a recent line: nobody hid it from newcomers, and its time is not over.
    fn sees(&self, session: SessionId, line: &Line) -> bool {
        let own = self.account_of(session);
        let since = own.and_then(|own| line.place.room().and_then(|room| self.sees_since(own, room)));
        since.is_none_or(|since| line.at >= since) && !self.is_over(line)
    }

    fn show_short_names(&mut self, session: SessionId) {
        let place = match self.place_of(session) {
            Ok(place) => place,
            Err(why) => return self.problem(session, why),
        };
        let visible = self.state.talks.get(&place).into_iter().flat_map(|talk| talk.visible().rev());
        let lines: Vec<_> = visible.filter(|line| self.sees(session, line)).take(NAMED).collect();
        let mut text = String::from("/reply NAME MESSAGE answers one of these:");
        for line in lines.iter().rev() {
            let start: String = line.body.chars().take(50).map(|c| if c.is_control() { ' ' } else { c }).collect();
            let _ = write!(text, "\n{}  {}: {start}", line.id.short(), line.from.nick);
        }
        self.notice(session, text);
    }

    /// `/go`: to a room one is in, or a person.
    pub(super) fn go(&mut self, session: SessionId, to: &str) {
        if !to.starts_with('#') {
            return self.query(session, to);
        }
        let name = match self.room_meant(session, Some(to)) {
            Ok(name) => name,
            Err(why) => return self.problem(session, why),
        };
        if self.account_of(session).is_some_and(|account| self.state.is_member(account, &name)) {
            self.focus(session, Some(Place::Room(name)));
        } else {
            self.problem(session, format!("You are not in {name}: /join {name}"));
        }
    }

    /// `/query`: to a person.
    pub(super) fn query(&mut self, session: SessionId, nick: &str) {
        let Some(account) = self.account_of(session) else { return };
        match self.person(nick) {
            Ok(other) => self.focus(session, Some(Place::Direct(Pair::new(account, other)))),
            Err(why) => self.problem(session, why),
        }
    }

    /// Says something in a room, or to somebody.
    pub(super) fn say_where(&mut self, session: SessionId, to: &str, text: &str) {
        if !to.starts_with('#') {
            return self.say_to(session, to, text);
        }
        match self.room_meant(session, Some(to)) {
            Ok(name) => self.say_in(session, Place::Room(name), LineKind::Message, text, None),
            Err(why) => self.problem_with(session, why, Some(message_to(to, text))),
        }
    }
}
