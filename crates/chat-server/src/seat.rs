//! One session's place in the hub: what waits for it, and how it is woken.

use nacre_chat::{Event, Outbox, Pressure, Time};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What the hub and a session's task share.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    waiting: Mutex<Waiting>,
    news: Notify,
    cut: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    outbox: Outbox,
    ring: bool,
    /// The session is to end after what waits, with this reason.
    closing: Option<Arc<str>>,
}

impl Seat {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is to be shown.
    pub(crate) fn push(&self, now: Time, event: Arc<Event>, ring: bool) -> Pressure {
        let mut waiting = self.waiting();
        waiting.ring |= ring;
        let pressure = waiting.outbox.push(now, event);
        drop(waiting);
        self.news.notify_one();
        pressure
    }

    /// The session is over once everything was shown.
    pub(crate) fn close(&self, reason: Arc<str>) {
        self.waiting().closing.get_or_insert(reason);
        self.news.notify_one();
        self.cut.notify_one();
    }

    /// Waits until the session is to end; why.
    pub(crate) async fn cut(&self) -> Arc<str> {
        loop {
            let closing = self.waiting().closing.clone();
            match closing {
                Some(reason) => return reason,
                None => self.cut.notified().await,
            }
        }
    }

    /// Waits until there may be something to take.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Takes what is to be shown next, with whether to ring for it.
    pub(crate) fn pop(&self, now: Time) -> Option<(Arc<Event>, bool)> {
        let mut waiting = self.waiting();
        let event = waiting.outbox.pop(now)?;
        let ring = waiting.outbox.is_empty() && std::mem::take(&mut waiting.ring);
        Some((event, ring))
    }

    /// Why the session is over, once nothing waits any more.
    pub(crate) fn closed(&self) -> Option<Arc<str>> {
        let waiting = self.waiting();
        waiting.closing.clone().filter(|_| waiting.outbox.is_empty())
    }
}
