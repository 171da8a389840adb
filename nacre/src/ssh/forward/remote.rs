//! What the server listens on for us (`-R`), and the connections that it sends back.

use super::super::connect::plain;
use super::super::log::Log;
use super::reach::reach;
use super::socks::{MAX_BUFFER, Refusal, Request, Socks, Step};
use super::{MAX_TEXT, Ticket, Verdict, reject, say, shown};
use nacre_config::client::{ClientOptions, Endpoint, Forward};
use nacre_config::server::PermitPort;
use nacre_net::{Descriptor, Forwards, Port};
use nacre_proto::{LocalChannel, OpenAnswer, OpenChannel, Pending, Stream};
use nacre_wire::forward::{ForwardOpen, ForwardRequest};
use nacre_wire::reason;
use nacre_wire::text::clean_line;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::{AbortHandle, JoinSet};

/// Requests that may wait for their answer at once; a connection takes no more than twice as many.
const MAX_ASKED: usize = 32;

/// How far a wish has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Wished,
    Asked,
    /// The server listens, on this port.
    Stands(u16),
    Refused,
    /// The person wants it no more.
    Cancelled,
}

/// One wish.
struct Remote {
    forward: Forward,
    request: ForwardRequest,
    state: State,
    /// Who shares the connection and asked for it.
    ticket: Option<Ticket>,
}

/// A wish, and the port that the server listens on for it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The wish.
    pub forward: Forward,
    /// The port; nothing for a socket in the file system or a refusal.
    pub bound: u16,
}

/// A connection that the server sent, on its way to where it is to go.
enum Arriving {
    /// It waits for the answer to its open.
    Plain(Pending<OpenChannel>),
    /// It speaks SOCKS, on a channel that stands already.
    Socks(Socks, Ended),
    /// It spoke SOCKS, and said this already to whom it will reach.
    Promised(Request, Vec<u8>, Ended),
}

/// Whether the server has said EOF on the channel.
type Ended = bool;

/// All of them.
pub struct Remotes {
    options: Arc<ClientOptions>,
    log: Log,
    wishes: Vec<Remote>,
    /// Those that wait for an answer, oldest first: answers come in order.
    asked: VecDeque<usize>,
    /// Answers for those who share the connection: whether the server listens.
    answers: Vec<(Ticket, Standing, bool)>,
    arriving: BTreeMap<LocalChannel, Arriving>,
    reaching: JoinSet<(LocalChannel, u64, String, io::Result<OwnedFd>)>,
    /// For which of these a channel waits: the server may close one and have its number given to the next.
    under_way: BTreeMap<LocalChannel, (u64, AbortHandle)>,
    set_out: u64,
}

/// The request that a wish comes to: this machine's loopback alone, unless another address is named.
fn request_of(listen: &Endpoint) -> ForwardRequest {
    match listen {
        Endpoint::Unix(path) => ForwardRequest::Streamlocal { path: path.clone().into_bytes() },
        Endpoint::Tcp { host, port } => {
            let address = match host.as_deref() {
                None => "localhost",
                Some("" | "*") => "",
                Some(host) => host,
            };
            ForwardRequest::Tcpip { address: address.to_owned(), port: *port }
        }
    }
}

impl Remotes {
    /// None yet.
    pub fn new(options: Arc<ClientOptions>, log: Log) -> Self {
        let (wishes, asked, arriving) = (Vec::new(), VecDeque::new(), BTreeMap::new());
        let (reaching, under_way) = (JoinSet::new(), BTreeMap::new());
        Self { options, log, wishes, asked, answers: Vec::new(), arriving, reaching, under_way, set_out: 0 }
    }

    /// Takes a wish.
    pub fn add(&mut self, forward: Forward) {
        let request = request_of(&forward.listen);
        self.wishes.push(Remote { forward, request, state: State::Wished, ticket: None });
    }

    /// Takes a wish of somebody who shares the connection and wants to hear the answer.
    pub fn add_for(&mut self, forward: Forward, ticket: Ticket) {
        let request = request_of(&forward.listen);
        self.wishes.push(Remote { forward, request, state: State::Wished, ticket: Some(ticket) });
    }

    /// A wish that the server has granted.
    pub fn find(&self, wanted: impl Fn(&Forward, u16) -> bool) -> Option<Standing> {
        self.wishes.iter().find_map(|wish| match wish.state {
            State::Stands(bound) if wanted(&wish.forward, bound) => {
                Some(Standing { forward: wish.forward.clone(), bound })
            }
            _ => None,
        })
    }

    /// The answers that came for those who share the connection.
    pub fn take_answers(&mut self) -> impl Iterator<Item = (Ticket, Standing, bool)> {
        std::mem::take(&mut self.answers).into_iter()
    }

    /// Asks for as many as may wait for an answer.
    pub fn ask(&mut self, port: &mut Port<'_>) {
        for (place, wish) in self.wishes.iter_mut().enumerate() {
            if wish.state != State::Wished || self.asked.len() >= MAX_ASKED {
                continue;
            }
            // An error ends the connection, which tells it.
            if port.connection.request_forward(port.now, &wish.request).is_ok() {
                wish.state = State::Asked;
                self.asked.push_back(place);
            }
        }
    }

    /// Whether everything has its answer.
    pub fn is_settled(&self) -> bool {
        self.wishes.iter().all(|wish| !matches!(wish.state, State::Wished | State::Asked))
    }

    /// Whether connections are on their way.
    pub fn is_busy(&self) -> bool {
        !self.arriving.is_empty()
    }

    /// The server answered the oldest request.
    pub fn on_reply(&mut self, port: &mut Port<'_>, data: Option<&[u8]>) -> Verdict {
        let Some(wish) = self.asked.pop_front().and_then(|place| self.wishes.get_mut(place)) else {
            return Verdict::Fine;
        };
        if wish.state == State::Cancelled {
            if data.is_none() {
                self.log.error(&format!("the server does not stop listening on {}", shown(&wish.forward.listen)));
            }
            return Verdict::Fine;
        }
        let bound = data.and_then(|data| wish.request.bound_port(data).ok());
        let ticket = wish.ticket.take();
        if let Some(ticket) = ticket {
            let standing = Standing { forward: wish.forward.clone(), bound: bound.unwrap_or_default() };
            self.answers.push((ticket, standing, bound.is_some()));
        }
        let verdict = match bound {
            Some(bound) => {
                wish.state = State::Stands(bound);
                stands(wish, bound, &self.log);
                Verdict::Fine
            }
            None => {
                wish.state = State::Refused;
                refused(wish, self.options.exit_on_forward_failure && ticket.is_none(), &self.log)
            }
        };
        self.ask(port);
        verdict
    }

    /// Takes a wish back that the server has granted; what goes through already goes on. False when there is none.
    pub fn cancel(&mut self, port: &mut Port<'_>, wanted: impl Fn(&Forward, u16) -> bool) -> bool {
        for (place, wish) in self.wishes.iter_mut().enumerate() {
            let State::Stands(bound) = wish.state else { continue };
            let request = match &wish.request {
                ForwardRequest::Tcpip { address, .. } => {
                    ForwardRequest::CancelTcpip { address: address.clone(), port: bound }
                }
                ForwardRequest::Streamlocal { path } => ForwardRequest::CancelStreamlocal { path: path.clone() },
                _ => continue,
            };
            if wanted(&wish.forward, bound) && port.connection.request_forward(port.now, &request).is_ok() {
                wish.state = State::Cancelled;
                self.asked.push_back(place);
                return true;
            }
        }
        false
    }

    /// The wish that a connection belongs to: by address and port; by the port alone where only one has it, since
    /// servers differ in how they write the address.
    fn wish_of(&self, open: &ForwardOpen) -> Option<&Remote> {
        let stands = |wish: &&Remote| matches!(wish.state, State::Stands(_));
        let mut standing = self.wishes.iter().filter(stands);
        match open {
            ForwardOpen::ForwardedStreamlocal { path: theirs } => {
                standing.find(|wish| matches!(&wish.request, ForwardRequest::Streamlocal { path } if path == theirs))
            }
            ForwardOpen::ForwardedTcpip { address: theirs, port, .. } => {
                let same_port = |wish: &&Remote| {
                    matches!(wish.request, ForwardRequest::Tcpip { .. }) && wish.state == State::Stands(*port)
                };
                let candidates: Vec<&Remote> = standing.filter(same_port).collect();
                let same = |wish: &&&Remote| matches!(&wish.request, ForwardRequest::Tcpip { address, .. } if address == theirs);
                match candidates.as_slice() {
                    [only] => Some(only),
                    many => many.iter().find(same).copied(),
                }
            }
            ForwardOpen::DirectTcpip { .. } | ForwardOpen::DirectStreamlocal { .. } | ForwardOpen::AuthAgent => None,
        }
    }

    /// The server opens a channel for a connection. `None` when nothing was asked for that it could belong to (threats
    /// C7, C13): then it is refused.
    pub fn on_open(
        &mut self,
        port: &mut Port<'_>,
        channel: LocalChannel,
        open: &ForwardOpen,
        pending: Pending<OpenChannel>,
    ) -> Option<String> {
        let Some(wish) = self.wish_of(open) else {
            let answer = reject(reason::open::ADMINISTRATIVELY_PROHIBITED, "not asked for");
            let _ = port.connection.answer(port.now, pending, answer);
            return None;
        };
        let listen = shown(&wish.forward.listen);
        Some(match wish.forward.connect.clone() {
            Some(to) => {
                let told = format!("from the server's {listen} -> {}", shown(&to));
                self.arriving.insert(channel, Arriving::Plain(pending));
                self.set_out(channel, to);
                told
            }
            None => {
                let _ = port.connection.answer(port.now, pending, OpenAnswer::Accept);
                self.arriving.insert(channel, Arriving::Socks(Socks::default(), false));
                format!("from the server's {listen} (SOCKS)")
            }
        })
    }

    fn set_out(&mut self, channel: LocalChannel, to: Endpoint) {
        let family = self.options.address_family;
        let name = match &to {
            Endpoint::Tcp { host, port } => format!("connect_to {} port {port}", host.clone().unwrap_or_default()),
            Endpoint::Unix(path) => format!("connect_to {path}"),
        };
        self.set_out = self.set_out.wrapping_add(1);
        let number = self.set_out;
        let journey = self.reaching.spawn(async move { (channel, number, name, reach(to, family).await) });
        self.under_way.insert(channel, (number, journey));
    }

    /// Data of a channel whose SOCKS client is not through yet. False when it is another's.
    pub fn on_data(&mut self, port: &mut Port<'_>, channel: LocalChannel, data: &[u8]) -> bool {
        let fits = match self.arriving.get_mut(&channel) {
            None | Some(Arriving::Plain(_)) => return false,
            Some(Arriving::Socks(socks, _)) => socks.feed(data),
            Some(Arriving::Promised(_, early, _)) => {
                early.extend_from_slice(data);
                early.len() <= MAX_BUFFER
            }
        };
        if let Some(mut channel) = port.connection.channel(channel) {
            channel.consumed(data.len());
        }
        if fits {
            self.hear(port, channel)
        } else {
            self.hang_up(port, channel, &[])
        }
        true
    }

    fn hear(&mut self, port: &mut Port<'_>, channel: LocalChannel) {
        loop {
            let Some(Arriving::Socks(socks, ended)) = self.arriving.get_mut(&channel) else { return };
            match socks.step() {
                Step::More => return,
                Step::Say(bytes) => write(port, channel, &bytes),
                Step::HangUp(bytes) => return self.hang_up(port, channel, &bytes),
                Step::Connect(request) => {
                    let (rest, ended) = (std::mem::take(socks).into_rest(), *ended);
                    if !self.permits(&request) {
                        let (host, to) = (clean_line(request.host.as_bytes(), MAX_TEXT), request.port);
                        self.log.info(&format!("PermitRemoteOpen does not allow {host} port {to}"));
                        return self.hang_up(port, channel, &request.refused(Refusal::NotAllowed));
                    }
                    let to = Endpoint::Tcp { host: Some(request.host.clone()), port: request.port };
                    self.arriving.insert(channel, Arriving::Promised(request, rest, ended));
                    return self.set_out(channel, to);
                }
            }
        }
    }

    /// `PermitRemoteOpen`: names are compared as they are written.
    fn permits(&self, request: &Request) -> bool {
        self.options.permit_remote_open_any
            || self.options.permit_remote_open.iter().any(|permit| {
                (permit.host == "*" || permit.host == request.host)
                    && match permit.port {
                        PermitPort::Any => true,
                        PermitPort::Only(port) => port == request.port,
                    }
            })
    }

    fn hang_up(&mut self, port: &mut Port<'_>, channel: LocalChannel, last: &[u8]) {
        self.forget(channel);
        write(port, channel, last);
        if let Some(mut channel) = port.connection.channel(channel) {
            channel.eof();
            channel.close();
        }
    }

    /// The server sends nothing more on a channel.
    pub fn on_eof(&mut self, channel: LocalChannel) {
        if let Some(Arriving::Socks(_, ended) | Arriving::Promised(_, _, ended)) = self.arriving.get_mut(&channel) {
            *ended = true;
        }
    }

    /// A channel is gone.
    pub fn on_closed(&mut self, channel: LocalChannel) {
        self.forget(channel);
    }

    /// Nobody waits any more for what this channel was to be joined with: its number is given to the next one.
    fn forget(&mut self, channel: LocalChannel) {
        self.arriving.remove(&channel);
        if let Some((_, journey)) = self.under_way.remove(&channel) {
            journey.abort();
        }
    }

    /// Joins what was reached. True when something was done.
    pub fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>, joined: &mut Forwards) -> bool {
        let mut moved = false;
        while let Poll::Ready(Some(done)) = self.reaching.poll_join_next(cx) {
            moved = true;
            let Ok((channel, number, name, reached)) = done else { continue };
            if self.under_way.get(&channel).is_none_or(|(current, _)| *current != number) {
                continue;
            }
            self.under_way.remove(&channel);
            let reached = reached.and_then(Descriptor::nonblocking);
            match (self.arriving.remove(&channel), reached) {
                (None, _) => {}
                (Some(arriving), Ok(socket)) => arrive(port, joined, channel, arriving, socket),
                (Some(arriving), Err(error)) => {
                    let error = plain(&error);
                    self.log.error(&format!("{}: failed: {error}", clean_line(name.as_bytes(), MAX_TEXT)));
                    self.not_reached(port, channel, arriving, &error);
                }
            }
        }
        moved
    }

    fn not_reached(&mut self, port: &mut Port<'_>, channel: LocalChannel, arriving: Arriving, error: &str) {
        match arriving {
            Arriving::Plain(pending) => {
                let answer = reject(reason::open::CONNECT_FAILED, error);
                let _ = port.connection.answer(port.now, pending, answer);
            }
            Arriving::Promised(request, ..) => self.hang_up(port, channel, &request.refused(Refusal::NotReached)),
            Arriving::Socks(..) => {}
        }
    }

    /// What `~#` shows.
    pub fn list(&self) -> impl Iterator<Item = String> {
        self.wishes.iter().filter_map(|wish| {
            let State::Stands(bound) = wish.state else { return None };
            let to = wish.forward.connect.as_ref().map_or_else(|| "SOCKS".to_owned(), shown);
            let listen = match &wish.forward.listen {
                Endpoint::Tcp { host, port: 0 } => shown(&Endpoint::Tcp { host: host.clone(), port: bound }),
                other => shown(other),
            };
            Some(format!("the server listens on {listen} for {to}"))
        })
    }
}

/// Sends a few bytes on a channel that has sent little, so that they fit.
fn write(port: &mut Port<'_>, channel: LocalChannel, bytes: &[u8]) {
    if let Some(mut channel) = port.connection.channel(channel) {
        channel.write(Stream::Main, bytes);
    }
}

/// Whom a connection was meant for has been reached.
fn arrive(port: &mut Port<'_>, joined: &mut Forwards, channel: LocalChannel, arriving: Arriving, socket: Descriptor) {
    match arriving {
        Arriving::Plain(pending) => {
            if port.connection.answer(port.now, pending, OpenAnswer::Accept).is_ok() {
                joined.join(port, channel, socket);
            }
        }
        Arriving::Promised(request, early, ended) => {
            write(port, channel, &request.granted());
            // A socket that was connected just now takes as much as is kept of a greeting.
            if !early.is_empty() && !say(&socket, &early) {
                if let Some(mut channel) = port.connection.channel(channel) {
                    channel.close();
                }
                return;
            }
            joined.join(port, channel, socket);
            if ended {
                port.pumps.end_inbound(channel);
            }
        }
        Arriving::Socks(..) => {}
    }
}

fn stands(wish: &Remote, bound: u16, log: &Log) {
    let to = match &wish.forward.connect {
        None => "socks:0".to_owned(),
        Some(Endpoint::Tcp { host, port }) => format!("{}:{port}", host.clone().unwrap_or_default()),
        Some(Endpoint::Unix(path)) => path.clone(),
    };
    match &wish.forward.listen {
        Endpoint::Tcp { port: 0, .. } => log.info(&format!("Allocated port {bound} for remote forward to {to}")),
        listen => log.debug(|| format!("the server listens on {} for {to}", shown(listen))),
    }
}

fn refused(wish: &Remote, ends: bool, log: &Log) -> Verdict {
    let what = match &wish.forward.listen {
        Endpoint::Tcp { port, .. } => format!("listen port {port}"),
        Endpoint::Unix(path) => format!("listen path {path}"),
    };
    let line = format!("remote port forwarding failed for {what}");
    if ends {
        return Verdict::Fatal(format!("Error: {line}"));
    }
    log.info(&format!("Warning: {line}"));
    Verdict::Fine
}
