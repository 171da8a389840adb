//! What the audit log tells of forwards: who was connected where, what is listened on, who came.

use super::event::Happening;
use super::trail::Trail;
use crate::serve::forward::{describe_place, describe_target};
use nacre_net::forward::Arrival;
use nacre_net::server::authority::{Acceptor, Place, Refused, Target};
use nacre_wire::forward::Originator;
use nacre_wire::names;
use nacre_wire::text::clean_line;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The longest reason that is logged, in bytes.
const MAX_REASON: usize = 512;

/// One forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardSpec {
    /// The channel type, or the request's name.
    pub kind: &'static str,
    /// Where to, or where it is listened, cleaned.
    pub target: String,
}

impl ForwardSpec {
    /// The client wants to be connected.
    pub fn connect(target: &Target) -> Self {
        let kind = match target {
            Target::Tcp { .. } => names::CHANNEL_DIRECT_TCPIP,
            Target::Unix { .. } => names::CHANNEL_DIRECT_STREAMLOCAL,
        };
        Self { kind, target: describe_target(target) }
    }

    /// The client wants us to listen; on this port we do.
    pub fn listen(place: &Place, port: u16) -> Self {
        let kind = match place {
            Place::Tcp { .. } => names::TCPIP_FORWARD,
            Place::Unix { .. } => names::STREAMLOCAL_FORWARD,
            Place::Agent => names::AUTH_AGENT_REQ,
        };
        Self { kind, target: describe_place(&with_port(place, port)) }
    }

    /// Somebody came where we listen.
    pub fn arrival(place: &Place, port: u16, from: &Originator) -> Self {
        let at = describe_place(&with_port(place, port));
        match place {
            Place::Tcp { .. } => {
                let target = format!("{at} from {} port {}", from.address, from.port);
                Self { kind: names::CHANNEL_FORWARDED_TCPIP, target }
            }
            Place::Unix { .. } => Self { kind: names::CHANNEL_FORWARDED_STREAMLOCAL, target: at },
            Place::Agent => Self { kind: names::CHANNEL_AUTH_AGENT, target: at },
        }
    }

    pub(super) fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("kind", json!(self.kind)), ("target", json!(self.target))]
    }
}

fn with_port(place: &Place, bound: u16) -> Place {
    match place {
        Place::Tcp { address, port: 0 } => Place::Tcp { address: address.clone(), port: bound },
        other => other.clone(),
    }
}

impl Trail {
    /// A forward was opened, or refused.
    pub fn forward(&self, spec: &ForwardSpec, refused: Option<&Refused>) {
        let spec = spec.clone();
        self.tell_of_user(match refused {
            None => Happening::ForwardOpened { spec },
            Some(Refused { prohibited, why }) => {
                let reason = clean_line(why.as_bytes(), MAX_REASON);
                Happening::ForwardRefused { spec, prohibited: *prohibited, reason }
            }
        });
    }
}

/// An acceptor each of whose connections is written down.
pub struct WatchedAcceptor<A> {
    /// It.
    pub acceptor: A,
    /// The trail it belongs to.
    pub trail: Arc<Trail>,
    /// What the client asked for.
    pub place: Place,
    /// The port that is listened on.
    pub port: u16,
}

impl<A: Acceptor> Acceptor for WatchedAcceptor<A> {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        let arrival = ready!(self.acceptor.poll_accept(cx))?;
        self.trail.forward(&ForwardSpec::arrival(&self.place, self.port, &arrival.originator), None);
        Poll::Ready(Ok(arrival))
    }
}
