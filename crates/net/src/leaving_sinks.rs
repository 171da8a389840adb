//! Sockets whose channel is gone while something that came for them still waits to be written.

use crate::pump::Sink;
use std::collections::VecDeque;
use std::task::Context;

/// The most bytes that wait for readers after their channels are gone. The channels' windows bound nothing any more:
/// a peer that opens, fills and closes channel after channel would fill our memory (threat C4).
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The most sockets that are kept so.
const MAX_SINKS: usize = 256;

/// The sinks, oldest first, each with how much waited when its channel went.
#[derive(Default)]
pub(crate) struct Leaving {
    sinks: VecDeque<(Sink, usize)>,
    bytes: usize,
}

impl Leaving {
    pub(crate) fn is_empty(&self) -> bool {
        self.sinks.is_empty()
    }

    /// Keeps those for which something waits; when that is too much the oldest are given up.
    pub(crate) fn take(&mut self, sinks: Vec<Sink>) {
        for sink in sinks {
            let waiting = sink.waiting();
            if waiting > 0 {
                self.bytes += waiting;
                self.sinks.push_back((sink, waiting));
            }
        }
        while self.bytes > MAX_BYTES || self.sinks.len() > MAX_SINKS {
            let Some((_, bytes)) = self.sinks.pop_front() else { break };
            self.bytes -= bytes;
        }
    }

    /// Writes what the readers take; those that have everything are closed. True when anything moved.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        let left = &mut self.bytes;
        self.sinks.retain_mut(|(sink, bytes)| {
            let (done, error) = sink.flush(cx);
            moved |= done > 0 || error.is_some();
            let stays = error.is_none() && sink.waiting() > 0;
            if !stays {
                *left -= *bytes;
            }
            stays
        });
        moved
    }
}
