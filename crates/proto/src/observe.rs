//! The steps of a connection as values, for whoever wants to watch: the explanation, the lab, the
//! audit log and traces all draw from here and only from here.
//!
//! No step carries a secret. Whole packets and key exchange secrets go only to an observer that asks for them, through
//! what is called `dangerous_`.

use crate::algorithm::SignatureAlgorithm;
use crate::error::Error;
use crate::negotiate::Negotiated;
use nacre_wire::Role;
use nacre_wire::message::{ChannelOpen, ChannelOpenConfirmation, ChannelRequest, KexInit, Message};
use nacre_wire::number;
use std::time::Instant;

/// A step.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Step<'a> {
    /// An identification line went out or came in.
    Ident {
        /// Whose.
        by: Role,
        /// The line, not cleaned.
        line: &'a [u8],
    },
    /// A line a server sent before its identification, not cleaned.
    PreIdentLine(&'a [u8]),
    /// A KEXINIT went out or came in.
    KexInit {
        /// Whose.
        by: Role,
        /// What it offers.
        offer: &'a KexInit<'a>,
        /// Its size, bytes.
        size: usize,
    },
    /// The algorithms were agreed.
    Negotiated {
        /// Which ones.
        algorithms: &'a Negotiated,
        /// Strict key exchange is on.
        strict: bool,
    },
    /// A public value of the key exchange went out or came in.
    KexPublic {
        /// Whose.
        by: Role,
        /// The value.
        value: &'a [u8],
    },
    /// The exchange hash is known.
    ExchangeHash {
        /// The hash.
        hash: &'a [u8],
        /// It is the session identifier too.
        first: bool,
    },
    /// The server proved that it holds the host key.
    HostKeyProved {
        /// With this algorithm.
        algorithm: SignatureAlgorithm,
        /// The key.
        public_key: &'a [u8],
        /// The signature.
        signature: &'a [u8],
    },
    /// NEWKEYS went out or came in.
    NewKeys {
        /// Whose.
        by: Role,
    },
    /// EXT_INFO went out or came in.
    ExtInfo {
        /// Whose.
        by: Role,
        /// Names and values, not cleaned.
        extensions: &'a [(&'a [u8], &'a [u8])],
    },
    /// A service was asked for or accepted.
    Service {
        /// Who speaks.
        by: Role,
        /// Its name.
        name: &'a [u8],
    },
    /// An authentication request.
    AuthRequest {
        /// For whom, not cleaned.
        user: &'a [u8],
        /// The method.
        method: &'a str,
        /// The key's blob when the method shows one.
        public_key: Option<&'a [u8]>,
        /// The request carries a signature.
        signed: bool,
    },
    /// The server's banner, not cleaned.
    Banner(&'a [u8]),
    /// An attempt was refused, or was right and more is wanted.
    AuthFailure {
        /// What may go on.
        methods: &'a str,
        /// It was right.
        partial_success: bool,
    },
    /// Logged in.
    AuthSuccess,
    /// A channel was asked for.
    ChannelOpen {
        /// Who asks.
        by: Role,
        /// Its type.
        kind: &'a [u8],
    },
    /// A channel stands.
    ChannelOpened {
        /// The opener's number for it.
        channel: u32,
        /// What the opener may send at first, bytes.
        window: u32,
        /// What one message may hold, bytes.
        max_packet: u32,
    },
    /// A request on a channel.
    ChannelRequest {
        /// Who asks.
        by: Role,
        /// Its type.
        kind: &'a [u8],
    },
    /// A channel is gone; bytes of data that passed.
    ChannelClosed {
        /// Our number for it.
        channel: u32,
        /// Bytes we sent.
        sent: u64,
        /// Bytes we received.
        received: u64,
    },
    /// A key re-exchange begins, on our initiative or the peer's.
    Rekey {
        /// Who began.
        by: Role,
    },
    /// A packet passed.
    Packet {
        /// Who sent it.
        by: Role,
        /// The number of its message.
        number: u8,
        /// Bytes of payload.
        size: usize,
    },
    /// DEBUG came in, not cleaned.
    Debug(&'a [u8]),
    /// The connection is over.
    End(&'a Error),
}

impl<'a> Step<'a> {
    /// The step that a message of the connection layer is, for those worth telling.
    pub(crate) fn of_channel_message(by: Role, payload: &'a [u8]) -> Option<Self> {
        match payload.first().copied()? {
            number::CHANNEL_OPEN => {
                let m = ChannelOpen::decode(payload).ok()?;
                Some(Self::ChannelOpen { by, kind: m.kind })
            }
            number::CHANNEL_OPEN_CONFIRMATION => {
                let m = ChannelOpenConfirmation::decode(payload).ok()?;
                Some(Self::ChannelOpened { channel: m.recipient, window: m.initial_window, max_packet: m.max_packet })
            }
            number::CHANNEL_REQUEST => {
                let m = ChannelRequest::decode(payload).ok()?;
                Some(Self::ChannelRequest { by, kind: m.kind })
            }
            _ => None,
        }
    }
}

/// A packet as it passed, or lines of text before the first one.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    /// Who sent it.
    pub by: Role,
    /// What whoever listens on the way gets: all its bytes.
    pub wire: &'a [u8],
    /// The message in it, before compression and encryption: a password may be in it. Nothing for lines of text.
    pub payload: Option<&'a [u8]>,
    /// The way hides the message from who listens.
    pub encrypted: bool,
}

/// What the keys of a key exchange are made from.
#[derive(Clone, Copy)]
pub struct KexSecret<'a> {
    /// The cookie of the client's KEXINIT.
    pub cookie: &'a [u8],
    /// The client's private value, where the method gives it away.
    pub private: Option<&'a [u8]>,
    /// The shared secret as it is hashed, without its length.
    pub shared: &'a [u8],
}

/// Receives steps as they happen.
pub trait Observer: Send {
    /// One step, and when it happened.
    fn step(&mut self, now: Instant, step: &Step<'_>);

    /// Whether packets and secrets are wanted; asked once, at the beginning. Each packet is copied for it.
    fn dangerous_wants_packets(&self) -> bool {
        false
    }

    /// One packet, before the steps that it leads to.
    fn dangerous_packet(&mut self, _now: Instant, _packet: &Packet<'_>) {}

    /// The secret of a key exchange; a client's connection tells it.
    fn dangerous_kex_secret(&mut self, _now: Instant, _secret: &KexSecret<'_>) {}
}
