//! The master of a shared connection: it listens for guests, does what they ask, and carries their sessions.

use super::super::ask;
use super::super::forward::{Added, Ticket, Tunnels, open_of, shown};
use super::super::log::Log;
use super::ends;
use super::guest::{Guest, Heard};
use super::listening::{self, Listening, NotListening};
use super::rides::{Arrived, Rides, nobody};
use nacre_config::client::{ClientOptions, ForwardKind};
use nacre_net::{Arrival, Port, PumpEvent};
use nacre_proto::{Event, LocalChannel};
use nacre_sys::handover;
use nacre_wire::share::{Forward, Reply, Request, VERSION};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// The most guests at once.
const MAX_GUESTS: usize = 1024;
/// Requests of one guest that are done before others get their turn.
const MAX_REQUESTS: usize = 32;

/// How long the first guest may be on its way.
const FIRST_GUEST: Duration = Duration::from_secs(60);

/// By what number a guest goes.
pub type GuestId = u64;

/// What a master wants of the owner of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A guest wants the connection to end.
    Exit,
    /// No more guests are taken.
    Stopped,
    /// Nobody has used the connection for as long as it should stay.
    Expired,
}

/// A request that the person was asked about.
struct Asked {
    guest: GuestId,
    request: Request,
    fds: Vec<OwnedFd>,
    granted: bool,
}

/// A master, or what could become one.
pub struct Master {
    options: Arc<ClientOptions>,
    log: Log,
    listening: Option<Listening>,
    guests: BTreeMap<GuestId, Guest>,
    next_guest: GuestId,
    /// The first guest is on its way.
    awaits: bool,
    rides: Rides,
    asking: JoinSet<Asked>,
    /// Remote forwardings that the server was asked for: by whom, and the number of the request.
    forwards: BTreeMap<Ticket, (GuestId, u32)>,
    next_ticket: Ticket,
    /// How long it stays when nobody uses it.
    idle: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Master {
    /// One without a socket.
    pub fn new(options: Arc<ClientOptions>, log: Log) -> Self {
        Self {
            rides: Rides::new(Arc::clone(&options), log.clone()),
            options,
            log,
            listening: None,
            guests: BTreeMap::new(),
            next_guest: 0,
            awaits: false,
            asking: JoinSet::new(),
            forwards: BTreeMap::new(),
            next_ticket: 0,
            idle: None,
            sleep: None,
        }
    }

    /// Whether the configuration wants the connection shared.
    pub fn is_wanted(options: &ClientOptions) -> bool {
        options.control_master != Default::default() && options.control_path.is_some()
    }

    /// Looks at once for what would end the call later.
    ///
    /// # Errors
    /// The line to end with.
    pub fn check(options: &ClientOptions) -> Result<(), String> {
        let path = options.control_path.as_deref().filter(|_| Self::is_wanted(options));
        path.and_then(listening::too_long_to_listen).map_or(Ok(()), Err)
    }

    /// Begins to listen, if the configuration wants it. `extensions`: the server knows what OpenSSH has added.
    ///
    /// # Errors
    /// The line to end with.
    pub fn listen(&mut self, extensions: bool) -> Result<(), String> {
        let Some(path) = self.options.control_path.as_deref().filter(|_| Self::is_wanted(&self.options)) else {
            return Ok(());
        };
        self.rides.knows_extensions(extensions);
        match listening::listen(path) {
            Ok(listening) => {
                self.log.debug(|| format!("this connection is shared at {path}"));
                self.listening = Some(listening);
                Ok(())
            }
            Err(NotListening::Exists(line)) => {
                self.log.error(&line);
                Ok(())
            }
            Err(NotListening::Failed(line)) => Err(line),
        }
    }

    /// Whether it listens.
    pub fn is_listening(&self) -> bool {
        self.listening.is_some()
    }

    /// It is to stay this long when nobody uses it, zero for ever. Where `awaits` the first guest is on its way.
    pub fn stay(&mut self, idle: Duration, awaits: bool) {
        self.idle = Some(idle).filter(|idle| !idle.is_zero());
        self.awaits = awaits;
    }

    /// Takes no more guests.
    pub fn stop(&mut self) {
        self.listening = None;
    }

    /// Whether somebody uses the connection.
    pub fn is_busy(&self) -> bool {
        !self.guests.is_empty() || !self.rides.is_empty()
    }

    /// The sessions of others, for the person.
    pub fn list(&self) -> String {
        self.rides.list()
    }

    /// The window of some session may have another size.
    pub fn resize(&self, port: &mut Port<'_>) {
        self.rides.resize(port);
    }

    /// The server opened a channel; `agent`: there is one to forward. False when it is not for a guest.
    pub fn on_opened(&mut self, port: &mut Port<'_>, channel: LocalChannel, agent: bool) -> bool {
        let arrived = self.rides.on_opened(port, channel, agent);
        self.tell(arrived)
    }

    /// The server refused a channel. False when it was not for a guest.
    pub fn on_open_failed(&mut self, channel: LocalChannel, description: &str) -> bool {
        let arrived = self.rides.on_open_failed(channel, description);
        self.tell(arrived)
    }

    /// Something happened on a channel. False when it is not a guest's.
    pub fn on_event(&mut self, port: &mut Port<'_>, event: &Event) -> bool {
        let arrived = self.rides.on_event(port, event);
        self.tell(arrived)
    }

    /// A pump has something to tell. False when it is not about a guest's channel.
    pub fn on_pump(&mut self, port: &mut Port<'_>, event: &PumpEvent) -> bool {
        let arrived = self.rides.on_pump(port, event);
        self.tell(arrived)
    }

    /// Tells a guest what became of its session. False when it was nobody's.
    fn tell(&mut self, arrived: Option<Arrived>) -> bool {
        let Some(Arrived { guest, replies, leaves }) = arrived else { return false };
        if let Some(guest) = self.guests.get_mut(&guest) {
            for reply in &replies {
                guest.answer(reply);
            }
            guest.leaves |= leaves;
        }
        true
    }

    /// Takes guests, does what they ask, and looks after their sessions. True when something was done.
    pub fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>, tunnels: &mut Tunnels) -> (bool, Option<Wish>) {
        if self.listening.is_none() && !self.is_busy() {
            return (false, None);
        }
        let mut moved = self.accept(cx);
        moved |= self.hand_out_answers(tunnels);
        let mut wish = None;
        while let Poll::Ready(Some(asked)) = self.asking.poll_join_next(cx) {
            moved = true;
            if let Ok(asked) = asked {
                wish = wish.or(self.on_asked(port, tunnels, asked));
            }
        }
        for id in self.guests.keys().copied().collect::<Vec<_>>() {
            let (did, wants) = self.hear(cx, port, tunnels, id);
            moved |= did;
            wish = wish.or(wants);
        }
        for arrived in self.rides.poll(cx, port, tunnels) {
            moved = true;
            self.tell(Some(arrived));
        }
        moved |= self.flush(cx, port);
        (moved, wish.or(self.has_expired(cx, tunnels).then_some(Wish::Expired)))
    }

    fn accept(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while let Some(listening) = &mut self.listening
            && self.guests.len() < MAX_GUESTS
        {
            match listening.listener.poll_accept(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(arrival)) => {
                    moved = true;
                    self.welcome(arrival);
                }
                Poll::Ready(Err(error)) => {
                    self.log.error(&format!("this connection is shared no more: {error}"));
                    self.listening = None;
                }
            }
        }
        moved
    }

    /// Only processes of the same user are guests, and root's.
    fn welcome(&mut self, Arrival { socket, .. }: Arrival) {
        let own = rustix::process::geteuid().as_raw();
        match handover::peer_uid(socket.as_fd()) {
            Ok(uid) if uid == own || uid == 0 => {
                self.guests.insert(self.next_guest, Guest::new(socket));
                self.next_guest += 1;
                self.awaits = false;
            }
            Ok(uid) => self.log.error(&format!("a process of user {uid} wants to share the connection: refused")),
            Err(error) => self.log.error(&error.to_string()),
        }
    }

    /// Hears one guest out.
    fn hear(
        &mut self,
        cx: &mut Context<'_>,
        port: &mut Port<'_>,
        tunnels: &mut Tunnels,
        id: GuestId,
    ) -> (bool, Option<Wish>) {
        for turn in 0..MAX_REQUESTS {
            let Some(guest) = self.guests.get_mut(&id) else { return (true, None) };
            match guest.hear(cx) {
                Heard::Nothing => return (turn > 0, None),
                Heard::Request(request, fds) => {
                    if let Some(wish) = self.on_request(port, tunnels, id, request, fds) {
                        return (true, Some(wish));
                    }
                }
                Heard::Gone => {
                    // It may still read.
                    guest.flush(cx);
                    self.leave(port, id);
                }
                Heard::Malformed(malformed) => {
                    guest.flush(cx);
                    self.log.error(&format!("a process that shares the connection is not understood: {malformed:?}"));
                    self.leave(port, id);
                }
            }
        }
        cx.waker().wake_by_ref();
        (true, None)
    }

    /// A guest is gone: its session with it.
    fn leave(&mut self, port: &mut Port<'_>, id: GuestId) {
        self.guests.remove(&id);
        self.rides.leave(port, id);
    }

    /// Writes what waits for guests; those that have heard everything leave. True when one did.
    fn flush(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let gone: Vec<GuestId> =
            self.guests.iter_mut().filter_map(|(id, guest)| (!guest.flush(cx)).then_some(*id)).collect();
        for id in &gone {
            self.leave(port, *id);
        }
        !gone.is_empty()
    }

    fn on_request(
        &mut self,
        port: &mut Port<'_>,
        tunnels: &mut Tunnels,
        id: GuestId,
        request: Request,
        fds: Vec<OwnedFd>,
    ) -> Option<Wish> {
        let guest = self.guests.get_mut(&id)?;
        match &request {
            Request::Hello { version: VERSION } if !guest.greeted => {
                guest.greeted = true;
                return None;
            }
            Request::Hello { .. } => {
                self.log.error("a process that shares the connection speaks another version");
                guest.leaves = true;
                return None;
            }
            _ if !guest.greeted => {
                guest.leaves = true;
                return None;
            }
            _ => {}
        }
        guest.waits = true;
        match self.question(&request).filter(|_| self.options.control_master.asks()) {
            None => self.perform(port, tunnels, id, request, fds),
            Some(question) => {
                let asked = move || Asked { guest: id, request, fds, granted: ask::confirm(&question) };
                self.asking.spawn_blocking(asked);
                None
            }
        }
    }

    /// What the person is asked before it is done.
    fn question(&self, request: &Request) -> Option<String> {
        let host = &self.options.original_host;
        Some(match request {
            Request::NewSession { .. } => format!("Allow shared connection to {host}? "),
            Request::NewStdioForward { to, .. } => match ends::end_from_wire(to.clone()) {
                Some(to) => format!("Allow forward to {}? ", shown(&to)),
                None => return None,
            },
            Request::OpenForward { forward, .. } => format!("Open {} on {host}? ", described(forward)?),
            Request::Terminate { .. } => format!("Terminate shared connection to {host}? "),
            Request::StopListening { .. } => format!("Disable further multiplexing on shared connection to {host}? "),
            Request::Hello { .. }
            | Request::AliveCheck { .. }
            | Request::CloseForward { .. }
            | Request::Unknown { .. } => return None,
        })
    }

    fn on_asked(&mut self, port: &mut Port<'_>, tunnels: &mut Tunnels, asked: Asked) -> Option<Wish> {
        let Asked { guest, request, fds, granted } = asked;
        if granted {
            return self.perform(port, tunnels, guest, request, fds);
        }
        let id = request.id();
        self.guests.get_mut(&guest)?.answer(&Reply::PermissionDenied { id, reason: b"Permission denied".to_vec() });
        None
    }

    /// Does what a guest asks; the answer is given now or comes later.
    fn perform(
        &mut self,
        port: &mut Port<'_>,
        tunnels: &mut Tunnels,
        id: GuestId,
        request: Request,
        fds: Vec<OwnedFd>,
    ) -> Option<Wish> {
        let guest = self.guests.get_mut(&id)?;
        let number = request.id();
        let failure = |reason: &str| Reply::Failure { id: number, reason: reason.as_bytes().to_vec() };
        let mut wish = None;
        let reply = match request {
            Request::Hello { .. } => return None,
            Request::AliveCheck { id } => Reply::Alive { id, pid: std::process::id() },
            Request::Terminate { id } => {
                wish = Some(Wish::Exit);
                Reply::Ok { id }
            }
            Request::StopListening { id } => {
                self.listening = None;
                wish = Some(Wish::Stopped);
                Reply::Ok { id }
            }
            Request::OpenForward { id: number, forward } => {
                return self.open_forward(port, tunnels, id, number, forward);
            }
            Request::CloseForward { id, forward } => match ends::from_wire(forward) {
                Some((kind, forward)) if tunnels.cancel_exactly(port, kind, &forward) => Reply::Ok { id },
                _ => failure("port not forwarded"),
            },
            Request::NewSession { session, .. } => match self.rides.board(port, id, number, session, fds) {
                Ok(()) => return None,
                Err(reason) => failure(&reason),
            },
            Request::NewStdioForward { to, .. } => match ends::end_from_wire(to) {
                Some(to) => match self.rides.board_stdio(port, id, number, &open_of(&to, nobody()), fds) {
                    Ok(()) => return None,
                    Err(reason) => failure(&reason),
                },
                None => failure("Invalid forwarding request"),
            },
            Request::Unknown { .. } => failure("unsupported request"),
        };
        guest.answer(&reply);
        wish
    }

    fn open_forward(
        &mut self,
        port: &mut Port<'_>,
        tunnels: &mut Tunnels,
        id: GuestId,
        number: u32,
        forward: Forward,
    ) -> Option<Wish> {
        let guest = self.guests.get_mut(&id)?;
        let Some((kind, forward)) = ends::from_wire(forward) else {
            guest.answer(&Reply::Failure { id: number, reason: b"Invalid forwarding request".to_vec() });
            return None;
        };
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        match tunnels.add_for(port, kind, forward, ticket) {
            Added::Stands(port) => guest.answer(&granted(number, port)),
            Added::Failed => {
                guest.answer(&Reply::Failure { id: number, reason: b"Port forwarding failed".to_vec() });
            }
            Added::Asked => drop(self.forwards.insert(ticket, (id, number))),
        }
        None
    }

    /// The server has answered some of the forwardings that guests asked for.
    fn hand_out_answers(&mut self, tunnels: &mut Tunnels) -> bool {
        let answers = tunnels.take_answers();
        let moved = !answers.is_empty();
        for (ticket, answer) in answers {
            let Some((guest, number)) = self.forwards.remove(&ticket) else { continue };
            let Some(guest) = self.guests.get_mut(&guest) else { continue };
            guest.answer(&match answer {
                Ok(port) => granted(number, port),
                Err(forward) => {
                    let reason = format!("remote port forwarding failed for listen {}", shown(&forward.listen));
                    Reply::Failure { id: number, reason: reason.into_bytes() }
                }
            });
        }
        moved
    }

    /// Whether nobody has used the connection for as long as it should stay.
    fn has_expired(&mut self, cx: &mut Context<'_>, tunnels: &Tunnels) -> bool {
        let Some(idle) = self.idle else { return false };
        // The first guest finds us even on a machine that is slow.
        let idle = if self.awaits { idle.max(FIRST_GUEST) } else { idle };
        if self.is_busy() || tunnels.is_busy() {
            self.sleep = None;
            return false;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        sleep.as_mut().poll(cx).is_ready()
    }
}

/// The answer to a forwarding that stands.
fn granted(id: u32, port: Option<u16>) -> Reply {
    match port {
        Some(port) => Reply::RemotePort { id, port: u32::from(port) },
        None => Reply::Ok { id },
    }
}

/// A forwarding in a person's words.
fn described(forward: &Forward) -> Option<String> {
    let (kind, forward) = ends::from_wire(forward.clone())?;
    let kind = match kind {
        ForwardKind::Local => "local",
        ForwardKind::Remote => "remote",
        ForwardKind::Dynamic => "dynamic",
    };
    let to = forward.connect.as_ref().map_or_else(|| "*".to_owned(), shown);
    Some(format!("{kind} forward {} -> {to}", shown(&forward.listen)))
}
