//! Flow control, RFC 4254 §5.2: what the peer may send, what the application has taken, and how
//! the window grows.

use crate::error::{Error, Misbehaviour};
use crate::limits;
use std::time::{Duration, Instant};

/// A silence of this length after a good part of a window means that the peer waits for credit that is on its way: it is
/// far away, and the window is what limits the flow.
const PAUSE: Duration = Duration::from_millis(2);

/// A window from this size on gives credit back in smaller parts, in bytes.
const WIDE: u32 = 8 * 1024 * 1024;

/// The least window a channel gets, in bytes.
const SMALLEST: u32 = 8 * 1024;

/// What all channels of a connection have granted together, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Granted(u64);

impl Granted {
    /// The window for one more channel: much for the first few, then a small part of what is left, so that a
    /// thousand channels find room; one that needs more grows. `None` when nothing is left.
    pub(crate) fn first_window(&mut self) -> Option<u32> {
        let left = limits::MAX_GRANTED - self.0;
        if left < u64::from(SMALLEST) {
            return None;
        }
        let is_of_few = self.0 < limits::MAX_GRANTED / 8;
        let part = u32::try_from(left / 256).unwrap_or(u32::MAX).max(SMALLEST);
        let window = if is_of_few { limits::INITIAL_WINDOW } else { part };
        self.0 += u64::from(window);
        Some(window)
    }

    /// Room for a window of `size` bytes to be four times as large: each step costs a round trip.
    fn grow(&mut self, size: u32) -> u32 {
        let left = u32::try_from(limits::MAX_GRANTED - self.0).unwrap_or(u32::MAX);
        let more = size.saturating_mul(3).min(limits::MAX_WINDOW.saturating_sub(size)).min(left);
        self.0 += u64::from(more);
        more
    }

    /// A channel is gone.
    pub(crate) fn release(&mut self, window: u32) {
        self.0 = self.0.saturating_sub(u64::from(window));
    }
}

/// The inbound window of one channel.
#[derive(Debug)]
pub(crate) struct InboundWindow {
    /// What it is meant to be, bytes.
    size: u32,
    /// What the peer may still send, bytes.
    open: u32,
    /// Delivered and not yet taken by the application, bytes.
    held: u32,
    /// Taken and not yet given back to the peer, bytes.
    credit: u32,
    /// The peer came close to the end of the window since it last grew.
    was_tight: bool,
    /// When bytes came last, and how many have come without a pause.
    last: Option<Instant>,
    burst: u32,
}

impl InboundWindow {
    pub(crate) fn new(size: u32) -> Self {
        Self { size, open: size, held: 0, credit: 0, was_tight: false, last: None, burst: 0 }
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// `n` bytes arrived.
    pub(crate) fn receive(&mut self, now: Instant, n: usize) -> Result<(), Error> {
        let n = u32::try_from(n).map_err(|_| Error::PeerMisbehaved(Misbehaviour::Window))?;
        self.open = self.open.checked_sub(n).ok_or(Error::PeerMisbehaved(Misbehaviour::Window))?;
        self.held += n;
        self.was_tight |= self.open < self.size / 4;
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= PAUSE) {
            self.was_tight |= self.burst >= self.size / 4;
            self.burst = 0;
        }
        self.burst = self.burst.saturating_add(n);
        self.last = Some(now);
        Ok(())
    }

    /// The application took `n` bytes.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = u32::try_from(n).unwrap_or(u32::MAX).min(self.held);
        self.held -= n;
        self.credit += n;
    }

    /// How many bytes to give back now, if it is worth a message. A window that the peer nearly
    /// used up while the application kept pace is what limits the flow: it grows.
    pub(crate) fn adjustment(&mut self, granted: &mut Granted) -> Option<u32> {
        if self.was_tight && self.held == 0 {
            self.was_tight = false;
            let more = granted.grow(self.size);
            self.size += more;
            self.credit += more;
        }
        // What is kept back of a wide window is missing on a long way; of a narrow one it saves messages.
        let worthwhile = if self.size >= WIDE { self.size / 16 } else { self.size / 4 };
        if self.credit == 0 || self.credit < worthwhile && self.open >= self.size / 4 {
            return None;
        }
        let bytes = std::mem::take(&mut self.credit);
        self.open += bytes;
        Some(bytes)
    }
}

/// The outbound window of one channel.
#[derive(Debug, Default)]
pub(crate) struct OutboundWindow {
    /// What we may still send, bytes.
    open: u32,
}

impl OutboundWindow {
    pub(crate) fn new(open: u32) -> Self {
        Self { open }
    }

    pub(crate) fn open(&self) -> usize {
        self.open as usize
    }

    /// The peer gave `bytes` more; beyond 2^32 - 1 is an error (threat C2).
    pub(crate) fn adjust(&mut self, bytes: u32) -> Result<(), Error> {
        self.open = self.open.checked_add(bytes).ok_or(Error::PeerMisbehaved(Misbehaviour::Window))?;
        Ok(())
    }

    /// `n` bytes were sent.
    pub(crate) fn use_up(&mut self, n: usize) {
        self.open = self.open.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn c02_one_byte_too_many_and_an_overflow_are_errors() {
        let mut window = InboundWindow::new(100);
        window.receive(Instant::now(), 100).unwrap();
        assert_eq!(window.receive(Instant::now(), 1), Err(Error::PeerMisbehaved(Misbehaviour::Window)));
        let mut window = OutboundWindow::new(0);
        window.adjust(u32::MAX).unwrap();
        assert_eq!(window.adjust(1), Err(Error::PeerMisbehaved(Misbehaviour::Window)));
    }

    #[test]
    fn credit_returns_when_the_application_has_taken_the_bytes_and_not_before() {
        let mut granted = Granted::default();
        let mut window = InboundWindow::new(granted.first_window().unwrap());
        let size = window.size() as usize;
        window.receive(Instant::now(), size / 2).unwrap();
        assert_eq!(window.adjustment(&mut granted), None);
        window.consume(size / 2);
        assert_eq!(window.adjustment(&mut granted), Some(u32::try_from(size / 2).unwrap()));
    }

    #[test]
    fn a_window_grows_only_while_the_application_keeps_pace() {
        let mut granted = Granted::default();
        let mut window = InboundWindow::new(granted.first_window().unwrap());
        let start = window.size();
        window.receive(Instant::now(), start as usize).unwrap();
        window.consume(start as usize - 1);
        window.adjustment(&mut granted);
        assert_eq!(window.size(), start, "one byte is still with the application");
        window.consume(1);
        window.adjustment(&mut granted);
        assert_eq!(window.size(), start * 4);
    }

    #[test]
    fn a_window_grows_when_the_peer_is_far_away() {
        let mut granted = Granted::default();
        let mut window = InboundWindow::new(granted.first_window().unwrap());
        let (start, mut now) = (window.size(), Instant::now());
        // Taken at once, so that the window never looks tight; in pieces, as it is sent.
        let mut round = |window: &mut InboundWindow, pause| {
            now += pause;
            for _ in 0..4 {
                let piece = window.size() as usize / 8;
                window.receive(now, piece).unwrap();
                window.consume(piece);
                window.adjustment(&mut granted);
            }
        };
        for _ in 0..20 {
            round(&mut window, Duration::ZERO);
        }
        assert_eq!(window.size(), start, "without a pause it is wide enough");
        for times in [4, 16] {
            round(&mut window, Duration::from_millis(100));
            assert_eq!(window.size(), start * times);
        }
        for _ in 0..20 {
            round(&mut window, Duration::from_millis(100));
        }
        assert_eq!(window.size(), limits::MAX_WINDOW);
    }

    #[test]
    fn c04_all_windows_together_stay_within_the_bound() {
        let mut granted = Granted::default();
        let mut windows = Vec::new();
        while let Some(size) = granted.first_window() {
            windows.push(size);
        }
        assert!(windows.len() > 1000);
        assert!(windows.iter().map(|w| u64::from(*w)).sum::<u64>() <= limits::MAX_GRANTED);
        for window in windows {
            granted.release(window);
        }
        assert_eq!(granted.0, 0);
    }
}
