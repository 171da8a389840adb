//! The connection protocol, RFC 4254: channels and global requests over one transport.
//!
//! The mux exists only after login: it is made from an [`Authenticated`], which only the login
//! layer can make (threats A1, T3).

pub(crate) mod channel;
mod idle;
mod inbound;
pub(crate) mod outbound;
pub(crate) mod window;

use crate::error::{Error, Limit, Misbehaviour};
use crate::event::Event;
use crate::limits;
use crate::login::Authenticated;
use crate::question::{Ids, Pending};
use bytes::Bytes;
use channel::{Channel, LocalChannel, Reply, State};
use nacre_wire::Role;
use std::collections::{BTreeSet, VecDeque};
use window::Granted;

/// The question whether a channel may be opened. Answer: [`OpenAnswer`].
#[derive(Debug)]
pub struct OpenChannel;

/// The question whether a channel request is granted. Answer: `bool`.
#[derive(Debug)]
pub struct GrantRequest;

/// The question whether a global request is granted. Answer: what REQUEST_SUCCESS carries, `None`
/// for REQUEST_FAILURE.
#[derive(Debug)]
pub struct GrantGlobal;

/// What is said to a channel that the peer wants to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenAnswer {
    /// It stands.
    Accept,
    /// It does not: a code of RFC 4250 §4.3 and text for people.
    Reject {
        /// The code.
        reason: u32,
        /// The text.
        description: String,
    },
}

/// A global request of the peer: its question, and the answer once there is one.
#[derive(Debug)]
struct GlobalReply {
    question: u64,
    answer: Option<Result<Vec<u8>, ()>>,
}

/// Channels, requests and windows of one connection.
pub(crate) struct Mux {
    role: Role,
    max_packet: u32,
    channels: Vec<Option<Box<Channel>>>,
    count: usize,
    granted: Granted,
    /// Channels with something to form.
    work: BTreeSet<u32>,
    /// Channels whose window credit may be worth a message.
    credit: BTreeSet<u32>,
    /// Messages to send, in order; the connection moves them to the transport at once.
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) events: VecDeque<Event>,
    global_replies: VecDeque<GlobalReply>,
    global_awaiting: VecDeque<Vec<u8>>,
    /// The client promised to open no more sessions.
    no_more_sessions: bool,
    /// Closed channels, for the observer.
    pub(crate) closed: Vec<(u32, u64, u64)>,
}

impl Mux {
    pub(crate) fn new(role: Role, max_packet: u32, _login: &Authenticated) -> Self {
        Self {
            role,
            max_packet,
            channels: Vec::new(),
            count: 0,
            granted: Granted::default(),
            work: BTreeSet::new(),
            credit: BTreeSet::new(),
            messages: Vec::new(),
            events: VecDeque::new(),
            global_replies: VecDeque::new(),
            global_awaiting: VecDeque::new(),
            no_more_sessions: false,
            closed: Vec::new(),
        }
    }

    /// How many channels there are, in whatever state.
    pub(crate) fn channel_count(&self) -> usize {
        self.count
    }

    pub(crate) fn get(&mut self, id: LocalChannel) -> Option<&mut Channel> {
        self.channels.get_mut(id.0 as usize)?.as_deref_mut()
    }

    /// The channel of a message from the peer, which must exist and stand.
    fn open_channel(&mut self, recipient: u32) -> Result<&mut Channel, Error> {
        let channel = self.get(LocalChannel(recipient)).ok_or(Error::PeerMisbehaved(Misbehaviour::NoSuchChannel))?;
        if channel.state != State::Open {
            return Err(Error::PeerMisbehaved(Misbehaviour::ChannelState));
        }
        Ok(channel)
    }

    /// Puts a channel into the first free place; `None` when there is no room for it.
    fn insert(&mut self, state: State) -> Option<(LocalChannel, u32)> {
        if self.count >= limits::MAX_CHANNELS {
            return None;
        }
        let window = self.granted.first_window()?;
        let channel = Box::new(Channel::new(state, window, self.max_packet));
        let place = self.channels.iter().position(Option::is_none).unwrap_or(self.channels.len());
        let id = u32::try_from(place).ok()?;
        match self.channels.get_mut(place) {
            Some(slot) => *slot = Some(channel),
            None => self.channels.push(Some(channel)),
        }
        self.count += 1;
        Some((LocalChannel(id), window))
    }

    fn remove(&mut self, id: LocalChannel) {
        if let Some(channel) = self.channels.get_mut(id.0 as usize).and_then(Option::take) {
            self.granted.release(channel.inbound.size());
            self.closed.push((id.0, channel.bytes_sent, channel.bytes_received));
            self.count -= 1;
            self.work.remove(&id.0);
            self.credit.remove(&id.0);
        }
    }

    fn push(&mut self, message: Vec<u8>) {
        self.messages.push(message);
    }

    /// Marks a channel for forming if there is something to form.
    fn note_work(&mut self, id: LocalChannel) {
        if self.get(id).is_some_and(|c| c.has_work()) {
            self.work.insert(id.0);
        }
    }

    /// Answers the peer's channel open.
    pub(crate) fn answer_open(&mut self, pending: &Pending<OpenChannel>, answer: OpenAnswer) -> Result<(), Error> {
        let asked = |c: &Channel| c.state == State::Asked { question: pending.id };
        let found = self.channels.iter().position(|slot| slot.as_deref().is_some_and(asked));
        let id = found.and_then(|place| u32::try_from(place).ok()).map(LocalChannel);
        let Some(id) = id else { return Err(Error::Misuse("no such channel is asked for")) };
        self.finish_open(id, answer);
        Ok(())
    }

    /// Answers a channel request of the peer. Answers to a channel that is gone are dropped.
    pub(crate) fn answer_request(&mut self, pending: &Pending<GrantRequest>, granted: bool) {
        let waits = |c: &Channel| c.replies.contains(&Reply::Open { question: pending.id });
        let Some(place) = self.channels.iter().position(|slot| slot.as_deref().is_some_and(waits)) else { return };
        let Some(channel) = self.channels.get_mut(place).and_then(Option::as_deref_mut) else { return };
        for reply in &mut channel.replies {
            if *reply == (Reply::Open { question: pending.id }) {
                *reply = Reply::Ready(granted);
            }
        }
        if let Ok(id) = u32::try_from(place) {
            self.flush_replies(LocalChannel(id));
        }
    }

    /// Answers a global request of the peer.
    pub(crate) fn answer_global(&mut self, pending: &Pending<GrantGlobal>, answer: Option<Vec<u8>>) {
        if let Some(reply) = self.global_replies.iter_mut().find(|reply| reply.question == pending.id) {
            reply.answer = Some(answer.ok_or(()));
        }
        self.flush_global_replies();
    }

    /// Channel data the application need not see: its credit goes back at once.
    fn discard(&mut self, id: LocalChannel, n: usize) {
        if let Some(channel) = self.get(id) {
            channel.inbound.consume(n);
        }
        self.credit.insert(id.0);
    }

    fn deliver(&mut self, id: LocalChannel, stream: channel::Stream, data: Bytes) {
        self.events.push_back(Event::Data { channel: id, stream, data });
    }
}

/// A count of open questions went over its bound.
fn too_many() -> Error {
    Error::Limit(Limit::PendingRequests)
}

/// Makes the next question's token: both modules below ask.
fn ask<Q>(ids: &mut Ids) -> Pending<Q> {
    ids.next()
}
