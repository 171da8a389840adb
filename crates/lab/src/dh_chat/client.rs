//! The client: one session, what is typed and what is heard.

use super::Settings;
use super::session::{EXIT, Event, Session};
use crate::console::{Console, Effect, Effects, Input, SERVER};
use crate::fix::Repairs;
use crate::{MAX_FRAME, Moment, Protocol, Randomness};
use nacre_wire::text::clean_line;

/// The client.
pub struct Client {
    host: String,
    port: u16,
    session: Session,
    established: bool,
    over: bool,
    effects: Effects,
}

impl Client {
    /// A client of the server at `host` and `port`.
    pub fn new(settings: Settings, repairs: &Repairs, random: &Randomness, host: &str, port: u16) -> Self {
        let random = random.part(&format!("{} client", Protocol::DhChat.name()));
        let session = Session::client(settings, repairs, random);
        let host = host.to_owned();
        Self { host, port, session, established: false, over: false, effects: Effects::default() }
    }

    /// Does what the session has come to.
    fn work(&mut self) {
        self.effects.send(SERVER, self.session.take_output());
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Established => {
                    self.established = true;
                    if let Some(line) = self.session.take_proof_line() {
                        self.effects.print(format!("[*] {line}"));
                    }
                    self.effects.print("[*] Secure connection established!");
                    self.effects.print("[*] You can now send encrypted messages. Type 'exit' to quit.\n");
                }
                Event::Text(text) => {
                    self.effects.print(format!("[Server]: {}", clean_line(&text, MAX_FRAME)));
                }
                Event::Left => self.stop("[*] The server left", true),
                Event::Broken(fault) => self.stop(&format!("[!] Connection closed: {fault}"), false),
                Event::Step(step) => self.effects.step(SERVER, *step),
            }
        }
    }

    fn stop(&mut self, line: &str, good: bool) {
        self.over = true;
        self.effects.end(line, good);
    }

    fn leave(&mut self) {
        self.over = true;
        self.session.leave();
        self.work();
        self.effects.push(Effect::Leave);
    }
}

impl Console for Client {
    fn handle(&mut self, _now: Moment, input: Input<'_>) {
        match input {
            Input::Start => {
                self.effects.print(format!("[*] Connecting to {}:{}...", self.host, self.port));
                self.effects.push(Effect::Connect);
            }
            Input::Connected { .. } => self.effects.print("[*] Connected to server"),
            Input::Received { bytes, .. } => {
                self.session.receive(bytes);
                self.work();
            }
            Input::Closed { .. } if self.over => self.effects.push(Effect::Stop { good: true }),
            Input::Closed { .. } => self.stop("[!] The server closed the connection", false),
            Input::Line(None) | Input::Line(Some(EXIT)) => self.leave(),
            Input::Line(Some(line)) if !line.is_empty() => {
                self.session.say(line);
                self.work();
            }
            Input::Line(Some(_)) | Input::Ran { .. } => {}
        }
    }

    fn wants_line(&self) -> bool {
        self.established && !self.over
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.next()
    }
}
