//! What waits for one session's reader: bounded, so that a slow one costs nobody else anything
//! (threat U5).

use crate::event::Event;
use crate::limits::{QUEUE_BYTES, STALLED};
use crate::time::Time;
use std::collections::VecDeque;
use std::sync::Arc;

/// Events on their way to one session. While there is room all of them wait; past
/// [`QUEUE_BYTES`] the oldest that are about what others said go, then the oldest of all, and the reader finds one
/// [`Event::Skipped`] with their number before the rest. The newest stays however large it is, so what waits is at most
/// [`QUEUE_BYTES`] or one event: the largest is the answer to `/history`, [`HISTORY_LINES`](crate::limits::HISTORY_LINES)
/// lines of [`BODY_BYTES`](crate::limits::BODY_BYTES), about 2 MiB.
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
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::id::{AccountId, LineId};
    use crate::line::{Author, Line, LineKind, Place, Standing};
    use crate::name::RoomName;
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

    fn said(number: u128) -> Arc<Event> {
        let (alice, room) = (AccountId(1), RoomName::parse("rust").unwrap());
        Arc::new(Event::Line(Arc::new(Line {
            id: LineId(number),
            node: Arc::from("a"),
            kind: LineKind::Message,
            place: Place::Room(room),
            from: Author { account: alice, nick: Arc::from("alice"), verified: true, key: None },
            to: None,
            at: Time(0),
            body: Arc::from("x".repeat(1_000)),
            reply_to: None,
            standing: Standing::AsSaid,
        })))
    }

    /// All that waits, after the mark of what was left out.
    fn rest(outbox: &mut Outbox) -> Vec<Arc<Event>> {
        let first = outbox.pop(Time(0));
        assert!(matches!(first.as_deref(), Some(Event::Skipped { .. })), "{first:?}");
        std::iter::from_fn(|| outbox.pop(Time(0))).collect()
    }

    #[test]
    fn what_others_said_goes_before_what_is_ones_own() {
        let mut outbox = Outbox::default();
        let own: Vec<_> = (0..3).map(notice).collect();
        for event in &own {
            outbox.push(Time(0), event.clone());
        }
        for number in 0..1_000 {
            outbox.push(Time(0), said(number));
        }
        let left = rest(&mut outbox);
        assert_eq!(left[..3], own, "though they are the oldest");
        assert_eq!(left.last(), Some(&said(999)));
        // Where others said nothing the oldest goes.
        for number in 0..1_000 {
            outbox.push(Time(0), notice(number));
        }
        assert!(!rest(&mut outbox).contains(&notice(0)));
    }

    #[test]
    fn the_newest_stays_however_large_it_is() {
        let mut outbox = Outbox::default();
        for number in 0..10 {
            outbox.push(Time(0), notice(number));
            outbox.push(Time(0), said(number as u128));
        }
        let Event::Line(line) = &*said(0) else { panic!("a line") };
        let lines = vec![Arc::clone(line); 1_000].into();
        let large = Arc::new(Event::Past { place: None, title: Arc::from("Last lines"), lines, more: false });
        assert!(weight(&large) > 4 * QUEUE_BYTES);
        assert_eq!(outbox.push(Time(0), large.clone()), Pressure::Behind);
        assert_eq!(outbox.bytes, weight(&large), "with nothing beside it");
        // What comes next takes its place.
        let mut both = Outbox::default();
        both.push(Time(0), large.clone());
        both.push(Time(0), notice(1));
        assert_eq!((rest(&mut outbox), rest(&mut both)), (vec![large], vec![notice(1)]));
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
