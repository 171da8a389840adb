//! The rooms and private talks one is in, and which of them is looked at.

use super::item::Item;
use super::pane::Pane;
use nacre_chat::{Place, RoomName};
use std::sync::Arc;

/// Items in all panes together.
const ALL_ITEMS: usize = 1_000;
/// Panes; rooms are bounded by the engine, so the oldest private talk goes.
const PANES: usize = 100;

/// All panes; there is always one.
#[derive(Debug)]
pub(super) struct Panes {
    list: Vec<Pane>,
    view: usize,
}

impl Default for Panes {
    fn default() -> Self {
        Self { list: vec![Pane::default()], view: 0 }
    }
}

impl Panes {
    /// All of them in their order.
    pub fn all(&self) -> &[Pane] {
        &self.list
    }

    /// All of them, to change.
    pub fn all_mut(&mut self) -> &mut [Pane] {
        &mut self.list
    }

    /// The number of the one looked at.
    pub fn view(&self) -> usize {
        self.view
    }

    /// The one looked at. There is always one; the option says so to the compiler only.
    pub fn current(&self) -> Option<&Pane> {
        self.list.get(self.view)
    }

    /// The same, to change.
    pub fn current_mut(&mut self) -> Option<&mut Pane> {
        self.list.get_mut(self.view)
    }

    /// Looks at another one, if there is one of that number.
    pub fn look_at(&mut self, number: usize) -> bool {
        let Some(pane) = self.list.get_mut(number) else { return false };
        pane.seen();
        self.view = number;
        true
    }

    /// The number of a place's pane.
    pub fn find(&self, place: &Place) -> Option<usize> {
        self.list.iter().position(|pane| pane.place.as_ref() == Some(place))
    }

    /// The number of a place's pane, made if there is none. What stood before any pane goes into the first.
    pub fn open(&mut self, place: &Place, label: impl FnOnce() -> Arc<str>) -> usize {
        if let Some(at) = self.find(place) {
            return at;
        }
        if let [only] = self.list.as_mut_slice()
            && only.place.is_none()
        {
            only.place = Some(place.clone());
            only.label = label();
            return 0;
        }
        if self.list.len() >= PANES {
            self.close_oldest_talk();
        }
        self.list.push(Pane::new(Some(place.clone()), label()));
        self.list.len() - 1
    }

    /// A room is left.
    pub fn close(&mut self, room: &RoomName) {
        let Some(at) = self.list.iter().position(|pane| pane.place.as_ref().and_then(Place::room) == Some(room)) else {
            return;
        };
        self.remove(at);
    }

    fn close_oldest_talk(&mut self) {
        let old = |at: usize, pane: &Pane| at != self.view && matches!(pane.place, Some(Place::Direct(_)));
        if let Some(at) = self.list.iter().enumerate().position(|(at, pane)| old(at, pane)) {
            self.remove(at);
        }
    }

    fn remove(&mut self, at: usize) {
        self.list.remove(at);
        if self.list.is_empty() {
            self.list.push(Pane::default());
        }
        if self.view > at || self.view >= self.list.len() {
            self.view = self.view.saturating_sub(1);
        }
        self.look_at(self.view);
    }

    /// Puts an item into a pane; true if it is the one looked at.
    pub fn push(&mut self, at: usize, item: Item) -> bool {
        if let Some(pane) = self.list.get_mut(at) {
            pane.push(item);
        }
        self.bound();
        at == self.view
    }

    /// Puts a line that somebody else said into a pane; true if it is the one looked at.
    pub fn push_said(&mut self, at: usize, item: Item, called: bool) -> bool {
        if at == self.view {
            return self.push(at, item);
        }
        if let Some(pane) = self.list.get_mut(at) {
            pane.push_unseen(item, called);
        }
        self.bound();
        false
    }

    /// The oldest items go where most are.
    fn bound(&mut self) {
        while self.list.iter().map(Pane::len).sum::<usize>() > ALL_ITEMS {
            let Some(longest) = self.list.iter_mut().max_by_key(|pane| pane.len()) else { return };
            longest.drop_oldest();
        }
    }

    /// The next one with something unread, those with one's name first.
    pub fn next_unread(&self) -> Option<usize> {
        let called = self.list.iter().position(|pane| pane.called);
        called.or_else(|| self.list.iter().position(|pane| pane.unread > 0))
    }
}
