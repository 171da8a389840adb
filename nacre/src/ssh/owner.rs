//! The owner of a client's connection: it passes questions to the login, runs the session, and
//! decides when the connection ends.

use super::ask::{self, Interrupted};
use super::forward::{self, ForwardedAgent, Tunnels, Verdict};
use super::host_key::Checked;
use super::host_key_update::HostKeyUpdate;
use super::local_command;
use super::log::Log;
use super::login::Login;
use super::plan::Plan;
use super::session::{Exit, Outcome, Session};
use super::share::{Master, Wish};
use super::signals::{Came, Signals};
use super::stage::Stage;
use nacre_config::client::{ClientOptions, LogLevel};
use nacre_net::forward::limit_idling;
use nacre_net::{Owner, Port, PumpEvent};
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::client::{AnswerPrompts, Attempt, ChangePassword, ChooseMethod, PasswordChange, SignRequest};
use nacre_proto::{Event, HostKeyDecision, HostKeyQuestion, LocalChannel, OpenAnswer, OpenChannel, Pending};
use nacre_sys::background::Foreground;
use nacre_wire::forward::ForwardOpen;
use nacre_wire::text::{clean, clean_line};
use nacre_wire::{names, reason};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a question that is not needed any more gets to leave the terminal.
const PROMPT_GRACE: Duration = Duration::from_secs(1);
/// The longest text of the server that is shown in a line, in bytes.
const MAX_TEXT: usize = 256;
/// The longest banner shown, in bytes.
const MAX_BANNER: usize = nacre_proto::limits::MAX_BANNER;

/// An answer, with the question it belongs to.
enum Answered {
    HostKey(Pending<HostKeyQuestion>, HostKeyDecision),
    Attempt(Pending<ChooseMethod>, Attempt),
    Signature(Pending<SignRequest>, Option<Vec<u8>>),
    Prompts(Pending<AnswerPrompts>, Option<Vec<SecretBytes>>),
    NewPassword(Pending<ChangePassword>, PasswordChange),
}

/// A question that somebody thinks about; the login comes back with the answer.
type Asking = Pin<Box<dyn Future<Output = (Login, Result<Answered, Interrupted>)>>>;

/// Why we ended the connection ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The session is over.
    Done,
    /// The person pressed Ctrl-C at a question.
    Interrupted,
    /// A signal came.
    Signal(i32),
    /// The server does not do what was asked for.
    Refused(String),
    /// A forwarding cannot be had, and the connection is nothing without it; the line says which.
    Failed(String),
}

/// What is left to tell when the connection is over.
pub struct Story {
    /// Why we ended it; `None` when something else did.
    pub end: Option<End>,
    /// How the remote process ended.
    pub exit: Option<Exit>,
    /// There was a terminal.
    pub had_terminal: bool,
    /// The login was done.
    pub authenticated: bool,
}

/// The owner.
pub struct ClientOwner {
    options: Arc<ClientOptions>,
    log: Log,
    plan: Option<Plan>,
    login: Option<Login>,
    asking: Option<Asking>,
    /// The key that was used goes to the agent.
    keeping: Option<Pin<Box<dyn Future<Output = ()>>>>,
    updates: HostKeyUpdate,
    session: Option<Session>,
    tunnels: Tunnels,
    master: Master,
    signals: Option<Signals>,
    /// Who waits in the front.
    front: Option<Foreground>,
    /// The front goes on when everything is set up.
    to_background: bool,
    /// It becomes a guest of ours then.
    carries_front: bool,
    authenticated: bool,
    /// The session runs, or there is to be none.
    started: bool,
    /// The session is over, and only connections that go through keep us.
    session_over: bool,
    /// `-W` came to its end.
    stdio_done: bool,
    end: Option<End>,
}

impl ClientOwner {
    /// An owner for one login. `front` is who waits until we go to the background or end.
    pub fn new(
        options: Arc<ClientOptions>,
        login: Login,
        plan: Plan,
        agent: ForwardedAgent,
        front: Option<Foreground>,
        log: Log,
    ) -> Self {
        Self {
            updates: HostKeyUpdate::new(&options, log.clone()),
            tunnels: Tunnels::new(Arc::clone(&options), agent, log.clone()),
            master: Master::new(Arc::clone(&options), log.clone()),
            to_background: plan.background,
            options,
            log,
            plan: Some(plan),
            login: Some(login),
            asking: None,
            keeping: None,
            session: None,
            signals: None,
            front,
            carries_front: false,
            authenticated: false,
            started: false,
            session_over: false,
            stdio_done: false,
            end: None,
        }
    }

    /// The connection is over: the terminal is given back, and what is left is told.
    pub async fn finish(mut self) -> Story {
        if let Some(asking) = self.asking.take() {
            ask::give_up();
            let _ = tokio::time::timeout(PROMPT_GRACE, asking).await;
        }
        if let Some(session) = &mut self.session {
            session.leave_terminal();
        }
        if matches!(self.end, Some(End::Done)) {
            self.updates.ask().await;
        }
        // Its patience is bounded by itself.
        if let Some(keeping) = self.keeping.take() {
            keeping.await;
        }
        Story {
            end: self.end,
            exit: match self.stdio_done {
                true => Some(Exit::Status(0)),
                false => self.session.as_ref().and_then(|session| session.exit().cloned()),
            },
            had_terminal: self.session.as_ref().is_some_and(Session::has_terminal),
            authenticated: self.authenticated,
        }
    }

    /// Begins to answer a question.
    fn begin<F, R>(&mut self, think: F)
    where
        F: FnOnce(Login) -> R,
        R: Future<Output = (Login, Result<Answered, Interrupted>)> + 'static,
    {
        if let Some(login) = self.login.take() {
            self.asking = Some(Box::pin(think(login)));
        }
    }

    /// Questions of the login. Hands other events back.
    fn on_question(&mut self, port: &Port<'_>, event: Event) -> Option<Event> {
        match event {
            Event::HostKey { pending, host_key, .. } => {
                self.begin(|mut login| async move {
                    let decision = login.host_key(&host_key).await;
                    (login, decision.map(|d| Answered::HostKey(pending, d)))
                });
            }
            Event::ChooseMethod { pending, methods, server_sig_algs, .. } => {
                let id = port.connection.session_id().map(|id| id.as_bytes().to_vec()).unwrap_or_default();
                self.begin(|mut login| async move {
                    let attempt = login.choose(&id, &methods, server_sig_algs.as_deref()).await;
                    (login, attempt.map(|a| Answered::Attempt(pending, a)))
                });
            }
            Event::SignRequest { pending, algorithm, public_key, data } => {
                self.begin(|mut login| async move {
                    let signature = login.sign(algorithm, &public_key, &data).await;
                    (login, signature.map(|s| Answered::Signature(pending, s)))
                });
            }
            Event::Prompts { pending, request } => {
                self.begin(|mut login| async move {
                    let answers = login.prompts(&request).await;
                    (login, answers.map(|a| Answered::Prompts(pending, a)))
                });
            }
            Event::ChangePassword { pending, prompt } => {
                self.begin(|mut login| async move {
                    let change = login.change_password(&prompt).await;
                    (login, change.map(|c| Answered::NewPassword(pending, c)))
                });
            }
            other => return Some(other),
        }
        None
    }

    /// Passes on an answer that is there. An error ends the connection, which keeps it.
    fn poll_answer(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let Some(asking) = &mut self.asking else { return false };
        let Poll::Ready((login, answered)) = asking.as_mut().poll(cx) else { return false };
        self.asking = None;
        self.login = Some(login);
        let (connection, now) = (&mut *port.connection, port.now);
        let _ = match answered {
            Ok(Answered::HostKey(pending, answer)) => connection.answer(now, pending, answer),
            Ok(Answered::Attempt(pending, answer)) => connection.answer(now, pending, answer),
            Ok(Answered::Signature(pending, answer)) => connection.answer(now, pending, answer),
            Ok(Answered::Prompts(pending, answer)) => connection.answer(now, pending, answer),
            Ok(Answered::NewPassword(pending, answer)) => connection.answer(now, pending, answer),
            Err(Interrupted) => {
                self.end(port, End::Interrupted);
                Ok(())
            }
        };
        true
    }

    /// Ends the connection on purpose. The first reason stays.
    fn end(&mut self, port: &mut Port<'_>, end: End) {
        self.end.get_or_insert(end);
        self.master.stop();
        // Nobody waits any more for what a slow reader has not taken.
        port.pumps.abandon();
        port.connection.disconnect(port.now, reason::disconnect::BY_APPLICATION, "disconnected by user");
    }

    fn on_outcome(&mut self, port: &mut Port<'_>, outcome: Option<Outcome>) {
        match outcome {
            None => {}
            Some(Outcome::Done) => {
                self.session_over = true;
                if let Some(session) = &mut self.session {
                    session.leave_terminal();
                }
                self.end_if_over(port);
            }
            Some(Outcome::Disconnect) => self.end(port, End::Done),
            Some(Outcome::List) => self.list(),
            Some(Outcome::CommandLine) => match &mut self.session {
                Some(session) if self.options.enable_escape_commandline => session.open_command_line(),
                _ => self.log.tell("commandline disabled"),
            },
            Some(Outcome::Command(line)) if line.starts_with('!') && self.options.permit_local_command => {
                if let Some(session) = &mut self.session {
                    session.step_aside(|log| local_command::run(line.trim_start_matches('!'), log));
                }
            }
            Some(Outcome::Suspend) => {
                if let Some(session) = &mut self.session {
                    session.suspend(port);
                }
            }
            Some(Outcome::Command(line)) => {
                let answer = self.tunnels.command(port, &line);
                self.log.tell(&answer);
            }
            Some(Outcome::Refused(what)) => self.end(port, End::Refused(what)),
        }
    }

    /// As with ssh, connections that go through are not cut when the session ends, and what its host says of its keys is heard.
    fn end_if_over(&mut self, port: &mut Port<'_>) {
        let busy = self.tunnels.is_busy() || self.master.is_busy() || self.updates.is_waiting();
        if self.session_over && self.end.is_none() && !busy {
            self.end(port, End::Done);
        }
    }

    /// What a forwarding came to.
    fn on_verdict(&mut self, port: &mut Port<'_>, verdict: Verdict) {
        match verdict {
            Verdict::Fine => {
                self.leave_the_front();
                self.end_if_over(port);
            }
            Verdict::Fatal(line) => self.end(port, End::Failed(line)),
            Verdict::Done => {
                self.stdio_done = true;
                self.end(port, End::Done);
            }
        }
    }

    /// `~#`.
    fn list(&self) {
        let session = self.session.as_ref().map(|session| format!("\n  #{} client-session", session.number()));
        let (session, shared, tunnels) = (session.unwrap_or_default(), self.master.list(), self.tunnels.list());
        self.log.tell(&format!("The following connections are open:{session}{shared}{tunnels}"));
    }

    fn on_authenticated(&mut self, port: &mut Port<'_>, methods: &[String]) {
        self.authenticated = true;
        let host = &self.options.host_name;
        let by = methods.join(",");
        self.log.verbose(&format!("Authenticated to {host} using \"{by}\"."));
        // Threat H9: nobody proved anything to this server, and a question that follows is its own.
        if !self.login.as_ref().is_some_and(|login| login.used_credential(methods)) {
            if self.options.refuse_none_auth {
                let what = "the server let this login in without any credential, and RefuseNoneAuth is set";
                return self.end(port, End::Refused(what.to_owned()));
            }
            self.log.info(&format!(
                "NOTICE: {host} let this login in without any credential. A password or passphrase that is \
                 asked for from here on is asked for by the server."
            ));
        }
        if let Some(keep) = self.login.as_mut().and_then(Login::keep_key) {
            self.keeping = Some(Box::pin(keep));
        }
        match Signals::new() {
            Ok(signals) => self.signals = Some(signals),
            Err(error) => self.log.error(&format!("signals cannot be caught: {error}")),
        }
        let Some(mut plan) = self.plan.take() else { return };
        let knows_extensions = knows_extensions(&port.connection.peer_ident().unwrap_or_default());
        let trusted = self.login.as_ref().and_then(Login::checked) != Some(Checked::Distrusted);
        // Those who share a connection do not see what its first user was warned of.
        if trusted && let Err(line) = self.master.listen(knows_extensions) {
            return self.end(port, End::Failed(line));
        }
        self.persist(&mut plan);
        let verdict = self.tunnels.start(port, plan.stdio_forward.as_ref(), trusted);
        self.on_verdict(port, verdict);
        if self.end.is_some() {
            return;
        }
        if plan.start.is_none() {
            if !self.carries_front {
                self.run_local_command();
            }
            self.started = true;
            return self.leave_the_front();
        }
        let stage = match Stage::own(&self.options, plan.stdin_null, self.log.clone()) {
            Ok(stage) => stage,
            Err(error) => return self.end(port, End::Refused(format!("standard input and output: {error}"))),
        };
        match port.connection.open_channel(port.now, names::CHANNEL_SESSION, b"") {
            Ok(channel) => {
                limit_idling(port, channel, self.options.channel_timeouts.of(names::CHANNEL_SESSION));
                self.session = Some(Session::new(channel, plan, stage, knows_extensions));
            }
            Err(error) => return self.end(port, End::Refused(error.to_string())),
        }
        self.run_local_command();
        if knows_extensions && !Master::is_wanted(&self.options) {
            let _ = port.connection.global_request(port.now, names::NO_MORE_SESSIONS, b"", false);
        }
    }

    fn run_local_command(&self) {
        if let Some(line) = self.options.local_command.as_deref().filter(|_| self.options.permit_local_command) {
            local_command::run(line, &self.log);
        }
    }

    /// `ControlPersist`: the session is the front's, which becomes our first guest.
    fn persist(&mut self, plan: &mut Plan) {
        let Some(idle) = self.options.control_persist.filter(|_| self.master.is_listening() && self.front.is_some())
        else {
            return;
        };
        self.carries_front = plan.start.is_some() || plan.stdio_forward.is_some();
        if plan.start.is_some() {
            self.run_local_command();
        }
        self.master.stay(idle, self.carries_front);
        (plan.start, plan.stdio_forward, plan.terminal) = (None, None, false);
        self.to_background = true;
    }

    fn on_opened(&mut self, port: &mut Port<'_>, channel: LocalChannel) {
        if self.master.on_opened(port, channel, self.tunnels.wants_agent()) {
            return;
        }
        if let Some(verdict) = self.tunnels.on_opened(port, channel) {
            return self.on_verdict(port, verdict);
        }
        let Some(session) = self.session.as_mut().filter(|session| session.is(channel)) else { return };
        match session.start(port, self.options.escape_char, self.tunnels.wants_agent()) {
            Ok(()) => {
                self.started = true;
                self.leave_the_front();
            }
            Err(what) => self.end(port, End::Refused(what)),
        }
    }

    /// `-f`: whoever waits in the front may go on, once everything is set up.
    fn leave_the_front(&mut self) {
        if !self.started || !self.to_background || !self.tunnels.is_settled() {
            return;
        }
        let Some(front) = self.front.take() else { return };
        self.log.debug(|| "going to the background".to_owned());
        let keep_stderr = self.log.is_on_stderr() && self.log.wants(LogLevel::Debug1);
        if let Err(error) = front.release(keep_stderr, u8::from(self.carries_front)) {
            self.log.error(&format!("cannot go to the background: {error}"));
        }
    }

    fn on_global(&mut self, port: &mut Port<'_>, name: &str, data: &[u8]) {
        let Some(login) = &self.login else { return };
        if name == names::HOSTKEYS && matches!(login.checked(), Some(Checked::Known { by_user: true })) {
            self.updates.on_announcement(port, data, login.records(), login.address().map(|address| address.ip()));
        }
    }

    fn on_session_event(&mut self, port: &mut Port<'_>, mut event: Event) {
        if let Event::Request { pending, .. } = &mut event
            && let Some(pending) = pending.take()
        {
            let _ = port.connection.answer(port.now, pending, false);
        }
        if self.master.on_event(port, &event) {
            return;
        }
        let Some(session) = &mut self.session else { return };
        let outcome = match event {
            Event::RequestReply { channel, kind, success } if session.is(channel) => session.on_reply(&kind, success),
            Event::Request { channel, request, .. } if session.is(channel) => {
                session.on_request(port, request);
                None
            }
            Event::OpenFailed { channel, description, .. } if session.is(channel) => {
                let text = clean_line(description.as_bytes(), MAX_TEXT);
                Some(Outcome::Refused(format!("channel {}: open failed: {text}", channel.number())))
            }
            Event::Closed { channel } if session.is(channel) => session.on_closed(port),
            _ => None,
        };
        self.on_outcome(port, outcome);
    }

    /// The server wants a channel. Only for what it was asked to listen on is there one (threat H11).
    fn on_open_request(
        &mut self,
        port: &mut Port<'_>,
        pending: Pending<OpenChannel>,
        channel: LocalChannel,
        kind: &str,
        data: &[u8],
    ) {
        if let Ok(Some(open)) = ForwardOpen::decode(kind, data) {
            return self.tunnels.on_open_request(port, channel, &open, pending);
        }
        self.log.debug(|| format!("the server wants a channel of type {kind}: refused"));
        let answer = OpenAnswer::Reject {
            reason: reason::open::ADMINISTRATIVELY_PROHIBITED,
            description: "not asked for".to_owned(),
        };
        let _ = port.connection.answer(port.now, pending, answer);
    }

    /// What those who share the connection want of it.
    fn on_wish(&mut self, port: &mut Port<'_>, wish: Option<Wish>) {
        match wish {
            None => {}
            Some(Wish::Exit | Wish::Expired) => self.end(port, End::Done),
            Some(Wish::Stopped) => {
                // Without a session of its own it stays for its guests alone.
                self.session_over |= self.session.is_none();
                self.end_if_over(port);
            }
        }
    }

    fn poll_signals(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        match self.signals.as_mut().and_then(|signals| signals.poll(cx)) {
            None => false,
            Some(Came::End(number)) => {
                self.end(port, End::Signal(number));
                true
            }
            Some(Came::WindowChanged) => {
                if let Some(session) = &self.session {
                    session.resize(port);
                }
                self.master.resize(port);
                true
            }
        }
    }
}

/// Whether the peer's identification is that of an OpenSSH, or of ours: as ssh does, only they are
/// sent what OpenSSH has added without a way to ask for it.
fn knows_extensions(ident: &str) -> bool {
    let software = ident.splitn(3, '-').nth(2).unwrap_or_default();
    ["OpenSSH", "Nacre"].iter().any(|name| software.starts_with(name))
}

impl Owner for ClientOwner {
    fn on_event(&mut self, port: &mut Port<'_>, event: Event) {
        let Some(event) = self.on_question(port, event) else { return };
        match event {
            Event::Banner { message } => {
                if self.log.wants(LogLevel::Info) {
                    self.log.tell(&clean(&message, MAX_BANNER));
                }
            }
            Event::Authenticated { methods } => self.on_authenticated(port, &methods),
            Event::Opened { channel, .. } => self.on_opened(port, channel),
            Event::Global { name, data, pending } => {
                self.on_global(port, &name, &data);
                if let Some(pending) = pending {
                    let _ = port.connection.answer(port.now, pending, None);
                }
            }
            Event::GlobalReply { name, data } if name == names::HOSTKEYS_PROVE.as_bytes() => {
                self.updates.on_proof(port, data.as_deref());
                self.end_if_over(port);
            }
            Event::GlobalReply { name, data } if forward::is_request(&name) => {
                let verdict = self.tunnels.on_global_reply(port, data.as_deref());
                self.on_verdict(port, verdict);
            }
            Event::OpenRequest { pending, channel, kind, data } => {
                self.on_open_request(port, pending, channel, &kind, &data)
            }
            Event::Data { channel, data, .. } => {
                if self.tunnels.on_data(port, channel, &data) {
                    return;
                }
                if let Some(mut channel) = port.connection.channel(channel) {
                    channel.consumed(data.len());
                }
            }
            Event::OpenFailed { channel, description, .. } if self.master.on_open_failed(channel, &description) => {}
            Event::OpenFailed { channel, reason, description } => {
                match self.tunnels.on_open_failed(channel, reason, &description) {
                    Some(verdict) => self.on_verdict(port, verdict),
                    None => self.on_session_event(port, Event::OpenFailed { channel, reason, description }),
                }
            }
            Event::Expired { channel } if self.tunnels.on_expired(port, channel) => {}
            Event::Expired { channel } => {
                // A server may agree only once the command has ended: nobody waits for that.
                port.pumps.close_sources(channel);
                port.pumps.end_inbound(channel);
                self.on_session_event(port, Event::Closed { channel });
            }
            Event::Closed { channel } => match self.tunnels.on_closed(channel) {
                Some(verdict) => self.on_verdict(port, verdict),
                None => self.on_session_event(port, Event::Closed { channel }),
            },
            Event::Eof { channel } => self.tunnels.on_eof(channel),
            other => self.on_session_event(port, other),
        }
    }

    fn on_pump(&mut self, port: &mut Port<'_>, event: PumpEvent) {
        if self.master.on_pump(port, &event) {
            return;
        }
        if let Some(verdict) = self.tunnels.on_pump(port, &event) {
            return self.on_verdict(port, verdict);
        }
        let outcome = self.session.as_mut().and_then(|session| session.on_pump(port, &event));
        self.on_outcome(port, outcome);
    }

    fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        if let Some(keeping) = &mut self.keeping
            && keeping.as_mut().poll(cx).is_ready()
        {
            self.keeping = None;
        }
        let mut moved = self.poll_answer(cx, port);
        moved |= self.poll_signals(cx, port);
        if self.updates.poll(cx) {
            moved = true;
            self.end_if_over(port);
        }
        if self.end.is_none() && self.tunnels.poll(cx, port) {
            moved = true;
            self.end_if_over(port);
        }
        if self.end.is_none() {
            let (did, wish) = self.master.poll(cx, port, &mut self.tunnels);
            moved |= did;
            self.on_wish(port, wish);
            if did {
                self.end_if_over(port);
            }
        }
        if let Some(session) = &mut self.session {
            let (did, outcome) = session.poll(cx, port);
            moved |= did;
            self.on_outcome(port, outcome);
        }
        moved
    }

    fn patience(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_go_to_those_who_know_them() {
        for ident in ["SSH-2.0-OpenSSH_9.2p1 Debian-2", "SSH-1.99-OpenSSH_3.9", "SSH-2.0-Nacre_0.1.0"] {
            assert!(knows_extensions(ident), "{ident}");
        }
        for ident in ["SSH-2.0-dropbear_2022.83", "SSH-2.0-mine like OpenSSH_9.2", "OpenSSH", ""] {
            assert!(!knows_extensions(ident), "{ident}");
        }
    }
}
