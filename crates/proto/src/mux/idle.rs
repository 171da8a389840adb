//! Channels that carry nothing for too long are closed.

use super::Mux;
use super::channel::{Idle, LocalChannel, State};
use crate::event::Event;
use std::time::{Duration, Instant};

impl Mux {
    /// From now on the channel may carry no data for so long.
    pub(crate) fn limit_idling(&mut self, now: Instant, id: LocalChannel, limit: Option<Duration>) {
        if let Some(channel) = self.get(id) {
            channel.idle = limit.map(|limit| Idle { limit, since: now });
        }
    }

    /// When the first of the channels has carried nothing for too long, as things stand.
    pub(crate) fn idle_deadline(&self) -> Option<Instant> {
        self.channels.iter().flatten().filter_map(|channel| channel.idle).map(Idle::deadline).min()
    }

    /// Closes the channels whose time is over. What they could not send is dropped: a peer that takes nothing would keep them open.
    pub(crate) fn close_idle(&mut self, now: Instant) {
        for place in 0..self.channels.len() {
            let Some(channel) = self.channels.get_mut(place).and_then(Option::as_deref_mut) else { continue };
            if channel.state != State::Open {
                // Its time begins when it stands.
                channel.used(now);
            }
            let over = channel.idle.is_some_and(|idle| idle.deadline() <= now);
            let Some(id) = u32::try_from(place).ok().map(LocalChannel).filter(|_| over) else { continue };
            channel.idle = None;
            if channel.wanted.close && channel.unsent.is_empty() {
                continue;
            }
            if !channel.unsent.is_empty() {
                channel.unsent.clear();
                // Nobody must take what is cut for whole.
                channel.wanted.eof = false;
            }
            channel.wanted.close = true;
            self.note_work(id);
            self.events.push_back(Event::Expired { channel: id });
        }
    }
}
