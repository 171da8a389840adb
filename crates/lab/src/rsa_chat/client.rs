//! The client: a name, a handshake in five steps, a chat.

use super::session::{CONFIRMATION, Event, Session};
use crate::console::{Console, Effect, Effects, Input, SERVER};
use crate::fix::Repairs;
use crate::{MAX_FRAME, Moment, Protocol, Randomness};
use nacre_wire::text::clean_line;

/// Columns of the rules around the handshake.
const RULE: usize = 70;
/// Columns of those around the welcome.
const BOX: usize = 50;
const PROMPT: &str = "You: ";
const QUIT: &str = "/quit";

/// Where the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    AskName,
    Handshake,
    Chat,
    Over,
}

/// The client.
pub struct Client {
    host: String,
    port: u16,
    session: Session,
    name: String,
    stage: Stage,
    effects: Effects,
}

impl Client {
    /// A client of the server at `host`, an address, and `port`.
    pub fn new(repairs: &Repairs, random: &Randomness, host: &str, port: u16) -> Self {
        let session = Session::client(repairs, random.part(&format!("{} client", Protocol::RsaChat.name())));
        let (host, effects) = (host.to_owned(), Effects::default());
        Self { host, port, session, name: String::new(), stage: Stage::AskName, effects }
    }

    fn start(&mut self) {
        let rule = "=".repeat(RULE);
        self.effects.print(format!(
            "ENCRYPTED CHAT CLIENT (SSL-LIKE HANDSHAKE)\n\
             {rule}\n\
             Server: {}:{}\n\
             Security: RSA-2048 + AES-256 encryption\n\
             {rule}\n",
            self.host, self.port
        ));
        self.effects.push(Effect::Prompt("Enter your username: ".to_owned()));
    }

    fn named(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.stage = Stage::Handshake;
        self.effects.print(format!("\nConnecting to server at {}:{}...", self.host, self.port));
        self.effects.push(Effect::Connect);
    }

    fn connected(&mut self) {
        let rule = "=".repeat(RULE);
        self.effects.print(format!(
            "✓ TCP connection established\n\
             \n\
             {rule}\n                    \
             INITIATING SECURE HANDSHAKE\n\
             {rule}\n\
             [1/5] Receiving server's RSA public key..."
        ));
    }

    /// Does what the session has come to.
    fn work(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Exchanged { bits, pem, prefix, sealed } => self.effects.print(format!(
                    "      ✓ Received RSA-{bits} public key ({pem} bytes)\n\
                     [2/5] Generating AES-256 symmetric key...\n      \
                     ✓ Generated AES-256 key: {prefix}...\n\
                     [3/5] Encrypting AES key with server's RSA public key...\n      \
                     ✓ Encrypted AES key ({sealed} bytes)\n\
                     [4/5] Sending encrypted AES key to server...\n      \
                     ✓ Sent encrypted key\n\
                     [5/5] Receiving encrypted confirmation from server..."
                )),
                Event::Confirmed => self.confirmed(),
                Event::Text(text) => self.heard(&clean_line(&text, MAX_FRAME)),
                Event::Broken(fault) => self.stop(&format!("✗ Connection closed: {fault}")),
                Event::Step(step) => self.effects.step(SERVER, *step),
                Event::KeyReceived { .. } | Event::Name(_) => {}
            }
        }
        self.effects.send(SERVER, self.session.take_output());
    }

    fn confirmed(&mut self) {
        let (rule, short) = ("=".repeat(RULE), "=".repeat(BOX));
        self.stage = Stage::Chat;
        self.session.say(&self.name);
        let proof = self.session.take_proof_line().map(|line| format!("      ✓ {line}\n")).unwrap_or_default();
        self.effects.print(format!(
            "      ✓ Handshake confirmed: {CONFIRMATION}\n\
             {proof}\
             \n\
             {rule}\n                  \
             ✓ SECURE CHANNEL ESTABLISHED\n         \
             All communication will be encrypted with AES-256\n\
             {rule}\n\
             \n\
             {short}\n\
             ✓ Secure connection established!\n\
             Welcome {}!\n\
             All messages are encrypted with AES-256\n\
             {short}\n",
            clean_line(self.name.as_bytes(), MAX_FRAME)
        ));
        self.effects.push(Effect::Prompt(PROMPT.to_owned()));
    }

    fn heard(&mut self, line: &str) {
        self.effects.print(format!("{line}\n"));
        if self.stage == Stage::Chat {
            self.effects.push(Effect::Prompt(PROMPT.to_owned()));
        }
    }

    fn typed(&mut self, line: &str) {
        if line == QUIT {
            return self.leave();
        }
        if !line.is_empty() {
            self.session.say(line);
            self.work();
        }
        self.effects.push(Effect::Prompt(PROMPT.to_owned()));
    }

    /// Says goodbye, and still shows what comes.
    fn leave(&mut self) {
        self.stage = Stage::Over;
        self.session.say(QUIT);
        self.work();
        self.effects.push(Effect::Leave);
    }

    fn stop(&mut self, line: &str) {
        self.stage = Stage::Over;
        self.effects.print(line);
        self.effects.push(Effect::Close { id: SERVER });
        self.effects.push(Effect::Stop { good: false });
    }
}

impl Console for Client {
    fn handle(&mut self, _now: Moment, input: Input<'_>) {
        match (input, self.stage) {
            (Input::Start, _) => self.start(),
            (Input::Connected { .. }, _) => self.connected(),
            (Input::Received { bytes, .. }, _) => {
                self.session.receive(bytes);
                self.work();
            }
            (Input::Closed { .. }, Stage::Over) => self.effects.push(Effect::Stop { good: true }),
            (Input::Closed { .. }, _) => self.stop("✗ The server closed the connection"),
            (Input::Line(Some(name)), Stage::AskName) => self.named(name),
            (Input::Line(None), Stage::AskName) => self.effects.push(Effect::Stop { good: true }),
            (Input::Line(Some(line)), Stage::Chat) => self.typed(line),
            (Input::Line(None), Stage::Chat) => self.leave(),
            (Input::Line(_) | Input::Ran { .. }, _) => {}
        }
    }

    fn wants_line(&self) -> bool {
        matches!(self.stage, Stage::AskName | Stage::Chat)
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.next()
    }
}
