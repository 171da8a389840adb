//! One end of one connection.

use super::key::{PublicKey, ServerKey};
use super::prefix;
use crate::cbc::{CbcKey, KEY_LEN};
use crate::frame::{Blobs, blob};
use crate::{Fault, Randomness, Row, Step};
use data_encoding::{BASE64, HEXLOWER};
use nacre_wire::Role;
use nacre_wire::text::clean_line;
use std::collections::VecDeque;

/// What the server says when it has the key.
pub(super) const CONFIRMATION: &str = "HANDSHAKE_OK";
/// The answer to what cannot be opened.
const REJECTED: &str = "[SYSTEM] Message rejected: decryption failed";

/// What came of the peer's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Client: the server's public key came, and the AES key went out under it.
    Exchanged {
        /// Bits of the server's key.
        bits: usize,
        /// Bytes of its PEM.
        pem: usize,
        /// How the AES key begins.
        prefix: String,
        /// Bytes of the encrypted AES key.
        sealed: usize,
    },
    /// Client: the server has the key.
    Confirmed,
    /// Server: the AES key came, and the confirmation went out.
    KeyReceived {
        /// How the AES key begins.
        prefix: String,
        /// Bytes of the encrypted AES key.
        sealed: usize,
    },
    /// Server: the client says its name. [`Session::accept`] it, or say why not and close.
    Name(Vec<u8>),
    /// The peer said something.
    Text(Vec<u8>),
    /// The connection must be closed.
    Broken(Fault),
    /// For whoever watches.
    Step(Box<Step>),
}

/// What is waited for.
enum State {
    AwaitPublicKey,
    AwaitConfirmation(CbcKey),
    AwaitKey(ServerKey),
    AwaitName(CbcKey),
    /// A name that nobody has taken or refused yet.
    Named(CbcKey),
    Open(CbcKey),
    Over,
}

/// One end.
pub struct Session {
    role: Role,
    random: Randomness,
    blobs: Blobs,
    state: State,
    out: Vec<u8>,
    events: VecDeque<Event>,
}

impl Session {
    /// The client's end.
    pub fn client(random: Randomness) -> Self {
        Self::new(Role::Client, random, State::AwaitPublicKey)
    }

    /// The server's end, which speaks first.
    pub fn server(key: &ServerKey, random: Randomness) -> Self {
        let mut session = Self::new(Role::Server, random, State::AwaitKey(key.clone()));
        session.out = blob(key.pem().as_bytes());
        session.tell_public_key(key.pem().as_bytes());
        session
    }

    fn new(role: Role, random: Randomness, state: State) -> Self {
        Self { role, random, blobs: Blobs::default(), state, out: Vec::new(), events: VecDeque::new() }
    }

    /// Takes in what the peer sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.blobs.push(bytes);
        self.proceed();
    }

    /// Takes all blobs that are there; what follows a name waits until the name is taken.
    fn proceed(&mut self) {
        while !matches!(self.state, State::Over | State::Named(_)) {
            let taken = match self.blobs.next() {
                Ok(Some(blob)) => self.blob(&blob),
                Ok(None) => return,
                Err(fault) => Err(fault),
            };
            if let Err(fault) = taken {
                self.broken(fault);
            }
        }
    }

    /// Server: the client's name is taken.
    pub fn accept(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Named(key) => State::Open(key),
            other => other,
        };
        self.proceed();
    }

    /// Says a line. Before both ends have the key it is lost.
    pub fn say(&mut self, text: &str) {
        if let Err(fault) = self.seal(text.as_bytes()) {
            self.broken(fault);
        }
    }

    /// Ends it on our side; nothing the peer sends afterwards counts.
    pub fn end(&mut self, text: &str) {
        self.state = State::Over;
        self.tell(Step::new(Row::End, 9, self.role, "quit", text));
    }

    /// Bytes for the peer.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// What came of the peer's bytes.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn blob(&mut self, blob: &[u8]) -> Result<(), Fault> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitPublicKey => self.send_key(blob),
            State::AwaitKey(server) => self.take_key(&server, blob),
            State::AwaitConfirmation(key) => self.confirm(key, blob),
            State::AwaitName(key) => {
                let name = self.open(&key, blob);
                self.state = if name.is_some() { State::Named(key) } else { State::AwaitName(key) };
                self.event_or_reject(name.map(Event::Name))
            }
            State::Open(key) => {
                let text = self.open(&key, blob);
                self.state = State::Open(key);
                self.event_or_reject(text.map(Event::Text))
            }
            State::Named(_) | State::Over => Ok(()),
        }
    }

    fn send_key(&mut self, pem: &[u8]) -> Result<(), Fault> {
        self.tell_public_key(pem);
        let public = PublicKey::read(pem)?;
        let key: [u8; KEY_LEN] = self.random.array()?;
        let sealed = public.seal(&key, &mut self.random)?;
        self.out.extend_from_slice(&blob(&sealed));
        self.tell_key(&key, &sealed);
        let exchanged =
            Event::Exchanged { bits: public.bits(), pem: pem.len(), prefix: prefix(&key), sealed: sealed.len() };
        self.events.push_back(exchanged);
        self.state = State::AwaitConfirmation(CbcKey::new(key));
        Ok(())
    }

    fn take_key(&mut self, server: &ServerKey, sealed: &[u8]) -> Result<(), Fault> {
        let key = server.open(sealed)?;
        self.tell_key(&key, sealed);
        self.state = State::AwaitName(CbcKey::new(key));
        self.seal(CONFIRMATION.as_bytes())?;
        self.events.push_back(Event::KeyReceived { prefix: prefix(&key), sealed: sealed.len() });
        Ok(())
    }

    fn confirm(&mut self, key: CbcKey, blob: &[u8]) -> Result<(), Fault> {
        let text = self.open(&key, blob);
        if text.as_deref() != Some(CONFIRMATION.as_bytes()) {
            return Err(Fault::NotAsStated("the confirmation"));
        }
        self.state = State::Open(key);
        self.events.push_back(Event::Confirmed);
        Ok(())
    }

    fn event_or_reject(&mut self, event: Option<Event>) -> Result<(), Fault> {
        match event {
            Some(event) => {
                self.events.push_back(event);
                Ok(())
            }
            // Two ends that reject each other's rejections would never stop.
            None if self.role == Role::Client => Ok(()),
            None => self.seal(REJECTED.as_bytes()),
        }
    }

    fn open(&mut self, key: &CbcKey, blob: &[u8]) -> Option<Vec<u8>> {
        let opened = match blob {
            [] => Some(Vec::new()),
            _ => BASE64.decode(blob).ok().and_then(|sealed| key.open(&sealed)),
        };
        self.tell_message(self.role.peer(), blob, opened.as_deref());
        opened
    }

    fn seal(&mut self, text: &[u8]) -> Result<(), Fault> {
        let (State::AwaitName(key) | State::Named(key) | State::Open(key)) = &self.state else { return Ok(()) };
        let sealed = BASE64.encode(&key.seal(text, &mut self.random)?);
        self.out.extend_from_slice(&blob(sealed.as_bytes()));
        self.tell_message(self.role, sealed.as_bytes(), Some(text));
        Ok(())
    }

    fn broken(&mut self, fault: Fault) {
        self.state = State::Over;
        self.tell(Step::new(Row::End, 9, self.role, "closed", format!("closes the connection: {fault}")));
        self.events.push_back(Event::Broken(fault));
    }

    fn tell(&mut self, step: Step) {
        self.events.push_back(Event::Step(Box::new(step)));
    }

    fn tell_public_key(&mut self, pem: &[u8]) {
        let text = "sends its RSA public key; nothing says that it is the server's";
        let step = Step::new(Row::KeyExchange, 3, Role::Server, "public key", text)
            .public("pem", clean_line(pem, crate::MAX_FRAME))
            .bytes(&blob(pem))
            .check("openssl pkey -pubin -in PEM -text -noout");
        self.tell(step);
    }

    fn tell_key(&mut self, key: &[u8], sealed: &[u8]) {
        let text = "sends the AES key, encrypted under the server's RSA key: who gets that key one day reads it all";
        let step = Step::new(Row::KeyExchange, 4, Role::Client, "key", text)
            .public("encrypted", HEXLOWER.encode(sealed))
            .secret("key", HEXLOWER.encode(key))
            .bytes(&blob(sealed))
            .check("openssl pkeyutl -decrypt -inkey SERVER_KEY -pkeyopt rsa_padding_mode:oaep -in ENCRYPTED");
        self.tell(step);
    }

    fn tell_message(&mut self, by: Role, base64: &[u8], text: Option<&[u8]>) {
        let said = match text {
            Some(_) => "sends a message: base64 of a fresh initialization vector and the ciphertext",
            None => "sends a message that cannot be opened: its base64, its length or its padding is wrong",
        };
        let mut step = Step::new(Row::Session, 8, by, "message", said)
            .public("base64", clean_line(base64, crate::MAX_FRAME))
            .bytes(&blob(base64));
        if let Some(text) = text {
            step = step
                .secret("text", clean_line(text, crate::MAX_FRAME))
                .check("echo BASE64 | base64 -d | tail -c +17 | openssl enc -d -aes-256-cbc -K KEY -iv FIRST_16_BYTES");
        }
        self.tell(step);
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
