//! Channels that carry connections, RFC 4254 §7, in either role: each joined with its socket, closed once both
//! directions have ended; and the sockets that are listened on for them.

use crate::descriptor::Descriptor;
use crate::driver::Port;
use crate::pump::{Pump, PumpEvent};
use nacre_proto::LocalChannel;
use nacre_wire::forward::{ForwardOpen, Originator};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::Sleep;

/// How long a listener rests when the system has no room for another connection: asking again at once would only
/// take the processor from those that stand.
const NO_ROOM_REST: Duration = Duration::from_millis(250);

/// Which directions of a channel have ended.
#[derive(Debug, Clone, Copy, Default)]
struct EndedHalves {
    /// The socket's: all of it was sent.
    source: bool,
    /// The peer's: all of it was written, or nobody takes it.
    sink: bool,
}

/// The channels of one connection that are joined with sockets.
#[derive(Debug, Default)]
pub struct Forwards {
    channels: HashMap<LocalChannel, EndedHalves>,
}

impl Forwards {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Joins a channel that stands with a connected socket. Call it before data of the channel can come: with the
    /// answer to its open, or when `Event::Opened` tells that it stands.
    pub fn join(&mut self, port: &mut Port<'_>, channel: LocalChannel, socket: Descriptor) {
        self.join_pump(port, channel, Pump::socket(channel, socket));
    }

    /// As [`Forwards::join`] for something with two descriptors, such as standard input and output.
    pub fn join_pump(&mut self, port: &mut Port<'_>, channel: LocalChannel, pump: Pump) {
        self.channels.insert(channel, EndedHalves::default());
        port.pumps.attach(port.connection, pump);
    }

    /// Takes note of what a pump tells. False when it is about another channel.
    pub fn on_pump(&mut self, port: &mut Port<'_>, event: &PumpEvent) -> bool {
        let channel = match event {
            PumpEvent::SourcesEnded { channel }
            | PumpEvent::SinkBroken { channel, .. }
            | PumpEvent::SinksDrained { channel } => *channel,
        };
        let Some(ended) = self.channels.get_mut(&channel) else { return false };
        match event {
            PumpEvent::SourcesEnded { .. } => ended.source = true,
            PumpEvent::SinkBroken { .. } | PumpEvent::SinksDrained { .. } => ended.sink = true,
        }
        if ended.source && ended.sink {
            port.pumps.detach(channel);
            if let Some(mut channel) = port.connection.channel(channel) {
                channel.close();
            }
        }
        true
    }

    /// The channel is gone (`Event::Closed`). False when it was none of these.
    pub fn on_closed(&mut self, channel: LocalChannel) -> bool {
        self.channels.remove(&channel).is_some()
    }
}

/// How ChannelTimeout names the channel of a forward.
pub fn kind_of(open: &ForwardOpen) -> &'static str {
    match open {
        ForwardOpen::AuthAgent => "agent-connection",
        other => other.kind(),
    }
}

/// From now on a channel may carry nothing for so long.
pub fn limit_idling(port: &mut Port<'_>, channel: LocalChannel, limit: Option<Duration>) {
    if let (Some(mut channel), Some(_)) = (port.connection.channel(channel), limit) {
        channel.limit_idling(port.now, limit);
    }
}

/// Somebody who connected to a listener.
#[derive(Debug)]
pub struct Arrival {
    /// The connection.
    pub socket: Descriptor,
    /// Who it is, as RFC 4254 §7.2 tells the peer.
    pub originator: Originator,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A socket that is listened on for forwarding.
#[derive(Debug)]
pub struct ForwardListener {
    kind: Kind,
    rest: Option<Pin<Box<Sleep>>>,
}

impl ForwardListener {
    /// Takes a TCP listener that does not block.
    ///
    /// # Errors
    /// It cannot be registered.
    pub fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self { kind: Kind::Tcp(TcpListener::from_std(listener)?), rest: None })
    }

    /// Takes a Unix listener that does not block. Its path is the caller's to remove.
    ///
    /// # Errors
    /// It cannot be registered.
    pub fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Ok(Self { kind: Kind::Unix(UnixListener::from_std(listener)?), rest: None })
    }

    /// Where a TCP listener listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            Kind::Unix(_) => None,
        }
    }

    /// The next connection. A TCP one sends small packets at once.
    ///
    /// # Errors
    /// The listener is broken for good. Connections that went away before they were taken and a system without room
    /// are no errors; without room it waits a moment.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        loop {
            if let Some(rest) = &mut self.rest {
                if rest.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.rest = None;
            }
            let accepted = match &self.kind {
                Kind::Tcp(listener) => match listener.poll_accept(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(result) => result.and_then(|(stream, from)| tcp_arrival(stream, from)),
                },
                Kind::Unix(listener) => match listener.poll_accept(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(result) => result.and_then(|(stream, _)| unix_arrival(stream)),
                },
            };
            match accepted {
                Ok(arrival) => return Poll::Ready(Ok(arrival)),
                Err(error) if went_away(&error) => {}
                Err(error) if has_no_room(&error) => self.rest = Some(Box::pin(tokio::time::sleep(NO_ROOM_REST))),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

fn tcp_arrival(stream: tokio::net::TcpStream, from: SocketAddr) -> io::Result<Arrival> {
    // A socket whose client is gone already says EINVAL here; reading will tell.
    let _ = stream.set_nodelay(true);
    let socket = Descriptor::nonblocking(OwnedFd::from(stream.into_std()?))?;
    let originator = Originator { address: from.ip().to_canonical().to_string(), port: u32::from(from.port()) };
    Ok(Arrival { socket, originator })
}

fn unix_arrival(stream: tokio::net::UnixStream) -> io::Result<Arrival> {
    let socket = Descriptor::nonblocking(OwnedFd::from(stream.into_std()?))?;
    Ok(Arrival { socket, originator: Originator { address: String::new(), port: 0 } })
}

fn went_away(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, NetworkUnreachable, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | NetworkUnreachable | TimedOut)
}

fn has_no_room(error: &io::Error) -> bool {
    nacre_sys::socket::is_no_room(error)
}
