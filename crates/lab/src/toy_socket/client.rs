//! The client: a message, an answer, the next message.

use super::session::{EXIT, Event, Session};
use super::{MAX_LINE, MAX_TEXT};
use crate::console::{Console, Effect, Effects, Input, SERVER};
use crate::fix::Repairs;
use crate::{Fault, Moment, Protocol, Randomness};
use nacre_wire::Role;
use nacre_wire::text::clean_line;

const PROMPT: &str = "Enter message (EXIT to quit): ";

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Handshake,
    Message,
    Answer,
    Over,
}

/// The client.
pub struct Client {
    host: String,
    port: u16,
    session: Session,
    stage: Stage,
    effects: Effects,
}

impl Client {
    /// A client of the server at `host`, an address, and `port`, with RSA primes of `bits`.
    ///
    /// # Errors
    /// A size that cannot be had.
    pub fn new(bits: u32, repairs: &Repairs, random: &Randomness, host: &str, port: u16) -> Result<Self, Fault> {
        let random = random.part(&format!("{} client", Protocol::ToySocket.name()));
        let session = Session::new(Role::Client, bits, repairs, random)?;
        Ok(Self { host: host.to_owned(), port, session, stage: Stage::Handshake, effects: Effects::default() })
    }

    /// Does what the session has come to.
    fn work(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Established => {
                    self.effects.print("Shared secret and RSA keys exchanged");
                    if let Some(line) = self.session.take_proof_line() {
                        self.effects.print(format!("Note: {line}"));
                    }
                    self.ask();
                }
                Event::Text(text) => self.answered(&format!("Authenticated: {}", clean_line(&text, MAX_LINE))),
                Event::Rejected(what) => self.answered(&format!("The answer is not genuine: {what}")),
                Event::Error(line) => self.answered(&line),
                Event::Left => self.stop("The server left", true),
                Event::Broken(fault) => self.stop(&format!("Connection closed: {fault}"), false),
                Event::Step(step) => self.effects.step(SERVER, *step),
            }
        }
        self.effects.send(SERVER, self.session.take_output());
    }

    fn ask(&mut self) {
        self.stage = Stage::Message;
        self.effects.push(Effect::Prompt(PROMPT.to_owned()));
    }

    fn answered(&mut self, line: &str) {
        self.effects.print(line);
        if matches!(self.stage, Stage::Answer | Stage::Message) {
            self.ask();
        }
    }

    fn typed(&mut self, line: &str) {
        if line == EXIT {
            return self.leave();
        }
        if line.len() > MAX_TEXT {
            self.effects.print(format!("Too long: a message has at most {MAX_TEXT} bytes"));
        }
        if line.is_empty() || line.len() > MAX_TEXT {
            return self.ask();
        }
        self.stage = Stage::Answer;
        self.session.say(line.as_bytes());
        self.work();
    }

    fn leave(&mut self) {
        self.stage = Stage::Over;
        self.session.leave();
        self.work();
        self.effects.push(Effect::Leave);
    }

    fn stop(&mut self, line: &str, good: bool) {
        self.stage = Stage::Over;
        self.effects.print(line);
        self.effects.send(SERVER, self.session.take_output());
        self.effects.push(Effect::Close { id: SERVER });
        self.effects.push(Effect::Stop { good });
    }
}

impl Console for Client {
    fn handle(&mut self, _now: Moment, input: Input<'_>) {
        match input {
            Input::Start => {
                self.effects.print(format!("Connecting to {}:{}...", self.host, self.port));
                self.effects.push(Effect::Connect);
            }
            Input::Connected { .. } => self.work(),
            Input::Received { bytes, .. } => {
                self.session.receive(bytes);
                self.work();
            }
            Input::Closed { .. } if self.stage == Stage::Over => self.effects.push(Effect::Stop { good: true }),
            Input::Closed { .. } => self.stop("The server closed the connection", false),
            Input::Line(Some(line)) => self.typed(line),
            Input::Line(None) => self.leave(),
            Input::Ran { .. } => {}
        }
    }

    fn wants_line(&self) -> bool {
        self.stage == Stage::Message
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.next()
    }
}
