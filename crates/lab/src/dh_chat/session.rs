//! One end of one connection.

use super::group::Group;
use super::{Settings, key};
use crate::cbc::{CbcKey, KEY_LEN};
use crate::fix::{Fix, Guard, Proofs, Repairs, proof_step};
use crate::frame::{Frames, framed};
use crate::{Fault, Moment, Randomness, Row, Step};
use data_encoding::HEXLOWER;
use nacre_wire::Role;
use std::collections::VecDeque;

/// Said to end the conversation.
pub(super) const EXIT: &str = "exit";
/// The label of how often the key's step hashes.
pub const ROUNDS: &str = "rounds";
/// The answer to what cannot be opened.
pub(super) const FAILED: &str = "[!] decryption failed";
/// Messages in a row that cannot be opened before the connection ends: two ends with different keys would otherwise
/// tell each other for ever.
const MAX_FAILURES: u32 = 1000;

/// What came of the peer's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Both ends have the key.
    Established,
    /// The peer said something.
    Text(Vec<u8>),
    /// The peer said goodbye.
    Left,
    /// The connection must be closed.
    Broken(Fault),
    /// For whoever watches.
    Step(Box<Step>),
}

/// What is waited for.
enum State {
    AwaitPrime,
    AwaitGenerator {
        prime: Vec<u8>,
    },
    AwaitServerPublic {
        group: Group,
    },
    AwaitClientPublic {
        group: Group,
        exponent: Vec<u8>,
    },
    /// With F1: the server's proof.
    AwaitProof {
        key: [u8; KEY_LEN],
    },
    /// With F7: the client's, sealed.
    AwaitLogin {
        guard: Guard<CbcKey>,
    },
    Open {
        guard: Guard<CbcKey>,
    },
    Over,
}

/// One end.
pub struct Session {
    role: Role,
    settings: Settings,
    proofs: Proofs,
    random: Randomness,
    frames: Frames,
    state: State,
    failures: u32,
    out: Vec<u8>,
    events: VecDeque<Event>,
}

impl Session {
    /// The client's end.
    pub fn client(settings: Settings, repairs: &Repairs, random: Randomness) -> Self {
        Self::new(Role::Client, settings, repairs, random, State::AwaitPrime)
    }

    /// The server's end, which speaks first.
    ///
    /// # Errors
    /// The size of the prime is not one that can be had.
    pub fn server(settings: Settings, repairs: &Repairs, mut random: Randomness) -> Result<Self, Fault> {
        let group = Group::of_bits(settings.bits)?;
        let exponent = Group::draw(&mut random)?;
        let public = group.public(&exponent)?;
        let (prime, generator) = (group.prime(), group.generator().to_vec());
        let state = State::AwaitClientPublic { group, exponent: exponent.clone() };
        let mut session = Self::new(Role::Server, settings, repairs, random, state);
        session.send_prime(&prime, &generator);
        session.send_public(&public, &exponent);
        Ok(session)
    }

    fn new(role: Role, settings: Settings, repairs: &Repairs, random: Randomness, state: State) -> Self {
        let (proofs, frames) = (Proofs::new(repairs), Frames::default());
        let (out, events) = (Vec::new(), VecDeque::new());
        Self { role, settings, proofs, random, frames, state, failures: 0, out, events }
    }

    /// Takes in what the peer sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
        while !matches!(self.state, State::Over) {
            let frame = match self.frames.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(fault) => return self.broken(fault),
            };
            if let Err(fault) = self.frame(&frame) {
                return self.broken(fault);
            }
        }
    }

    /// Says a line. Before both ends have the key it is lost.
    pub fn say(&mut self, text: &str) {
        if let Err(fault) = self.seal(text.as_bytes()) {
            self.broken(fault);
        }
    }

    /// Says goodbye; nothing the peer sends afterwards counts.
    pub fn leave(&mut self) {
        self.say(EXIT);
        self.end("says goodbye with the word `exit`, sealed like any message", self.role);
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

    fn frame(&mut self, frame: &[u8]) -> Result<(), Fault> {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitPrime => State::AwaitGenerator { prime: frame.to_vec() },
            State::AwaitGenerator { prime } => {
                let group = Group::named(&prime, frame, self.checks())?;
                self.proofs.saw(&prime);
                self.proofs.saw(frame);
                self.tell_group(Role::Server, &prime, frame);
                State::AwaitServerPublic { group }
            }
            State::AwaitServerPublic { group } => self.answer_public(&group, frame)?,
            State::AwaitClientPublic { group, exponent } => {
                self.tell_public(Role::Client, frame, None);
                let key = self.derive(&group, frame, &exponent)?;
                self.proofs.saw(frame);
                self.answer_client(key)?
            }
            State::AwaitProof { key } => {
                self.tell(proof_step(Role::Server, frame).bytes(&framed(frame)));
                self.proofs.check(Role::Server, frame)?;
                self.enter(self.guard(key))?
            }
            State::AwaitLogin { guard } => self.login(guard, frame)?,
            State::Open { guard } => self.message(guard, frame)?,
            State::Over => State::Over,
        };
        Ok(())
    }

    fn answer_public(&mut self, group: &Group, theirs: &[u8]) -> Result<State, Fault> {
        self.tell_public(Role::Server, theirs, None);
        let exponent = Group::draw(&mut self.random)?;
        let ours = group.public(&exponent)?;
        // A value that is refused gets no answer.
        let key = self.derive(group, theirs, &exponent)?;
        self.proofs.saw(theirs);
        self.send_public(&ours, &exponent);
        if self.proofs.wants(Role::Server) {
            return Ok(State::AwaitProof { key });
        }
        self.enter(self.guard(key))
    }

    /// The server has the key.
    fn answer_client(&mut self, key: [u8; KEY_LEN]) -> Result<State, Fault> {
        if self.proofs.wants(Role::Server) {
            let proof = self.proofs.prove(Role::Server)?;
            self.out.extend_from_slice(&framed(&proof));
            self.tell(proof_step(Role::Server, &proof).bytes(&framed(&proof)));
        }
        let guard = self.guard(key);
        if self.proofs.wants(Role::Client) {
            return Ok(State::AwaitLogin { guard });
        }
        self.events.push_back(Event::Established);
        Ok(State::Open { guard })
    }

    /// The client has the key, and knows whose server it is if it is to know.
    fn enter(&mut self, mut guard: Guard<CbcKey>) -> Result<State, Fault> {
        if self.proofs.wants(Role::Client) {
            let proof = self.proofs.prove(Role::Client)?;
            let sealed = framed(&guard.seal(&proof, Moment::FIXED, &mut self.random)?);
            self.out.extend_from_slice(&sealed);
            self.tell(proof_step(Role::Client, &proof).bytes(&sealed));
        }
        self.events.push_back(Event::Established);
        Ok(State::Open { guard })
    }

    fn login(&mut self, mut guard: Guard<CbcKey>, frame: &[u8]) -> Result<State, Fault> {
        let proof = guard.open(frame)?.ok_or(Fault::Undecryptable)?;
        self.tell(proof_step(Role::Client, &proof).bytes(&framed(frame)));
        self.proofs.check(Role::Client, &proof)?;
        self.events.push_back(Event::Established);
        Ok(State::Open { guard })
    }

    fn guard(&self, key: [u8; KEY_LEN]) -> Guard<CbcKey> {
        Guard::new(self.proofs.fixes(), self.role, key)
    }

    const fn checks(&self) -> bool {
        self.settings.checks || self.proofs.fixes().has(Fix::F6)
    }

    fn derive(&mut self, group: &Group, theirs: &[u8], exponent: &[u8]) -> Result<[u8; KEY_LEN], Fault> {
        let secret = group.agree(theirs, exponent, self.checks())?;
        if self.proofs.fixes().has(Fix::F10) {
            let key = key::derive_quickly(&secret);
            let step =
                Step::new(Row::KeyExchange, 4, self.role, "key", "turns the shared secret into a key by one HMAC")
                    .public("salt", key::SALT)
                    .public(ROUNDS, "1")
                    .secret("shared", HEXLOWER.encode(&secret))
                    .secret("key", HEXLOWER.encode(&key));
            self.tell(step);
            return Ok(key);
        }
        let bytes = key::derive(&secret, self.settings.iterations)?;
        let rounds = self.settings.iterations;
        let text = format!("turns the shared secret into a key of 32 bytes by {rounds} rounds of PBKDF2");
        let check = format!(
            "python3 -c \"import hashlib; print(hashlib.pbkdf2_hmac('sha256', bytes.fromhex('SHARED'), b'{}', \
             {rounds}).hex())\"",
            key::SALT
        );
        let step = Step::new(Row::KeyExchange, 4, self.role, "key", text)
            .public("salt", key::SALT)
            .public(ROUNDS, rounds.to_string())
            .secret("shared", HEXLOWER.encode(&secret))
            .secret("key", HEXLOWER.encode(&bytes))
            .check(check);
        self.tell(step);
        Ok(bytes)
    }

    fn message(&mut self, mut guard: Guard<CbcKey>, frame: &[u8]) -> Result<State, Fault> {
        let opened = guard.open(frame).inspect_err(|_| self.tell_message(self.role.peer(), frame, None))?;
        let Some(text) = opened else {
            self.tell_message(self.role.peer(), frame, None);
            self.state = State::Open { guard };
            self.failed()?;
            return Ok(std::mem::replace(&mut self.state, State::Over));
        };
        self.failures = 0;
        self.tell_message(self.role.peer(), frame, Some(&text));
        if text == EXIT.as_bytes() {
            self.end("said goodbye with the word `exit`", self.role.peer());
            self.events.push_back(Event::Left);
            return Ok(State::Over);
        }
        self.events.push_back(Event::Text(text));
        Ok(State::Open { guard })
    }

    fn failed(&mut self) -> Result<(), Fault> {
        self.failures += 1;
        if self.settings.quiet_errors {
            return Err(Fault::Undecryptable);
        }
        if self.failures > MAX_FAILURES {
            return Err(Fault::TooManyFailures);
        }
        self.seal(FAILED.as_bytes())
    }

    fn seal(&mut self, text: &[u8]) -> Result<(), Fault> {
        let State::Open { guard } = &mut self.state else { return Ok(()) };
        let sealed = guard.seal(text, Moment::FIXED, &mut self.random)?;
        self.out.extend_from_slice(&framed(&sealed));
        self.tell_message(self.role, &sealed, Some(text));
        Ok(())
    }

    fn send_prime(&mut self, prime: &[u8], generator: &[u8]) {
        self.proofs.saw(prime);
        self.proofs.saw(generator);
        self.out.extend_from_slice(&[framed(prime), framed(generator)].concat());
        self.tell_group(Role::Server, prime, generator);
    }

    fn send_public(&mut self, public: &[u8], exponent: &[u8]) {
        self.proofs.saw(public);
        self.out.extend_from_slice(&framed(public));
        self.tell_public(self.role, public, Some(exponent));
    }

    fn broken(&mut self, fault: Fault) {
        self.state = State::Over;
        self.tell(Step::new(Row::End, 9, self.role, "closed", format!("closes the connection: {fault}")));
        self.events.push_back(Event::Broken(fault));
    }

    fn end(&mut self, text: &str, by: Role) {
        self.state = State::Over;
        self.tell(Step::new(Row::End, 9, by, "exit", text));
    }

    fn tell(&mut self, step: Step) {
        self.events.push_back(Event::Step(Box::new(step)));
    }

    fn tell_group(&mut self, by: Role, prime: &[u8], generator: &[u8]) {
        let text = format!("names the group: a prime of {} bits and its generator", prime.len() * 8);
        let step = Step::new(Row::KeyExchange, 3, by, "group", text)
            .public("p", HEXLOWER.encode(prime))
            .public("g", HEXLOWER.encode(generator))
            .bytes(&[framed(prime), framed(generator)].concat());
        self.tell(step);
    }

    fn tell_public(&mut self, by: Role, public: &[u8], exponent: Option<&[u8]>) {
        let text = "sends a public value; nothing says whose it is";
        let mut step = Step::new(Row::KeyExchange, 4, by, "public", text)
            .public("public", HEXLOWER.encode(public))
            .bytes(&framed(public));
        if let Some(exponent) = exponent {
            step = step
                .secret("exponent", HEXLOWER.encode(exponent))
                .check("python3 -c \"print('%x' % pow(0xG, 0xEXPONENT, 0xP))\"");
        }
        self.tell(step);
    }

    fn tell_message(&mut self, by: Role, sealed: &[u8], text: Option<&[u8]>) {
        let said = match text {
            Some(_) => "sends a message: a fresh initialization vector and the ciphertext",
            None => "sends a message that cannot be opened: its length, its padding or its seal is wrong",
        };
        let (iv, cipher) = sealed.split_at(sealed.len().min(16));
        let mut step = Step::new(Row::Session, 8, by, "message", said)
            .public("iv", HEXLOWER.encode(iv))
            .public("ciphertext", HEXLOWER.encode(cipher))
            .bytes(&framed(sealed));
        if let Some(text) = text {
            step = step
                .secret("text", nacre_wire::text::clean_line(text, crate::MAX_FRAME))
                .check("echo CIPHERTEXT | xxd -r -p | openssl enc -d -aes-256-cbc -K KEY -iv IV");
        }
        self.tell(step);
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
