//! One end of one connection.

use super::numbers::{G, P, PublicKey, SigningKey, decimal, draw, power};
use super::{MAX_LINE, cipher};
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
#[derive(Clone, Copy)]
enum State {
    AwaitPublic,
    AwaitKey { key: u16 },
    Open { key: u16, peer: PublicKey },
    Over,
}

/// One end.
pub struct Session {
    role: Role,
    bits: u32,
    private: u32,
    signing: SigningKey,
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
    pub fn new(role: Role, bits: u32, mut random: Randomness) -> Result<Self, Fault> {
        if !super::SIZES.contains(&bits) {
            return Err(Fault::Refused { what: "the size of the primes", why: "it is 9 to 12 bits" });
        }
        let private = draw(&mut random)?;
        let signing = SigningKey::generate(bits, &mut random)?;
        let (waiting, state, out, events) = (Vec::new(), State::AwaitPublic, Vec::new(), VecDeque::new());
        let mut session = Self { role, bits, private, signing, waiting, state, out, events };
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
                if rest.len() > MAX_LINE {
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
        let State::Open { key, .. } = self.state else { return };
        let ciphertext = cipher::encrypt(key, text);
        let hash = cipher::hash(&ciphertext);
        let signature = self.signing.sign(hash);
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
        match self.state {
            State::AwaitPublic => self.public(&text),
            State::AwaitKey { key } => self.key(key, &text),
            State::Open { key, peer } => self.message(key, peer, &text),
            State::Over => {}
        }
    }

    fn public(&mut self, text: &str) {
        let Some(theirs) = decimal(text).filter(|value| (1..P).contains(value)) else {
            return self.not_as_stated("the public value");
        };
        self.tell_public(self.role.peer(), theirs, None);
        let shared = power(theirs, self.private, P);
        // Below P, which has 16 bits.
        let key = u16::try_from(shared).unwrap_or_default();
        let step =
            Step::new(Row::KeyExchange, 4, self.role, "key", "has a key of 16 bits, of which 5,460 values occur")
                .secret("key", format!("{key:04x}"))
                .check(format!("python3 -c \"print('%04x' % pow(PUBLIC, PRIVATE, {P}))\""));
        self.tell(step);
        self.state = State::AwaitKey { key };
        match self.role {
            Role::Server => self.send_public(),
            Role::Client => self.send_key(),
        }
    }

    fn key(&mut self, key: u16, text: &str) {
        let Some(peer) = PublicKey::read(text, self.bits) else { return self.not_as_stated("E,N") };
        self.tell_key(self.role.peer(), peer, None);
        if self.role == Role::Server {
            self.send_key();
        }
        self.state = State::Open { key, peer };
        self.events.push_back(Event::Established);
    }

    fn message(&mut self, key: u16, peer: PublicKey, line: &str) {
        let Some((ciphertext, signature)) = line.split_once('|') else { return self.not_as_stated("a message") };
        let ciphertext = BASE64.decode(ciphertext.as_bytes()).unwrap_or_default();
        let signature = BASE64.decode(signature.as_bytes()).unwrap_or_default();
        let parts = (ciphertext.as_slice(), signature.as_slice());
        let is_right = <[u8; 3]>::try_from(signature.as_slice())
            .is_ok_and(|signature| peer.verifies(signature, cipher::hash(&ciphertext)));
        if !is_right {
            self.tell_message(self.role.peer(), line, parts, None);
            return self.reject(BAD_SIGNATURE);
        }
        let text = cipher::decrypt(key, &ciphertext);
        self.tell_message(self.role.peer(), line, parts, text.as_deref());
        match text {
            None => self.reject(BAD_MESSAGE),
            Some(text) if text == EXIT.as_bytes() => {
                self.end("said goodbye with the word `EXIT`", self.role.peer());
                self.events.push_back(Event::Left);
            }
            Some(text) => self.events.push_back(Event::Text(text)),
        }
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
        let public = power(G, self.private, P);
        self.put(&public.to_string());
        self.tell_public(self.role, public, Some(self.private));
    }

    fn send_key(&mut self) {
        let key = self.signing;
        self.put(&format!("{},{}", key.public.e, key.public.n));
        self.tell_key(self.role, key.public, Some(key.d));
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

    fn tell_public(&mut self, by: Role, public: u32, private: Option<u32>) {
        let text = "sends a public value of 16 bits; nothing says whose it is";
        let mut step = Step::new(Row::KeyExchange, 4, by, "public", text)
            .public("p", P.to_string())
            .public("g", G.to_string())
            .public("public", public.to_string())
            .bytes(format!("{public}\n").as_bytes());
        if let Some(private) = private {
            step = step
                .secret("private", private.to_string())
                .check(format!("python3 -c \"print(pow({G}, PRIVATE, {P}))\""));
        }
        self.tell(step);
    }

    fn tell_key(&mut self, by: Role, key: PublicKey, d: Option<u32>) {
        let text = "sends what its signatures are checked with; nothing says whose it is";
        let mut step = Step::new(Row::KeyExchange, 4, by, "rsa key", text)
            .public("e", key.e.to_string())
            .public("n", key.n.to_string())
            .bytes(format!("{},{}\n", key.e, key.n).as_bytes())
            .check("factor N");
        if let Some(d) = d {
            step = step.secret("d", d.to_string());
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
