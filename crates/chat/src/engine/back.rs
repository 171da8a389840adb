//! The other nodes: reached or not. What is said while they cannot be reached is shown here at
//! once, waits in a bounded queue, and goes into the stream in order when they are back.

use super::Engine;
use super::state::Waiting;
use super::stream::Fill;
use crate::effect::{BackRequest, Feed, StoreRequest};
use crate::event::Event;
use crate::id::AccountId;
use crate::input::{BackAnswer, BackNews};
use crate::limits::{APART_LINES, APART_TIME};
use crate::line::{Line, Place};
use crate::name::RoomName;
use crate::record::{Record, RecordKey};
use crate::time::{Span, Time};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long after a failure the same is tried again.
pub const AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// News from the other nodes.
    pub(super) fn news(&mut self, news: BackNews) {
        match news {
            BackNews::Up => self.up(),
            BackNews::Down => self.down(),
            BackNews::Line { line, sequence, previous } => self.line_came(line, sequence, previous),
            BackNews::Present(presence) => self.present_afar(presence),
            BackNews::Absent { node, account } => self.absent_afar(&node, account),
            BackNews::NodeGone { node } => self.node_gone(&node),
            BackNews::Put(record) => self.record_came(record),
            BackNews::Delete(key) => self.deletion_came(&key),
        }
    }

    /// The back plane's answer to a request.
    pub(super) fn back_answered(&mut self, waiting: Waiting, answer: BackAnswer) {
        match (waiting, answer) {
            (Waiting::Published(line), BackAnswer::Published { sequence }) => self.published(&line, sequence),
            (Waiting::Published(line), _) => self.not_published(line),
            (Waiting::Filled(feed), BackAnswer::Backfilled { lines, more }) => self.filled(&feed, lines, more),
            (Waiting::Filled(feed), _) => self.not_filled(feed),
            (waiting, answer) => self.claim_answered(waiting, &answer),
        }
    }

    /// The other nodes can be reached.
    fn up(&mut self) {
        if self.state.linked {
            return self.check_all(Fill::Apart);
        }
        self.state.linked = true;
        self.tell_all(&Event::Linked(true));
        self.ask_back(BackRequest::Subscribe(Feed::Directs), None);
        let mut rooms: Vec<RoomName> =
            self.state.rooms.iter().filter(|(_, room)| !room.here.is_empty()).map(|(name, _)| name.clone()).collect();
        rooms.sort();
        for name in rooms {
            self.ask_back(BackRequest::Subscribe(Feed::Room(name)), None);
        }
        self.claim_unclaimed();
        self.write_unsent();
        let mut here: Vec<AccountId> = self.state.here.keys().copied().collect();
        here.sort_unstable();
        for account in here {
            self.tell_presence(account);
        }
        self.check_all(Fill::Apart);
        let feeds: BTreeSet<Feed> = self.state.apart.keys().map(Feed::of).collect();
        for feed in feeds {
            // A line may be in the stream although no answer said so: what is there is read first.
            if self.state.streams.get(&feed).is_none_or(|stream| stream.filling.is_none()) {
                self.publish_waiting(&feed);
            }
        }
    }

    /// Publishes what waits in the places of a feed.
    pub(super) fn publish_waiting(&mut self, feed: &Feed) {
        let places: BTreeSet<Place> =
            self.state.apart.keys().filter(|place| Feed::of(place) == *feed).cloned().collect();
        for place in places {
            self.publish_next(&place);
        }
    }

    /// Looks for gaps in all that is listened to.
    fn check_all(&mut self, how: Fill) {
        self.fill(Feed::Directs, how);
        let mut rooms: Vec<RoomName> =
            self.state.rooms.iter().filter(|(_, room)| !room.here.is_empty()).map(|(name, _)| name.clone()).collect();
        rooms.sort();
        for name in rooms {
            self.fill(Feed::Room(name), how);
        }
    }

    /// The other nodes cannot be reached: local people go on among themselves.
    fn down(&mut self) {
        if !self.state.linked {
            return;
        }
        self.state.linked = false;
        self.tell_all(&Event::Linked(false));
        let mut claims = Vec::new();
        let mut flying: Vec<Arc<Line>> = Vec::new();
        for (request, waiting) in &self.state.waiting {
            match waiting {
                Waiting::Published(line) => flying.push(Arc::clone(line)),
                Waiting::Claim { .. } => claims.push(*request),
                _ => {}
            }
        }
        let waiting = self.state.apart.values().flatten();
        flying.extend(waiting.filter(|line| !self.state.shown.contains(&line.id)).cloned());
        flying.sort_by_key(|line| line.id);
        for line in flying {
            self.show_apart(&line);
        }
        claims.sort_unstable();
        for request in claims {
            if let Some(waiting) = self.state.waiting.remove(&request) {
                self.claim_answered(waiting, &BackAnswer::Failed(Arc::from("not connected")));
            }
        }
        self.state.streams.values_mut().for_each(|stream| stream.filling = None);
    }

    /// Shows to all sessions of this node.
    pub(super) fn tell_all(&mut self, event: &Event) {
        let mut sessions: Vec<_> = self.state.sessions.keys().copied().collect();
        sessions.sort_unstable();
        let to = crate::effect::Audience::Many { sessions: sessions.into(), except: self.state.nobody() };
        let ring = self.state.nobody();
        self.out.push(crate::effect::Effect::Show { to, event: Arc::new(event.clone()), ring });
    }

    /// Why nothing more can be said in a place while the other nodes cannot be told.
    pub(super) fn too_long_apart(&self, place: &Place) -> Option<String> {
        let queue = self.state.apart.get(place)?;
        let oldest = queue.front().map_or(self.now, |line| line.at);
        let waited = self.now.since(oldest);
        if queue.len() < APART_LINES && waited < APART_TIME {
            return None;
        }
        let (count, waited) = (queue.len(), Span(waited));
        let why =
            if self.state.linked { "Nothing reached the other nodes" } else { "Not connected to the other nodes" };
        Some(format!("{why} for {waited}: {count} lines wait here already. Nothing was sent; try again later"))
    }

    /// A line goes to the other nodes, and comes back from the stream with its number.
    pub(super) fn publish(&mut self, line: Arc<Line>) {
        let queued = self.state.apart.get(&line.place).is_some_and(|queue| !queue.is_empty());
        if !self.state.linked {
            self.show_apart(&line);
        }
        if queued || !self.state.linked {
            return self.state.apart.entry(line.place.clone()).or_default().push_back(line);
        }
        self.ask_back(BackRequest::Publish(Arc::clone(&line)), Some(Waiting::Published(line)));
    }

    /// Shows a line to local people before it is in the stream.
    fn show_apart(&mut self, line: &Arc<Line>) {
        if !self.state.talk(&line.place).add(line) {
            return;
        }
        self.state.shown.insert(line.id);
        self.deliver(line);
        self.ask_store(StoreRequest::Append { line: Arc::clone(line), sequence: None }, None);
    }

    /// Publishes the oldest line that waits in a place; the next one follows its answer.
    fn publish_next(&mut self, place: &Place) {
        let Some(queue) = self.state.apart.get(place) else { return };
        match queue.front().cloned() {
            Some(line) if self.state.linked => {
                self.ask_back(BackRequest::Publish(Arc::clone(&line)), Some(Waiting::Published(line)));
            }
            Some(_) => {}
            None => {
                self.state.apart.remove(place);
            }
        }
    }

    /// The line is in the stream. It is shown when it comes out of it, in its order.
    fn published(&mut self, line: &Arc<Line>, sequence: u64) {
        self.unqueue(line);
        self.publish_next(&line.place);
        let feed = Feed::of(&line.place);
        if self.state.talk(&line.place).position < sequence {
            self.state.checks.insert((self.now.after(AGAIN), feed));
        }
    }

    /// A line is not waiting any more.
    pub(super) fn unqueue(&mut self, line: &Line) {
        if let Some(queue) = self.state.apart.get_mut(&line.place) {
            queue.retain(|other| other.id != line.id);
        }
    }

    /// It may be in the stream and may not: asked again with the same id, which makes no doubles.
    fn not_published(&mut self, line: Arc<Line>) {
        if self.state.talk(&line.place).numbered(line.id) {
            return self.publish_next(&line.place);
        }
        let place = line.place.clone();
        let queue = self.state.apart.entry(place.clone()).or_default();
        if !queue.iter().any(|other| other.id == line.id) {
            let at = queue.iter().position(|other| other.id > line.id).unwrap_or(queue.len());
            queue.insert(at, line);
        }
        if self.state.linked {
            self.state.retries.insert((self.now.after(AGAIN), place));
        }
    }

    /// What is due between the nodes.
    pub(super) fn tick_nodes(&mut self) {
        while let Some((due, place)) = self.state.retries.first().cloned().filter(|(due, _)| *due <= self.now) {
            self.state.retries.remove(&(due, place.clone()));
            self.publish_next(&place);
        }
        while let Some((due, feed)) = self.state.checks.first().cloned().filter(|(due, _)| *due <= self.now) {
            self.state.checks.remove(&(due, feed.clone()));
            if self.state.linked {
                self.fill(feed, Fill::Gap);
            }
        }
    }

    /// When that is.
    pub(super) fn nodes_due(&self) -> Option<Time> {
        let retry = self.state.retries.first().map(|(due, _)| *due);
        let check = self.state.checks.first().map(|(due, _)| *due);
        retry.into_iter().chain(check).min()
    }

    /// The first member of a room came: its lines are wanted.
    pub(super) fn listen_to(&mut self, name: &RoomName) {
        if self.config.nodes && self.state.linked {
            self.ask_back(BackRequest::Subscribe(Feed::Room(name.clone())), None);
            self.fill(Feed::Room(name.clone()), Fill::First);
        }
    }

    /// The last member of a room went.
    pub(super) fn stop_listening_to(&mut self, name: &RoomName) {
        if self.config.nodes && self.state.linked {
            self.ask_back(BackRequest::Unsubscribe(Feed::Room(name.clone())), None);
        }
    }

    /// Tells the other nodes, if there are any, of a record that changed; later, while they are out of reach.
    pub(super) fn tell_nodes(&mut self, key: RecordKey, what: BackRequest) {
        if self.config.nodes && self.state.linked {
            self.ask_back(what, None);
        } else if self.config.nodes {
            self.state.unsent.insert(key);
        }
    }

    /// Writes again what was changed while nobody could hear it.
    fn write_unsent(&mut self) {
        let unsent = std::mem::take(&mut self.state.unsent);
        for key in unsent {
            let record = self.record_of(&key);
            self.ask_back(record.map_or(BackRequest::Delete(key), BackRequest::Put), None);
        }
    }

    /// A record as it is known here.
    pub(super) fn record_of(&self, key: &RecordKey) -> Option<Record> {
        match key {
            RecordKey::Account(id) => self.state.accounts.get(id).cloned().map(Record::Account),
            RecordKey::Room(name) => self.state.rooms.get(name).map(|room| Record::Room(Arc::clone(&room.record))),
            RecordKey::Ban(id) => self.state.bans.get(id).cloned().map(Record::Ban),
        }
    }
}
