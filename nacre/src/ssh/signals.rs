//! The signals that a running session reacts to.

use crate::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH, Signal};
use std::io;
use std::task::Context;

/// What ends a session.
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// A signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The window has another size.
    WindowChanged,
    /// End, by the signal of this number.
    End(i32),
}

/// Signals caught from now on.
pub struct Signals {
    window: Signal,
    ending: Vec<(i32, Signal)>,
}

impl Signals {
    /// Catches them. One that the process was started to ignore (as by nohup) stays ignored.
    ///
    /// # Errors
    /// The runtime cannot catch signals.
    pub fn new() -> io::Result<Self> {
        let ignored = ignored();
        let ending = ENDING.into_iter().filter(|number| ignored & (1 << (number - 1)) == 0);
        let catch = |number: i32| Ok((number, Signal::catch(number)?));
        Ok(Self { window: Signal::catch(SIGWINCH)?, ending: ending.map(catch).collect::<io::Result<_>>()? })
    }

    /// A signal that came, if any.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Option<Came> {
        for (number, signal) in &mut self.ending {
            if signal.poll_recv(cx).is_ready() {
                return Some(Came::End(*number));
            }
        }
        self.window.poll_recv(cx).is_ready().then_some(Came::WindowChanged)
    }
}

/// The signals that the process ignores, one bit each (proc(5), SigIgn).
pub(crate) fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    mask(&status)
}

fn mask(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert_eq!(mask("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\tff\n"), 0x1001);
        assert_eq!(mask(""), 0);
    }
}
