//! What we send on channels: opening, data, requests, credit, and the end.

use super::Mux;
use super::channel::{LocalChannel, Reply, State, Stream};
use super::inbound::open_failure;
use super::{OpenAnswer, too_many};
use crate::error::Error;
use crate::limits;
use crate::transmit::TransmitBuffer;
use crate::transport::Transport;
use nacre_wire::message::{
    ChannelClose, ChannelEof, ChannelFailure, ChannelOpen, ChannelOpenConfirmation, ChannelRequest, ChannelSuccess,
    ChannelWindowAdjust, GlobalRequest, Message, Ping, RequestFailure, RequestSuccess, Rest,
};
use nacre_wire::session::SessionRequest;
use std::collections::VecDeque;
use std::time::Instant;

/// What came of filling a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// A packet with this many bytes of data stands in the buffer.
    Filled(usize),
    /// The source had nothing.
    Empty,
    /// The window is closed, keys are being exchanged, or earlier bytes wait: try again after
    /// [`crate::Event::Writable`] or once output has moved.
    Blocked,
}

const GONE: Error = Error::Misuse("no such channel");

impl Mux {
    /// Asks the peer for a channel.
    pub(crate) fn open(&mut self, kind: &str, data: &[u8]) -> Result<LocalChannel, Error> {
        let (id, window) = self.insert(State::Opening).ok_or(Error::Misuse("too many channels"))?;
        let message = ChannelOpen {
            kind: kind.as_bytes(),
            sender: id.0,
            initial_window: window,
            max_packet: self.max_packet,
            rest: Rest(data),
        };
        self.push(message.to_bytes());
        Ok(id)
    }

    /// Sends PING, unless others wait to be sent.
    pub(crate) fn ping(&mut self, data: &[u8]) -> bool {
        let has_room = self.messages.len() < limits::MAX_WAITING_PINGS;
        if has_room {
            self.push(Ping { data }.to_bytes());
        }
        has_room
    }

    pub(super) fn finish_open(&mut self, id: LocalChannel, answer: OpenAnswer) {
        let max_packet = self.max_packet;
        let Some(channel) = self.get(id) else { return };
        let recipient = channel.remote.0;
        match answer {
            OpenAnswer::Accept => {
                channel.state = State::Open;
                let initial_window = channel.inbound.size();
                let message =
                    ChannelOpenConfirmation { recipient, sender: id.0, initial_window, max_packet, rest: Rest(b"") };
                self.push(message.to_bytes());
            }
            OpenAnswer::Reject { reason, description } => {
                self.push(open_failure(recipient, reason, &description));
                self.remove(id);
            }
        }
    }

    pub(super) fn flush_replies(&mut self, id: LocalChannel) {
        let mut ready = Vec::new();
        if let Some(channel) = self.get(id) {
            while let Some(Reply::Ready(granted)) = channel.replies.front().copied() {
                channel.replies.pop_front();
                let recipient = channel.remote.0;
                ready.push(match granted {
                    true => ChannelSuccess { recipient }.to_bytes(),
                    false => ChannelFailure { recipient }.to_bytes(),
                });
            }
        }
        self.messages.append(&mut ready);
        self.note_work(id);
    }

    pub(super) fn flush_global_replies(&mut self) {
        while let Some(answer) = self.global_replies.front_mut().and_then(|reply| reply.answer.take()) {
            self.global_replies.pop_front();
            self.messages.push(match answer {
                Ok(data) => RequestSuccess { rest: Rest(&data) }.to_bytes(),
                Err(()) => RequestFailure {}.to_bytes(),
            });
        }
    }

    /// Sends a channel request; with `want_reply` a [`crate::Event::RequestReply`] will follow.
    pub(crate) fn request(
        &mut self,
        id: LocalChannel,
        request: &SessionRequest,
        want_reply: bool,
    ) -> Result<(), Error> {
        let channel = self.get(id).ok_or(GONE)?;
        if channel.state != State::Open || channel.sent.close {
            return Err(GONE);
        }
        if want_reply {
            if channel.awaiting.len() >= limits::MAX_PENDING_REQUESTS {
                return Err(too_many());
            }
            channel.awaiting.push_back(request.kind().to_vec());
        }
        let mut rest = Vec::new();
        request.encode_rest(&mut rest);
        let message =
            ChannelRequest { recipient: channel.remote.0, kind: request.kind(), want_reply, rest: Rest(&rest) };
        let message = message.to_bytes();
        self.push(message);
        Ok(())
    }

    /// Sends a global request; with `want_reply` a [`crate::Event::GlobalReply`] will follow.
    pub(crate) fn global(&mut self, name: &str, data: &[u8], want_reply: bool) -> Result<(), Error> {
        if want_reply {
            if self.global_awaiting.len() >= limits::MAX_PENDING_GLOBAL_REQUESTS {
                return Err(too_many());
            }
            self.global_awaiting.push_back(name.as_bytes().to_vec());
        }
        self.push(GlobalRequest { name: name.as_bytes(), want_reply, rest: Rest(data) }.to_bytes());
        Ok(())
    }

    /// Keeps as much of `data` for sending as there is room for.
    pub(crate) fn write(&mut self, id: LocalChannel, stream: Stream, data: &[u8]) -> Result<usize, Error> {
        let channel = self.get(id).ok_or(GONE)?;
        let n = channel.room(stream).min(data.len());
        channel.wants_room |= n < data.len();
        channel.unsent.of(stream).extend(data.iter().take(n));
        self.note_work(id);
        Ok(n)
    }

    /// The application has taken `n` bytes of what was delivered.
    pub(crate) fn consumed(&mut self, id: LocalChannel, n: usize) {
        if let Some(channel) = self.get(id) {
            channel.inbound.consume(n);
            self.credit.insert(id.0);
        }
    }

    /// No more data will be written.
    pub(crate) fn eof(&mut self, id: LocalChannel) {
        if let Some(channel) = self.get(id) {
            channel.wanted.eof = true;
            self.note_work(id);
        }
    }

    /// The channel is done with, once what was written has left.
    pub(crate) fn close(&mut self, id: LocalChannel) {
        if let Some(channel) = self.get(id) {
            channel.wanted.close = true;
            self.note_work(id);
        }
    }

    /// Window credit that is worth a message.
    pub(crate) fn form_credit(&mut self) {
        let ids = std::mem::take(&mut self.credit);
        for id in ids {
            let Some(channel) = self.channels.get_mut(id as usize).and_then(Option::as_deref_mut) else { continue };
            if channel.state != State::Open || channel.sent.close || channel.received.eof {
                continue;
            }
            if let Some(bytes) = channel.inbound.adjustment(&mut self.granted) {
                let recipient = channel.remote.0;
                self.push(ChannelWindowAdjust { recipient, bytes }.to_bytes());
            }
        }
    }

    /// Forms what the channels have to send, interactive ones first, up to about `limit` bytes.
    pub(crate) fn form_data(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        out: &mut TransmitBuffer,
        limit: usize,
    ) -> Result<(), Error> {
        for interactive in [true, false] {
            let ids: Vec<u32> = self.work.iter().copied().collect();
            for id in ids {
                if out.len() >= limit || !transport.may_send() {
                    return Ok(());
                }
                if self.get(LocalChannel(id)).is_some_and(|c| c.interactive == interactive) {
                    self.form_channel(now, LocalChannel(id), transport, out, limit)?;
                }
            }
        }
        Ok(())
    }

    fn form_channel(
        &mut self,
        now: Instant,
        id: LocalChannel,
        transport: &mut Transport,
        out: &mut TransmitBuffer,
        limit: usize,
    ) -> Result<(), Error> {
        let Some(channel) = self.get(id) else { return Ok(()) };
        for stream in [Stream::Main, Stream::Stderr] {
            while !channel.unsent.of(stream).is_empty() && channel.outbound.open() > 0 && out.len() < limit {
                let unsent = channel.unsent.of(stream);
                let n = unsent.len().min(channel.max_packet).min(channel.outbound.open());
                let mut message = stream.head(channel.remote, n);
                take_front(channel.unsent.of(stream), n, &mut message);
                transport.seal_now(now, &message, out)?;
                channel.outbound.use_up(n);
                channel.bytes_sent += n as u64;
                channel.used(now);
            }
        }
        let drained = channel.unsent.is_empty();
        if drained && channel.wanted.eof && !channel.sent.eof && !channel.sent.close {
            channel.sent.eof = true;
            transport.seal_now(now, &ChannelEof { recipient: channel.remote.0 }.to_bytes(), out)?;
        }
        if drained && channel.wanted.close && !channel.sent.close && channel.replies.is_empty() {
            channel.sent.close = true;
            transport.seal_now(now, &ChannelClose { recipient: channel.remote.0 }.to_bytes(), out)?;
        }
        if !channel.has_work() {
            self.work.remove(&id.0);
        }
        self.tell_of_room(id);
        Ok(())
    }

    /// Lets `fill` write up to `max` bytes of data straight into a packet.
    pub(crate) fn fill(
        &mut self,
        id: LocalChannel,
        stream: Stream,
        transport: &mut Transport,
        out: &mut TransmitBuffer,
        max: usize,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<Fill, Error> {
        let channel = self.get(id).ok_or(GONE)?;
        let room = channel.sendable().min(max);
        if room == 0 || !transport.may_send() || !transport.control_is_empty() || !channel.unsent.is_empty() {
            channel.wants_room = true;
            return Ok(Fill::Blocked);
        }
        let head_len = stream.head_len();
        let remote = channel.remote;
        let sealed = transport.seal_with(head_len + room, out, |space| {
            let Some((head, data)) = space.split_at_mut_checked(head_len) else { return 0 };
            let n = fill(data).min(room);
            if n == 0 {
                return 0;
            }
            head.copy_from_slice(&stream.head(remote, n));
            head_len + n
        })?;
        let n = sealed.saturating_sub(head_len);
        channel.outbound.use_up(n);
        channel.bytes_sent += n as u64;
        Ok(if n == 0 { Fill::Empty } else { Fill::Filled(n) })
    }
}

/// Moves `n` bytes from the front of a queue to the end of a message.
fn take_front(from: &mut VecDeque<u8>, n: usize, to: &mut Vec<u8>) {
    let (a, b) = from.as_slices();
    let first = a.len().min(n);
    to.extend(a.iter().take(first));
    to.extend(b.iter().take(n - first));
    from.drain(..n);
}
