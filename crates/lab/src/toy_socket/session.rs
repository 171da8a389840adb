//! One end of one connection.

use super::MAX_LINE;
use super::cipher;
use super::numbers::{G, P};
use super::suite::{PeerKey, Secret, Suite};
use crate::fix::{Fix, Proofs, Repairs, proof_step};
use crate::{Fault, Randomness, Row, Step};
use data_encoding::{BASE64, HEXLOWER};
use nacre_wire::Role;
use nacre_wire::text::clean_line;
use std::collections::VecDeque;

/// Said, sealed, to end the conversation.
pub(super) const EXIT: &str = "EXIT";
const BAD_MESSAGE: &str = "ERROR bad message";
const BAD_SIGNATURE: &str = "ERROR bad signature";
/// How a plain line begins that tells of an error.
const ERROR: &str = "ERROR ";

/// What came of the peer's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Both ends have the key, and each other's `E,N`.
    Established,
    /// The peer said something, and its signature is right.
    Text(Vec<u8>),
    /// Something came whose signature or padding is wrong; it was answered.
    Rejected(&'static str),
    /// The peer tells of an error.
    Error(String),
    /// The peer said goodbye.
    Left,
    /// The connection must be closed.
    Broken(Fault),
    /// For whoever watches.
    Step(Box<Step>),
}

/// What is waited for.
enum State {
    AwaitPublic,
    AwaitKey {
        secret: Secret,
    },
    /// With F1 the client, with F7 the server: the other's proof.
    AwaitProof {
        keys: Keys,
    },
    Open {
        keys: Keys,
    },
    Over,
}

/// What opens the peer's messages, and how many there were of it and of ours.
struct Keys {
    secret: Secret,
    peer: PeerKey,
    sent: u64,
    taken: u64,
}

/// One end.
pub struct Session {
    role: Role,
    suite: Suite,
    proofs: Proofs,
    random: Randomness,
    waiting: Vec<u8>,
    state: State,
    out: Vec<u8>,
    events: VecDeque<Event>,
}

impl Session {
    /// One end, with RSA primes of `bits`. The client's speaks first.
    ///
    /// # Errors
    /// A size that cannot be had.
    pub fn new(role: Role, bits: u32, repairs: &Repairs, mut random: Randomness) -> Result<Self, Fault> {
        let (suite, proofs) = (Suite::new(bits, repairs.fixes, &mut random)?, Proofs::new(repairs));
        let (waiting, state, out, events) = (Vec::new(), State::AwaitPublic, Vec::new(), VecDeque::new());
        let mut session = Self { role, suite, proofs, random, waiting, state, out, events };
        if role == Role::Client {
            session.send_public();
        }
        Ok(session)
    }

    /// Takes in what the peer sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        let mut start = 0;
        let waiting = std::mem::take(&mut self.waiting);
        while let Some(rest) = waiting.get(start..).filter(|_| !matches!(self.state, State::Over)) {
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                self.waiting = rest.to_vec();
                // Its end may have come in part.
                if rest.strip_suffix(b"\r").unwrap_or(rest).len() > MAX_LINE {
                    self.broken(Fault::TooLong {
                        announced: u64::try_from(rest.len()).unwrap_or(u64::MAX),
                        most: MAX_LINE,
                    });
                }
                return;
            };
            let line = rest.get(..length).unwrap_or_default();
            start += length + 1;
            self.line(line.strip_suffix(b"\r").unwrap_or(line));
        }
    }

    /// Says a text. Before both ends have the keys it is lost.
    pub fn say(&mut self, text: &[u8]) {
        let counted = self.proofs.fixes().has(Fix::F3);
        let State::Open { keys } = &mut self.state else { return };
        let number = keys.sent.to_be_bytes();
        keys.sent += 1;
        let inside = [if counted { number.as_slice() } else { &[] }, text].concat();
        let ciphertext = match keys.secret.seal(&inside, &mut self.random) {
            Ok(ciphertext) => ciphertext,
            Err(fault) => return self.broken(fault),
        };
        let signature = self.suite.sign(&ciphertext);
        let line = format!("{}|{}", BASE64.encode(&ciphertext), BASE64.encode(&signature));
        self.put(&line);
        self.tell_message(self.role, &line, (&ciphertext, &signature), Some(text));
    }

    /// Says goodbye; nothing the peer sends afterwards counts.
    pub fn leave(&mut self) {
        self.say(EXIT.as_bytes());
        self.end("says goodbye with the word `EXIT`, sealed and signed", self.role);
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

    fn line(&mut self, line: &[u8]) {
        if line.len() > MAX_LINE {
            let announced = u64::try_from(line.len()).unwrap_or(u64::MAX);
            return self.broken(Fault::TooLong { announced, most: MAX_LINE });
        }
        let text = String::from_utf8_lossy(line);
        if text.starts_with(ERROR) && self.role == Role::Client {
            self.events.push_back(Event::Error(clean_line(line, MAX_LINE)));
            return;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitPublic => self.public(&text),
            State::AwaitKey { secret } => self.key(secret, &text),
            State::AwaitProof { keys } => self.proof(keys, &text),
            State::Open { keys } => self.message(keys, &text),
            State::Over => {}
        }
    }

    fn public(&mut self, text: &str) {
        let Some((secret, shown)) = self.suite.agree(text) else { return self.not_as_stated("the public value") };
        self.tell_public(self.role.peer(), text, None);
        self.proofs.saw(text.as_bytes());
        let (said, check) = match self.suite {
            Suite::Toy { .. } => (
                "has a key of 16 bits, of which 5,460 values occur",
                format!("python3 -c \"print('%04x' % pow(PUBLIC, PRIVATE, {P}))\""),
            ),
            Suite::Strong { .. } => ("has a key of 256 bits", String::new()),
        };
        let mut step = Step::new(Row::KeyExchange, 4, self.role, "key", said).secret("key", shown);
        step.check = Some(check).filter(|check| !check.is_empty());
        self.tell(step);
        self.state = State::AwaitKey { secret };
        match self.role {
            Role::Server => self.send_public(),
            Role::Client => self.send_key(),
        }
    }

    fn key(&mut self, secret: Secret, text: &str) {
        let Some(peer) = self.suite.read_verifier(text) else { return self.not_as_stated("E,N") };
        self.tell_key(self.role.peer(), text, None);
        self.proofs.saw(text.as_bytes());
        if self.role == Role::Server {
            self.send_key();
            if self.proofs.wants(Role::Server) {
                self.send_proof();
            }
        }
        let keys = Keys { secret, peer, sent: 0, taken: 0 };
        if self.proofs.wants(self.role.peer()) {
            self.state = State::AwaitProof { keys };
        } else {
            self.open(keys);
        }
    }

    fn send_proof(&mut self) {
        match self.proofs.prove(self.role) {
            Err(fault) => self.broken(fault),
            Ok(proof) => {
                let line = BASE64.encode(&proof);
                self.put(&line);
                self.tell(proof_step(self.role, &proof).bytes(format!("{line}\n").as_bytes()));
            }
        }
    }

    fn proof(&mut self, keys: Keys, line: &str) {
        let proof = BASE64.decode(line.as_bytes()).unwrap_or_default();
        self.tell(proof_step(self.role.peer(), &proof).bytes(format!("{line}\n").as_bytes()));
        match self.proofs.check(self.role.peer(), &proof) {
            Ok(()) => self.open(keys),
            Err(fault) => self.broken(fault),
        }
    }

    /// Everything stands; a client that is to say who it is does so now.
    fn open(&mut self, keys: Keys) {
        self.state = State::Open { keys };
        if self.role == Role::Client && self.proofs.wants(Role::Client) {
            self.send_proof();
        }
        self.events.push_back(Event::Established);
    }

    fn message(&mut self, mut keys: Keys, line: &str) {
        let Some((ciphertext, signature)) = line.split_once('|') else { return self.not_as_stated("a message") };
        let ciphertext = BASE64.decode(ciphertext.as_bytes()).unwrap_or_default();
        let signature = BASE64.decode(signature.as_bytes()).unwrap_or_default();
        let parts = (ciphertext.as_slice(), signature.as_slice());
        if !keys.peer.verifies(&signature, &ciphertext) {
            self.tell_message(self.role.peer(), line, parts, None);
            self.state = State::Open { keys };
            return self.reject(BAD_SIGNATURE);
        }
        let opened = keys.secret.open(&ciphertext);
        let Some(text) = opened else {
            self.tell_message(self.role.peer(), line, parts, None);
            self.state = State::Open { keys };
            return self.reject(BAD_MESSAGE);
        };
        let text = match self.in_turn(&mut keys, text) {
            Ok(text) => text,
            Err(fault) => return self.broken(fault),
        };
        self.state = State::Open { keys };
        self.tell_message(self.role.peer(), line, parts, Some(&text));
        if text == EXIT.as_bytes() {
            self.end("said goodbye with the word `EXIT`", self.role.peer());
            self.events.push_back(Event::Left);
        } else {
            self.events.push_back(Event::Text(text));
        }
    }

    /// With F3: the text behind its number, which has to be the next.
    fn in_turn(&self, keys: &mut Keys, text: Vec<u8>) -> Result<Vec<u8>, Fault> {
        if !self.proofs.fixes().has(Fix::F3) {
            return Ok(text);
        }
        let (number, rest) = text.split_first_chunk::<8>().ok_or(Fault::NotGenuine)?;
        let (got, want) = (u64::from_be_bytes(*number), keys.taken);
        keys.taken += 1;
        if got == want { Ok(rest.to_vec()) } else { Err(Fault::WrongNumber { got, want }) }
    }

    /// Answers what is wrong; the session goes on. Two ends that answer each other's errors would never stop.
    fn reject(&mut self, answer: &'static str) {
        if self.role == Role::Server {
            self.put(answer);
        }
        self.events.push_back(Event::Rejected(answer));
    }

    fn not_as_stated(&mut self, what: &'static str) {
        self.put(BAD_MESSAGE);
        self.broken(Fault::NotAsStated(what));
    }

    fn put(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.push(b'\n');
    }

    fn send_public(&mut self) {
        let public = self.suite.public();
        self.put(&public);
        self.proofs.saw(public.as_bytes());
        self.tell_public(self.role, &public, Some(self.suite.private()));
    }

    fn send_key(&mut self) {
        let key = self.suite.verifier();
        self.put(&key);
        self.proofs.saw(key.as_bytes());
        let d = if let Suite::Toy { signing, .. } = &self.suite { Some(signing.d.to_string()) } else { None };
        self.tell_key(self.role, &key, d);
    }

    fn broken(&mut self, fault: Fault) {
        self.end(&format!("closes the connection: {fault}"), self.role);
        self.events.push_back(Event::Broken(fault));
    }

    fn end(&mut self, text: &str, by: Role) {
        self.state = State::Over;
        self.tell(Step::new(Row::End, 9, by, "end", text));
    }

    fn tell(&mut self, step: Step) {
        self.events.push_back(Event::Step(Box::new(step)));
    }

    fn tell_public(&mut self, by: Role, public: &str, private: Option<String>) {
        let is_toy = matches!(self.suite, Suite::Toy { .. });
        let size = if is_toy { "16" } else { "256" };
        let text = format!("sends a public value of {size} bits; nothing says whose it is");
        let mut step = Step::new(Row::KeyExchange, 4, by, "public", text);
        if is_toy {
            step = step.public("p", P.to_string()).public("g", G.to_string());
        }
        step = step.public("public", public).bytes(format!("{public}\n").as_bytes());
        if let Some(private) = private {
            step = step.secret("private", private);
            if is_toy {
                step = step.check(format!("python3 -c \"print(pow({G}, PRIVATE, {P}))\""));
            }
        }
        self.tell(step);
    }

    fn tell_key(&mut self, by: Role, line: &str, d: Option<String>) {
        let text = "sends what its signatures are checked with; nothing says whose it is";
        let mut step = Step::new(Row::KeyExchange, 4, by, "rsa key", text);
        step = match line.split_once(',') {
            Some((e, n)) => step.public("e", e).public("n", n).check("factor N"),
            None => step.public("key", line),
        };
        step = step.bytes(format!("{line}\n").as_bytes());
        if let Some(d) = d {
            step = step.secret("d", d);
        }
        self.tell(step);
    }

    fn tell_message(&mut self, by: Role, line: &str, (ciphertext, signature): (&[u8], &[u8]), text: Option<&[u8]>) {
        let said = match text {
            Some(_) => "sends a message: ciphertext, and the signature on its hash",
            None => "sends a message whose signature or padding is wrong",
        };
        let mut step = Step::new(Row::Session, 8, by, "message", said)
            .public("ciphertext", HEXLOWER.encode(ciphertext))
            .public("hash", format!("{:04x}", cipher::hash(ciphertext)))
            .public("signature", HEXLOWER.encode(signature))
            .bytes(format!("{line}\n").as_bytes());
        if let Some(text) = text {
            step = step
                .secret("text", clean_line(text, MAX_LINE))
                .check("python3 -c \"print('%04x' % pow(0xSIGNATURE, E, N))\"");
        }
        self.tell(step);
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
