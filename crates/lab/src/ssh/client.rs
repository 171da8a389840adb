//! The client: one connection, its login by key, and one session in which lines are said.

use super::end::End;
use super::{Settings, USER};
use crate::console::{Console, Effect, Effects, Input, SERVER};
use crate::{Fault, Moment, Protocol};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::login::client::{Attempt, ChooseMethod};
use nacre_proto::{Event, HostKeyDecision, LocalChannel, Pending};

/// Typed to end the conversation.
const EXIT: &str = "exit";

/// The client of somebody who knows the server's key.
pub struct Client {
    settings: Settings,
    end: End,
    host: String,
    session: Option<LocalChannel>,
    tried: bool,
    over: bool,
    effects: Effects,
}

impl Client {
    /// A client of the server at `host`.
    ///
    /// # Errors
    /// The system's generator failed.
    pub fn new(settings: &Settings, host: &str) -> Result<Self, Fault> {
        let end = End::client(settings).map_err(|_| Fault::Cryptography)?;
        Ok(Self {
            settings: settings.clone(),
            end,
            host: host.to_owned(),
            session: None,
            tried: false,
            over: false,
            effects: Effects::default(),
        })
    }

    /// Does what the connection has come to.
    fn work(&mut self) {
        while let Some(event) = self.end.poll_event() {
            self.tell_numbers();
            self.event(event);
        }
        let out = self.end.take_output();
        self.tell_numbers();
        self.effects.send(SERVER, out);
        if let Some(error) = self.end.error().filter(|_| !self.over) {
            let line = format!("[!] Connection closed: {error}");
            self.stop(line);
        }
    }

    fn tell_numbers(&mut self) {
        for line in self.end.take_numbers() {
            self.effects.print(line);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::HostKey { pending, host_key, .. } => {
                let known = host_key == self.settings.host_key.public_blob();
                let decision = if known { HostKeyDecision::Accept } else { HostKeyDecision::Refuse };
                self.end.answer(pending, decision);
            }
            Event::ChooseMethod { pending, server_sig_algs, .. } => self.log_in(pending, server_sig_algs.as_deref()),
            Event::SignRequest { pending, algorithm, data, .. } => {
                self.end.answer(pending, self.settings.user_key.sign(algorithm, &data).ok());
            }
            Event::Authenticated { .. } => {
                self.effects.print(format!("[*] Logged in as {USER}"));
                self.end.open_session();
            }
            Event::Opened { channel, .. } => {
                self.session = Some(channel);
                self.effects.print("[*] Secure connection established! Type 'exit' to quit.");
            }
            Event::Data { channel, data, .. } => {
                for line in self.end.take_lines(channel, &data) {
                    self.effects.print(format!("[Server]: {line}"));
                }
            }
            Event::Global { pending: Some(pending), .. } => self.end.answer(pending, None),
            _ => {}
        }
    }

    /// Answers the question how to log in: with the key, once.
    fn log_in(&mut self, pending: Pending<ChooseMethod>, server_sig_algs: Option<&[String]>) {
        if std::mem::replace(&mut self.tried, true) {
            return self.end.answer(pending, Attempt::GiveUp);
        }
        let known = match server_sig_algs {
            Some(names) => format!("The server says what else it can do (server-sig-algs: {})", names.join(",")),
            None => "The server does not say what else it can do (no EXT_INFO)".to_owned(),
        };
        self.effects.print(format!("[*] {known}"));
        let public_key = self.settings.user_key.public_blob().to_vec();
        let attempt = Attempt::PublicKey { algorithm: SignatureAlgorithm::Ed25519, public_key, probe: false };
        self.end.answer(pending, attempt);
    }

    fn stop(&mut self, line: impl Into<String>) {
        self.over = true;
        self.effects.end(line, false);
    }

    fn leave(&mut self) {
        self.over = true;
        self.end.leave();
        self.work();
        self.effects.push(Effect::Leave);
    }
}

impl Console for Client {
    fn handle(&mut self, _now: Moment, input: Input<'_>) {
        match input {
            Input::Start => {
                self.effects.print(format!("[*] Connecting to {}:{}...", self.host, Protocol::Ssh.port()));
                self.effects.push(Effect::Connect);
            }
            Input::Connected { .. } => {
                self.effects.print("[*] Connected to server");
                self.work();
            }
            Input::Received { bytes, .. } => {
                self.end.receive(bytes);
                self.work();
            }
            Input::Closed { .. } if self.over => self.effects.push(Effect::Stop { good: true }),
            Input::Closed { .. } => self.stop("[!] The server closed the connection"),
            Input::Line(None) | Input::Line(Some(EXIT)) => self.leave(),
            Input::Line(Some(line)) => {
                if let Some(session) = self.session.filter(|_| !line.is_empty()) {
                    self.end.say(session, line);
                    self.work();
                }
            }
            Input::Ran { .. } => {}
        }
    }

    fn wants_line(&self) -> bool {
        self.session.is_some() && !self.over
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.next()
    }
}
