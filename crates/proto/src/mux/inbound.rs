//! Messages from the peer, RFC 4254: each one checked against the state of its channel.

use super::channel::{Channel, LocalChannel, Reply, State, Stream};
use super::{GlobalReply, Mux, OpenAnswer, ask, too_many};
use crate::error::{Error, Misbehaviour, decoding};
use crate::event::Event;
use crate::limits;
use crate::question::Ids;
use bytes::Bytes;
use nacre_wire::message::{
    ChannelClose, ChannelData, ChannelEof, ChannelExtendedData, ChannelFailure, ChannelOpen, ChannelOpenConfirmation,
    ChannelOpenFailure, ChannelRequest, ChannelSuccess, ChannelWindowAdjust, GlobalRequest, Message, Ping, Pong,
    RequestFailure, RequestSuccess,
};
use nacre_wire::reason::open as reason;
use nacre_wire::session::SessionRequest;
use nacre_wire::text::clean_line;
use nacre_wire::{Role, names, number};
use std::time::Instant;

impl Mux {
    /// Handles one message of the connection layer.
    pub(crate) fn receive(&mut self, now: Instant, ids: &mut Ids, payload: Bytes) -> Result<(), Error> {
        let number = payload.first().copied().unwrap_or(0);
        let bad = decoding(number);
        match number {
            number::CHANNEL_DATA => self.on_data(now, &payload),
            number::CHANNEL_EXTENDED_DATA => self.on_extended_data(now, &payload),
            number::CHANNEL_WINDOW_ADJUST => {
                let m = ChannelWindowAdjust::decode(&payload).map_err(bad)?;
                self.on_window_adjust(&m)
            }
            number::CHANNEL_OPEN => {
                let m = ChannelOpen::decode(&payload).map_err(bad)?;
                self.on_open(ids, &m)
            }
            number::CHANNEL_OPEN_CONFIRMATION => {
                let m = ChannelOpenConfirmation::decode(&payload).map_err(bad)?;
                self.on_open_confirmation(&m)
            }
            number::CHANNEL_OPEN_FAILURE => {
                let m = ChannelOpenFailure::decode(&payload).map_err(bad)?;
                self.on_open_failure(&m)
            }
            number::CHANNEL_EOF => {
                let m = ChannelEof::decode(&payload).map_err(bad)?;
                self.on_eof(m.recipient)
            }
            number::CHANNEL_CLOSE => {
                let m = ChannelClose::decode(&payload).map_err(bad)?;
                self.on_close(m.recipient)
            }
            number::CHANNEL_REQUEST => {
                let m = ChannelRequest::decode(&payload).map_err(bad)?;
                self.on_request(ids, &m)
            }
            number::CHANNEL_SUCCESS => {
                let m = ChannelSuccess::decode(&payload).map_err(bad)?;
                self.on_reply(m.recipient, true)
            }
            number::CHANNEL_FAILURE => {
                let m = ChannelFailure::decode(&payload).map_err(bad)?;
                self.on_reply(m.recipient, false)
            }
            number::GLOBAL_REQUEST => {
                let m = GlobalRequest::decode(&payload).map_err(bad)?;
                self.on_global(ids, &m)
            }
            number::REQUEST_SUCCESS => {
                let m = RequestSuccess::decode(&payload).map_err(bad)?;
                self.on_global_reply(Some(m.rest.0.to_vec()));
                Ok(())
            }
            number::REQUEST_FAILURE => {
                RequestFailure::decode(&payload).map_err(bad)?;
                self.on_global_reply(None);
                Ok(())
            }
            number::PING => {
                let m = Ping::decode(&payload).map_err(bad)?;
                self.push(Pong { data: m.data }.to_bytes());
                Ok(())
            }
            number::PONG => Pong::decode(&payload).map(|_| ()).map_err(bad),
            other => Err(Error::PeerMisbehaved(Misbehaviour::UnexpectedMessage(other))),
        }
    }

    fn on_data(&mut self, now: Instant, payload: &Bytes) -> Result<(), Error> {
        let m = ChannelData::decode(payload).map_err(decoding(number::CHANNEL_DATA))?;
        let data = payload.slice_ref(m.data);
        self.take_data(now, m.recipient, Some(Stream::Main), data)
    }

    fn on_extended_data(&mut self, now: Instant, payload: &Bytes) -> Result<(), Error> {
        let m = ChannelExtendedData::decode(payload).map_err(decoding(number::CHANNEL_EXTENDED_DATA))?;
        let data = payload.slice_ref(m.data);
        // Only standard error is known; the rest is counted, dropped and given back (threat C5).
        let stream = (m.code == 1 && self.role == Role::Client).then_some(Stream::Stderr);
        self.take_data(now, m.recipient, stream, data)
    }

    fn take_data(&mut self, now: Instant, recipient: u32, stream: Option<Stream>, data: Bytes) -> Result<(), Error> {
        let channel = self.open_channel(recipient)?;
        if channel.received.eof || channel.received.close {
            return Err(Error::PeerMisbehaved(Misbehaviour::ChannelState));
        }
        channel.used(now);
        if data.len() > channel.our_max_packet as usize {
            return Err(Error::PeerMisbehaved(Misbehaviour::Window));
        }
        channel.inbound.receive(now, data.len())?;
        channel.bytes_received += data.len() as u64;
        let wanted = !channel.sent.close && !data.is_empty();
        let id = LocalChannel(recipient);
        match stream {
            Some(stream) if wanted => self.deliver(id, stream, data),
            _ => self.discard(id, data.len()),
        }
        Ok(())
    }

    fn on_window_adjust(&mut self, m: &ChannelWindowAdjust) -> Result<(), Error> {
        let channel = self.open_channel(m.recipient)?;
        channel.outbound.adjust(m.bytes)?;
        let id = LocalChannel(m.recipient);
        self.tell_of_room(id);
        self.note_work(id);
        Ok(())
    }

    /// Tells an application that was refused room that there is some.
    pub(super) fn tell_of_room(&mut self, id: LocalChannel) {
        if self.get(id).is_some_and(|c| std::mem::take(&mut c.wants_room)) {
            self.events.push_back(Event::Writable { channel: id });
        }
    }

    fn on_open(&mut self, ids: &mut Ids, m: &ChannelOpen<'_>) -> Result<(), Error> {
        let pending = ask(ids);
        let kind = clean_line(m.kind, limits::MAX_PEER_TEXT);
        let refuse = |reason, description: &str| OpenAnswer::Reject { reason, description: description.to_owned() };
        let session = m.kind == names::CHANNEL_SESSION.as_bytes();
        let Some((id, _)) = self.insert(State::Asked { question: pending.id }) else {
            self.push(open_failure(m.sender, reason::RESOURCE_SHORTAGE, "too many channels"));
            return Ok(());
        };
        if let Some(channel) = self.get(id) {
            channel.connect(m.sender, m.initial_window, m.max_packet);
        }
        if session && self.role == Role::Client {
            self.finish_open(id, refuse(reason::ADMINISTRATIVELY_PROHIBITED, "a server opens no sessions"));
        } else if session && self.no_more_sessions {
            self.finish_open(id, refuse(reason::ADMINISTRATIVELY_PROHIBITED, "no more sessions were promised"));
        } else if let Some(why) = crate::forward::wrong_role(self.role.peer(), m.kind) {
            self.finish_open(id, refuse(reason::ADMINISTRATIVELY_PROHIBITED, why));
        } else if m.max_packet == 0 {
            self.finish_open(id, refuse(reason::CONNECT_FAILED, "maximum packet size 0"));
        } else {
            self.events.push_back(Event::OpenRequest { pending, channel: id, kind, data: m.rest.0.to_vec() });
        }
        Ok(())
    }

    fn on_open_confirmation(&mut self, m: &ChannelOpenConfirmation<'_>) -> Result<(), Error> {
        let id = LocalChannel(m.recipient);
        let channel = self.opening_channel(id)?;
        if m.max_packet == 0 {
            return Err(Error::PeerMisbehaved(Misbehaviour::Window));
        }
        channel.connect(m.sender, m.initial_window, m.max_packet);
        channel.state = State::Open;
        self.events.push_back(Event::Opened { channel: id, window: m.initial_window, max_packet: m.max_packet });
        self.note_work(id);
        Ok(())
    }

    fn on_open_failure(&mut self, m: &ChannelOpenFailure<'_>) -> Result<(), Error> {
        let id = LocalChannel(m.recipient);
        self.opening_channel(id)?;
        let description = clean_line(m.description, limits::MAX_PEER_TEXT);
        self.events.push_back(Event::OpenFailed { channel: id, reason: m.reason, description });
        self.remove(id);
        Ok(())
    }

    fn opening_channel(&mut self, id: LocalChannel) -> Result<&mut Channel, Error> {
        let channel = self.get(id).ok_or(Error::PeerMisbehaved(Misbehaviour::NoSuchChannel))?;
        if channel.state != State::Opening {
            return Err(Error::PeerMisbehaved(Misbehaviour::ChannelState));
        }
        Ok(channel)
    }

    fn on_eof(&mut self, recipient: u32) -> Result<(), Error> {
        let channel = self.open_channel(recipient)?;
        if channel.received.close {
            return Err(Error::PeerMisbehaved(Misbehaviour::ChannelState));
        }
        if !std::mem::replace(&mut channel.received.eof, true) && !channel.sent.close {
            self.events.push_back(Event::Eof { channel: LocalChannel(recipient) });
        }
        Ok(())
    }

    fn on_close(&mut self, recipient: u32) -> Result<(), Error> {
        let id = LocalChannel(recipient);
        let channel = self.open_channel(recipient)?;
        channel.received.close = true;
        // Nobody reads what is left, and RFC 4254 §5.3 wants our CLOSE now.
        channel.unsent.clear();
        channel.replies.clear();
        let answer = (!std::mem::replace(&mut channel.sent.close, true)).then_some(channel.remote);
        if let Some(remote) = answer {
            self.push(ChannelClose { recipient: remote.0 }.to_bytes());
        }
        self.events.push_back(Event::Closed { channel: id });
        self.remove(id);
        Ok(())
    }

    fn on_request(&mut self, ids: &mut Ids, m: &ChannelRequest<'_>) -> Result<(), Error> {
        let id = LocalChannel(m.recipient);
        let channel = self.open_channel(m.recipient)?;
        if channel.received.close {
            return Err(Error::PeerMisbehaved(Misbehaviour::ChannelState));
        }
        if channel.sent.close {
            // We are done with it; the peer does not know yet, and waits for no answer after CLOSE.
            return Ok(());
        }
        let request = SessionRequest::decode(m.kind, m.rest.0).map_err(decoding(number::CHANNEL_REQUEST))?;
        let pending = if m.want_reply {
            if channel.replies.len() >= limits::MAX_PENDING_REQUESTS {
                return Err(too_many());
            }
            let pending = ask(ids);
            channel.replies.push_back(Reply::Open { question: pending.id });
            Some(pending)
        } else {
            None
        };
        match (&request, pending) {
            // A probe is answered by whatever answer; nobody needs to be asked.
            (SessionRequest::Keepalive, Some(pending)) => self.answer_request(&pending, false),
            (_, pending) => self.events.push_back(Event::Request { channel: id, request, pending }),
        }
        Ok(())
    }

    fn on_reply(&mut self, recipient: u32, success: bool) -> Result<(), Error> {
        let channel = self.open_channel(recipient)?;
        // A reply that nobody waits for costs nothing and means nothing (threat H10).
        if let Some(kind) = channel.awaiting.pop_front() {
            self.events.push_back(Event::RequestReply { channel: LocalChannel(recipient), kind, success });
        }
        Ok(())
    }

    fn on_global(&mut self, ids: &mut Ids, m: &GlobalRequest<'_>) -> Result<(), Error> {
        if m.name == names::NO_MORE_SESSIONS.as_bytes() && self.role == Role::Server {
            self.no_more_sessions = true;
        }
        let pending = if m.want_reply {
            if self.global_replies.len() >= limits::MAX_PENDING_GLOBAL_REQUESTS {
                return Err(too_many());
            }
            let pending = ask(ids);
            self.global_replies.push_back(GlobalReply { question: pending.id, answer: None });
            Some(pending)
        } else {
            None
        };
        match pending {
            Some(pending) if m.name == names::KEEPALIVE.as_bytes() => self.answer_global(&pending, None),
            pending => {
                let name = clean_line(m.name, limits::MAX_PEER_TEXT);
                self.events.push_back(Event::Global { name, data: m.rest.0.to_vec(), pending });
            }
        }
        Ok(())
    }

    fn on_global_reply(&mut self, data: Option<Vec<u8>>) {
        match self.global_awaiting.pop_front() {
            Some(name) if name == names::KEEPALIVE.as_bytes() => {}
            Some(name) => self.events.push_back(Event::GlobalReply { name, data }),
            None => {}
        }
    }
}

pub(super) fn open_failure(recipient: u32, reason: u32, description: &str) -> Vec<u8> {
    ChannelOpenFailure { recipient, reason, description: description.as_bytes(), language: b"" }.to_bytes()
}
