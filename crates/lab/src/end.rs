//! One end of one connection, whichever protocol it speaks.

use crate::{Fault, Moment, dh_chat, mini_ssh, rsa_chat, toy_socket};

/// What came of the peer's bytes, as far as all protocols have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gist {
    /// Both ends have the keys, and texts can be said.
    Established,
    /// The peer said something.
    Text(Vec<u8>),
    /// The connection must be closed.
    Broken(Fault),
    /// The peer said goodbye.
    Left,
    /// What only this protocol has, or what is only for whoever watches.
    Other,
}

/// A `Session` of any of the protocols.
pub(crate) trait End: Send + 'static {
    /// What it tells of the peer's bytes.
    type Event;

    /// Takes in what the peer sent.
    fn receive(&mut self, bytes: &[u8]);
    /// Bytes for the peer.
    fn take_output(&mut self) -> Vec<u8>;
    /// What came of the peer's bytes.
    fn poll_event(&mut self) -> Option<Self::Event>;
    /// Says a text.
    fn say_text(&mut self, now: Moment, text: &[u8]);
    /// Takes the name that a client has said, where there are names.
    fn accept(&mut self) {}
    /// An event without what is special to the protocol.
    fn gist(event: Self::Event) -> Gist;
}

/// The methods that have the same shape in every session.
macro_rules! forward {
    ($events:ty) => {
        type Event = $events;
        fn receive(&mut self, bytes: &[u8]) {
            self.receive(bytes);
        }
        fn take_output(&mut self) -> Vec<u8> {
            self.take_output()
        }
        fn poll_event(&mut self) -> Option<$events> {
            self.poll_event()
        }
    };
    ($events:ty, says lines) => {
        forward!($events);
        fn say_text(&mut self, _now: Moment, text: &[u8]) {
            self.say(&String::from_utf8_lossy(text));
        }
    };
}

impl End for dh_chat::Session {
    forward!(dh_chat::Event, says lines);
    fn gist(event: Self::Event) -> Gist {
        use dh_chat::Event;
        match event {
            Event::Established => Gist::Established,
            Event::Text(text) => Gist::Text(text),
            Event::Left => Gist::Left,
            Event::Broken(fault) => Gist::Broken(fault),
            Event::Step(_) => Gist::Other,
        }
    }
}

impl End for rsa_chat::Session {
    forward!(rsa_chat::Event, says lines);
    fn accept(&mut self) {
        self.accept();
    }
    fn gist(event: Self::Event) -> Gist {
        use rsa_chat::Event;
        match event {
            Event::Confirmed | Event::KeyReceived { .. } => Gist::Established,
            Event::Name(text) | Event::Text(text) => Gist::Text(text),
            Event::Broken(fault) => Gist::Broken(fault),
            Event::Exchanged { .. } | Event::Step(_) => Gist::Other,
        }
    }
}

impl End for mini_ssh::Session {
    forward!(mini_ssh::Event);
    fn say_text(&mut self, now: Moment, text: &[u8]) {
        self.say(now, text);
    }
    fn gist(event: Self::Event) -> Gist {
        use mini_ssh::Event;
        match event {
            Event::Established => Gist::Established,
            Event::Text(text) => Gist::Text(text),
            Event::Broken(fault) => Gist::Broken(fault),
            Event::Step(_) => Gist::Other,
        }
    }
}

impl End for toy_socket::Session {
    forward!(toy_socket::Event);
    fn say_text(&mut self, _now: Moment, text: &[u8]) {
        self.say(text);
    }
    fn gist(event: Self::Event) -> Gist {
        use toy_socket::Event;
        match event {
            Event::Established => Gist::Established,
            Event::Text(text) => Gist::Text(text),
            Event::Left => Gist::Left,
            Event::Broken(fault) => Gist::Broken(fault),
            Event::Rejected(_) | Event::Error(_) | Event::Step(_) => Gist::Other,
        }
    }
}

/// For the tests of sessions.
#[cfg(test)]
pub(crate) mod testing {
    use super::End;
    use crate::Step;

    /// An event that may be a step.
    pub(crate) trait MaybeStep: Sized {
        /// The step, or the event back.
        fn step(self) -> Result<Box<Step>, Self>;
    }

    macro_rules! maybe_step {
        ($($events:ty),*) => {$(
            impl MaybeStep for $events {
                fn step(self) -> Result<Box<Step>, Self> {
                    if let Self::Step(step) = self { Ok(step) } else { Err(self) }
                }
            }
        )*};
    }
    maybe_step!(crate::dh_chat::Event, crate::rsa_chat::Event, crate::mini_ssh::Event, crate::toy_socket::Event);

    /// Carries bytes until both are silent.
    pub(crate) fn talk<E: End>(a: &mut E, b: &mut E) {
        loop {
            let (from_a, from_b) = (a.take_output(), b.take_output());
            if from_a.is_empty() && from_b.is_empty() {
                return;
            }
            b.receive(&from_a);
            a.receive(&from_b);
        }
    }

    /// What happened, without steps.
    pub(crate) fn events<E: End<Event: MaybeStep>>(session: &mut E) -> Vec<E::Event> {
        std::iter::from_fn(|| session.poll_event()).filter_map(|event| event.step().err()).collect()
    }
}
