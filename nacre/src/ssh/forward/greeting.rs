//! A SOCKS client that connected here and says where it wants to go.

use super::say;
use super::socks::{Request, Socks, Step};
use nacre_config::client::Endpoint;
use nacre_net::Descriptor;
use nacre_wire::forward::Originator;
use std::task::{Context, Poll};

/// Bytes read at once: a request is smaller.
const READ_SIZE: usize = 1024;

/// The client.
pub struct Greeting {
    socket: Descriptor,
    originator: Originator,
    listen: Endpoint,
    socks: Socks,
}

/// What came of listening to it.
pub enum Heard {
    /// It has not said all yet.
    Waits(Greeting),
    /// It went away, or was sent away.
    Gone,
    /// It wants to go there.
    Wants {
        /// The client.
        socket: Descriptor,
        /// Where to.
        request: Request,
        /// What it sent behind the request.
        rest: Vec<u8>,
        /// Who it is.
        originator: Originator,
        /// Where it connected.
        listen: Endpoint,
    },
}

impl Greeting {
    /// A client that has said nothing yet.
    pub fn new(socket: Descriptor, originator: Originator, listen: Endpoint) -> Self {
        Self { socket, originator, listen, socks: Socks::default() }
    }

    /// Listens to it.
    pub fn poll(mut self, cx: &mut Context<'_>) -> Heard {
        let mut chunk = [0; READ_SIZE];
        loop {
            match self.socket.poll_read(cx, &mut chunk) {
                Poll::Pending => return Heard::Waits(self),
                Poll::Ready(Ok(n)) if n > 0 => {
                    if !self.socks.feed(chunk.get(..n).unwrap_or_default()) {
                        return Heard::Gone;
                    }
                }
                Poll::Ready(_) => return Heard::Gone,
            }
            loop {
                match self.socks.step() {
                    Step::More => break,
                    Step::Say(bytes) if say(&self.socket, &bytes) => {}
                    Step::Say(_) => return Heard::Gone,
                    Step::HangUp(bytes) => {
                        say(&self.socket, &bytes);
                        return Heard::Gone;
                    }
                    Step::Connect(request) => {
                        let Self { socket, originator, listen, socks } = self;
                        return Heard::Wants { socket, request, rest: socks.into_rest(), originator, listen };
                    }
                }
            }
        }
    }
}
