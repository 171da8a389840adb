//! A whole connection, of either role: bytes in, events out; answers in, bytes out.

use crate::answer::Question;
use crate::config::{ConnectionLimits, TransportConfig};
use crate::crypto::Provider;
use crate::error::{Error, Timer};
use crate::event::Event;
use crate::kdf::SessionId;
use crate::login::client::ClientLogin;
use crate::login::server::ServerLogin;
use crate::login::{Authenticated, client, server};
use crate::mux::Mux;
use crate::mux::channel::{LocalChannel, Stream};
use crate::mux::outbound::Fill;
use crate::negotiate::Negotiated;
use crate::observe::{Observer, Step};
use crate::question::Pending;
use crate::transmit::TransmitBuffer;
use crate::transport::{HostKey, Incoming, Transport, TransportQuestion, TransportStart, server_extensions};
use bytes::{Bytes, BytesMut};
use nacre_wire::session::SessionRequest;
use nacre_wire::{Role, names};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a client starts from.
pub struct ClientConfig {
    /// The transport's settings.
    pub transport: Arc<TransportConfig>,
    /// Cryptography.
    pub provider: Arc<dyn Provider>,
    /// The name to log in as.
    pub user: String,
    /// How long key exchange and login may take together, without the time that the question about the host key
    /// waits; `None` for as long as a person needs.
    pub login_timeout: Option<Duration>,
    /// Who watches.
    pub observer: Option<Box<dyn Observer>>,
}

/// What a server starts from.
pub struct ServerConfig {
    /// The transport's settings.
    pub transport: Arc<TransportConfig>,
    /// Cryptography.
    pub provider: Arc<dyn Provider>,
    /// The host keys' public halves.
    pub host_keys: Vec<HostKey>,
    /// Signature algorithms announced for user keys.
    pub user_algorithms: Vec<crate::algorithm::SignatureAlgorithm>,
    /// How long key exchange and login may take together; `None` for no limit.
    pub login_timeout: Option<Duration>,
    /// How long a connection may stand without any channel.
    pub unused_timeout: Option<Duration>,
    /// Who watches.
    pub observer: Option<Box<dyn Observer>>,
}

/// The upper layers: first the login, then channels.
pub(crate) enum Layer {
    Client(ClientLogin),
    Server(ServerLogin),
    Open(Box<Mux>),
}

/// One SSH connection. See the crate's documentation for the loop that drives it.
pub struct Connection {
    pub(crate) transport: Transport,
    pub(crate) layer: Layer,
    events: VecDeque<Event>,
    user: Option<Vec<u8>>,
    failures: u32,
    unused_timeout: Option<Duration>,
    eof: bool,
}

impl Connection {
    /// A client's end. The identification and KEXINIT are ready to be transmitted.
    ///
    /// # Errors
    /// The configuration offers nothing, or the system has no randomness.
    pub fn client(now: Instant, config: ClientConfig) -> Result<Self, Error> {
        let user = config.user.clone().into_bytes();
        let start = TransportStart {
            role: Role::Client,
            config: config.transport,
            provider: config.provider,
            host_keys: Vec::new(),
            ext_info: Vec::new(),
            observer: config.observer,
        };
        let mut connection = Self::new(now, start, Layer::Client(ClientLogin::new(config.user)), config.login_timeout)?;
        connection.user = Some(user);
        Ok(connection)
    }

    /// A server's end.
    ///
    /// # Errors
    /// No host key can serve any configured algorithm, or the system has no randomness.
    pub fn server(now: Instant, config: ServerConfig) -> Result<Self, Error> {
        let start = TransportStart {
            role: Role::Server,
            config: config.transport,
            provider: config.provider,
            host_keys: config.host_keys,
            ext_info: server_extensions(&config.user_algorithms),
            observer: config.observer,
        };
        let mut connection = Self::new(now, start, Layer::Server(ServerLogin::new()), config.login_timeout)?;
        connection.unused_timeout = config.unused_timeout;
        Ok(connection)
    }

    fn new(now: Instant, start: TransportStart, layer: Layer, login: Option<Duration>) -> Result<Self, Error> {
        let mut transport = Transport::new(now, start)?;
        if let Some(time) = login {
            transport.timers.set(Timer::Login, now + time);
        }
        Ok(Self {
            transport,
            layer,
            events: VecDeque::new(),
            user: None,
            failures: 0,
            unused_timeout: None,
            eof: false,
        })
    }

    /// Eats whole packets from `input`, opened in place; an incomplete tail stays. Input also
    /// stays while a question must be answered first, or while events wait that hold much: call again after the answer,
    /// or when no event is left.
    ///
    /// # Errors
    /// The connection is over; the same error is kept, and [`Connection::poll_transmit`] forms
    /// the last words.
    pub fn receive(&mut self, now: Instant, input: &mut BytesMut) -> Result<(), Error> {
        loop {
            if let Some(error) = self.transport.error() {
                return Err(error.clone());
            }
            if self.transport.inflated() > crate::limits::MAX_INFLATED {
                return Ok(());
            }
            let result = match self.transport.next(now, input) {
                Ok(None) => return self.check_eof(now),
                Ok(Some(incoming)) => self.on_incoming(now, incoming),
                Err(error) => Err(error),
            };
            self.checked(now, result)?;
        }
    }

    /// The peer closed its side of the stream.
    ///
    /// # Errors
    /// Always ends the connection, once all complete packets were handled.
    pub fn receive_eof(&mut self, now: Instant) -> Result<(), Error> {
        self.eof = true;
        self.check_eof(now)
    }

    fn check_eof(&mut self, now: Instant) -> Result<(), Error> {
        if self.eof && self.transport.wants_input() {
            return self.checked(now, Err(Error::ConnectionLost));
        }
        Ok(())
    }

    /// Keeps the first error and passes it on.
    fn checked<T>(&mut self, now: Instant, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && !matches!(error, Error::Misuse(_))
        {
            self.transport.fail(now, error.clone());
        }
        result
    }

    fn on_incoming(&mut self, now: Instant, incoming: Incoming) -> Result<(), Error> {
        match incoming {
            Incoming::Question(question) => {
                self.on_transport_question(question);
                Ok(())
            }
            Incoming::Ready => {
                self.events.push_back(Event::Ready);
                match &mut self.layer {
                    Layer::Client(login) => login.start(now, &mut self.transport),
                    _ => Ok(()),
                }
            }
            Incoming::Message(payload) => self.on_message(now, payload),
        }
    }

    fn on_transport_question(&mut self, question: TransportQuestion) {
        self.events.push_back(match question {
            TransportQuestion::HostKey { pending, algorithm, host_key } => {
                Event::HostKey { pending, algorithm, host_key }
            }
            TransportQuestion::Sign { pending, algorithm, host_key, exchange_hash } => {
                Event::SignExchange { pending, algorithm, host_key, exchange_hash }
            }
        });
    }

    fn on_message(&mut self, now: Instant, payload: Bytes) -> Result<(), Error> {
        match &mut self.layer {
            Layer::Client(login) => {
                let outcome = login.receive(now, &mut self.transport, &payload)?;
                self.on_client_outcome(now, outcome)
            }
            Layer::Server(login) => {
                let outcome = login.receive(now, &mut self.transport, &payload)?;
                self.on_server_outcome(now, outcome)
            }
            Layer::Open(mux) => {
                let by = self.transport.role.peer();
                observe_channel_message(now, &mut self.transport, by, &payload);
                mux.receive(now, &mut self.transport.ids, payload)?;
                self.settle_mux(now)
            }
        }
    }

    pub(crate) fn on_client_outcome(&mut self, now: Instant, outcome: client::Outcome) -> Result<(), Error> {
        match outcome {
            client::Outcome::Continue => {}
            client::Outcome::Tell(event) => self.events.push_back(event),
            client::Outcome::Success(login) => self.open(now, &login),
        }
        Ok(())
    }

    pub(crate) fn on_server_outcome(&mut self, now: Instant, outcome: server::Outcome) -> Result<(), Error> {
        if let Layer::Server(login) = &self.layer {
            self.user = login.user().map(<[u8]>::to_vec);
            self.failures = login.failures();
        }
        match outcome {
            server::Outcome::Continue => {}
            server::Outcome::Ask(event) => self.events.push_back(event),
            server::Outcome::Success(login) => self.open(now, &login),
        }
        Ok(())
    }

    /// The connection layer opens (RFC 4254). It takes the proof of a login to get here.
    fn open(&mut self, now: Instant, login: &Authenticated) {
        self.transport.set_authenticated(now);
        self.transport.timers.stop(Timer::Login);
        if let Some(keepalive) = self.transport.config.keepalive {
            self.transport.timers.set(Timer::Keepalive, now + keepalive.interval);
        }
        let mux = Mux::new(self.transport.role, self.transport.config.max_packet, login);
        self.layer = Layer::Open(Box::new(mux));
        self.events.push_back(Event::Authenticated { methods: login.methods.clone() });
        self.watch_use(now);
    }

    /// Moves what the mux has to say to the transport, and its events to ours.
    pub(crate) fn settle_mux(&mut self, now: Instant) -> Result<(), Error> {
        let Layer::Open(mux) = &mut self.layer else { return Ok(()) };
        for message in mux.messages.drain(..) {
            let by = self.transport.role;
            observe_channel_message(now, &mut self.transport, by, &message);
            self.transport.send(message)?;
        }
        self.events.append(&mut mux.events);
        for (channel, sent, received) in std::mem::take(&mut mux.closed) {
            self.transport.observe(now, &Step::ChannelClosed { channel, sent, received });
        }
        self.watch_use(now);
        Ok(())
    }

    fn watch_use(&mut self, now: Instant) {
        let (Layer::Open(mux), Some(time)) = (&self.layer, self.unused_timeout) else { return };
        if mux.channel_count() > 0 {
            self.transport.timers.stop(Timer::Unused);
        } else if !self.transport.timers.is_set(Timer::Unused) {
            self.transport.timers.set(Timer::Unused, now + time);
        }
    }

    /// Takes the limits of who has logged in, in place of those that the connection began with. Before the login
    /// it does nothing.
    pub fn set_limits(&mut self, now: Instant, limits: ConnectionLimits) {
        if !matches!(self.layer, Layer::Open(_)) || self.transport.error().is_some() {
            return;
        }
        let config = Arc::make_mut(&mut self.transport.config);
        (config.rekey, config.keepalive) = (limits.rekey, limits.keepalive);
        self.unused_timeout = limits.unused_timeout;
        let timers = &mut self.transport.timers;
        let dues = [
            (Timer::RekeyDue, limits.rekey.time),
            (Timer::Keepalive, limits.keepalive.map(|keepalive| keepalive.interval)),
            (Timer::Unused, None),
        ];
        for (timer, time) in dues {
            timers.stop(timer);
            if let Some(time) = time {
                timers.set(timer, now + time);
            }
        }
        self.watch_use(now);
    }

    /// Handles the timers that are due.
    ///
    /// # Errors
    /// One of them ended the connection.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        while let Some(timer) = self.transport.timers.pop_due(now) {
            let result = self.on_timer(now, timer);
            self.checked(now, result)?;
        }
        Ok(())
    }

    fn on_timer(&mut self, now: Instant, timer: Timer) -> Result<(), Error> {
        match timer {
            Timer::RekeyDue => self.transport.rekey(now),
            Timer::Keepalive => self.on_keepalive(now),
            Timer::AuthDelay => match &mut self.layer {
                Layer::Server(login) => {
                    let outcome = login.delay_is_over(now, &mut self.transport)?;
                    self.on_server_outcome(now, outcome)
                }
                _ => Ok(()),
            },
            Timer::ChannelIdle => self.on_channel_idle(now),
            Timer::FirstKex | Timer::Login | Timer::Rekey | Timer::Unused => Err(Error::TimedOut(timer)),
        }
    }

    /// Channels that were idle for too long are closed; the others are looked at again when the first of them may be.
    fn on_channel_idle(&mut self, now: Instant) -> Result<(), Error> {
        if let Layer::Open(mux) = &mut self.layer {
            mux.close_idle(now);
        }
        self.watch_idling();
        self.settle_mux(now)
    }

    fn watch_idling(&mut self) {
        let Layer::Open(mux) = &self.layer else { return };
        if let Some(deadline) = mux.idle_deadline() {
            self.transport.timers.set(Timer::ChannelIdle, deadline);
        }
    }

    /// A silent peer is asked for a sign of life, and after enough silence given up.
    fn on_keepalive(&mut self, now: Instant) -> Result<(), Error> {
        let Some(keepalive) = self.transport.config.keepalive else { return Ok(()) };
        let due = self.transport.last_heard().map_or(now, |heard| heard + keepalive.interval);
        if due > now {
            self.transport.timers.set(Timer::Keepalive, due);
            return Ok(());
        }
        if self.transport.unanswered_probes >= keepalive.count_max {
            return Err(Error::TimedOut(Timer::Keepalive));
        }
        self.transport.unanswered_probes += 1;
        self.transport.timers.set(Timer::Keepalive, now + keepalive.interval);
        if let Layer::Open(mux) = &mut self.layer {
            mux.global(names::KEEPALIVE, b"", true)?;
        }
        self.settle_mux(now)
    }

    /// When [`Connection::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.transport.timers.next()
    }

    /// Forms sealed packets until about `limit` bytes wait in `out`. Returns how many waited more
    /// than before. Packets exist from here on only: nothing is queued sealed.
    ///
    /// # Errors
    /// The connection is over.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut TransmitBuffer, limit: usize) -> Result<usize, Error> {
        let before = out.len();
        let result = self.form(now, out, limit);
        self.checked(now, result)?;
        // After an error only its DISCONNECT is left to form.
        Ok(out.len() - before)
    }

    fn form(&mut self, now: Instant, out: &mut TransmitBuffer, limit: usize) -> Result<(), Error> {
        if let Layer::Open(mux) = &mut self.layer
            && self.transport.error().is_none()
        {
            mux.form_credit();
            self.settle_mux(now)?;
        }
        self.transport.transmit(now, out, limit)?;
        if let Layer::Open(mux) = &mut self.layer
            && self.transport.error().is_none()
        {
            mux.form_data(now, &mut self.transport, out, limit)?;
            self.events.append(&mut mux.events);
        }
        Ok(())
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if event.is_none() {
            self.transport.forget_inflated();
        }
        event
    }

    /// Whether more input should be fed now: not while a question blocks it or output is stuck.
    pub fn wants_input(&self) -> bool {
        self.transport.wants_input()
    }

    /// Why the connection is over, once it is.
    pub fn error(&self) -> Option<&Error> {
        self.transport.error()
    }

    /// True once it is over and its last words were formed.
    pub fn is_finished(&self) -> bool {
        self.transport.is_finished()
    }

    /// Ends the connection with a reason of RFC 4250 §4.2.2 and a text for people.
    pub fn disconnect(&mut self, now: Instant, reason: u32, description: &str) {
        self.transport.fail(now, Error::Closed { reason, description: description.to_owned() });
    }

    /// Starts a key re-exchange, when logged in and none is under way.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn rekey(&mut self, now: Instant) -> Result<(), Error> {
        let result = self.transport.rekey(now);
        self.checked(now, result)
    }

    /// The session identifier, after the first key exchange.
    pub fn session_id(&self) -> Option<&SessionId> {
        self.transport.session_id.as_ref()
    }

    /// The peer's identification line, cleaned, once it has come.
    pub fn peer_ident(&self) -> Option<String> {
        self.transport.peer_ident.as_ref().map(|ident| ident.display())
    }

    /// The algorithms of the last negotiation.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.transport.negotiated.as_ref()
    }

    /// The name of the login: the client's own, or the one the server's client gave.
    pub fn user(&self) -> Option<&[u8]> {
        self.user.as_deref()
    }

    /// Server: failed attempts to log in so far.
    pub fn failed_attempts(&self) -> u32 {
        self.failures
    }

    /// True after login.
    pub fn is_authenticated(&self) -> bool {
        matches!(self.layer, Layer::Open(_))
    }

    /// Client: the host key that was accepted.
    pub fn host_key(&self) -> Option<&[u8]> {
        self.transport.host_key.as_deref()
    }

    /// How many channels there are.
    pub fn channel_count(&self) -> usize {
        match &self.layer {
            Layer::Open(mux) => mux.channel_count(),
            _ => 0,
        }
    }

    pub(crate) fn mux(&mut self) -> Result<&mut Mux, Error> {
        match &mut self.layer {
            Layer::Open(mux) => Ok(mux),
            _ => Err(Error::Misuse("not logged in yet")),
        }
    }

    /// Asks the peer for a channel of a type; `data` is what the type adds (RFC 4254 §5.1).
    ///
    /// # Errors
    /// Not logged in, or too many channels.
    pub fn open_channel(&mut self, now: Instant, kind: &str, data: &[u8]) -> Result<LocalChannel, Error> {
        let id = self.mux()?.open(kind, data)?;
        self.settle_mux(now)?;
        Ok(id)
    }

    /// Sends a global request (RFC 4254 §4).
    ///
    /// # Errors
    /// Not logged in, or too many requests wait for an answer.
    pub fn global_request(&mut self, now: Instant, name: &str, data: &[u8], want_reply: bool) -> Result<(), Error> {
        self.mux()?.global(name, data, want_reply)?;
        self.settle_mux(now)
    }

    /// Whether the peer has said that it answers [`Connection::ping`].
    pub fn answers_pings(&self) -> bool {
        self.transport.peer_answers_pings
    }

    /// Sends something that means nothing and is answered by as much (OpenSSH PROTOCOL §1.8). False when there is no room:
    /// what was sent before has not left yet.
    ///
    /// # Errors
    /// Not logged in.
    pub fn ping(&mut self, now: Instant, data: &[u8]) -> Result<bool, Error> {
        let has_room = self.mux()?.ping(data);
        self.settle_mux(now)?;
        Ok(has_room)
    }

    /// The verbs of one channel; `None` when it is gone.
    pub fn channel(&mut self, id: LocalChannel) -> Option<ChannelMut<'_>> {
        self.mux().ok()?.get(id)?;
        Some(ChannelMut { connection: self, id })
    }

    /// Answers a question. The type of the answer is the question's.
    ///
    /// # Errors
    /// The question is not open any more, or the answer ended the connection.
    pub fn answer<Q: Question>(&mut self, now: Instant, pending: Pending<Q>, answer: Q::Answer) -> Result<(), Error> {
        let result = Q::deliver(self, now, &pending, answer);
        self.transport.count_time(now);
        self.checked(now, result)
    }
}

fn observe_channel_message(now: Instant, transport: &mut Transport, by: Role, payload: &[u8]) {
    if let Some(step) = Step::of_channel_message(by, payload) {
        transport.observe(now, &step);
    }
}

/// The verbs of one channel.
pub struct ChannelMut<'a> {
    connection: &'a mut Connection,
    id: LocalChannel,
}

impl ChannelMut<'_> {
    fn with<R>(&mut self, gone: R, act: impl FnOnce(&mut Mux, LocalChannel) -> R) -> R {
        let id = self.id;
        self.connection.mux().map_or(gone, |mux| act(mux, id))
    }

    /// Keeps as much of `data` for sending as there is room for and returns how much that is; the
    /// rest is for after [`Event::Writable`].
    pub fn write(&mut self, stream: Stream, data: &[u8]) -> usize {
        self.with(0, |mux, id| mux.write(id, stream, data).unwrap_or(0))
    }

    /// Lets `fill` write up to `max` bytes straight into a packet in `out`; it returns how many.
    ///
    /// # Errors
    /// The connection is over.
    pub fn fill(
        &mut self,
        now: Instant,
        stream: Stream,
        out: &mut TransmitBuffer,
        max: usize,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<Fill, Error> {
        let id = self.id;
        let connection = &mut *self.connection;
        let Layer::Open(mux) = &mut connection.layer else { return Ok(Fill::Blocked) };
        let result = mux.fill(id, stream, &mut connection.transport, out, max, fill);
        if let (Ok(Fill::Filled(_)), Some(channel)) = (&result, mux.get(id)) {
            channel.used(now);
        }
        connection.checked(now, result)
    }

    /// The channel is closed once it has carried no data for so long, in either direction; `None` takes that back. It counts from now.
    pub fn limit_idling(&mut self, now: Instant, limit: Option<Duration>) {
        self.with((), |mux, id| mux.limit_idling(now, id, limit));
        self.connection.watch_idling();
    }

    /// The application has taken `n` bytes of what was delivered: their room goes back to the peer.
    pub fn consumed(&mut self, n: usize) {
        self.with((), |mux, id| mux.consumed(id, n));
    }

    /// No more data will be written (RFC 4254 §5.3).
    pub fn eof(&mut self) {
        self.with((), |mux, id| mux.eof(id));
    }

    /// Closes the channel once what was written and asked has left.
    pub fn close(&mut self) {
        self.with((), |mux, id| mux.close(id));
    }

    /// Sends a request on the channel; with `want_reply` an [`Event::RequestReply`] follows.
    ///
    /// # Errors
    /// The channel does not stand, or too many requests wait for an answer.
    pub fn request(&mut self, now: Instant, request: &SessionRequest, want_reply: bool) -> Result<(), Error> {
        let id = self.id;
        self.connection.mux()?.request(id, request, want_reply)?;
        self.connection.settle_mux(now)
    }

    /// Serves this channel before others (a person types here).
    pub fn set_interactive(&mut self, interactive: bool) {
        self.with((), |mux, id| {
            if let Some(channel) = mux.get(id) {
                channel.interactive = interactive;
            }
        });
    }

    /// Bytes of data that could be put into a packet now.
    pub fn sendable(&mut self) -> usize {
        self.with(0, |mux, id| mux.get(id).map_or(0, |c| if c.unsent.is_empty() { c.sendable() } else { 0 }))
    }

    /// Bytes given to [`ChannelMut::write`] that have not left yet.
    pub fn unsent(&mut self) -> usize {
        self.with(0, |mux, id| mux.get(id).map_or(0, |c| c.unsent.main.len() + c.unsent.stderr.len()))
    }
}
