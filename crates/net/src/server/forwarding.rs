//! A server's forwards: channels that were connected for the client, places that are listened on for it, and
//! connections that came there and wait for the client to take them.

use super::authority::{Listening, Place, Refused, Target};
use crate::descriptor::Descriptor;
use crate::driver::Port;
use crate::forward::{Arrival, Forwards, kind_of, limit_idling};
use crate::pump::PumpEvent;
use nacre_config::channel_timeout::ChannelTimeouts;
use nacre_proto::{Error, GrantGlobal, GrantRequest, LocalChannel, OpenAnswer, OpenChannel, Pending};
use nacre_wire::forward::{ForwardOpen, ForwardRequest};
use nacre_wire::reason::open as reason;
use std::collections::HashMap;
use std::task::{Context, Poll};

/// The most places that are listened on for one client.
const MAX_LISTENERS: usize = 256;
/// The most connections taken from one listener before everything else gets its turn.
const MAX_ARRIVALS: usize = 32;

/// What a client's messages ask for, as the authority is asked.
pub(super) struct Wanted;

impl Wanted {
    /// Where a channel that the client opens is to be connected to; `None` when it carries something else.
    pub(super) fn of(open: ForwardOpen) -> Option<Target> {
        match open {
            ForwardOpen::DirectTcpip { host, port, .. } => Some(Target::Tcp { host, port }),
            ForwardOpen::DirectStreamlocal { path } => Some(Target::Unix { path }),
            ForwardOpen::ForwardedTcpip { .. } | ForwardOpen::ForwardedStreamlocal { .. } | ForwardOpen::AuthAgent => {
                None
            }
        }
    }

    /// Where a request wants us to listen; `None` when it wants us to stop.
    pub(super) fn place(request: &ForwardRequest) -> Option<Place> {
        match request {
            ForwardRequest::Tcpip { address, port } => Some(Place::Tcp { address: address.clone(), port: *port }),
            ForwardRequest::Streamlocal { path } => Some(Place::Unix { path: path.clone() }),
            ForwardRequest::CancelTcpip { .. } | ForwardRequest::CancelStreamlocal { .. } => None,
        }
    }
}

/// A place that is listened on.
struct Standing {
    /// The request that ends it; the agent's stays as long as the connection.
    cancelled_by: Option<ForwardRequest>,
    listening: Listening,
}

impl Standing {
    /// What a channel for somebody who came is opened with: places are named as the client named them.
    fn open(&self, arrival: &Arrival) -> Option<ForwardOpen> {
        match &self.cancelled_by {
            Some(ForwardRequest::CancelTcpip { address, port }) => Some(ForwardOpen::ForwardedTcpip {
                address: address.clone(),
                port: *port,
                originator: arrival.originator.clone(),
            }),
            Some(ForwardRequest::CancelStreamlocal { path }) => {
                Some(ForwardOpen::ForwardedStreamlocal { path: path.clone() })
            }
            Some(ForwardRequest::Tcpip { .. } | ForwardRequest::Streamlocal { .. }) => None,
            None => Some(ForwardOpen::AuthAgent),
        }
    }
}

/// How far the client's agent is forwarded.
#[derive(Default)]
enum Agent {
    /// Nobody wants it.
    #[default]
    Unasked,
    /// The authority was asked; these wait for what it says.
    Asked(Vec<Pending<GrantRequest>>),
    /// It said so.
    Answered(bool),
}

/// Places that the authority was asked for and has not answered, each with whether the client has cancelled it since.
#[derive(Default)]
struct Asked(Vec<(ForwardRequest, bool)>);

impl Asked {
    /// The client cancels one. False when none is meant; one whose port the client does not know yet cannot be.
    fn cancel(&mut self, cancel: &ForwardRequest) -> bool {
        let meant = self.0.iter_mut().find(|(request, cancelled)| {
            !cancelled
                && match (request, cancel) {
                    (ForwardRequest::Tcpip { address, port }, ForwardRequest::CancelTcpip { address: a, port: p }) => {
                        (address, port) == (a, p) && *port != 0
                    }
                    (ForwardRequest::Streamlocal { path }, ForwardRequest::CancelStreamlocal { path: p }) => path == p,
                    _ => false,
                }
        });
        meant.map(|(_, cancelled)| *cancelled = true).is_some()
    }

    /// The authority has answered one. True when nobody wants it any more.
    fn answered(&mut self, request: &ForwardRequest) -> bool {
        let place = self.0.iter().position(|(asked, _)| asked == request);
        place.is_some_and(|place| self.0.remove(place).1)
    }
}

/// The forwards of one connection.
#[derive(Default)]
pub(super) struct Forwarding {
    carried: Forwards,
    standing: Vec<Standing>,
    asked: Asked,
    /// Connections whose channels the client has not confirmed yet.
    opening: HashMap<LocalChannel, (&'static str, Descriptor)>,
    agent: Agent,
    timeouts: ChannelTimeouts,
}

impl Forwarding {
    /// Whether one more place may be asked for; if so it counts from now on.
    pub(super) fn takes_room(&mut self, request: &ForwardRequest) -> bool {
        let has_room = self.standing.len() + self.asked.0.len() < MAX_LISTENERS;
        if has_room {
            self.asked.0.push((request.clone(), false));
        }
        has_room
    }

    /// What the client asked to be connected to answered, or not.
    pub(super) fn on_connected(
        &mut self,
        port: &mut Port<'_>,
        pending: Pending<OpenChannel>,
        channel: LocalChannel,
        kind: &str,
        result: Result<Descriptor, Refused>,
    ) -> Result<(), Error> {
        match result {
            Ok(socket) => {
                port.connection.answer(port.now, pending, OpenAnswer::Accept)?;
                self.join(port, channel, kind, socket);
                Ok(())
            }
            Err(Refused { prohibited, why }) => {
                let reason = if prohibited { reason::ADMINISTRATIVELY_PROHIBITED } else { reason::CONNECT_FAILED };
                port.connection.answer(port.now, pending, OpenAnswer::Reject { reason, description: why })
            }
        }
    }

    /// We listen for the client, or not.
    pub(super) fn on_listening(
        &mut self,
        port: &mut Port<'_>,
        pending: Option<Pending<GrantGlobal>>,
        request: ForwardRequest,
        result: Result<Listening, Refused>,
    ) -> Result<(), Error> {
        let cancelled = self.asked.answered(&request);
        let answer = result.ok().map(|listening| {
            let success = request.success(listening.port);
            let cancelled_by = match request {
                ForwardRequest::Tcpip { address, .. } => ForwardRequest::CancelTcpip { address, port: listening.port },
                ForwardRequest::Streamlocal { path } => ForwardRequest::CancelStreamlocal { path },
                cancel => cancel,
            };
            // What was cancelled meanwhile was granted all the same, and is over.
            if !cancelled {
                self.standing.push(Standing { cancelled_by: Some(cancelled_by), listening });
            }
            success
        });
        match pending {
            Some(pending) => port.connection.answer(port.now, pending, answer),
            None => Ok(()),
        }
    }

    /// A session wants the client's agent. True when the authority is to be asked.
    pub(super) fn wants_agent(&mut self, port: &mut Port<'_>, pending: Option<Pending<GrantRequest>>) -> bool {
        match (&mut self.agent, pending) {
            (Agent::Answered(granted), Some(pending)) => {
                // An error ends the connection, which keeps it.
                let _ = port.connection.answer(port.now, pending, *granted);
            }
            (Agent::Answered(_), None) => {}
            (Agent::Asked(waiting), pending) => waiting.extend(pending),
            (Agent::Unasked, pending) => {
                self.agent = Agent::Asked(pending.into_iter().collect());
                return true;
            }
        }
        false
    }

    /// The authority has said whether the agent is forwarded. It is asked once for a connection.
    pub(super) fn on_agent(&mut self, port: &mut Port<'_>, result: Result<Listening, Refused>) -> Result<(), Error> {
        let granted = result.is_ok();
        self.standing.extend(result.ok().map(|listening| Standing { cancelled_by: None, listening }));
        match std::mem::replace(&mut self.agent, Agent::Answered(granted)) {
            Agent::Asked(waiting) => {
                waiting.into_iter().try_for_each(|pending| port.connection.answer(port.now, pending, granted))
            }
            Agent::Unasked | Agent::Answered(_) => Ok(()),
        }
    }

    /// Stops listening. False when there is no such place.
    pub(super) fn cancel(&mut self, request: &ForwardRequest) -> bool {
        let before = self.standing.len();
        self.standing.retain(|standing| standing.cancelled_by.as_ref() != Some(request));
        self.standing.len() < before || self.asked.cancel(request)
    }

    /// The client takes a connection.
    pub(super) fn on_opened(&mut self, port: &mut Port<'_>, channel: LocalChannel) {
        if let Some((kind, socket)) = self.opening.remove(&channel) {
            self.join(port, channel, kind, socket);
        }
    }

    /// The client does not.
    pub(super) fn on_open_failed(&mut self, channel: LocalChannel) {
        self.opening.remove(&channel);
    }

    /// Of a connection whose channels may carry nothing for so long.
    pub(super) fn new(timeouts: ChannelTimeouts) -> Self {
        Self { timeouts, ..Self::default() }
    }

    /// A channel carried nothing for too long. Nobody asks for it any more.
    pub(super) fn on_expired(&mut self, channel: LocalChannel) {
        self.carried.on_closed(channel);
    }

    /// Joins a channel with its socket.
    fn join(&mut self, port: &mut Port<'_>, channel: LocalChannel, kind: &str, socket: Descriptor) {
        self.carried.join(port, channel, socket);
        limit_idling(port, channel, self.timeouts.of(kind));
    }

    pub(super) fn on_closed(&mut self, channel: LocalChannel) -> bool {
        self.carried.on_closed(channel)
    }

    pub(super) fn on_pump(&mut self, port: &mut Port<'_>, event: &PumpEvent) -> bool {
        self.carried.on_pump(port, event)
    }

    /// Takes those who came and offers them to the client. True when anything happened.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let mut moved = false;
        let opening = &mut self.opening;
        self.standing.retain_mut(|standing| {
            for _ in 0..MAX_ARRIVALS {
                match standing.listening.acceptor.poll_accept(cx) {
                    Poll::Pending => return true,
                    Poll::Ready(Ok(arrival)) => {
                        moved = true;
                        let Some(open) = standing.open(&arrival) else { continue };
                        // Beyond the bound on channels there is no room for it: it is closed.
                        if let Ok(channel) = port.connection.open_forward(port.now, &open) {
                            opening.insert(channel, (kind_of(&open), arrival.socket));
                        }
                    }
                    Poll::Ready(Err(error)) => {
                        tracing::warn!("a listener for the client takes no more connections: {error}");
                        moved = true;
                        return false;
                    }
                }
            }
            true
        });
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c07_what_is_cancelled_before_it_was_answered_is_not_wanted_any_more() {
        let tcp = |address: &str, port| ForwardRequest::Tcpip { address: address.into(), port };
        let cancel = |address: &str, port| ForwardRequest::CancelTcpip { address: address.into(), port };
        let path = b"/tmp/s".to_vec();
        let mut forwarding = Forwarding::default();
        for request in [tcp("", 80), tcp("", 80), tcp("", 0), ForwardRequest::Streamlocal { path: path.clone() }] {
            assert!(forwarding.takes_room(&request));
        }
        assert!(!forwarding.cancel(&cancel("", 81)) && !forwarding.cancel(&cancel("localhost", 80)));
        assert!(!forwarding.cancel(&cancel("", 0)), "its port is not known yet");
        assert!(forwarding.cancel(&cancel("", 80)));
        assert!(forwarding.cancel(&ForwardRequest::CancelStreamlocal { path: path.clone() }));
        assert!(!forwarding.cancel(&ForwardRequest::CancelStreamlocal { path: path.clone() }), "once");
        assert!(forwarding.asked.answered(&tcp("", 80)), "the first of them");
        assert!(!forwarding.asked.answered(&tcp("", 80)), "not the second");
        assert!(!forwarding.asked.answered(&tcp("", 0)));
        assert!(forwarding.asked.answered(&ForwardRequest::Streamlocal { path }));
        assert!(forwarding.asked.0.is_empty());
    }
}
