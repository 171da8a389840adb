//! ObscureKeystrokeTiming: typing leaves at the ticks of a clock, and for a while after the last key every tick sends
//! something that looks the same (threat H12). Who watches the line then sees neither the time between two keys nor how many
//! there were.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// What a packet carries that stands for nothing: as many bytes as a key's packet has (RFC 4254 §5.2: a channel's number, a
/// length, one byte).
pub const CHAFF: &[u8] = b"PING!";
/// How long chaff goes on after the last key: this, and up to so much more, which nobody can tell before.
const AT_LEAST: Duration = Duration::from_millis(1024);
const AT_MOST_MORE: u16 = 2048;
/// More than this at once was not typed, in bytes: it goes as it comes.
const MAX_TYPED: usize = 256;

/// What may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: the next tick wakes us.
    Hold,
    /// What was typed.
    Typed,
    /// What looks like it.
    Chaff,
}

/// The clock. It runs while somebody types.
pub struct Clock {
    ticks: Ticks,
    sleep: Pin<Box<Sleep>>,
}

impl Clock {
    /// One that rests.
    pub fn new(interval: Duration) -> Self {
        let now = Instant::now();
        Self { ticks: Ticks { interval, next: None, until: now }, sleep: Box::pin(tokio::time::sleep_until(now)) }
    }

    /// What may be sent, when so many typed bytes wait. What it allows is to be sent at once.
    pub fn poll(&mut self, cx: &mut Context<'_>, waiting: usize) -> Turn {
        let turn = self.ticks.turn(Instant::now(), waiting);
        if let Some(next) = self.ticks.next {
            if self.sleep.deadline() != next {
                self.sleep.as_mut().reset(next);
            }
            if self.sleep.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        turn
    }
}

/// The same without a clock of its own.
struct Ticks {
    interval: Duration,
    /// The next tick, while it runs.
    next: Option<Instant>,
    until: Instant,
}

impl Ticks {
    fn turn(&mut self, now: Instant, waiting: usize) -> Turn {
        if waiting > MAX_TYPED {
            self.next = None;
            return Turn::Typed;
        }
        let mut next = match self.next {
            None if waiting == 0 => return Turn::Hold,
            // The first key sets the clock.
            None => now,
            Some(next) if now < next => return Turn::Hold,
            Some(next) => next,
        };
        if waiting == 0 && now >= self.until {
            self.next = None;
            return Turn::Hold;
        }
        // Ticks that were missed are not made up for.
        while next <= now {
            next += self.interval;
        }
        self.next = Some(next);
        if waiting == 0 {
            return Turn::Chaff;
        }
        self.until = now + AT_LEAST + some_more();
        Turn::Typed
    }
}

/// Without randomness the shortest time must do.
fn some_more() -> Duration {
    let random = nacre_crypto::random_bytes().map_or(0, u16::from_be_bytes);
    Duration::from_millis(u64::from(random % AT_MOST_MORE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h12_keys_leave_at_ticks_and_chaff_follows() {
        let start = Instant::now();
        let at = |milliseconds: u64| start + Duration::from_millis(milliseconds);
        let mut ticks = Ticks { interval: Duration::from_millis(20), next: None, until: start };
        assert_eq!(ticks.turn(at(0), 0), Turn::Hold);
        assert_eq!(ticks.turn(at(5), 1), Turn::Typed, "the first key sets the clock");
        assert_eq!(ticks.turn(at(5), 0), Turn::Hold);
        assert_eq!(ticks.turn(at(12), 1), Turn::Hold, "a key waits for the tick");
        assert_eq!(ticks.turn(at(25), 2), Turn::Typed);
        assert_eq!(ticks.turn(at(45), 0), Turn::Chaff);
        // One that comes late keeps to the ticks afterwards.
        assert_eq!(ticks.turn(at(111), 0), Turn::Chaff);
        assert_eq!(ticks.turn(at(124), 0), Turn::Hold);
        let chaff = (0..400).take_while(|tick| ticks.turn(at(125 + tick * 20), 0) == Turn::Chaff).count();
        assert!((45..160).contains(&chaff), "{chaff}");
        assert_eq!(ticks.next, None, "it rests");
        // What was pasted stops it.
        assert_eq!(ticks.turn(at(10_000), 1), Turn::Typed);
        assert_eq!(ticks.turn(at(10_001), MAX_TYPED + 1), Turn::Typed);
        assert_eq!((ticks.turn(at(10_020), 0), ticks.next), (Turn::Hold, None));
    }
}
