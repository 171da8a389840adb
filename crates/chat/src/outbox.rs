//! What waits for one session's reader: bounded, so that a slow one costs nobody else anything
//! (threat U5).

use crate::event::Event;
use crate::limits::{QUEUE_BYTES, STALLED};
use crate::time::Time;
use std::collections::VecDeque;
use std::sync::Arc;

/// Events on their way to one session. While there is room all of them wait; past
/// [`QUEUE_BYTES`] the oldest that are about what others said go, and the reader finds one
/// [`Event::Skipped`] with their number in their place.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Arc<Event>>,
    /// Bytes that the waiting ones hold, about.
    bytes: usize,
    /// Left out since the last one taken.
    skipped: u64,
    /// When the reader last took something, or had nothing to take.
    moved: Time,
}

/// How it stands with a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// Everything waits or was taken.
    Fine,
    /// Some was left out.
    Behind,
    /// Some was left out and nothing was taken for [`STALLED`]: end the session.
    Stalled,
}

impl Outbox {
    /// Puts an event in.
    pub fn push(&mut self, now: Time, event: Arc<Event>) -> Pressure {
        if self.waiting.is_empty() && self.skipped == 0 {
            self.moved = now;
        }
        self.bytes += weight(&event);
        self.waiting.push_back(event);
        // The new one stays, however large it is.
        while self.bytes > QUEUE_BYTES
            && let Some(older) = self.waiting.len().checked_sub(1).filter(|older| *older > 0)
        {
            let what_was_said = self.waiting.iter().take(older).position(|event| is_about_others(event));
            let Some(oldest) = self.waiting.remove(what_was_said.unwrap_or(0)) else { break };
            self.bytes = self.bytes.saturating_sub(weight(&oldest));
            self.skipped += 1;
        }
        self.pressure(now)
    }

    /// Takes the next one.
    pub fn pop(&mut self, now: Time) -> Option<Arc<Event>> {
        self.moved = now;
        if self.skipped > 0 {
            let count = std::mem::take(&mut self.skipped);
            return Some(Arc::new(Event::Skipped { count }));
        }
        let event = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(weight(&event));
        Some(event)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.skipped == 0
    }

    /// How it stands with the reader.
    pub fn pressure(&self, now: Time) -> Pressure {
        if self.skipped == 0 {
            Pressure::Fine
        } else if now.since(self.moved) < STALLED {
            Pressure::Behind
        } else {
            Pressure::Stalled
        }
    }
}

/// What others said or did, which history has too.
fn is_about_others(event: &Event) -> bool {
    matches!(event, Event::Line(_) | Event::Joined { .. } | Event::Left { .. } | Event::Renamed { .. })
}

/// About how many bytes an event will be on the wire. What many sessions share counts for each.
fn weight(event: &Event) -> usize {
    let line = |line: &crate::line::Line| 96 + line.body.len() + line.from.nick.len();
    64 + match event {
        Event::Line(said) | Event::Pending(said) | Event::Confirmed { line: said, .. } => line(said),
        Event::Past { lines, .. } => lines.iter().map(|said| line(said)).sum(),
        Event::Notice { text, .. } | Event::Problem { text, .. } => text.len(),
        Event::Entered(view) => 64 * view.people.len(),
        Event::People { people, .. } => 64 * people.len(),
        Event::Rooms { rooms, .. } => rooms.iter().map(|room| 64 + room.topic.len()).sum(),
        _ => 64,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn notice(number: usize) -> Arc<Event> {
        Arc::new(Event::Notice { place: None, text: format!("{number:01000}").into(), at: Time(0) })
    }

    #[test]
    fn u05_a_dead_reader_is_bounded_told_and_cut() {
        let mut outbox = Outbox::default();
        let mut now = Time(5);
        assert_eq!(outbox.push(now, notice(0)), Pressure::Fine);
        for number in 1..1_000 {
            outbox.push(now, notice(number));
        }
        assert!(outbox.bytes <= QUEUE_BYTES);
        assert_eq!(outbox.pressure(now), Pressure::Behind);
        now = now.after(STALLED);
        assert_eq!(outbox.push(now, notice(1_000)), Pressure::Stalled);
        let Event::Skipped { count } = *outbox.pop(now).unwrap() else { panic!("no mark") };
        assert_eq!(outbox.pressure(now), Pressure::Fine);
        let mut left = 0;
        while let Some(event) = outbox.pop(now) {
            left += 1;
            if outbox.is_empty() {
                assert_eq!(event, notice(1_000), "the newest are kept");
            }
        }
        assert_eq!(count + left, 1_001);
    }

    #[test]
    fn u05_a_slow_reader_who_reads_is_not_cut() {
        let mut outbox = Outbox::default();
        let mut now = Time(5);
        for number in 0..10_000 {
            now = now.after(Duration::from_millis(100));
            assert_ne!(outbox.push(now, notice(number)), Pressure::Stalled);
            if number % 100 == 0 {
                outbox.pop(now);
            }
        }
    }

    #[test]
    fn in_order_when_there_is_room() {
        let mut outbox = Outbox::default();
        for number in 0..50 {
            outbox.push(Time(0), notice(number));
        }
        for number in 0..50 {
            assert_eq!(outbox.pop(Time(1)), Some(notice(number)));
        }
        assert_eq!(outbox.pop(Time(1)), None);
        assert_eq!(outbox.bytes, 0);
    }
}
