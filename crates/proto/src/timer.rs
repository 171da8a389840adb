//! The timers of a connection: a small table of deadlines.

use crate::error::Timer;
use std::time::Instant;

const COUNT: usize = 7;

/// Deadlines by timer.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Instant>; COUNT],
}

const ALL: [Timer; COUNT] =
    [Timer::FirstKex, Timer::Login, Timer::Rekey, Timer::RekeyDue, Timer::Keepalive, Timer::AuthDelay, Timer::Unused];

impl Timers {
    fn slot(&mut self, timer: Timer) -> Option<&mut Option<Instant>> {
        ALL.iter().position(|t| *t == timer).and_then(|i| self.deadlines.get_mut(i))
    }

    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        if let Some(slot) = self.slot(timer) {
            *slot = Some(deadline);
        }
    }

    pub(crate) fn is_set(&mut self, timer: Timer) -> bool {
        self.slot(timer).is_some_and(|slot| slot.is_some())
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if let Some(slot) = self.slot(timer) {
            *slot = None;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.deadlines = [None; COUNT];
    }

    /// The next deadline of all.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Takes one timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        for (timer, slot) in ALL.iter().zip(self.deadlines.iter_mut()) {
            if slot.is_some_and(|deadline| deadline <= now) {
                *slot = None;
                return Some(*timer);
            }
        }
        None
    }
}
