//! Saying things: from what was typed to who sees it.

use super::Engine;
use super::state::Waiting;
use crate::command::{BadCommand, Command, parse};
use crate::effect::{Audience, Effect, StoreRequest};
use crate::event::Event;
use crate::id::{AccountId, LineId, SessionId};
use crate::limits::{BODY_BYTES, BODY_LINES, DELAYED, FLOOD_MUTE, MENTIONS, PHRASE_BYTES};
use crate::line::{Line, LineKind, Pair, Place, Standing};
use crate::record::{BanKind, Bell};
use crate::text::{clean, clean_line, fold};
use crate::time::Span;
use std::sync::Arc;

impl Engine {
    /// A session wrote a line: taken at once, or in its turn when it comes too fast.
    pub(super) fn typed(&mut self, session: SessionId, bytes: Arc<[u8]>) {
        let now = self.now;
        let Some(who) = self.state.sessions.get_mut(&session) else {
            let early = self.state.early.get_mut(&session);
            return early
                .filter(|early| early.len() < DELAYED)
                .into_iter()
                .for_each(|early| early.push(Arc::clone(&bytes)));
        };
        if who.muted_until > now {
            let left = Span(who.muted_until.since(now));
            return self.problem(session, format!("You wrote too fast: nothing is taken from you for another {left}"));
        }
        if who.late.is_empty() && who.rate.take(now) {
            return self.take_typed(session, &bytes);
        }
        if who.late.len() < DELAYED {
            if who.late.is_empty() {
                let due = who.rate.next(now);
                self.state.late.insert((due, session));
            }
            who.late.push_back(bytes);
            return;
        }
        who.muted_until = now.after(FLOOD_MUTE);
        let wait = Span(FLOOD_MUTE);
        self.problem(session, format!("You write too fast: this line is not taken, and none for {wait}"));
        self.audit(session, "flood", "-", "");
    }

    /// Whether lines of a session wait for their turn.
    pub fn is_behind(&self, session: SessionId) -> bool {
        self.state.sessions.get(&session).is_some_and(|who| !who.late.is_empty())
    }

    /// The lines whose turn has come.
    pub(super) fn say_what_was_late(&mut self) {
        while let Some((due, session)) = self.state.late.first().copied().filter(|(due, _)| *due <= self.now) {
            self.state.late.remove(&(due, session));
            let now = self.now;
            let Some(who) = self.state.sessions.get_mut(&session) else { continue };
            let bytes = if who.rate.take(now) { who.late.pop_front() } else { None };
            if !who.late.is_empty() {
                let next = who.rate.next(now).max(due);
                self.state.late.insert((next, session));
            }
            if let Some(bytes) = bytes {
                self.take_typed(session, &bytes);
            }
        }
    }

    fn take_typed(&mut self, session: SessionId, bytes: &[u8]) {
        let now = self.now;
        if let Some(account) = self.account_of(session)
            && let Some(here) = self.state.here.get_mut(&account)
        {
            here.last_typed = now;
        }
        if bytes.len() > BODY_BYTES * 2 {
            return self.too_long(session, bytes.len(), None);
        }
        let text = clean(bytes);
        match parse(&text) {
            Ok(command) => self.obey(session, command),
            Err(BadCommand::Empty) => {}
            Err(why) => self.problem_with(session, why.to_string(), Some(text.into())),
        }
    }

    fn too_long(&mut self, session: SessionId, bytes: usize, draft: Option<Arc<str>>) {
        let text = format!(
            "That is too long ({bytes} bytes): one message has at most {BODY_BYTES} bytes and {BODY_LINES} lines. Nothing was sent"
        );
        self.problem_with(session, text, draft);
    }

    /// Says something where the session is.
    pub(super) fn say(&mut self, session: SessionId, kind: LineKind, text: &str) {
        let Some(place) = self.state.sessions.get(&session).and_then(|s| s.at.clone()) else {
            return self.problem_with(
                session,
                "You are in no room: /join #room, or /pm USER MESSAGE",
                Some(text.into()),
            );
        };
        self.say_in(session, place, kind, text, None);
    }

    /// Says something somewhere.
    pub(super) fn say_in(
        &mut self,
        session: SessionId,
        place: Place,
        kind: LineKind,
        text: &str,
        reply_to: Option<LineId>,
    ) {
        // Texts of commands from programs have not been cleaned yet; cleaning twice changes nothing.
        let body = clean(text.as_bytes());
        let draft = || Some(self.draft_of(session, &place, &kind, &body));
        if body.len() > BODY_BYTES || body.lines().count() > BODY_LINES {
            let draft = draft();
            return self.too_long(session, body.len(), draft);
        }
        if body.trim().is_empty() && !matches!(kind, LineKind::Delete(_) | LineKind::Topic) {
            return self.problem(session, "There is nothing to say in that");
        }
        if let Some(why) = self.too_long_apart(&place) {
            let draft = draft();
            return self.problem_with(session, why, draft);
        }
        if let Err(why) = self.may_speak(session, &place) {
            let draft = draft();
            return self.problem_with(session, why, draft);
        }
        let Some(author) = self.author_of(session) else { return };
        let to = match &place {
            Place::Room(_) => None,
            Place::Direct(pair) => pair.other(author.account).map(|other| self.state.nick_of(other)),
        };
        let line = Arc::new(Line {
            id: self.line_id(),
            to,
            node: Arc::clone(&self.config.node),
            kind,
            place,
            from: author,
            at: self.now,
            body: body.into(),
            reply_to,
            standing: Standing::AsSaid,
        });
        self.send(line);
    }

    /// What would say a text again: with where it goes, or a private text that comes back would be said to a room.
    fn draft_of(&self, session: SessionId, place: &Place, kind: &LineKind, body: &str) -> Arc<str> {
        let who = self.state.sessions.get(&session);
        if who.and_then(|who| who.at.as_ref()) == Some(place) {
            return if *kind == LineKind::Action { format!("/me {body}").into() } else { body.into() };
        }
        let to = match place {
            Place::Room(name) => name.to_string(),
            Place::Direct(pair) => {
                let other = who.and_then(|who| pair.other(who.account));
                other.map_or_else(|| Arc::from("?"), |other| self.state.nick_of(other)).to_string()
            }
        };
        message_to(&to, body)
    }

    /// A line that may be said goes its way: to those here and into the store, or into the stream.
    pub(super) fn send(&mut self, line: Arc<Line>) {
        let pale: Arc<[SessionId]> = self.sessions_of(line.from.account).into();
        self.state.pale.insert(line.id, Arc::clone(&pale));
        self.show_to(pale, Event::Pending(Arc::clone(&line)));
        if self.config.nodes { self.publish(line) } else { self.keep(line) }
    }

    /// A line with no other nodes: shown to all at once, confirmed when it is kept.
    pub(super) fn keep(&mut self, line: Arc<Line>) {
        self.state.talk(&line.place).add(&line);
        self.deliver(&line);
        let append = StoreRequest::Append { line: Arc::clone(&line), sequence: None };
        self.ask_store(append, Some(Waiting::Kept(line)));
    }

    /// The line is kept: says so to those of its author's sessions that saw it pale.
    pub(super) fn confirmed(&mut self, line: &Arc<Line>, sequence: Option<u64>) {
        let Some(pale) = self.state.pale.remove(&line.id) else { return };
        self.show_to(pale, Event::Confirmed { line: Arc::clone(line), sequence });
    }

    /// Shows to those of some sessions that are still there.
    fn show_to(&mut self, sessions: Arc<[SessionId]>, event: Event) {
        if sessions.is_empty() {
            return;
        }
        let gone = sessions.iter().filter(|session| !self.state.sessions.contains_key(session)).copied().collect();
        let to = Audience::Many { sessions, except: self.shared(gone) };
        let ring = self.state.nobody();
        self.out.push(Effect::Show { to, event: Arc::new(event), ring });
    }

    /// The line could not be kept: says so to its author.
    pub(super) fn lost(&mut self, line: &Line, why: &str) {
        let why: Arc<str> = clean_line(why.as_bytes(), PHRASE_BYTES).into();
        let Some(pale) = self.state.pale.remove(&line.id) else { return };
        self.show_to(pale, Event::Lost { id: line.id, why });
    }

    /// Shows a line to everybody here who should see it, but its author (who saw it go out).
    pub(super) fn deliver(&mut self, line: &Arc<Line>) {
        match &line.place {
            Place::Room(name) => {
                let Some(heard) = self.heard(name) else { return };
                let mut except = self.who_saw_it_go(line);
                except.extend(self.state.deaf_to(line.from.account));
                let mut ring: Vec<SessionId> = self.mentioned(line);
                ring.extend_from_slice(&heard.ring);
                let own = self.sessions_of(line.from.account);
                ring.retain(|session| !except.contains(session) && !own.contains(session));
                let to = Audience::Many { sessions: heard.sessions, except: self.shared(except) };
                let ring = self.shared(ring);
                self.out.push(Effect::Show { to, event: Arc::new(Event::Line(Arc::clone(line))), ring });
            }
            Place::Direct(pair) => self.deliver_direct(line, *pair),
        }
    }

    /// The author's sessions that saw the line go out.
    fn who_saw_it_go(&self, line: &Line) -> Vec<SessionId> {
        self.state.pale.get(&line.id).map(|sessions| sessions.to_vec()).unwrap_or_default()
    }

    fn deliver_direct(&mut self, line: &Arc<Line>, pair: Pair) {
        let saw = self.who_saw_it_go(line);
        let own: Vec<SessionId> =
            self.sessions_of(line.from.account).iter().filter(|s| !saw.contains(s)).copied().collect();
        if !own.is_empty() {
            self.show_to(own.into(), Event::Line(Arc::clone(line)));
        }
        let Some(other) = pair.other(line.from.account).filter(|other| *other != line.from.account) else { return };
        let ignores = self.state.ignored_by.get(&line.from.account).is_some_and(|by| by.contains(&other));
        let sessions: Arc<[SessionId]> = self.sessions_of(other).into();
        if ignores || sessions.is_empty() {
            return;
        }
        let bell = self.state.accounts.get(&other).map(|record| record.settings.bell);
        let ring = if bell == Some(Bell::Off) { self.state.nobody() } else { Arc::clone(&sessions) };
        let to = Audience::Many { sessions, except: self.state.nobody() };
        self.out.push(Effect::Show { to, event: Arc::new(Event::Line(Arc::clone(line))), ring });
        self.mark_read(other, &line.place, line.id);
    }

    /// Sessions whose person is named in a line, as a whole word in any case.
    fn mentioned(&self, line: &Line) -> Vec<SessionId> {
        if !matches!(line.kind, LineKind::Message | LineKind::Action) {
            return Vec::new();
        }
        let part_of_nick = |c: char| {
            c.is_alphanumeric() || matches!(c, '-' | '_') || unicode_normalization::char::is_combining_mark(c)
        };
        let mut found: Vec<AccountId> = Vec::new();
        for word in line.body.split(|c| !part_of_nick(c)).filter(|word| !word.is_empty()) {
            let Some(account) = self.state.names.get(&fold(word)) else { continue };
            if !found.contains(account) && found.len() < MENTIONS && self.is_in(*account, &line.place) {
                found.push(*account);
            }
        }
        let wants = |account: &AccountId| {
            let bell = self.state.accounts.get(account).map(|record| record.settings.bell);
            bell == Some(Bell::Mentions)
        };
        found.iter().filter(|account| wants(account)).flat_map(|account| self.sessions_of(*account)).copied().collect()
    }

    fn is_in(&self, account: AccountId, place: &Place) -> bool {
        match place {
            Place::Room(name) => self.state.rooms.get(name).is_some_and(|room| room.here.contains(&account)),
            Place::Direct(pair) => pair.other(account).is_some(),
        }
    }

    /// Whether a session may speak somewhere; why not.
    pub(super) fn may_speak(&self, session: SessionId, place: &Place) -> Result<(), String> {
        let Some(who) = self.state.sessions.get(&session) else { return Ok(()) };
        if self.is_operator(session) {
            return Ok(());
        }
        let banned =
            |room| self.state.banned(self.now, BanKind::Mute, room, Some(who.account), who.key.as_ref(), who.address);
        if let Some(ban) = banned(None) {
            return Err(ban.describe(self.now));
        }
        let Some(name) = place.room() else { return Ok(()) };
        if !self.state.is_member(who.account, name) {
            return Err(format!("You are not in {name}: /join {name}"));
        }
        if let Some(ban) = banned(Some(name)) {
            return Err(ban.describe(self.now));
        }
        let role = self.state.role(who.account, name);
        let moderated = self.state.rooms.get(name).is_some_and(|room| room.record.modes.moderated);
        if moderated && role.is_none() {
            return Err(format!("{name} is moderated: an operator must give you a /voice first"));
        }
        Ok(())
    }

    /// Says something to one person, here or away.
    pub(super) fn say_to(&mut self, session: SessionId, nick: &str, text: &str) {
        let Some(account) = self.account_of(session) else { return };
        match self.person(nick) {
            Err(why) => self.problem_with(session, why, Some(message_to(nick, text))),
            Ok(other) => {
                let place = Place::Direct(Pair::new(account, other));
                self.say_in(session, place, LineKind::Message, text, None);
                self.tell_if_away(session, other);
            }
        }
    }

    fn tell_if_away(&mut self, session: SessionId, other: AccountId) {
        let nick = self.state.nick_of(other);
        let away = match self.state.here.get(&other) {
            Some(here) => Some(here.away.clone()),
            None => self.state.presence_afar(other).map(|presence| presence.away.clone()),
        };
        match away {
            Some(None) => {}
            Some(Some(message)) => self.notice(session, format!("{nick} is away: {message}")),
            None => self.notice(session, format!("{nick} is not here now and will find your message on coming back")),
        }
    }

    /// A command from a program: the same limits as for what is typed.
    pub(super) fn ordered(&mut self, session: SessionId, command: Command) {
        let now = self.now;
        let Some(who) = self.state.sessions.get_mut(&session) else { return };
        if who.muted_until > now || !who.late.is_empty() || !who.rate.take(now) {
            return self.problem(session, "You are too fast: five at once, then two a second. Nothing was done");
        }
        self.obey(session, command);
    }
}

/// A message to somebody or a room, as it is typed.
pub(super) fn message_to(to: &str, text: &str) -> Arc<str> {
    format!("/pm {to} {text}").into()
}
