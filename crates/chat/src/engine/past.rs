//! The past: what was missed, what waited, history and search.

use super::Engine;
use super::state::Waiting;
use crate::command::Past;
use crate::effect::{HistoryQuery, Range, SearchQuery, StoreRequest};
use crate::event::Event;
use crate::id::{AccountId, LineId, SessionId};
use crate::input::{Connect, Face, StoreAnswer};
use crate::limits::{HISTORY_LINES, INBOX_LINES, PHRASE_BYTES};
use crate::line::{Line, Place};
use crate::name::RoomName;
use crate::text::clean_line;
use crate::time::Span;
use std::sync::Arc;

/// Lines that a search shows.
const FOUND: u32 = 50;

impl Engine {
    /// Says how many lines were missed; asks the store where memory does not reach.
    pub(super) fn tell_missed(&mut self, session: SessionId, name: &RoomName, read: LineId, known: Option<usize>) {
        let place = Place::Room(name.clone());
        let Some(account) = self.account_of(session) else { return };
        match known.map(u64::try_from) {
            Some(Ok(0)) => {}
            Some(Ok(count)) => self.show(session, Event::Missed { place, count }),
            _ => {
                let not_before = self.sees_since(account, name);
                let what = StoreRequest::Count { place: place.clone(), after: Some(read), not_before, not_by: account };
                self.ask_store(what, Some(Waiting::Missed { session, place }));
            }
        }
    }

    /// What waited for a person who comes back, or what a program wants to go on from.
    pub(super) fn after_seating(&mut self, session: SessionId, account: AccountId, connect: &Connect) {
        self.tell_offer(session);
        if let Some(since) = connect.since {
            for name in self.state.rooms_of(account) {
                let not_before = self.sees_since(account, &name);
                let place = Place::Room(name);
                let query =
                    HistoryQuery { place: place.clone(), range: Range::After(since), limit: HISTORY_LINES, not_before };
                let waiting = Waiting::Past { session, place, title: Arc::from("Since then"), always: false };
                self.ask_store(StoreRequest::History(query), Some(waiting));
            }
        } else if connect.face == Face::Json {
            return;
        }
        let first = self.sessions_of(account).len() == 1;
        let known = self.state.accounts.get(&account).filter(|record| record.made < self.now);
        let Some(record) = known.filter(|_| first || connect.since.is_some()) else { return };
        let what = StoreRequest::Inbox { account, after: connect.since.or(record.inbox), limit: INBOX_LINES };
        self.ask_store(what, Some(Waiting::Inbox { session }));
    }

    /// `/history`.
    pub(super) fn history(&mut self, session: SessionId, past: Past) {
        let place = match self.place_of(session) {
            Ok(place) => place,
            Err(why) => return self.problem(session, why),
        };
        let line = |word: &str| match word.parse::<LineId>() {
            Ok(id) => Ok(id),
            Err(_) => self.line_meant(session, word).map(|line| line.id),
        };
        let asked = match past {
            Past::Last(count) => Ok((Range::Latest, count, "Last lines".to_owned())),
            Past::For(time) => Ok((Range::Since(self.now.before(time)), HISTORY_LINES, format!("Last {}", Span(time)))),
            Past::Before(word, count) => line(&word).map(|id| (Range::Before(id), count, "Before that".to_owned())),
            Past::After(word, count) => line(&word).map(|id| (Range::After(id), count, "After that".to_owned())),
            Past::Around(word, count) => line(&word).map(|id| (Range::Around(id), count, "Around that".to_owned())),
        };
        let (range, count, title) = match asked {
            Ok(asked) => asked,
            Err(why) => return self.problem(session, why),
        };
        let account = self.account_of(session);
        let not_before = account.and_then(|me| place.room().and_then(|room| self.sees_since(me, room)));
        let limit = count.clamp(1, HISTORY_LINES);
        let query = HistoryQuery { place: place.clone(), range, limit, not_before };
        let waiting = Waiting::Past { session, place, title: title.into(), always: true };
        self.ask_store(StoreRequest::History(query), Some(waiting));
    }

    /// `/search`: in all that this person may see. One at a time for each account, or one of them could keep all others from
    /// searching.
    pub(super) fn search(&mut self, session: SessionId, words: &str) {
        let Some(account) = self.account_of(session) else { return };
        let words = clean_line(words.as_bytes(), PHRASE_BYTES);
        if words.is_empty() {
            return self.problem(session, "Usage: /search <words>");
        }
        if self.state.searching.contains_key(&account) {
            return self.problem(session, "Your last search is still under way; wait for what it finds");
        }
        let rooms = self.state.rooms_of(account).into_iter();
        let places = rooms.map(|name| (Place::Room(name.clone()), self.sees_since(account, &name))).collect();
        let title = format!("Found: {words}").into();
        let query = SearchQuery { words: words.into(), places, directs_of: Some(account), from: None, limit: FOUND };
        self.state.searching.insert(account, session);
        self.ask_store(StoreRequest::Search(query), Some(Waiting::Found { session, account, title }));
    }

    /// Whether a search of a session is under way.
    pub fn is_searching(&self, session: SessionId) -> bool {
        self.state.searching.values().any(|searching| *searching == session)
    }

    /// The store's answer to a search.
    fn found(&mut self, session: SessionId, title: Arc<str>, answer: StoreAnswer) {
        match answer {
            StoreAnswer::Lines { lines, more } => {
                let lines = self.without_ignored(session, lines).into();
                self.show(session, Event::Past { place: None, title, lines, more });
            }
            StoreAnswer::Failed(why) => self.problem(session, format!("The search came to nothing: {why}")),
            StoreAnswer::Kept | StoreAnswer::Count(_) => {}
        }
    }

    /// The store's answer to a question about the past.
    pub(super) fn past_came(&mut self, waiting: Waiting, answer: StoreAnswer) {
        match (waiting, answer) {
            (Waiting::Past { session, place, title, always }, StoreAnswer::Lines { lines, more }) => {
                let lines = self.without_ignored(session, lines);
                if always || !lines.is_empty() {
                    self.show(session, Event::Past { place: Some(place), title, lines: lines.into(), more });
                }
            }
            (Waiting::Found { session, account, title }, answer) => {
                self.state.searching.remove(&account);
                self.found(session, title, answer);
            }
            (Waiting::Inbox { session }, StoreAnswer::Lines { lines, more }) => self.inbox_came(session, lines, more),
            (Waiting::Missed { session, place }, StoreAnswer::Count(count)) if count > 0 => {
                self.show(session, Event::Missed { place, count });
            }
            (Waiting::Past { session, .. } | Waiting::Inbox { session }, StoreAnswer::Failed(why)) => {
                self.problem(session, format!("The history could not be read: {why}"));
            }
            _ => {}
        }
    }

    fn inbox_came(&mut self, session: SessionId, lines: Vec<Arc<Line>>, more: bool) {
        let Some(account) = self.account_of(session) else { return };
        let Some(last) = lines.iter().max_by_key(|line| line.id).cloned() else { return };
        self.mark_read(account, &last.place, last.id);
        let lines = self.without_ignored(session, lines);
        if lines.is_empty() {
            return;
        }
        let title = match lines.len() {
            1 => "1 private message while you were away".to_owned(),
            count => format!("{count} private messages while you were away"),
        };
        self.show(session, Event::Past { place: None, title: title.into(), lines: lines.into(), more });
    }

    fn without_ignored(&self, session: SessionId, mut lines: Vec<Arc<Line>>) -> Vec<Arc<Line>> {
        let record = self.account_of(session).and_then(|account| self.state.accounts.get(&account));
        if let Some(record) = record.filter(|record| !record.ignored.is_empty()) {
            lines.retain(|line| !record.ignored.contains(&line.from.account));
        }
        lines
    }
}
