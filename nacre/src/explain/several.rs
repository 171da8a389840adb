//! Several observers of one connection.

use nacre_proto::observe::{KexSecret, Observer, Packet, Step};
use std::time::Instant;

/// All of these see everything, in this order.
pub struct Several(pub Vec<Box<dyn Observer>>);

impl Several {
    /// Those that asked for packets and secrets: nobody else gets any.
    fn in_depth(&mut self) -> impl Iterator<Item = &mut Box<dyn Observer>> {
        self.0.iter_mut().filter(|observer| observer.dangerous_wants_packets())
    }
}

impl Observer for Several {
    fn step(&mut self, now: Instant, step: &Step<'_>) {
        for observer in &mut self.0 {
            observer.step(now, step);
        }
    }

    fn dangerous_wants_packets(&self) -> bool {
        self.0.iter().any(|observer| observer.dangerous_wants_packets())
    }

    fn dangerous_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        for observer in self.in_depth() {
            observer.dangerous_packet(now, packet);
        }
    }

    fn dangerous_kex_secret(&mut self, now: Instant, secret: &KexSecret<'_>) {
        for observer in self.in_depth() {
            observer.dangerous_kex_secret(now, secret);
        }
    }
}
