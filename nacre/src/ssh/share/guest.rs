//! One process that uses our connection: its end of the master's socket.

use super::inbound::{Inbound, Malformed};
use nacre_net::Descriptor;
use nacre_sys::handover;
use nacre_wire::share::{Reply, Request};
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;
/// The most bytes of answers that wait for a guest that does not read them.
const MAX_UNREAD: usize = 64 * 1024;

/// What a guest came to.
#[derive(Debug)]
pub enum Heard {
    /// Nothing for now.
    Nothing,
    /// It wants something.
    Request(Request, Vec<OwnedFd>),
    /// It is gone.
    Gone,
    /// It does not speak the protocol.
    Malformed(Malformed),
}

/// A guest.
#[derive(Debug)]
pub struct Guest {
    socket: Descriptor,
    inbound: Inbound,
    out: Vec<u8>,
    /// It has said hello.
    pub greeted: bool,
    /// Its last request has no answer yet, and nothing else is heard meanwhile.
    pub waits: bool,
    /// It is hung up on once it has heard everything.
    pub leaves: bool,
    /// The socket has ended.
    ended: bool,
}

impl Guest {
    /// Somebody who connected.
    pub fn new(socket: Descriptor) -> Self {
        let (greeted, waits, leaves, ended) = (false, false, false, false);
        let mut guest = Self { socket, inbound: Inbound::default(), out: Vec::new(), greeted, waits, leaves, ended };
        guest.say(&Reply::hello());
        guest
    }

    /// Says something, now or when there is room.
    pub fn say(&mut self, reply: &Reply) {
        self.out.extend_from_slice(&reply.encode());
    }

    /// The answer to the last request; others are heard again.
    pub fn answer(&mut self, reply: &Reply) {
        self.waits = false;
        self.say(reply);
    }

    /// Writes what waits. False when nobody is there to take it.
    pub fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.out.is_empty() {
            match self.socket.poll_write(cx, &self.out) {
                Poll::Ready(Ok(n)) if n > 0 => drop(self.out.drain(..n)),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(_) => return false,
                Poll::Pending => return true,
            }
        }
        !self.leaves
    }

    /// Hears what it has to say. Call it until there is nothing.
    pub fn hear(&mut self, cx: &mut Context<'_>) -> Heard {
        loop {
            if !self.waits && !self.leaves && self.out.len() < MAX_UNREAD {
                match self.inbound.next() {
                    Ok(Some((request, fds))) => return Heard::Request(request, fds),
                    Ok(None) => {}
                    Err(malformed) => return Heard::Malformed(malformed),
                }
            }
            if self.ended {
                return Heard::Gone;
            }
            if !self.inbound.has_room() {
                return Heard::Nothing;
            }
            let mut chunk = [0; READ_SIZE];
            match self.socket.poll_read_by(cx, |socket| handover::receive(socket, &mut chunk)) {
                Poll::Pending => return Heard::Nothing,
                Poll::Ready(Ok(received)) if received.len > 0 => {
                    let bytes = chunk.get(..received.len).unwrap_or_default();
                    if let Err(malformed) = self.inbound.feed(bytes, received.fds) {
                        return Heard::Malformed(malformed);
                    }
                }
                Poll::Ready(_) => self.ended = true,
            }
        }
    }
}
