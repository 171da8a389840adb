//! Forwarding, RFC 4254 §7: its channels and requests as calls on a connection. What a peer asks arrives as
//! [`crate::Event::OpenRequest`] and [`crate::Event::Global`], whose data [`ForwardOpen::decode`] and
//! [`ForwardRequest::decode`] read.

use crate::connection::Connection;
use crate::error::Error;
use crate::mux::channel::LocalChannel;
use nacre_wire::forward::{ForwardOpen, ForwardRequest};
use nacre_wire::{Role, names};
use std::time::Instant;

/// Why a peer in this role may not open channels of this type, when it may not: servers do not connect through
/// clients, and clients listen for nobody (threat H11).
pub(crate) fn wrong_role(opener: Role, kind: &[u8]) -> Option<&'static str> {
    let is = |names: &[&str]| names.iter().any(|name| name.as_bytes() == kind);
    match opener {
        Role::Server if is(&[names::CHANNEL_DIRECT_TCPIP, names::CHANNEL_DIRECT_STREAMLOCAL]) => {
            Some("a server does not connect through its client")
        }
        Role::Client if is(&[names::CHANNEL_FORWARDED_TCPIP, names::CHANNEL_FORWARDED_STREAMLOCAL]) => {
            Some("a client listens for nobody")
        }
        Role::Client if is(&[names::CHANNEL_AUTH_AGENT]) => Some("a server has no agent for its client"),
        _ => None,
    }
}

impl Connection {
    /// Asks the peer for a channel that carries a connection. [`crate::Event::Opened`] or
    /// [`crate::Event::OpenFailed`] follows.
    ///
    /// # Errors
    /// Not logged in, or too many channels.
    pub fn open_forward(&mut self, now: Instant, open: &ForwardOpen) -> Result<LocalChannel, Error> {
        let mut rest = Vec::new();
        open.encode_rest(&mut rest);
        self.open_channel(now, open.kind(), &rest)
    }

    /// Asks the peer to listen for us, or to stop. [`crate::Event::GlobalReply`] follows, in the order of the
    /// requests; [`ForwardRequest::bound_port`] reads it.
    ///
    /// # Errors
    /// Not logged in, or too many requests wait for an answer.
    pub fn request_forward(&mut self, now: Instant, request: &ForwardRequest) -> Result<(), Error> {
        let mut rest = Vec::new();
        request.encode_rest(&mut rest);
        self.global_request(now, request.name(), &rest, true)
    }
}
