//! The past: what was missed, history, search.

use super::Engine;
use crate::event::Event;
use crate::id::{AccountId, LineId, SessionId};
use crate::input::Connect;
use crate::line::Place;

impl Engine {
    /// Says how many lines were missed; asks the store where memory does not reach.
    pub(super) fn tell_missed(
        &mut self,
        session: SessionId,
        _account: AccountId,
        place: Place,
        _read: LineId,
        known: Option<usize>,
    ) {
        if let Some(count) = known.filter(|count| *count > 0) {
            self.show(session, Event::Missed { place, count: count as u64 });
        }
    }

    pub(super) fn after_seating(&mut self, _session: SessionId, _account: AccountId, _connect: &Connect) {}
}
