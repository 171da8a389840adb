//! The timers of a connection: a small table of deadlines.

use crate::error::Timer;
use std::time::{Duration, Instant};

const COUNT: usize = 8;

/// Deadlines by timer.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Instant>; COUNT],
    /// What is left of timers that rest.
    held: [Option<Duration>; COUNT],
}

/// The timers that rest while a person compares a fingerprint: they are there for peers that dawdle.
const RESTING: [Timer; 2] = [Timer::FirstKex, Timer::Login];

const ALL: [Timer; COUNT] = [
    Timer::FirstKex,
    Timer::Login,
    Timer::Rekey,
    Timer::RekeyDue,
    Timer::Keepalive,
    Timer::AuthDelay,
    Timer::Unused,
    Timer::ChannelIdle,
];

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
        if let Some(held) = self.held_slot(timer) {
            *held = None;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn held_slot(&mut self, timer: Timer) -> Option<&mut Option<Duration>> {
        ALL.iter().position(|t| *t == timer).and_then(|i| self.held.get_mut(i))
    }

    /// A person is asked: the timers of the peer's patience rest, with what is left of them.
    pub(crate) fn hold(&mut self, now: Instant) {
        for timer in RESTING {
            let left = self.slot(timer).and_then(Option::take).map(|deadline| deadline.saturating_duration_since(now));
            if let (Some(left), Some(held)) = (left, self.held_slot(timer)) {
                *held = Some(left);
            }
        }
    }

    /// The answer is there: timers that rested go on with what was left of them.
    pub(crate) fn release(&mut self, now: Instant) {
        for timer in RESTING {
            if let Some(left) = self.held_slot(timer).and_then(Option::take) {
                self.set(timer, now + left);
            }
        }
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
