//! The numbers of the packets that the server sends, as one end counts them. They are never on the wire: each end's
//! own count goes into the cipher.

use nacre_proto::observe::{Observer, Step};
use nacre_wire::{Role, number};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What one end has counted.
#[derive(Clone, Default)]
pub(super) struct Numbers(Arc<Mutex<Count>>);

#[derive(Default)]
struct Count {
    strict: bool,
    next: u32,
    /// Both ends go on to the login, and nothing more is told.
    over: bool,
    lines: Vec<String>,
}

impl Numbers {
    /// The lines that came since this was asked last.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).lines)
    }
}

impl Observer for Numbers {
    fn step(&mut self, _now: Instant, step: &Step<'_>) {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Step::Negotiated { strict, .. } => count.strict = *strict,
            Step::Packet { by: Role::Server, number, .. } if !count.over => {
                let line = format!("[*] Packet {} of the server is {}", count.next, number::name(*number));
                count.lines.push(line);
                count.next = count.next.wrapping_add(1);
                count.over = *number == number::SERVICE_ACCEPT;
            }
            Step::NewKeys { by: Role::Server } if count.strict => count.next = 0,
            _ => {}
        }
    }
}
