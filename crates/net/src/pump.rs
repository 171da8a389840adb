//! Pumps: what moves bytes between a channel and descriptors, without a copy on the way out and
//! with none on the way in as long as the receiving descriptor keeps pace.
//!
//! A source is read straight into the space of a packet; what arrives is written straight from the
//! buffer it was opened in. Only what a slow descriptor does not take is copied and waits, within
//! the channel's window, since credit goes back when bytes were written and not before.

use crate::backlog::Backlog;
use crate::descriptor::Descriptor;
use crate::leaving_sinks::Leaving;
use bytes::Bytes;
use nacre_proto::{Connection, Error, Fill, LocalChannel, Stream, TransmitBuffer};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// The most a source puts into one packet, in bytes; a peer may want less. Every read of a full
/// pipe wakes its writer and every packet costs at both ends, so that few and large ones pay.
const MAX_FILL: usize = 256 * 1024;

/// What a pump tells the owner of the connection.
#[derive(Debug)]
pub enum PumpEvent {
    /// Every source of the channel has ended; EOF was said unless the owner does that.
    SourcesEnded {
        /// Which channel.
        channel: LocalChannel,
    },
    /// A sink takes no more (its reader is gone); what comes for it is dropped.
    SinkBroken {
        /// Which channel.
        channel: LocalChannel,
        /// Which stream.
        stream: Stream,
        /// Why.
        error: io::Error,
    },
    /// Everything that will ever come for the channel was written.
    SinksDrained {
        /// Which channel.
        channel: LocalChannel,
    },
}

/// A descriptor whose bytes go to the peer.
struct Source {
    stream: Stream,
    descriptor: Arc<Descriptor>,
}

/// A descriptor that takes what the peer sends.
pub(crate) struct Sink {
    stream: Stream,
    descriptor: Option<Arc<Descriptor>>,
    waiting: Backlog,
}

impl Sink {
    /// Writes as much as the descriptor takes; returns how many bytes are off our hands.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) -> (usize, Option<io::Error>) {
        let mut done = 0;
        while !self.waiting.is_empty() {
            match write(self.descriptor.as_deref(), cx, self.waiting.first()) {
                Poll::Pending => break,
                Poll::Ready(Ok(n)) => {
                    done += n;
                    self.waiting.consume(n);
                }
                Poll::Ready(Err(error)) => {
                    done += self.waiting.clear();
                    self.descriptor = None;
                    return (done, Some(error));
                }
            }
        }
        (done, None)
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// Writes to a sink; what a broken one gets is dropped.
fn write(descriptor: Option<&Descriptor>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    match descriptor {
        None => Poll::Ready(Ok(bytes.len())),
        Some(descriptor) => match descriptor.poll_write(cx, bytes) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Poll::Ready(Ok(0)),
            other => other,
        },
    }
}

/// The sources and sinks of one channel.
pub struct Pump {
    channel: LocalChannel,
    interactive: bool,
    sources: Vec<Source>,
    had_sources: bool,
    sinks: Vec<Sink>,
    /// No more data will come from the peer.
    inbound_ended: bool,
    drained_told: bool,
    /// Keep a sink's descriptor open after the peer's EOF (a terminal has no half to close).
    keep_sinks: bool,
    /// The owner says EOF itself.
    holds_eof: bool,
    /// Source and sink are one socket, whose halves end each for itself.
    is_socket: bool,
}

impl Pump {
    /// A pump for a channel, with nothing attached.
    pub fn new(channel: LocalChannel) -> Self {
        Self {
            channel,
            interactive: false,
            sources: Vec::new(),
            had_sources: false,
            sinks: Vec::new(),
            inbound_ended: false,
            drained_told: false,
            keep_sinks: false,
            holds_eof: false,
            is_socket: false,
        }
    }

    /// Joins a channel with a socket: what one end of it says last ends the other's half (RFC 4254 §5.3), and what
    /// came before the peer's CLOSE is still written.
    pub fn socket(channel: LocalChannel, socket: Descriptor) -> Self {
        let socket = Arc::new(socket);
        let mut pump = Self::new(channel).source(Stream::Main, socket.clone()).sink(Stream::Main, socket);
        pump.is_socket = true;
        pump
    }

    /// Serves this channel before others, because a person types here.
    #[must_use]
    pub fn interactive(mut self) -> Self {
        self.interactive = true;
        self.keep_sinks = true;
        self
    }

    /// Leaves it to the owner to say EOF once the sources have ended.
    #[must_use]
    pub fn holding_eof(mut self) -> Self {
        self.holds_eof = true;
        self
    }

    /// Sends what the descriptor brings, as the given stream.
    #[must_use]
    pub fn source(mut self, stream: Stream, descriptor: impl Into<Arc<Descriptor>>) -> Self {
        self.sources.push(Source { stream, descriptor: descriptor.into() });
        self.had_sources = true;
        self
    }

    /// Writes what comes as the given stream into the descriptor.
    #[must_use]
    pub fn sink(self, stream: Stream, descriptor: impl Into<Arc<Descriptor>>) -> Self {
        self.sink_after(stream, descriptor, Backlog::default())
    }

    /// As [`Pump::sink`], for a stream of which something came before there was a descriptor: that
    /// is written first. Its bytes must not have been given back yet.
    #[must_use]
    pub(crate) fn sink_after(
        mut self,
        stream: Stream,
        descriptor: impl Into<Arc<Descriptor>>,
        waiting: Backlog,
    ) -> Self {
        self.sinks.push(Sink { stream, descriptor: Some(descriptor.into()), waiting });
        self
    }

    fn receive(&mut self, cx: &mut Context<'_>, stream: Stream, data: &Bytes) -> Option<(usize, Option<io::Error>)> {
        let sink = self.sinks.iter_mut().find(|sink| sink.stream == stream)?;
        let mut written = 0;
        if sink.waiting.is_empty() {
            match write(sink.descriptor.as_deref(), cx, data) {
                Poll::Ready(Ok(n)) => written = n,
                Poll::Ready(Err(error)) => {
                    sink.descriptor = None;
                    return Some((data.len(), Some(error)));
                }
                Poll::Pending => {}
            }
        }
        if let Some(rest) = data.get(written..).filter(|rest| !rest.is_empty()) {
            sink.waiting.push(rest);
        }
        Some((written, None))
    }

    fn is_drained(&self) -> bool {
        self.inbound_ended && self.sinks.iter().all(|sink| sink.waiting.is_empty())
    }

    /// Ends the sinks. The half of a socket has to be ended by name, since its other half goes on.
    fn end_sinks(&mut self) {
        for descriptor in self.sinks.drain(..).filter_map(|sink| sink.descriptor) {
            if self.is_socket {
                nacre_sys::socket::end_writing(&descriptor);
            }
        }
    }
}

/// All pumps of a connection.
#[derive(Default)]
pub struct Pumps {
    pumps: Vec<Pump>,
    /// Sinks of sockets whose channels are gone, with what is still to be written.
    leaving: Leaving,
    /// Which of those that are not interactive is asked first, so that all get their turn.
    next: usize,
    /// How many have outlived their channels.
    set_aside: u32,
    events: VecDeque<PumpEvent>,
}

impl Pumps {
    /// Attaches a pump to its channel; an interactive one goes before the others.
    pub fn attach(&mut self, connection: &mut Connection, pump: Pump) {
        if let Some(mut channel) = connection.channel(pump.channel) {
            channel.set_interactive(pump.interactive);
        }
        let place = if pump.interactive { 0 } else { self.pumps.len() };
        self.pumps.insert(place, pump);
    }

    /// Detaches a channel's pump; its descriptors are closed and what waited is dropped.
    pub fn detach(&mut self, channel: LocalChannel) {
        self.pumps.retain(|pump| pump.channel != channel);
    }

    /// The channel is gone and its number may be another's at once. What its sinks have not taken yet goes on under the
    /// name that is given; `None` when nothing is left.
    pub fn set_aside(&mut self, channel: LocalChannel) -> Option<LocalChannel> {
        let place = self.pumps.iter().position(|pump| pump.channel == channel)?;
        if self.pumps.get(place).is_some_and(|pump| pump.drained_told) {
            self.pumps.remove(place);
            return None;
        }
        let name = LocalChannel::bygone(self.set_aside);
        self.set_aside = self.set_aside.wrapping_add(1);
        self.pumps.get_mut(place)?.channel = name;
        Some(name)
    }

    /// Closes the sources of a stream of a channel, so that their writers learn that nobody reads.
    pub fn close_sources(&mut self, channel: LocalChannel) {
        if let Some(pump) = self.find(channel) {
            pump.sources.clear();
        }
    }

    /// True while something that arrived waits for its reader.
    pub(crate) fn is_behind(&self) -> bool {
        let waits = |pump: &Pump| pump.sinks.iter().any(|sink| !sink.waiting.is_empty());
        !self.leaving.is_empty() || self.pumps.iter().any(waits)
    }

    /// Drops everything that waits for readers: whoever wanted it has gone.
    pub fn abandon(&mut self) {
        self.leaving = Leaving::default();
        for sink in self.pumps.iter_mut().flat_map(|pump| &mut pump.sinks) {
            sink.waiting.clear();
        }
    }

    fn find(&mut self, channel: LocalChannel) -> Option<&mut Pump> {
        self.pumps.iter_mut().find(|pump| pump.channel == channel)
    }

    pub(crate) fn poll_event(&mut self) -> Option<PumpEvent> {
        self.events.pop_front()
    }

    /// Takes data that arrived. False when no sink is attached for it.
    pub(crate) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        channel: LocalChannel,
        stream: Stream,
        data: &Bytes,
    ) -> bool {
        let Some(pump) = self.find(channel) else { return false };
        let Some((written, error)) = pump.receive(cx, stream, data) else { return false };
        if let Some(mut channel) = connection.channel(channel) {
            channel.consumed(written);
        }
        if let Some(error) = error {
            self.events.push_back(PumpEvent::SinkBroken { channel, stream, error });
        }
        true
    }

    /// The peer sends nothing more on this channel: its sinks end once they are drained.
    pub fn end_inbound(&mut self, channel: LocalChannel) {
        if let Some(pump) = self.find(channel) {
            pump.inbound_ended = true;
        }
        self.settle(channel);
    }

    /// The channel is gone: nothing more is read for it, what came is still written.
    pub(crate) fn channel_closed(&mut self, channel: LocalChannel) {
        if let Some(pump) = self.find(channel) {
            pump.sources.clear();
            pump.had_sources = false;
        }
        self.end_inbound(channel);
        // The channel's number may be another's at once.
        let place = self.pumps.iter().position(|pump| pump.channel == channel && pump.is_socket);
        if let Some(place) = place {
            let pump = self.pumps.remove(place);
            self.leaving.take(pump.sinks);
        }
    }

    fn settle(&mut self, channel: LocalChannel) {
        let Some(pump) = self.find(channel) else { return };
        if pump.is_drained() && !pump.drained_told {
            pump.drained_told = true;
            if !pump.keep_sinks {
                pump.end_sinks();
            }
            self.events.push_back(PumpEvent::SinksDrained { channel });
        }
    }

    /// Writes what waits. True when anything moved.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> bool {
        let mut moved = false;
        let mut settled = Vec::new();
        for pump in &mut self.pumps {
            for sink in pump.sinks.iter_mut().filter(|sink| !sink.waiting.is_empty()) {
                let (done, error) = sink.flush(cx);
                moved |= done > 0;
                if let Some(mut channel) = connection.channel(pump.channel) {
                    channel.consumed(done);
                }
                if let Some(error) = error {
                    let (channel, stream) = (pump.channel, sink.stream);
                    self.events.push_back(PumpEvent::SinkBroken { channel, stream, error });
                }
                settled.push(pump.channel);
            }
        }
        for channel in settled {
            self.settle(channel);
        }
        moved | self.leaving.flush(cx)
    }

    /// Reads sources into packets until `limit` bytes wait in `out`: one packet a source in turn,
    /// interactive ones first. True when anything moved.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) fn fill(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        connection: &mut Connection,
        out: &mut TransmitBuffer,
        limit: usize,
    ) -> Result<bool, Error> {
        let mut moved = false;
        let first = self.pumps.iter().take_while(|pump| pump.interactive).count();
        let others = self.pumps.len() - first;
        let start = self.next.checked_rem(others).unwrap_or(0);
        for turn in 0..self.pumps.len() {
            let place = match turn.checked_sub(first) {
                None => turn,
                Some(turn) => first + (start + turn) % others,
            };
            if out.len() >= limit {
                break;
            }
            let Some(pump) = self.pumps.get_mut(place) else { break };
            let filled = fill_from_pump(pump, cx, now, connection, out, limit)?;
            moved |= filled;
            if filled && place >= first {
                self.next = place - first + 1;
            }
            if pump.had_sources && pump.sources.is_empty() {
                pump.had_sources = false;
                moved = true;
                if !pump.holds_eof
                    && let Some(mut channel) = connection.channel(pump.channel)
                {
                    channel.eof();
                }
                self.events.push_back(PumpEvent::SourcesEnded { channel: pump.channel });
            }
        }
        Ok(moved)
    }
}

/// Reads each source of a pump once. True when anything moved.
fn fill_from_pump(
    pump: &mut Pump,
    cx: &mut Context<'_>,
    now: Instant,
    connection: &mut Connection,
    out: &mut TransmitBuffer,
    limit: usize,
) -> Result<bool, Error> {
    let (had, channel) = (pump.sources.len(), pump.channel);
    let (mut moved, mut failed) = (false, None);
    pump.sources.retain_mut(|source| {
        if failed.is_some() || out.len() >= limit {
            return true;
        }
        match fill_from(source, channel, cx, now, connection, out) {
            Ok(Filled::Some) => {
                moved = true;
                true
            }
            Ok(Filled::Nothing) => true,
            Ok(Filled::Ended) => false,
            Err(error) => {
                failed = Some(error);
                true
            }
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(moved || pump.sources.len() < had),
    }
}

enum Filled {
    Some,
    Nothing,
    Ended,
}

fn fill_from(
    source: &Source,
    id: LocalChannel,
    cx: &mut Context<'_>,
    now: Instant,
    connection: &mut Connection,
    out: &mut TransmitBuffer,
) -> Result<Filled, Error> {
    let Some(mut channel) = connection.channel(id) else { return Ok(Filled::Ended) };
    let mut ended = false;
    let filled =
        channel.fill(now, source.stream, out, MAX_FILL, |space| match source.descriptor.poll_read(cx, space) {
            Poll::Ready(Ok(0)) => {
                ended = true;
                0
            }
            Poll::Ready(Ok(n)) => n,
            Poll::Ready(Err(error)) => {
                // A terminal whose last writer is gone says so by an error; there is no other end to hear of.
                ended = error.kind() != io::ErrorKind::Interrupted;
                0
            }
            Poll::Pending => 0,
        })?;
    Ok(match (ended, filled) {
        (true, _) => Filled::Ended,
        (false, Fill::Filled(_)) => Filled::Some,
        (false, Fill::Empty | Fill::Blocked) => Filled::Nothing,
    })
}
