//! People on other nodes.

use super::Engine;
use crate::effect::BackRequest;
use crate::event::{Event, Leaving};
use crate::id::{AccountId, SessionId};
use crate::input::Presence;
use crate::line::Author;
use crate::name::RoomName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Engine {
    /// Tells the other nodes who is here, in which rooms.
    pub(super) fn tell_presence(&mut self, account: AccountId) {
        if !(self.config.nodes && self.state.linked) {
            return;
        }
        let Some(here) = self.state.here.get(&account) else { return };
        let presence = Presence {
            node: Arc::clone(&self.config.node),
            who: here.author.clone(),
            rooms: self.state.rooms_of(account),
            away: here.away.clone(),
            since: here.since,
        };
        self.ask_back(BackRequest::Present(presence), None);
    }

    /// Tells them that somebody left.
    pub(super) fn absent(&mut self, account: AccountId) {
        if self.config.nodes && self.state.linked {
            self.ask_back(BackRequest::Absent(account), None);
        }
    }

    /// Whether somebody is in a room on any node.
    fn is_anywhere_in(&self, account: AccountId, room: &RoomName) -> bool {
        let here = self.state.rooms.get(room).is_some_and(|r| r.here.contains(&account));
        here || self.state.afar.values().any(|people| people.get(&account).is_some_and(|p| p.rooms.contains(room)))
    }

    /// Somebody is there on another node, or changed.
    pub(super) fn present_afar(&mut self, presence: Presence) {
        if presence.node == self.config.node {
            return;
        }
        let account = presence.who.account;
        let people = self.state.afar.entry(Arc::clone(&presence.node)).or_default();
        let old = people.remove(&account);
        let before: BTreeSet<RoomName> = old.iter().flat_map(|old| old.rooms.iter().cloned()).collect();
        let after: BTreeSet<RoomName> = presence.rooms.iter().cloned().collect();
        let come: Vec<RoomName> =
            after.difference(&before).filter(|room| !self.is_anywhere_in(account, room)).cloned().collect();
        let who = presence.who.clone();
        let away = presence.away.clone();
        self.state.afar.entry(Arc::clone(&presence.node)).or_default().insert(account, presence);
        for room in come {
            let event = Event::Joined { room: room.clone(), who: who.clone(), at: self.now };
            self.show_room(&room, event, account);
        }
        for room in before.difference(&after) {
            if !self.is_anywhere_in(account, room) {
                self.left_afar(room, &who);
            }
        }
        let Some(old) = old else { return };
        if old.who.nick != who.nick {
            let event = Event::Renamed { old: old.who.nick, who: who.clone(), at: self.now };
            self.show_to_rooms(account, Vec::new(), &after, event);
        }
        if old.away != away {
            self.show_to_rooms(account, Vec::new(), &after, Event::Away { who, message: away, at: self.now });
        }
    }

    fn left_afar(&mut self, room: &RoomName, who: &Author) {
        let event = Event::Left { room: room.clone(), who: who.clone(), how: Leaving::Quit, at: self.now };
        self.show_room(room, event, who.account);
    }

    /// Somebody left another node.
    pub(super) fn absent_afar(&mut self, node: &Arc<str>, account: AccountId) {
        let Some(old) = self.state.afar.get_mut(node).and_then(|people| people.remove(&account)) else { return };
        for room in &old.rooms {
            if !self.is_anywhere_in(account, room) {
                self.left_afar(room, &old.who);
            }
        }
    }

    /// A node is gone with everybody on it: one line a room.
    pub(super) fn node_gone(&mut self, node: &Arc<str>) {
        let Some(people) = self.state.afar.remove(node) else { return };
        let mut rooms: BTreeMap<RoomName, Vec<Arc<str>>> = BTreeMap::new();
        for (account, presence) in &people {
            for room in &presence.rooms {
                if !self.is_anywhere_in(*account, room) {
                    rooms.entry(room.clone()).or_default().push(Arc::clone(&presence.who.nick));
                }
            }
        }
        for (room, mut nicks) in rooms {
            nicks.sort();
            let Some(heard) = self.heard(&room) else { continue };
            let event = Event::NodeLeft { room, nicks: nicks.into(), at: self.now };
            let to = crate::effect::Audience::Many { sessions: heard.sessions, except: self.state.nobody() };
            let ring = self.state.nobody();
            self.out.push(crate::effect::Effect::Show { to, event: Arc::new(event), ring });
        }
    }

    /// Shows once to everybody in some rooms, and to some sessions more, but for those who ignore an account.
    pub(super) fn show_to_rooms<'a>(
        &mut self,
        account: AccountId,
        mut sessions: Vec<SessionId>,
        rooms: impl IntoIterator<Item = &'a RoomName>,
        event: Event,
    ) {
        for name in rooms {
            if let Some(heard) = self.heard(name) {
                sessions.extend_from_slice(&heard.sessions);
            }
        }
        sessions.sort_unstable();
        sessions.dedup();
        let except = self.state.deaf_to(account);
        let to = crate::effect::Audience::Many { sessions: sessions.into(), except: self.shared(except) };
        let ring = self.state.nobody();
        self.out.push(crate::effect::Effect::Show { to, event: Arc::new(event), ring });
    }
}
