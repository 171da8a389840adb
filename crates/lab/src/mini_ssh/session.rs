//! One end of one connection: the key exchange, and then texts both ways.

use super::INFO;
use super::fernet::Fernet;
use crate::fix::{Guard, Proofs, Repairs, proof_step};
use crate::frame::{Frames, framed};
use crate::x25519::Pair;
use crate::{Fault, MAX_FRAME, Moment, Randomness, Row, Step};
use data_encoding::HEXLOWER;
use nacre_wire::Role;
use nacre_wire::text::clean_line;
use std::collections::VecDeque;

/// What came of the peer's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Both ends have the key.
    Established,
    /// The peer said something.
    Text(Vec<u8>),
    /// The connection must be closed.
    Broken(Fault),
    /// For whoever watches.
    Step(Box<Step>),
}

/// What is waited for.
enum State {
    AwaitPublic(Pair),
    /// With F1: the server's proof.
    AwaitProof(Box<Guard<Fernet>>),
    /// With F7: the client's, sealed.
    AwaitLogin(Box<Guard<Fernet>>),
    Open(Box<Guard<Fernet>>),
    Over,
}

/// One end.
pub struct Session {
    role: Role,
    proofs: Proofs,
    random: Randomness,
    frames: Frames,
    state: State,
    held: bool,
    logged_in: bool,
    out: Vec<u8>,
    events: VecDeque<Event>,
}

impl Session {
    /// One end. The client's speaks first.
    ///
    /// # Errors
    /// The system's generator failed.
    pub fn new(role: Role, repairs: &Repairs, mut random: Randomness) -> Result<Self, Fault> {
        let pair = Pair::new(&mut random)?;
        let public = pair.public().to_vec();
        let secret = pair.secret().to_vec();
        let (frames, state) = (Frames::default(), State::AwaitPublic(pair));
        let (proofs, out, events) = (Proofs::new(repairs), Vec::new(), VecDeque::new());
        let mut session = Self { role, proofs, random, frames, state, held: false, logged_in: false, out, events };
        if role == Role::Client {
            session.send_public(&public, &secret);
        }
        Ok(session)
    }

    /// Takes in what the peer sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
        self.proceed();
    }

    /// Lets what the peer sends wait, or no longer: a server does while a command runs.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
        self.proceed();
    }

    /// From here on it is no longer about who the user is.
    pub fn logged_in(&mut self) {
        self.logged_in = true;
    }

    /// Says a text. Before both ends have the key it is lost.
    pub fn say(&mut self, now: Moment, text: &[u8]) {
        if let Err(fault) = self.seal(now, text) {
            self.broken(fault);
        }
    }

    /// Ends it on our side; nothing the peer sends afterwards counts.
    pub fn end(&mut self, text: &str) {
        if !matches!(self.state, State::Over) {
            self.state = State::Over;
            self.tell(Step::new(Row::End, 9, self.role, "end", text));
        }
    }

    /// Bytes for the peer.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// A line about the peer's key, once it has proven that it is its own.
    pub fn take_proof_line(&mut self) -> Option<String> {
        self.proofs.take_line()
    }

    /// What came of the peer's bytes. One event at a time leads to the next: a text that is a command may hold the rest.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            self.proceed();
        }
        self.events.pop_front()
    }

    /// Takes one frame, or waits.
    fn proceed(&mut self) {
        if matches!(self.state, State::Over) || !self.events.is_empty() {
            return;
        }
        if self.held {
            if self.frames.waiting() > 2 * MAX_FRAME {
                self.broken(Fault::OutOfTurn);
            }
            return;
        }
        let taken = match self.frames.next() {
            Ok(Some(frame)) => self.frame(&frame),
            Ok(None) => Ok(()),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = taken {
            self.broken(fault);
        }
    }

    fn frame(&mut self, frame: &[u8]) -> Result<(), Fault> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitPublic(pair) => self.exchange(&pair, frame),
            State::AwaitProof(guard) => {
                self.tell(proof_step(Role::Server, frame).bytes(&framed(frame)));
                self.proofs.check(Role::Server, frame)?;
                self.enter(guard)
            }
            State::AwaitLogin(mut guard) => {
                let proof = guard.open(frame)?.ok_or(Fault::Undecryptable)?;
                self.tell(proof_step(Role::Client, &proof).bytes(&framed(frame)));
                self.proofs.check(Role::Client, &proof)?;
                self.established(guard);
                Ok(())
            }
            State::Open(mut guard) => {
                let opened = guard.open(frame);
                let text = opened.as_ref().ok().and_then(Option::as_deref);
                self.tell_message(self.role.peer(), frame, text);
                let text = opened?.ok_or(Fault::Undecryptable)?;
                self.state = State::Open(guard);
                self.events.push_back(Event::Text(text));
                Ok(())
            }
            State::Over => Ok(()),
        }
    }

    fn exchange(&mut self, pair: &Pair, theirs: &[u8]) -> Result<(), Fault> {
        self.tell_public(self.role.peer(), theirs, None);
        let agreed = pair.agree(theirs, INFO)?;
        self.proofs.saw(theirs);
        if self.role == Role::Server {
            self.send_public(pair.public(), pair.secret());
        }
        let check = format!(
            "python3 -c \"from cryptography.hazmat.primitives.kdf.hkdf import HKDF; from cryptography.hazmat.primitives \
             import hashes; print(HKDF(hashes.SHA256(), 32, None, b'{INFO}').derive(bytes.fromhex('SHARED')).hex())\""
        );
        let text = "turns the shared secret into a key by HKDF: 16 bytes that sign and 16 that encrypt";
        let step = Step::new(Row::KeyExchange, 4, self.role, "key", text)
            .public("info", INFO)
            .secret("shared", HEXLOWER.encode(&agreed.shared))
            .secret("key", HEXLOWER.encode(&agreed.key))
            .check(check);
        self.tell(step);
        let guard = Box::new(Guard::new(self.proofs.fixes(), self.role, agreed.key));
        match (self.role, self.proofs.wants(Role::Server)) {
            (Role::Client, true) => self.state = State::AwaitProof(guard),
            (Role::Client, false) => self.enter(guard)?,
            (Role::Server, wanted) => self.answer_client(guard, wanted)?,
        }
        Ok(())
    }

    /// The server has the key.
    fn answer_client(&mut self, guard: Box<Guard<Fernet>>, prove: bool) -> Result<(), Fault> {
        if prove {
            let proof = self.proofs.prove(Role::Server)?;
            self.out.extend_from_slice(&framed(&proof));
            self.tell(proof_step(Role::Server, &proof).bytes(&framed(&proof)));
        }
        match self.proofs.wants(Role::Client) {
            true => self.state = State::AwaitLogin(guard),
            false => self.established(guard),
        }
        Ok(())
    }

    /// The client has the key, and knows whose server it is if it is to know.
    fn enter(&mut self, mut guard: Box<Guard<Fernet>>) -> Result<(), Fault> {
        if self.proofs.wants(Role::Client) {
            let proof = self.proofs.prove(Role::Client)?;
            let sealed = framed(&guard.seal(&proof, Moment::FIXED, &mut self.random)?);
            self.out.extend_from_slice(&sealed);
            self.tell(proof_step(Role::Client, &proof).bytes(&sealed));
        }
        self.established(guard);
        Ok(())
    }

    fn established(&mut self, guard: Box<Guard<Fernet>>) {
        self.state = State::Open(guard);
        self.events.push_back(Event::Established);
    }

    fn seal(&mut self, now: Moment, text: &[u8]) -> Result<(), Fault> {
        let State::Open(guard) = &mut self.state else { return Ok(()) };
        let token = guard.seal(text, now, &mut self.random)?;
        self.out.extend_from_slice(&framed(&token));
        self.tell_message(self.role, &token, Some(text));
        Ok(())
    }

    fn send_public(&mut self, public: &[u8], secret: &[u8]) {
        self.proofs.saw(public);
        self.out.extend_from_slice(&framed(public));
        self.tell_public(self.role, public, Some(secret));
    }

    fn broken(&mut self, fault: Fault) {
        self.state = State::Over;
        self.tell(Step::new(Row::End, 9, self.role, "closed", format!("closes the connection: {fault}")));
        self.events.push_back(Event::Broken(fault));
    }

    fn tell(&mut self, step: Step) {
        self.events.push_back(Event::Step(Box::new(step)));
    }

    fn tell_public(&mut self, by: Role, public: &[u8], secret: Option<&[u8]>) {
        let text = "sends an X25519 public key; nothing says whose it is";
        let mut step = Step::new(Row::KeyExchange, 4, by, "public", text)
            .public("public", HEXLOWER.encode(public))
            .bytes(&framed(public));
        if let Some(secret) = secret {
            step = step.secret("private", HEXLOWER.encode(secret));
        }
        self.tell(step);
    }

    fn tell_message(&mut self, by: Role, token: &[u8], text: Option<&[u8]>) {
        let said = match text {
            Some(_) => "sends a token: version, time, initialization vector, ciphertext, and HMAC over all of it",
            None => "sends a token that does not verify",
        };
        let (row, number) = if self.logged_in { (Row::Session, 8) } else { (Row::UserProof, 6) };
        let mut step = Step::new(row, number, by, "token", said)
            .public("token", clean_line(token, MAX_FRAME))
            .bytes(&framed(token));
        if let Some(text) = text {
            step = step.secret("text", clean_line(text, MAX_FRAME)).check(
                "python3 -c \"import base64; from cryptography.fernet import Fernet; \
                 print(Fernet(base64.urlsafe_b64encode(bytes.fromhex('KEY'))).decrypt(b'TOKEN'))\"",
            );
        }
        self.tell(step);
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
