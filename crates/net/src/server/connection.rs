//! The owner of one server connection: it passes questions to the authority and runs sessions.

use super::authority::{
    Answer, Authority, Exit, KeyCheck, Listening, Permissions, Place, PtyRequest, Refused, SessionRequests, Start,
};
use super::forwarding::{Forwarding, Wanted};
use super::host_proof::{self, AnnouncedKey};
use super::leaving::Leaving;
use super::session::{Session, Starting};
use super::tasks::Tasks;
use crate::descriptor::Descriptor;
use crate::driver::{Owner, Port};
use crate::forward::{kind_of, limit_idling};
use crate::pump::PumpEvent;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{
    CheckKey, CheckKeyboardInteractive, CheckPassword, KeyboardInteractiveVerdict, LookUpUser, PasswordVerdict,
    UserPolicy,
};
use nacre_proto::{
    Event, GrantGlobal, GrantRequest, LocalChannel, OpenAnswer, OpenChannel, Pending, SignExchange, Stream,
};
use nacre_wire::forward::{ForwardOpen, ForwardRequest};
use nacre_wire::names;
use nacre_wire::reason;
use nacre_wire::session::SessionRequest;
use nacre_wire::text::clean_line;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Context;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// What a running server tells its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Go on.
    Run,
    /// Finish what runs until this moment, then end.
    Drain(Instant),
}

/// What the listener wants to know of a connection as it happens.
pub trait Watcher: Send {
    /// The first key exchange is done.
    fn ready(&mut self);
    /// A login is done.
    fn authenticated(&mut self);
}

/// An answer of the authority, with the question it belongs to.
enum Answered {
    Signature(Pending<SignExchange>, Option<Vec<u8>>),
    User(Pending<LookUpUser>, UserPolicy),
    Key(Pending<CheckKey>, bool),
    Password(Pending<CheckPassword>, PasswordVerdict),
    Interactive(Pending<CheckKeyboardInteractive>, KeyboardInteractiveVerdict),
    Started(Starting),
    Proof(Pending<GrantGlobal>, Vec<Option<Vec<u8>>>),
    Connected(Pending<OpenChannel>, LocalChannel, &'static str, Result<Descriptor, Refused>),
    Listening(Option<Pending<GrantGlobal>>, ForwardRequest, Result<Listening, Refused>),
    Agent(Result<Listening, Refused>),
}

/// The owner of one server connection.
pub struct ServerOwner {
    authority: Box<dyn Authority>,
    watcher: Box<dyn Watcher>,
    host_keys: Vec<AnnouncedKey>,
    order: watch::Receiver<Order>,
    next_order: Option<Answer<()>>,
    tasks: Tasks<Answered>,
    sessions: Vec<Session>,
    leaving: Leaving,
    /// Made with the first forward, since most connections have none.
    forwarding: Option<Box<Forwarding>>,
    permissions: Option<Permissions>,
    drain: Option<Pin<Box<Sleep>>>,
    log: tracing::Span,
}

impl ServerOwner {
    /// An owner that asks this authority.
    pub fn new(
        authority: Box<dyn Authority>,
        watcher: Box<dyn Watcher>,
        host_keys: Vec<AnnouncedKey>,
        order: watch::Receiver<Order>,
        log: tracing::Span,
    ) -> Self {
        Self {
            authority,
            watcher,
            host_keys,
            next_order: Some(changed(order.clone())),
            order,
            tasks: Tasks::default(),
            sessions: Vec::new(),
            leaving: Leaving::default(),
            forwarding: None,
            permissions: None,
            drain: None,
            log,
        }
    }

    /// The connection is over: its sessions are told, given a moment, and ended.
    pub async fn end(mut self) {
        // What is still being started is nobody's any more.
        while self.sessions.iter().any(Session::is_starting) {
            let answers = poll_fn(|cx| self.tasks.poll_any(cx)).await;
            if answers.is_empty() {
                break;
            }
            for answered in answers {
                if let Answered::Started(starting) = answered {
                    self.sessions.retain(|session| session.channel != starting.channel);
                    abandon(starting);
                }
            }
        }
        for session in std::mem::take(&mut self.sessions) {
            self.leaving.let_go(session);
        }
        poll_fn(|cx| self.leaving.poll_all(cx)).await;
    }

    fn session(&mut self, channel: LocalChannel) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|s| s.channel == channel)
    }

    /// Questions of the login. Hands other events back.
    fn on_question(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::SignExchange { pending, algorithm, host_key, exchange_hash } => {
                let answer = self.authority.sign(host_key, algorithm, exchange_hash);
                self.tasks.push(answer, |a| Answered::Signature(pending, a));
            }
            Event::LookUpUser { pending, user } => {
                self.tasks.push(self.authority.look_up(user), |a| Answered::User(pending, a));
            }
            Event::CheckKey { pending, algorithm, public_key, proof } => {
                let answer = self.authority.check_key(KeyCheck { algorithm, public_key, proof });
                self.tasks.push(answer, |a| Answered::Key(pending, a));
            }
            Event::CheckPassword { pending, password, new_password } => {
                self.ask_password(pending, password, new_password);
            }
            Event::CheckKeyboardInteractive { pending, answers } => {
                let answer = self.authority.check_interactive(answers);
                self.tasks.push(answer, |a| Answered::Interactive(pending, a));
            }
            other => return Some(other),
        }
        None
    }

    fn ask_password(&mut self, pending: Pending<CheckPassword>, password: SecretBytes, new: Option<SecretBytes>) {
        let answer = self.authority.check_password(password, new);
        self.tasks.push(answer, |a| Answered::Password(pending, a));
    }

    fn on_authenticated(&mut self, port: &mut Port<'_>, methods: &[String]) {
        let permissions = self.authority.logged_in(methods, &port.connection.peer_ident().unwrap_or_default());
        if let Some(limits) = permissions.limits {
            port.connection.set_limits(port.now, limits);
        }
        self.permissions = Some(permissions);
        self.watcher.authenticated();
        let announced = host_proof::announcement(&self.host_keys);
        let _ = port.connection.global_request(port.now, names::HOSTKEYS, &announced, false);
    }

    fn on_open_request(
        &mut self,
        port: &mut Port<'_>,
        pending: Pending<OpenChannel>,
        channel: LocalChannel,
        kind: &str,
        data: &[u8],
    ) {
        let answer = match ForwardOpen::decode(kind, data) {
            Err(error) => reject(reason::open::ADMINISTRATIVELY_PROHIBITED, &format!("{kind}: {error}")),
            Ok(None) => self.on_open(channel, kind),
            Ok(Some(_)) if self.is_draining() => reject(reason::open::RESOURCE_SHORTAGE, STOPPING),
            Ok(Some(open)) => {
                let kind = kind_of(&open);
                match Wanted::of(open) {
                    Some(target) => {
                        let answer = self.authority.connect(target);
                        return self.tasks.push(answer, move |r| Answered::Connected(pending, channel, kind, r));
                    }
                    None => reject(reason::open::ADMINISTRATIVELY_PROHIBITED, "not asked for"),
                }
            }
        };
        let _ = port.connection.answer(port.now, pending, answer);
    }

    fn is_draining(&self) -> bool {
        matches!(*self.order.borrow(), Order::Drain(_))
    }

    fn on_open(&mut self, channel: LocalChannel, kind: &str) -> OpenAnswer {
        if kind != names::CHANNEL_SESSION {
            return reject(reason::open::UNKNOWN_CHANNEL_TYPE, "unknown channel type");
        }
        let most = self.permissions.as_ref().map_or(0, |p| p.max_sessions);
        if self.sessions.len() + self.leaving.len() >= most {
            return reject(reason::open::ADMINISTRATIVELY_PROHIBITED, "too many sessions (MaxSessions)");
        }
        if self.is_draining() {
            return reject(reason::open::RESOURCE_SHORTAGE, STOPPING);
        }
        self.sessions.push(Session::new(channel));
        OpenAnswer::Accept
    }

    fn on_request(
        &mut self,
        port: &mut Port<'_>,
        channel: LocalChannel,
        request: SessionRequest,
        pending: Option<Pending<GrantRequest>>,
    ) {
        let granted = match request {
            SessionRequest::Shell => return self.start(port, channel, Start::Shell, pending),
            SessionRequest::Exec { command } => return self.start(port, channel, Start::Exec(command), pending),
            SessionRequest::Subsystem { name } => return self.start(port, channel, Start::Subsystem(name), pending),
            SessionRequest::AuthAgentReq if self.session(channel).is_some_and(Session::take_agent) => {
                return self.forward_agent(port, pending);
            }
            other => self.grant(port, channel, other),
        };
        answer(port, pending, granted);
    }

    /// A session wants the client's agent. The question is on its way before the session can be started.
    fn forward_agent(&mut self, port: &mut Port<'_>, pending: Option<Pending<GrantRequest>>) {
        if self.forwarding().wants_agent(port, pending) {
            self.tasks.push(self.authority.listen(Place::Agent), Answered::Agent);
        }
    }

    /// Requests that are granted or refused at once.
    fn grant(&mut self, port: &mut Port<'_>, channel: LocalChannel, request: SessionRequest) -> bool {
        let Some(permissions) = self.permissions.clone() else { return false };
        let Some(session) = self.session(channel) else { return false };
        match request {
            SessionRequest::PtyReq { term, size, modes } => {
                permissions.pty && session.take_pty(PtyRequest { term, size, modes })
            }
            SessionRequest::Env { name, value } => {
                permissions.accepts_env(&name, &value) && session.take_env(name, value)
            }
            SessionRequest::WindowChange { size } => session.resize(size),
            SessionRequest::Signal { name } => permissions.signals && session.signal(&name),
            SessionRequest::Break { .. } => session.send_break(),
            SessionRequest::Eow => {
                port.pumps.close_sources(channel);
                true
            }
            _ => false,
        }
    }

    fn start(
        &mut self,
        port: &mut Port<'_>,
        channel: LocalChannel,
        start: Start,
        pending: Option<Pending<GrantRequest>>,
    ) {
        let what = match &start {
            Start::Shell => "shell".to_owned(),
            Start::Exec(command) => format!("command {}", clean_line(command, 200)),
            Start::Subsystem(name) => format!("subsystem {}", clean_line(name.as_bytes(), 200)),
        };
        // As ChannelTimeout names it.
        let kind = match &start {
            Start::Shell => "session:shell".to_owned(),
            Start::Exec(_) => "session:command".to_owned(),
            Start::Subsystem(name) => format!("session:subsystem:{name}"),
        };
        let idle_limit = self.permissions.as_ref().and_then(|p| p.channel_timeouts.of(&kind));
        let Some(session) = self.session(channel) else { return answer(port, pending, false) };
        let Some(requests) = session.begin(start) else { return answer(port, pending, false) };
        (session.what, session.idle_limit) = (what, idle_limit);
        self.ask_start(channel, requests, pending);
    }

    fn ask_start(&mut self, channel: LocalChannel, requests: SessionRequests, pending: Option<Pending<GrantRequest>>) {
        self.tasks.push(self.authority.start(requests), move |result| {
            Answered::Started(Starting { channel, pending, result })
        });
    }

    fn on_answered(&mut self, port: &mut Port<'_>, answered: Answered) {
        let (connection, now) = (&mut *port.connection, port.now);
        // An error ends the connection and is kept there; a question that went with it is no error.
        let result = match answered {
            Answered::Signature(pending, a) => connection.answer(now, pending, a),
            Answered::User(pending, a) => connection.answer(now, pending, a),
            Answered::Key(pending, a) => connection.answer(now, pending, a),
            Answered::Password(pending, a) => connection.answer(now, pending, a),
            Answered::Interactive(pending, a) => connection.answer(now, pending, a),
            Answered::Proof(pending, signatures) => connection.answer(now, pending, host_proof::proofs(&signatures)),
            Answered::Started(starting) => {
                self.on_started(port, starting);
                Ok(())
            }
            Answered::Connected(pending, channel, kind, result) => {
                self.forwarding().on_connected(port, pending, channel, kind, result)
            }
            Answered::Listening(pending, request, result) => {
                self.forwarding().on_listening(port, pending, request, result)
            }
            Answered::Agent(result) => self.forwarding().on_agent(port, result),
        };
        if let Err(error) = result {
            tracing::debug!(parent: &self.log, "{error}");
        }
    }

    fn on_started(&mut self, port: &mut Port<'_>, starting: Starting) {
        let Starting { channel, pending, result } = starting;
        let log = self.log.clone();
        let Some(session) = self.session(channel) else {
            // The client left while its session was starting.
            return abandon(Starting { channel, pending, result });
        };
        match result {
            Ok(started) => {
                tracing::debug!(parent: &log, "session {}: {} started", channel.number(), session.what);
                answer(port, pending, true);
                let idle_limit = session.idle_limit;
                session.run(port, started);
                limit_idling(port, channel, idle_limit);
            }
            Err(error) => {
                tracing::debug!(parent: &log, "session {}: {} refused: {error}", channel.number(), session.what);
                answer(port, pending, false);
                if let Some(mut channel) = port.connection.channel(channel) {
                    channel.close();
                }
            }
        }
    }

    /// A channel carried nothing for too long: what it was joined with goes at once, whatever the client makes of it.
    fn on_expired(&mut self, port: &mut Port<'_>, channel: LocalChannel) {
        port.pumps.detach(channel);
        if let Some(place) = self.sessions.iter().position(|s| s.channel == channel) {
            let session = self.sessions.swap_remove(place);
            tracing::info!(parent: &self.log, "session {}: {} closed, idle (ChannelTimeout)", channel.number(), session.what);
            self.leaving.let_go(session);
        } else if let Some(forwarding) = &mut self.forwarding {
            forwarding.on_expired(channel);
            tracing::info!(parent: &self.log, "forward {} closed, idle (ChannelTimeout)", channel.number());
        }
    }

    fn forwarding(&mut self) -> &mut Forwarding {
        self.forwarding.get_or_insert_with(|| {
            let permissions = self.permissions.as_ref();
            Box::new(Forwarding::new(permissions.map(|p| p.channel_timeouts.clone()).unwrap_or_default()))
        })
    }

    /// A global request; without a question nobody waits for the answer.
    fn on_global(&mut self, port: &mut Port<'_>, name: &str, data: &[u8], pending: Option<Pending<GrantGlobal>>) {
        if name == names::HOSTKEYS_PROVE
            && let Some(pending) = pending
        {
            return self.prove_host_keys(port, data, pending);
        }
        let answer = match ForwardRequest::decode(name, data) {
            Ok(Some(request)) => match Wanted::place(&request) {
                Some(place) if !self.is_draining() && self.forwarding().takes_room(&request) => {
                    let answer = self.authority.listen(place);
                    return self.tasks.push(answer, move |result| Answered::Listening(pending, request, result));
                }
                Some(_) => None,
                None => self.forwarding().cancel(&request).then(Vec::new),
            },
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(parent: &self.log, "{name}: {error}");
                None
            }
        };
        if let Some(pending) = pending {
            let _ = port.connection.answer(port.now, pending, answer);
        }
    }

    /// OpenSSH PROTOCOL §2.5: the client asks for proof that we hold the keys we announced.
    fn prove_host_keys(&mut self, port: &mut Port<'_>, data: &[u8], pending: Pending<GrantGlobal>) {
        let Some(asked) = host_proof::asked(&self.host_keys, data) else {
            let _ = port.connection.answer(port.now, pending, None);
            return;
        };
        let session_id = port.connection.session_id().map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let sign = |key: AnnouncedKey| {
            let text = host_proof::text(&session_id, &key.blob);
            self.authority.sign(key.blob, key.algorithm, text)
        };
        let signatures: Vec<_> = asked.into_iter().map(sign).collect();
        let all = Box::pin(async move {
            let mut done = Vec::new();
            for signature in signatures {
                done.push(signature.await);
            }
            done
        });
        self.tasks.push(all, |signatures| Answered::Proof(pending, signatures));
    }

    /// Looks at what the server as a whole wants.
    fn obey(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let changed = self.next_order.as_mut().is_some_and(|next| next.as_mut().poll(cx).is_ready());
        if changed {
            self.next_order = None;
            if let Order::Drain(deadline) = *self.order.borrow() {
                self.drain = Some(Box::pin(tokio::time::sleep_until(deadline)));
            }
        }
        let Some(sleep) = &mut self.drain else { return false };
        if self.sessions.is_empty() || sleep.as_mut().poll(cx).is_ready() {
            self.drain = None;
            port.connection.disconnect(port.now, reason::disconnect::BY_APPLICATION, "the server is stopping");
            return true;
        }
        changed
    }
}

/// What is said to channels that come too late.
const STOPPING: &str = "the server is stopping";

fn reject(reason: u32, text: &str) -> OpenAnswer {
    OpenAnswer::Reject { reason, description: text.to_owned() }
}

/// Done once the server wants something else; kept from turn to turn, since a future that is
/// dropped takes its waker with it.
fn changed(mut order: watch::Receiver<Order>) -> Answer<()> {
    Box::pin(async move {
        // A server that is gone without an order wants nothing more.
        if order.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Ends what was started for somebody who has left.
fn abandon(starting: Starting) {
    if let Ok(mut started) = starting.result {
        started.process.hang_up();
        started.process.kill();
    }
}

fn answer(port: &mut Port<'_>, pending: Option<Pending<GrantRequest>>, granted: bool) {
    if let Some(pending) = pending {
        let _ = port.connection.answer(port.now, pending, granted);
    }
}

impl Owner for ServerOwner {
    fn on_event(&mut self, port: &mut Port<'_>, event: Event) {
        let Some(event) = self.on_question(event) else { return };
        match event {
            Event::Ready => self.watcher.ready(),
            Event::Authenticated { methods } => self.on_authenticated(port, &methods),
            Event::OpenRequest { pending, channel, kind, data } => {
                self.on_open_request(port, pending, channel, &kind, &data);
            }
            Event::Opened { channel, .. } => self.forwarding().on_opened(port, channel),
            Event::OpenFailed { channel, .. } => self.forwarding().on_open_failed(channel),
            Event::Request { channel, request, pending } => self.on_request(port, channel, request, pending),
            Event::Global { name, data, pending } => self.on_global(port, &name, &data, pending),
            Event::Data { channel, stream, data } => {
                let kept = stream == Stream::Main && self.session(channel).is_some_and(|s| s.take_early(&data));
                // Input that nothing will read is given back unread.
                if !kept && let Some(mut channel) = port.connection.channel(channel) {
                    channel.consumed(data.len());
                }
            }
            Event::Eof { channel } => {
                if let Some(session) = self.session(channel) {
                    session.take_eof();
                }
            }
            Event::Expired { channel } => self.on_expired(port, channel),
            Event::Closed { channel } => {
                if self.forwarding.as_mut().is_some_and(|forwarding| forwarding.on_closed(channel)) {
                    return;
                }
                if let Some(place) = self.sessions.iter().position(|s| s.channel == channel) {
                    let session = self.sessions.swap_remove(place);
                    port.pumps.detach(channel);
                    self.leaving.let_go(session);
                }
            }
            _ => {}
        }
    }

    fn on_pump(&mut self, port: &mut Port<'_>, event: PumpEvent) {
        if self.forwarding.as_mut().is_some_and(|forwarding| forwarding.on_pump(port, &event)) {
            return;
        }
        match event {
            PumpEvent::SourcesEnded { channel } => {
                if let Some(session) = self.session(channel) {
                    session.sources_ended(port);
                }
            }
            PumpEvent::SinkBroken { channel, .. } => {
                // OpenSSH PROTOCOL §2.1: the process reads no more, so the client need not send.
                if let Some(mut channel) = port.connection.channel(channel) {
                    let _ = channel.request(port.now, &SessionRequest::Eow, false);
                }
            }
            PumpEvent::SinksDrained { .. } => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let answers = self.tasks.poll(cx);
        let mut moved = !answers.is_empty();
        for answered in answers {
            self.on_answered(port, answered);
        }
        if let Some(forwarding) = &mut self.forwarding {
            moved |= forwarding.poll(cx, port);
        }
        self.leaving.poll(cx);
        let log = &self.log;
        for session in &mut self.sessions {
            if let Some(exit) = session.poll_exit(cx, port) {
                moved = true;
                let how = match exit {
                    Exit::Status(code) => format!("exit status {code}"),
                    Exit::Signal { name, .. } => format!("signal {name}"),
                };
                tracing::debug!(parent: log, "session {}: {} ended, {how}", session.channel.number(), session.what);
            }
        }
        moved | self.obey(cx, port)
    }
}
