//! The client: shows what the server asks, and what its commands print.

use super::server::{ASK_NAME, BYE, EXIT, FAILED, OK};
use super::session::{Event, Session};
use crate::console::{Console, Effect, Effects, Input, SERVER};
use crate::fix::Repairs;
use crate::{Fault, MAX_FRAME, Moment, Protocol, Randomness};
use nacre_wire::Role;
use nacre_wire::text::{clean, clean_line};

const PROMPT: &str = "ssh> ";

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The key.
    Connecting,
    /// A question of the server, or the end of its questions.
    Login,
    /// A typed answer.
    Answer,
    /// A typed command.
    Command,
    /// A command's output.
    Output,
    /// What answers `exit`.
    Bye,
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
    /// A client of the server at `host` and `port`.
    ///
    /// # Errors
    /// The system's generator failed.
    pub fn new(repairs: &Repairs, random: &Randomness, host: &str, port: u16) -> Result<Self, Fault> {
        let random = random.part(&format!("{} client", Protocol::MiniSsh.name()));
        let session = Session::new(Role::Client, repairs, random)?;
        Ok(Self { host: host.to_owned(), port, session, stage: Stage::Connecting, effects: Effects::default() })
    }

    /// Does what the session has come to.
    fn work(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Established => {
                    self.stage = Stage::Login;
                    self.effects.print("[+] Session key established");
                    if let Some(line) = self.session.take_proof_line() {
                        self.effects.print(format!("[+] {line}"));
                    }
                }
                Event::Text(text) => self.heard(&text),
                Event::Broken(fault) => self.stop(&format!("[-] Connection closed: {fault}"), false),
                Event::Step(step) => self.effects.step(SERVER, *step),
            }
        }
        self.effects.send(SERVER, self.session.take_output());
    }

    fn heard(&mut self, text: &[u8]) {
        match self.stage {
            Stage::Login | Stage::Answer if text == OK.as_bytes() => {
                self.session.logged_in();
                self.effects.print("[+] Authentication successful");
                self.ask_command();
            }
            Stage::Login | Stage::Answer if text == FAILED.as_bytes() => {
                self.effects.print("[-] Authentication failed")
            }
            Stage::Login | Stage::Answer => {
                self.stage = Stage::Answer;
                let prompt = if text == ASK_NAME.as_bytes() { Effect::Prompt } else { Effect::PromptHidden };
                self.effects.push(prompt(clean_line(text, MAX_FRAME)));
            }
            Stage::Bye if text == BYE.as_bytes() => self.stop(BYE, true),
            _ => {
                let text = clean(text, MAX_FRAME);
                if !text.is_empty() {
                    self.effects.print(text.strip_suffix('\n').unwrap_or(&text));
                }
                if self.stage == Stage::Output {
                    self.ask_command();
                }
            }
        }
    }

    fn ask_command(&mut self) {
        self.stage = Stage::Command;
        self.effects.push(Effect::Prompt(PROMPT.to_owned()));
    }

    fn typed(&mut self, now: Moment, line: &str) {
        if self.stage == Stage::Answer {
            self.stage = Stage::Login;
        } else if line.trim() == EXIT {
            return self.leave(now);
        } else if line.trim().is_empty() {
            return self.ask_command();
        } else {
            self.stage = Stage::Output;
        }
        self.session.say(now, line.as_bytes());
        self.work();
    }

    fn leave(&mut self, now: Moment) {
        self.stage = Stage::Bye;
        self.session.say(now, EXIT.as_bytes());
        self.work();
        self.effects.push(Effect::Leave);
    }

    fn stop(&mut self, line: &str, good: bool) {
        self.stage = Stage::Over;
        self.effects.print(line);
        self.effects.push(Effect::Close { id: SERVER });
        self.effects.push(Effect::Stop { good });
    }
}

impl Console for Client {
    fn handle(&mut self, now: Moment, input: Input<'_>) {
        match input {
            Input::Start => {
                self.effects.print(format!("[*] Connecting to {}:{}...", self.host, self.port));
                self.effects.push(Effect::Connect);
            }
            Input::Connected { .. } => self.work(),
            Input::Received { bytes, .. } => {
                self.session.receive(bytes);
                self.work();
            }
            Input::Closed { .. } => match self.stage {
                Stage::Over => {}
                Stage::Bye => self.effects.push(Effect::Stop { good: true }),
                _ => self.stop("[-] The server closed the connection", false),
            },
            Input::Line(Some(line)) => self.typed(now, line),
            Input::Line(None) if self.stage == Stage::Command => self.leave(now),
            // There is no goodbye before the login.
            Input::Line(None) => self.stop("", true),
            Input::Ran { .. } => {}
        }
    }

    fn wants_line(&self) -> bool {
        matches!(self.stage, Stage::Answer | Stage::Command)
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.next()
    }
}
