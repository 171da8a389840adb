//! One end of one connection.

use super::key::{PublicKey, ServerKey};
use super::prefix;
use crate::cbc::{CbcKey, KEY_LEN};
use crate::fix::{Fix, Guard, Proofs, Repairs, proof_step};
use crate::frame::{Blobs, blob};
use crate::x25519::Pair;
use crate::{Fault, MAX_FRAME, Moment, Randomness, Row, Step};
use data_encoding::{BASE64, HEXLOWER};
use nacre_wire::Role;
use nacre_wire::text::clean_line;
use std::collections::VecDeque;

/// What the server says when it has the key.
pub(super) const CONFIRMATION: &str = "HANDSHAKE_OK";
/// What a key of F5 is for.
const FRESH: &str = "rsa-chat fresh key";
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
    /// With F5: the server's fresh public key.
    AwaitFreshKey {
        bits: usize,
        pem: usize,
    },
    /// With F1: the server's proof.
    AwaitProof(Guard<CbcKey>),
    AwaitConfirmation(Guard<CbcKey>),
    AwaitKey(ServerKey),
    /// With F5: the client's fresh public key.
    AwaitClientKey(Pair),
    /// With F7: the client's proof, sealed.
    AwaitLogin(Guard<CbcKey>),
    AwaitName(Guard<CbcKey>),
    /// A name that nobody has taken or refused yet.
    Named(Guard<CbcKey>),
    Open(Guard<CbcKey>),
    Over,
}

/// One end.
pub struct Session {
    role: Role,
    proofs: Proofs,
    random: Randomness,
    blobs: Blobs,
    state: State,
    out: Vec<u8>,
    events: VecDeque<Event>,
}

impl Session {
    /// The client's end.
    pub fn client(repairs: &Repairs, random: Randomness) -> Self {
        Self::new(Role::Client, repairs, random, State::AwaitPublicKey)
    }

    /// The server's end, which speaks first.
    pub fn server(key: &ServerKey, repairs: &Repairs, random: Randomness) -> Self {
        let mut session = Self::new(Role::Server, repairs, random, State::AwaitKey(key.clone()));
        session.put_in_exchange(key.pem().as_bytes());
        session.tell_public_key(key.pem().as_bytes());
        if repairs.has(Fix::F5)
            && let Err(fault) = session.send_fresh_key()
        {
            session.broken(fault);
        }
        session
    }

    fn new(role: Role, repairs: &Repairs, random: Randomness, state: State) -> Self {
        let most = if role == Role::Server && repairs.has(Fix::F10) { super::MAX_STRANGER_BLOB } else { MAX_FRAME };
        let mut blobs = Blobs::default();
        blobs.most = most;
        let (out, events) = (Vec::new(), VecDeque::new());
        Self { role, proofs: Proofs::new(repairs), random, blobs, state, out, events }
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
            State::Named(guard) => State::Open(guard),
            other => other,
        };
        self.blobs.most = MAX_FRAME;
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

    /// A line about the peer's key, once it has proven that it is its own.
    pub fn take_proof_line(&mut self) -> Option<String> {
        self.proofs.take_line()
    }

    /// What came of the peer's bytes.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// A step, if that comes next.
    pub(super) fn poll_step(&mut self) -> Option<Step> {
        match self.events.pop_front()? {
            Event::Step(step) => Some(*step),
            other => {
                self.events.push_front(other);
                None
            }
        }
    }

    fn blob(&mut self, blob: &[u8]) -> Result<(), Fault> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitPublicKey => self.send_key(blob),
            State::AwaitFreshKey { bits, pem } => self.answer_fresh_key(bits, pem, blob),
            State::AwaitKey(server) => self.take_key(&server, blob),
            State::AwaitClientKey(pair) => self.take_client_key(&pair, blob),
            State::AwaitProof(guard) => {
                self.tell_proof(Role::Server, blob, blob);
                self.proofs.check(Role::Server, blob)?;
                self.state = State::AwaitConfirmation(guard);
                Ok(())
            }
            State::AwaitConfirmation(guard) => self.confirm(guard, blob),
            State::AwaitLogin(mut guard) => {
                let proof = open_blob(&mut guard, blob)?.ok_or(Fault::Undecryptable)?;
                self.tell_proof(Role::Client, &proof, blob);
                self.proofs.check(Role::Client, &proof)?;
                self.state = State::AwaitName(guard);
                Ok(())
            }
            State::AwaitName(mut guard) => {
                let name = self.open(&mut guard, blob)?;
                self.state = if name.is_some() { State::Named(guard) } else { State::AwaitName(guard) };
                self.event_or_reject(name.map(Event::Name))
            }
            State::Open(mut guard) => {
                let text = self.open(&mut guard, blob)?;
                self.state = State::Open(guard);
                self.event_or_reject(text.map(Event::Text))
            }
            State::Named(_) | State::Over => Ok(()),
        }
    }

    fn send_key(&mut self, pem: &[u8]) -> Result<(), Fault> {
        self.tell_public_key(pem);
        self.proofs.saw(pem);
        let public = PublicKey::read(pem)?;
        if self.proofs.fixes().has(Fix::F5) {
            self.state = State::AwaitFreshKey { bits: public.bits(), pem: pem.len() };
            return Ok(());
        }
        let key: [u8; KEY_LEN] = self.random.array()?;
        let sealed = public.seal(&key, &mut self.random)?;
        self.put_in_exchange(&sealed);
        self.tell_key(&key, &sealed);
        self.exchanged(public.bits(), pem.len(), key, sealed.len());
        Ok(())
    }

    /// Server, with F5: a fresh public key behind the PEM, which opens nothing any more.
    fn send_fresh_key(&mut self) -> Result<(), Fault> {
        let pair = Pair::new(&mut self.random)?;
        self.put_in_exchange(pair.public());
        self.tell_fresh_key(Role::Server, pair.public(), None);
        self.state = State::AwaitClientKey(pair);
        Ok(())
    }

    /// Client, with F5: its own in answer.
    fn answer_fresh_key(&mut self, bits: usize, pem: usize, theirs: &[u8]) -> Result<(), Fault> {
        self.tell_fresh_key(Role::Server, theirs, None);
        let pair = Pair::new(&mut self.random)?;
        let agreed = pair.agree(theirs, FRESH)?;
        self.proofs.saw(theirs);
        self.put_in_exchange(pair.public());
        self.tell_fresh_key(Role::Client, pair.public(), Some(&agreed.key));
        self.exchanged(bits, pem, agreed.key, pair.public().len());
        Ok(())
    }

    fn take_client_key(&mut self, pair: &Pair, theirs: &[u8]) -> Result<(), Fault> {
        let agreed = pair.agree(theirs, FRESH)?;
        self.proofs.saw(theirs);
        self.tell_fresh_key(Role::Client, theirs, Some(&agreed.key));
        self.key_received(agreed.key, theirs.len())
    }

    /// The client has the key and has sent what the server needs for it.
    fn exchanged(&mut self, bits: usize, pem: usize, key: [u8; KEY_LEN], sealed: usize) {
        let guard = Guard::new(self.proofs.fixes(), self.role, key);
        self.events.push_back(Event::Exchanged { bits, pem, prefix: self.prefix(&key), sealed });
        self.state = match self.proofs.wants(Role::Server) {
            true => State::AwaitProof(guard),
            false => State::AwaitConfirmation(guard),
        };
    }

    /// How the key begins, for the console; with F10 that is nobody's business.
    fn prefix(&self, key: &[u8]) -> String {
        if self.proofs.fixes().has(Fix::F10) { "(not shown)".to_owned() } else { prefix(key) }
    }

    fn take_key(&mut self, server: &ServerKey, sealed: &[u8]) -> Result<(), Fault> {
        let key = server.open(sealed)?;
        self.proofs.saw(sealed);
        self.tell_key(&key, sealed);
        self.key_received(key, sealed.len())
    }

    /// The server has the key.
    fn key_received(&mut self, key: [u8; KEY_LEN], sealed: usize) -> Result<(), Fault> {
        if self.proofs.wants(Role::Server) {
            let proof = self.proofs.prove(Role::Server)?;
            self.out.extend_from_slice(&blob(&proof));
            self.tell_proof(Role::Server, &proof, &proof);
        }
        self.state = State::AwaitName(Guard::new(self.proofs.fixes(), self.role, key));
        self.seal(CONFIRMATION.as_bytes())?;
        if self.proofs.wants(Role::Client) {
            self.state = match std::mem::replace(&mut self.state, State::Over) {
                State::AwaitName(guard) => State::AwaitLogin(guard),
                other => other,
            };
        }
        let prefix = self.prefix(&key);
        self.events.push_back(Event::KeyReceived { prefix, sealed });
        Ok(())
    }

    fn confirm(&mut self, mut guard: Guard<CbcKey>, confirmation: &[u8]) -> Result<(), Fault> {
        let text = self.open(&mut guard, confirmation)?;
        if text.as_deref() != Some(CONFIRMATION.as_bytes()) {
            return Err(Fault::NotAsStated("the confirmation"));
        }
        if self.proofs.wants(Role::Client) {
            let proof = self.proofs.prove(Role::Client)?;
            let sealed = BASE64.encode(&guard.seal(&proof, Moment::FIXED, &mut self.random)?);
            self.out.extend_from_slice(&blob(sealed.as_bytes()));
            self.tell_proof(Role::Client, &proof, sealed.as_bytes());
        }
        self.state = State::Open(guard);
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

    fn open(&mut self, guard: &mut Guard<CbcKey>, blob: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let opened = open_blob(guard, blob);
        let text = opened.as_ref().ok().and_then(Option::as_deref);
        self.tell_message(self.role.peer(), blob, text);
        opened
    }

    fn seal(&mut self, text: &[u8]) -> Result<(), Fault> {
        let (State::AwaitName(guard) | State::Named(guard) | State::Open(guard)) = &mut self.state else {
            return Ok(());
        };
        let sealed = BASE64.encode(&guard.seal(text, Moment::FIXED, &mut self.random)?);
        self.out.extend_from_slice(&blob(sealed.as_bytes()));
        self.tell_message(self.role, sealed.as_bytes(), Some(text));
        Ok(())
    }

    /// Sends a value of the exchange.
    fn put_in_exchange(&mut self, value: &[u8]) {
        self.proofs.saw(value);
        self.out.extend_from_slice(&blob(value));
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
            .public("pem", clean_line(pem, MAX_FRAME))
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

    fn tell_fresh_key(&mut self, by: Role, public: &[u8], key: Option<&[u8]>) {
        let text = "sends an X25519 public key made for this connection alone";
        let mut step = Step::new(Row::KeyExchange, 4, by, "fresh key", text)
            .public("public", HEXLOWER.encode(public))
            .bytes(&blob(public));
        if let Some(key) = key {
            step = step.secret("key", HEXLOWER.encode(key));
        }
        self.tell(step);
    }

    fn tell_proof(&mut self, by: Role, proof: &[u8], body: &[u8]) {
        self.tell(proof_step(by, proof).bytes(&blob(body)));
    }

    fn tell_message(&mut self, by: Role, base64: &[u8], text: Option<&[u8]>) {
        let said = match text {
            Some(_) => "sends a message: base64 of a fresh initialization vector and the ciphertext",
            None => "sends a message that cannot be opened: its base64, its length, its padding or its seal is wrong",
        };
        let mut step = Step::new(Row::Session, 8, by, "message", said)
            .public("base64", clean_line(base64, MAX_FRAME))
            .bytes(&blob(base64));
        if let Some(text) = text {
            step = step
                .secret("text", clean_line(text, MAX_FRAME))
                .check("echo BASE64 | base64 -d | tail -c +17 | openssl enc -d -aes-256-cbc -K KEY -iv FIRST_16_BYTES");
        }
        self.tell(step);
    }
}

/// The text of a blob, or nothing where its base64, its length or its padding is wrong.
fn open_blob(guard: &mut Guard<CbcKey>, blob: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    BASE64.decode(blob).map_or(Ok(None), |sealed| guard.open(&sealed))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
