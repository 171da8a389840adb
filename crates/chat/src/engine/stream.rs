//! The order of lines among nodes is the stream's. A line is taken when all before it were; what
//! comes ahead of a gap waits until the gap is filled.

use super::Engine;
use super::back::AGAIN;
use super::state::Waiting;
use crate::effect::{BackRequest, Feed, StoreRequest};
use crate::event::Event;
use crate::limits::{AHEAD, BACKFILL_LINES, GREETING_LINES};
use crate::line::{Line, Place, Standing};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One feed as it is read.
#[derive(Debug, Default)]
pub struct Stream {
    /// All lines up to this number were taken, or are gone.
    pub whole_to: u64,
    /// It was read to its end before, though there may have been nothing in it.
    known: bool,
    /// A gap is being filled.
    pub filling: Option<Fill>,
    /// Lines that came meanwhile, by number.
    ahead: BTreeMap<u64, Arc<Line>>,
    /// The newest lines of a fill, to be shown together at its end.
    past: VecDeque<Arc<Line>>,
}

impl Stream {
    fn gather(&mut self, line: &Arc<Line>) {
        if self.past.len() == AHEAD {
            self.past.pop_front();
        }
        self.past.push_back(Arc::clone(line));
    }
}

/// Why a gap is filled, which decides how its lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Nobody here listened before: as the past.
    First,
    /// The other nodes could not be reached: after a rule that says how many.
    Apart,
    /// A line got lost: as if it had come.
    Gap,
}

impl Feed {
    /// The feed that a place's lines come by.
    pub fn of(place: &Place) -> Self {
        match place {
            Place::Room(name) => Self::Room(name.clone()),
            Place::Direct(_) => Self::Directs,
        }
    }
}

impl Engine {
    fn stream(&mut self, feed: &Feed) -> &mut Stream {
        self.state.streams.entry(feed.clone()).or_default()
    }

    /// A place's lines were taken up to that number before, as the store says.
    pub(super) fn taken_before(&mut self, place: &Place, position: u64) {
        self.state.talk(place).position = position;
        let stream = self.stream(&Feed::of(place));
        stream.whole_to = stream.whole_to.max(position);
        stream.known = true;
    }

    /// A line came out of the stream.
    pub(super) fn line_came(&mut self, line: Arc<Line>, sequence: u64, previous: u64) {
        let feed = Feed::of(&line.place);
        let position = self.state.talk(&line.place).position;
        let stream = self.stream(&feed);
        if sequence <= position {
            return;
        }
        let whole = previous <= position.max(stream.whole_to);
        if whole && stream.filling.is_none() {
            return self.take(&line, sequence, Fill::Gap);
        }
        // What does not fit is brought by the filling itself.
        if stream.ahead.len() < AHEAD {
            stream.ahead.insert(sequence, line);
        }
        self.fill(feed, Fill::Gap);
    }

    /// Asks for what may be missing in a feed.
    pub(super) fn fill(&mut self, feed: Feed, how: Fill) {
        let stream = self.stream(&feed);
        if stream.filling.is_some() {
            return;
        }
        // Who never read a feed was not apart from it.
        let unread = how == Fill::Apart && !stream.known;
        stream.filling = Some(if unread { Fill::First } else { how });
        let what = BackRequest::Backfill { feed: feed.clone(), after: stream.whole_to, limit: BACKFILL_LINES };
        self.ask_back(what, Some(Waiting::Filled(feed)));
    }

    /// A part of what was missing came.
    pub(super) fn filled(&mut self, feed: &Feed, lines: Vec<(u64, Arc<Line>)>, more: bool) {
        let Some(how) = self.stream(feed).filling else { return };
        let mut last = self.stream(feed).whole_to;
        let new: Vec<(u64, Arc<Line>)> = lines
            .into_iter()
            .filter(|(sequence, line)| {
                last = last.max(*sequence);
                *sequence > self.state.talk(&line.place).position
            })
            .collect();
        for (sequence, line) in new {
            self.take(&line, sequence, how);
        }
        let stream = self.stream(feed);
        stream.whole_to = last;
        if more {
            let what = BackRequest::Backfill { feed: feed.clone(), after: last, limit: BACKFILL_LINES };
            return self.ask_back(what, Some(Waiting::Filled(feed.clone())));
        }
        self.fill_ends(feed);
    }

    fn fill_ends(&mut self, feed: &Feed) {
        let stream = self.stream(feed);
        let how = stream.filling.take();
        stream.known = true;
        let past = Vec::from(std::mem::take(&mut stream.past));
        let ahead = std::mem::take(&mut stream.ahead);
        if let Feed::Room(name) = feed {
            if how == Some(Fill::First) { self.show_as_past(name, past) } else { self.show_after_rule(name, &past) }
        }
        // What is still missing before these is gone from the stream, and will never come.
        for (sequence, line) in ahead {
            if sequence > self.state.talk(&line.place).position {
                self.take(&line, sequence, Fill::Gap);
            }
        }
        if how != Some(Fill::Gap) {
            self.publish_waiting(feed);
        }
    }

    /// What is missing could not be had: later again.
    pub(super) fn not_filled(&mut self, feed: Feed) {
        self.stream(&feed).filling = None;
        if self.state.linked {
            self.publish_waiting(&feed);
            self.state.checks.insert((self.now.after(AGAIN), feed));
        }
    }

    /// The next line of its place: shown, kept, and confirmed if it is from here.
    fn take(&mut self, line: &Arc<Line>, sequence: u64, how: Fill) {
        let place = &line.place;
        let over = self.is_over(line);
        let talk = self.state.talk(place);
        talk.number(line.id, sequence);
        let added = !over && talk.add(line);
        let new = !self.state.shown.remove(&line.id) && added;
        if let (Place::Room(_), stream) = (place, self.stream(&Feed::of(place))) {
            stream.whole_to = stream.whole_to.max(sequence);
        }
        self.unqueue(line);
        if new {
            self.ask_store(StoreRequest::Append { line: Arc::clone(line), sequence: Some(sequence) }, None);
            match (how, place) {
                (Fill::First | Fill::Apart, Place::Room(_)) => self.stream(&Feed::of(place)).gather(line),
                _ => self.deliver(line),
            }
        } else {
            self.ask_store(StoreRequest::Number { line: line.id, sequence }, None);
        }
        if line.node == self.config.node {
            self.confirmed(line, Some(sequence));
        }
        if let Place::Direct(pair) = place
            && !pair.both().iter().any(|account| self.state.here.contains_key(account))
        {
            self.state.talk(place).forget();
        }
    }

    /// Whether a line would not be kept any more: the stream may keep it longer than this chat does.
    pub(super) fn is_over(&self, line: &Line) -> bool {
        let room = line.place.room().and_then(|name| self.state.rooms.get(name));
        let keep = room.and_then(|room| room.record.modes.keep).or(self.config.rules.keep);
        keep.is_some_and(|keep| line.at.after(keep) < self.now)
    }

    /// The lines that were said elsewhere meanwhile, below one rule that counts them.
    fn show_after_rule(&mut self, name: &crate::name::RoomName, lines: &[Arc<Line>]) {
        let count = lines.iter().filter(|line| line.kind.target().is_none()).count() as u64;
        let Some(heard) = self.heard(name).filter(|_| count > 0) else { return };
        let event = Event::Apart { place: Place::Room(name.clone()), count };
        let to = crate::effect::Audience::Many { sessions: heard.sessions, except: self.state.nobody() };
        let ring = self.state.nobody();
        self.out.push(crate::effect::Effect::Show { to, event: Arc::new(event), ring });
        for line in lines {
            self.deliver(line);
        }
    }

    /// What was said before anybody here listened; for each who may see it.
    fn show_as_past(&mut self, name: &crate::name::RoomName, past: Vec<Arc<Line>>) {
        if past.is_empty() {
            return;
        }
        let place = Place::Room(name.clone());
        let ids: std::collections::HashSet<_> = past.iter().map(|line| line.id).collect();
        let talk = self.state.talk(&place);
        // From memory, where edits and deletions were applied.
        let lines: Vec<Arc<Line>> = talk
            .visible()
            .filter(|line| ids.contains(&line.id) && line.standing != Standing::Deleted)
            .cloned()
            .collect();
        let Some(heard) = self.heard(name) else { return };
        for session in heard.sessions.iter() {
            let Some(account) = self.account_of(*session) else { continue };
            let since = self.sees_since(account, name);
            let mut seen: Vec<_> =
                lines.iter().filter(|line| since.is_none_or(|since| line.at >= since)).cloned().collect();
            let from = seen.len().saturating_sub(GREETING_LINES as usize);
            let more = from > 0;
            seen.drain(..from);
            if !seen.is_empty() {
                let title = Arc::from("Said on other nodes");
                self.show(*session, Event::Past { place: Some(place.clone()), title, lines: seen.into(), more });
            }
        }
    }
}
