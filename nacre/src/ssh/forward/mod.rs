//! The client's tunnels: `-L`, `-R`, `-D` and `-W` (RFC 4254 §7).
//!
//! What is listened on here stands in [`listen`], what the server listens on for us in [`remote`]; whoever speaks SOCKS
//! is heard out in [`greeting`]. Bytes flow in `nacre_net::Forwards`, which this only feeds.

mod agent;
mod command;
mod greeting;
mod listen;
mod reach;
mod remote;
mod requested;
pub mod socks;

pub use agent::ForwardedAgent;

use super::log::Log;
use greeting::{Greeting, Heard};
use listen::Sockets;
use nacre_config::client::{ClientOptions, Endpoint, Forward, ForwardKind};
use nacre_net::forward::{kind_of, limit_idling};
use nacre_net::{Descriptor, Forwards, Port, Pump, PumpEvent};
use nacre_proto::{LocalChannel, OpenAnswer, Pending, Stream};
use nacre_sys::stdio;
use nacre_wire::forward::{ForwardOpen, Originator};
use nacre_wire::text::clean_line;
use nacre_wire::{names, reason};
use remote::Remotes;
pub use requested::{Added, Ticket};
use socks::{Refusal, Request};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Connections taken from one listener before others get their turn.
const MAX_ACCEPTS: usize = 64;
/// SOCKS clients of ours that may be on their way at once.
const MAX_GREETINGS: usize = 1024;
/// The longest text of the server that is shown, in bytes.
const MAX_TEXT: usize = 256;

/// What a forwarding that fails comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Fine,
    /// The connection is to end, with this line.
    Fatal(String),
    /// `-W` is over: everything went both ways.
    Done,
}

/// Sockets that are listened on, and where what connects to them goes.
struct Listening {
    forward: Forward,
    sockets: Sockets,
}

/// Somebody who connected here and waits for the server.
struct Opening {
    socket: Descriptor,
    /// A SOCKS client's wish, and what it sent behind it.
    asked: Option<(Request, Vec<u8>)>,
}

/// `-W`.
#[derive(Default)]
struct Stdio {
    channel: Option<LocalChannel>,
    closed: bool,
    drained: bool,
}

/// Everything of the kind that one connection carries.
pub struct Tunnels {
    options: Arc<ClientOptions>,
    log: Log,
    joined: Forwards,
    listening: Vec<Listening>,
    greetings: Vec<Greeting>,
    opening: BTreeMap<LocalChannel, Opening>,
    remotes: Remotes,
    agent: ForwardedAgent,
    stdio: Stdio,
    /// What each channel is, for the person.
    told: BTreeMap<LocalChannel, String>,
}

impl Tunnels {
    /// None yet.
    pub fn new(options: Arc<ClientOptions>, agent: ForwardedAgent, log: Log) -> Self {
        Self {
            agent,
            remotes: Remotes::new(Arc::clone(&options), log.clone()),
            options,
            log,
            joined: Forwards::default(),
            listening: Vec::new(),
            greetings: Vec::new(),
            opening: BTreeMap::new(),
            stdio: Stdio::default(),
            told: BTreeMap::new(),
        }
    }

    /// Whether sessions ask for the agent to be forwarded.
    pub fn wants_agent(&self) -> bool {
        self.agent.is_wanted()
    }

    /// The login is done: listens here and asks the server to. A host that is not `trusted`, because its key is not the one
    /// on record, gets neither agent nor ports.
    pub fn start(&mut self, port: &mut Port<'_>, stdio: Option<&Endpoint>, trusted: bool) -> Verdict {
        let mut failed = false;
        let mut forwards = self.options.forwards.clone();
        if !trusted {
            self.agent.distrust();
            if !forwards.is_empty() {
                self.log.error("Port forwarding is disabled to avoid man-in-the-middle attacks.");
                forwards.clear();
                if self.options.exit_on_forward_failure {
                    return Verdict::Fatal("Error: forwarding disabled due to host key check failure".to_owned());
                }
            }
        }
        for (kind, forward) in forwards {
            match kind {
                ForwardKind::Remote => self.remotes.add(forward),
                ForwardKind::Local | ForwardKind::Dynamic => failed |= !self.listen(forward),
            }
        }
        if failed {
            let line = "Could not request local forwarding.";
            if self.options.exit_on_forward_failure {
                return Verdict::Fatal(line.to_owned());
            }
            self.log.error(line);
        }
        self.remotes.ask(port);
        match stdio {
            Some(to) => self.open_stdio(port, to),
            None => Verdict::Fine,
        }
    }

    fn listen(&mut self, forward: Forward) -> bool {
        let sockets = listen::listen(&forward.listen, &self.options, &self.log);
        let stands = sockets.is_some();
        self.listening.extend(sockets.map(|sockets| Listening { forward, sockets }));
        stands
    }

    fn open_stdio(&mut self, port: &mut Port<'_>, to: &Endpoint) -> Verdict {
        let from = Originator { address: "127.0.0.1".to_owned(), port: 65535 };
        let open = open_of(to, from);
        match port.connection.open_forward(port.now, &open) {
            Ok(channel) => {
                limit_idling(port, channel, self.options.channel_timeouts.of(kind_of(&open)));
                self.stdio.channel = Some(channel);
                self.told.insert(channel, format!("standard input and output to {}", shown(to)));
                Verdict::Fine
            }
            Err(error) => Verdict::Fatal(format!("stdio forwarding failed: {error}")),
        }
    }

    /// Whether everything that was asked of the server at the start has its answer.
    pub fn is_settled(&self) -> bool {
        self.remotes.is_settled()
    }

    /// Whether connections go through, or are about to: a session that is over waits for them.
    pub fn is_busy(&self) -> bool {
        !self.joined.is_empty() || !self.opening.is_empty() || self.remotes.is_busy() || self.agent.is_busy()
    }

    /// The server opened a channel that we asked for. False when it is not one of these.
    pub fn on_opened(&mut self, port: &mut Port<'_>, channel: LocalChannel) -> Option<Verdict> {
        if self.stdio.channel == Some(channel) {
            return Some(match self.join_stdio(port, channel) {
                Ok(()) => Verdict::Fine,
                Err(error) => Verdict::Fatal(format!("standard input and output: {error}")),
            });
        }
        let opening = self.opening.remove(&channel)?;
        if let Some((request, rest)) = &opening.asked {
            say(&opening.socket, &request.granted());
            if let Some(mut channel) = port.connection.channel(channel) {
                // It fits: the buffer of a channel is larger than what is kept of a greeting.
                channel.write(Stream::Main, rest);
            }
        }
        self.joined.join(port, channel, opening.socket);
        Some(Verdict::Fine)
    }

    fn join_stdio(&mut self, port: &mut Port<'_>, channel: LocalChannel) -> io::Result<()> {
        stdio::widen_pipe(io::stdin());
        stdio::widen_pipe(io::stdout());
        let pump = Pump::new(channel)
            .source(Stream::Main, Descriptor::new(stdio::stdin()?)?)
            .sink(Stream::Main, Descriptor::new(stdio::stdout()?)?);
        // With this one open as well, whoever reads would never see the end of one direction alone.
        let null = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&null)?;
        self.joined.join_pump(port, channel, pump);
        Ok(())
    }

    /// The server refused a channel that we asked for. `None` when it is not one of these.
    pub fn on_open_failed(&mut self, channel: LocalChannel, reason: u32, description: &str) -> Option<Verdict> {
        let text = format!("channel {}: open failed: {}", channel.number(), refusal(reason, description));
        if self.stdio.channel == Some(channel) {
            return Some(Verdict::Fatal(format!("{text}\nstdio forwarding failed")));
        }
        let opening = self.opening.remove(&channel)?;
        self.told.remove(&channel);
        self.log.info(&text);
        if let Some((request, _)) = &opening.asked {
            let why = match reason {
                reason::open::ADMINISTRATIVELY_PROHIBITED => Refusal::NotAllowed,
                reason::open::CONNECT_FAILED => Refusal::NotReached,
                _ => Refusal::Other,
            };
            say(&opening.socket, &request.refused(why));
        }
        Some(Verdict::Fine)
    }

    /// The server wants a channel: one for a connection to a port that it listens on for us, or it has no business to.
    pub fn on_open_request(
        &mut self,
        port: &mut Port<'_>,
        channel: LocalChannel,
        open: &ForwardOpen,
        pending: Pending<nacre_proto::OpenChannel>,
    ) {
        limit_idling(port, channel, self.options.channel_timeouts.of(kind_of(open)));
        if *open == ForwardOpen::AuthAgent {
            return self.agent.on_open(port, channel, pending);
        }
        match self.remotes.on_open(port, channel, open, pending) {
            Some(told) => drop(self.told.insert(channel, told)),
            None => {
                self.log.debug(|| "the server wants a channel for a port that was not asked for: refused".to_owned())
            }
        }
    }

    /// Data that no socket takes yet. False when the channel is not one of these.
    pub fn on_data(&mut self, port: &mut Port<'_>, channel: LocalChannel, data: &[u8]) -> bool {
        self.remotes.on_data(port, channel, data)
    }

    /// The server sends nothing more on a channel.
    pub fn on_eof(&mut self, channel: LocalChannel) {
        self.remotes.on_eof(channel);
    }

    /// A channel carried nothing for too long and is being closed: who is behind it is let go at once. False when it is not one of
    /// these.
    pub fn on_expired(&mut self, port: &mut Port<'_>, channel: LocalChannel) -> bool {
        let Some(told) = self.told.get(&channel) else { return false };
        self.log.info(&format!("{told}: closed, idle (ChannelTimeout)"));
        if self.stdio.channel != Some(channel) {
            port.pumps.detach(channel);
        }
        true
    }

    /// A channel is gone. `None` when it is not one of these.
    pub fn on_closed(&mut self, channel: LocalChannel) -> Option<Verdict> {
        let known = self.told.remove(&channel).is_some();
        self.joined.on_closed(channel);
        self.remotes.on_closed(channel);
        if self.stdio.channel == Some(channel) {
            self.stdio.closed = true;
            return Some(self.stdio.verdict());
        }
        known.then_some(Verdict::Fine)
    }

    /// A pump has something to tell. `None` when it is not about one of these.
    pub fn on_pump(&mut self, port: &mut Port<'_>, event: &PumpEvent) -> Option<Verdict> {
        let known = self.joined.on_pump(port, event);
        match event {
            PumpEvent::SinksDrained { channel } | PumpEvent::SinkBroken { channel, .. }
                if self.stdio.channel == Some(*channel) =>
            {
                self.stdio.drained = true;
                Some(self.stdio.verdict())
            }
            _ => known.then_some(Verdict::Fine),
        }
    }

    /// The server answered a request to listen.
    pub fn on_global_reply(&mut self, port: &mut Port<'_>, data: Option<&[u8]>) -> Verdict {
        self.remotes.on_reply(port, data)
    }

    /// Takes who connected, hears SOCKS clients out, and joins what was reached. True when something was done.
    pub fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let mut moved = self.accept(cx, port);
        moved |= self.hear(cx, port);
        let told = &mut self.told;
        let stands = |channel| drop(told.insert(channel, "from the server -> the agent".to_owned()));
        moved |= self.agent.poll(cx, port, &mut self.joined, stands);
        moved | self.remotes.poll(cx, port, &mut self.joined)
    }

    fn accept(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let mut arrivals = Vec::new();
        let log = &self.log;
        for Listening { forward, sockets } in &mut self.listening {
            sockets.listeners.retain_mut(|listener| {
                for _ in 0..MAX_ACCEPTS {
                    match listener.poll_accept(cx) {
                        Poll::Pending => return true,
                        Poll::Ready(Ok(arrival)) => arrivals.push((forward.clone(), arrival)),
                        Poll::Ready(Err(error)) => {
                            log.error(&format!("no more connections to {}: {error}", shown(&forward.listen)));
                            return false;
                        }
                    }
                }
                cx.waker().wake_by_ref();
                true
            });
        }
        let moved = !arrivals.is_empty();
        for (forward, arrival) in arrivals {
            match &forward.connect {
                Some(to) => {
                    let told = format!("{} -> {}", shown(&forward.listen), shown(to));
                    self.open(port, arrival.socket, None, &open_of(to, arrival.originator), told);
                }
                None if self.greetings.len() < MAX_GREETINGS => {
                    self.greetings.push(Greeting::new(arrival.socket, arrival.originator, forward.listen));
                }
                None => self.log.error("too many SOCKS clients are on their way: one is hung up on"),
            }
        }
        moved
    }

    fn hear(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let mut moved = false;
        for greeting in std::mem::take(&mut self.greetings) {
            match greeting.poll(cx) {
                Heard::Waits(greeting) => self.greetings.push(greeting),
                Heard::Gone => moved = true,
                Heard::Wants { socket, request, rest, originator, listen } => {
                    moved = true;
                    let to = Endpoint::Tcp { host: Some(request.host.clone()), port: request.port };
                    let told = format!("{} (SOCKS) -> {}", shown(&listen), shown(&to));
                    self.open(port, socket, Some((request, rest)), &open_of(&to, originator), told);
                }
            }
        }
        moved
    }

    fn open(
        &mut self,
        port: &mut Port<'_>,
        socket: Descriptor,
        asked: Option<(Request, Vec<u8>)>,
        open: &ForwardOpen,
        told: String,
    ) {
        self.log.debug(|| format!("connection: {told}"));
        match port.connection.open_forward(port.now, open) {
            Ok(channel) => {
                limit_idling(port, channel, self.options.channel_timeouts.of(kind_of(open)));
                self.told.insert(channel, told);
                self.opening.insert(channel, Opening { socket, asked });
            }
            Err(error) => {
                self.log.error(&format!("{told}: {error}"));
                if let Some((request, _)) = asked {
                    say(&socket, &request.refused(Refusal::Other));
                }
            }
        }
    }

    /// What `~#` shows, a line each.
    pub fn list(&self) -> String {
        let mut out = String::new();
        for (channel, told) in &self.told {
            out.push_str(&format!("\n  #{} {}", channel.number(), clean_line(told.as_bytes(), MAX_TEXT)));
        }
        for Listening { forward, .. } in &self.listening {
            let to = forward.connect.as_ref().map_or_else(|| "SOCKS".to_owned(), shown);
            out.push_str(&format!("\n  listening here on {} for {to}", shown(&forward.listen)));
        }
        for told in self.remotes.list() {
            out.push_str(&format!("\n  {told}"));
        }
        out
    }
}

impl Stdio {
    fn verdict(&self) -> Verdict {
        if self.closed && self.drained { Verdict::Done } else { Verdict::Fine }
    }
}

/// The channel that leads there.
pub fn open_of(to: &Endpoint, originator: Originator) -> ForwardOpen {
    match to {
        Endpoint::Unix(path) => ForwardOpen::DirectStreamlocal { path: path.clone().into_bytes() },
        Endpoint::Tcp { host, port } => {
            ForwardOpen::DirectTcpip { host: host.clone().unwrap_or_default(), port: *port, originator }
        }
    }
}

/// Whether this is the name of a request that the server listens, or stops.
pub fn is_request(name: &[u8]) -> bool {
    [names::TCPIP_FORWARD, names::CANCEL_TCPIP_FORWARD, names::STREAMLOCAL_FORWARD, names::CANCEL_STREAMLOCAL_FORWARD]
        .iter()
        .any(|known| known.as_bytes() == name)
}

/// An end as people write it.
pub fn shown(end: &Endpoint) -> String {
    match end {
        Endpoint::Tcp { host: Some(host), port } if host.contains(':') => format!("[{host}]:{port}"),
        Endpoint::Tcp { host: Some(host), port } => format!("{host}:{port}"),
        Endpoint::Tcp { host: None, port } => format!("port {port}"),
        Endpoint::Unix(path) => path.clone(),
    }
}

/// What ssh says of a refusal: the code's words, and the server's.
fn refusal(reason: u32, description: &str) -> String {
    let words = match reason {
        reason::open::ADMINISTRATIVELY_PROHIBITED => "administratively prohibited",
        reason::open::CONNECT_FAILED => "connect failed",
        reason::open::UNKNOWN_CHANNEL_TYPE => "unknown channel type",
        reason::open::RESOURCE_SHORTAGE => "resource shortage",
        _ => "unknown reason",
    };
    match clean_line(description.as_bytes(), MAX_TEXT).as_str() {
        "" => words.to_owned(),
        text => format!("{words}: {text}"),
    }
}

/// Says a few bytes on a socket that has taken nothing yet, so that they fit; where they do not, nobody waits for them.
fn say(socket: &Descriptor, bytes: &[u8]) -> bool {
    let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
    rustix::net::send(socket.as_fd(), bytes, flags) == Ok(bytes.len())
}

/// The answer to a channel that is not to be.
fn reject(reason: u32, description: &str) -> OpenAnswer {
    OpenAnswer::Reject { reason, description: description.to_owned() }
}
