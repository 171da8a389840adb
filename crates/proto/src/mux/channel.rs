//! One channel, RFC 4254 §5: its state, its two windows, what waits to be sent and to be answered.

use super::window::{InboundWindow, OutboundWindow};
use crate::limits;
use nacre_wire::WriteExt;
use nacre_wire::number;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Our number for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalChannel(pub(crate) u32);

impl LocalChannel {
    /// A name for what is left of a channel whose own number is another's by now: no channel ever has it.
    pub const fn bygone(count: u32) -> Self {
        Self(u32::MAX.wrapping_sub(count % (u32::MAX / 2)))
    }

    /// The number, for logs.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The peer's number for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RemoteChannel(pub(crate) u32);

/// The two streams of a channel in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// CHANNEL_DATA: standard input or output.
    Main,
    /// CHANNEL_EXTENDED_DATA of type 1: standard error.
    Stderr,
}

impl Stream {
    /// What stands before the data: message number, recipient, and for standard error its code.
    pub(crate) fn head(self, recipient: RemoteChannel, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.head_len());
        match self {
            Self::Main => {
                out.put_u8(number::CHANNEL_DATA);
                out.put_u32(recipient.0);
            }
            Self::Stderr => {
                out.put_u8(number::CHANNEL_EXTENDED_DATA);
                out.put_u32(recipient.0);
                out.put_u32(1);
            }
        }
        out.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
        out
    }

    /// The length of [`Stream::head`] in bytes.
    pub(crate) const fn head_len(self) -> usize {
        match self {
            Self::Main => 9,
            Self::Stderr => 13,
        }
    }
}

/// How far a channel has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// We asked for it.
    Opening,
    /// The peer asked for it; the question waits for an answer.
    Asked { question: u64 },
    /// It stands.
    Open,
}

/// An answer the peer waits for; answers leave in the order of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Nobody has answered yet.
    Open { question: u64 },
    /// Answered, but an earlier one is still open.
    Ready(bool),
}

/// Bytes the application gave us to send.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    pub main: VecDeque<u8>,
    pub stderr: VecDeque<u8>,
}

impl Unsent {
    pub(crate) fn of(&mut self, stream: Stream) -> &mut VecDeque<u8> {
        match stream {
            Stream::Main => &mut self.main,
            Stream::Stderr => &mut self.stderr,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.main.is_empty() && self.stderr.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What has been said in one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said {
    pub eof: bool,
    pub close: bool,
}

/// How long a channel may carry no data before it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Idle {
    pub limit: Duration,
    pub since: Instant,
}

impl Idle {
    pub(crate) fn deadline(self) -> Instant {
        self.since + self.limit
    }
}

#[derive(Debug)]
pub(crate) struct Channel {
    pub state: State,
    pub remote: RemoteChannel,
    pub inbound: InboundWindow,
    pub outbound: OutboundWindow,
    /// Bytes of data that one message to the peer may hold.
    pub max_packet: usize,
    /// Bytes of data that we let the peer put into one message.
    pub our_max_packet: u32,
    pub unsent: Unsent,
    /// What the application wants said.
    pub wanted: Said,
    /// What we have said.
    pub sent: Said,
    /// What the peer has said.
    pub received: Said,
    /// The peer's requests, oldest first.
    pub replies: VecDeque<Reply>,
    /// Our requests, oldest first, by their type.
    pub awaiting: VecDeque<Vec<u8>>,
    /// Served before others.
    pub interactive: bool,
    /// The application was refused room and waits to hear of some.
    pub wants_room: bool,
    /// How long it may carry nothing, and when it last carried something.
    pub idle: Option<Idle>,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

impl Channel {
    pub(crate) fn new(state: State, window: u32, our_max_packet: u32) -> Self {
        Self {
            state,
            remote: RemoteChannel(0),
            inbound: InboundWindow::new(window),
            outbound: OutboundWindow::default(),
            max_packet: 0,
            our_max_packet,
            unsent: Unsent::default(),
            wanted: Said::default(),
            sent: Said::default(),
            received: Said::default(),
            replies: VecDeque::new(),
            awaiting: VecDeque::new(),
            interactive: false,
            wants_room: false,
            idle: None,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    /// The peer's side of an open channel is known.
    pub(crate) fn connect(&mut self, remote: u32, window: u32, max_packet: u32) {
        self.remote = RemoteChannel(remote);
        self.outbound = OutboundWindow::new(window);
        let room = limits::MAX_PACKET_LENGTH - 1024;
        self.max_packet = usize::try_from(max_packet).unwrap_or(usize::MAX).min(room);
    }

    /// It carries data.
    pub(crate) fn used(&mut self, now: Instant) {
        if let Some(idle) = &mut self.idle {
            idle.since = now;
        }
    }

    /// Bytes of data that may be put into a message now.
    pub(crate) fn sendable(&self) -> usize {
        let closed = self.state != State::Open || self.wanted.eof || self.wanted.close || self.received.close;
        if closed { 0 } else { self.outbound.open().min(self.max_packet) }
    }

    /// Room for the application's bytes.
    pub(crate) fn room(&mut self, stream: Stream) -> usize {
        if self.wanted.eof || self.wanted.close || self.received.close {
            return 0;
        }
        limits::MAX_CHANNEL_BUFFER.saturating_sub(self.unsent.of(stream).len())
    }

    /// Something waits to be formed.
    pub(crate) fn has_work(&self) -> bool {
        let data = !self.unsent.is_empty() && self.outbound.open() > 0;
        let drained = self.unsent.is_empty();
        let eof = self.wanted.eof && !self.sent.eof && drained;
        let close = self.wanted.close && !self.sent.close && drained && self.replies.is_empty();
        self.state == State::Open && !self.sent.close && (data || eof || close)
    }
}
