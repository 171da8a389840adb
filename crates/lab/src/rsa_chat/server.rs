//! The server: sessions, members and the log.

use super::key::ServerKey;
use super::members::{Members, Outcome};
use super::session::{Event, Session};
use crate::console::{Address, ConnectionId, Console, Effect, Effects, Input};
use crate::fix::Repairs;
use crate::frame::start_of;
use crate::{Fault, MAX_FRAME, Moment, Protocol, Randomness};
use nacre_wire::text::clean_line;
use std::collections::BTreeMap;

/// Columns of the server's rules.
const RULE: usize = 70;

/// The server.
pub struct Server {
    key: ServerKey,
    repairs: Repairs,
    random: Randomness,
    port: u16,
    clients: BTreeMap<ConnectionId, Client>,
    members: Members,
    effects: Effects,
}

struct Client {
    session: Session,
    peer: Address,
}

impl Server {
    /// A server that listens on `port`, with a new key of `bits`.
    ///
    /// # Errors
    /// A size of the key that cannot be had.
    pub fn new(bits: u32, repairs: Repairs, random: Randomness, port: u16) -> Result<Self, Fault> {
        let key = ServerKey::generate(bits, &mut random.part("rsa-chat key"))?;
        Ok(Self::with_key(key, repairs, random, port))
    }

    /// A server that has a key.
    pub fn with_key(key: ServerKey, repairs: Repairs, random: Randomness, port: u16) -> Self {
        let (clients, members, effects) = (BTreeMap::new(), Members::default(), Effects::default());
        Self { key, repairs, random, port, clients, members, effects }
    }

    fn start(&mut self) {
        let rule = "=".repeat(RULE);
        self.effects.print(format!(
            "Generating RSA key pair for server...\n\
             ✓ RSA keys generated\n\
             \n\
             {rule}\n        \
             ENCRYPTED CHAT SERVER (SSL-LIKE HANDSHAKE)\n\
             {rule}\n\
             Server IP: 127.0.0.1\n\
             Port: {}\n\
             Encryption: AES-256 + RSA-{}\n\
             Status: Listening for secure connections...\n\
             {rule}",
            self.port,
            self.key.len() * 8
        ));
        if let Some(line) = self.repairs.server_line() {
            self.effects.print(line);
        }
    }

    fn handshake(&mut self, hms: &str, line: &str) {
        self.effects.print(format!("[{hms}] [HANDSHAKE] {line}"));
    }

    fn connected(&mut self, id: ConnectionId, peer: Address, hms: &str) {
        let random = self.random.part(&format!("{} server {id}", Protocol::RsaChat.name()));
        let session = Session::server(&self.key, &self.repairs, random);
        self.handshake(hms, &format!("Starting with {peer}"));
        self.handshake(hms, &format!("Sent RSA public key ({} bytes)", self.key.pem().len()));
        self.clients.insert(id, Client { session, peer });
        self.work(id, hms);
    }

    /// Does what a client's session has come to.
    fn work(&mut self, id: ConnectionId, hms: &str) {
        while let Some(event) = self.clients.get_mut(&id).and_then(|client| client.session.poll_event()) {
            match event {
                Event::KeyReceived { prefix, sealed } => {
                    self.handshake(hms, &format!("Received encrypted AES key ({sealed} bytes)"));
                    self.handshake(hms, &format!("Decrypted AES-256 key: {prefix}..."));
                    self.handshake(hms, "Sent encrypted confirmation");
                }
                Event::Name(name) => self.name(id, &clean_line(&name, MAX_FRAME), hms),
                Event::Text(text) => self.line(id, &clean_line(&text, MAX_FRAME), hms),
                Event::Broken(fault) => {
                    self.effects.print(format!("[{hms}] [ERROR] {} closed: {fault}", self.peer(id)));
                    self.gone(id, hms);
                }
                Event::Step(step) => self.effects.step(id, *step),
                Event::Exchanged { .. } | Event::Confirmed => {}
            }
        }
        self.flush(id);
    }

    fn peer(&self, id: ConnectionId) -> String {
        self.clients.get(&id).map(|client| client.peer.to_string()).unwrap_or_default()
    }

    fn flush(&mut self, id: ConnectionId) {
        if let Some(client) = self.clients.get_mut(&id) {
            self.effects.send(id, client.session.take_output());
        }
    }

    fn name(&mut self, id: ConnectionId, name: &str, hms: &str) {
        if let Some(reason) = self.members.refusal(name) {
            self.say_all(vec![(id, format!("[SYSTEM] Name refused: {reason}"))]);
            self.handshake(hms, &format!("Name refused: {reason}"));
            self.gone(id, hms);
            return;
        }
        if let Some(client) = self.clients.get_mut(&id) {
            client.session.accept();
        }
        if let Some(line) = self.clients.get_mut(&id).and_then(|client| client.session.take_proof_line()) {
            self.handshake(hms, &line);
        }
        self.handshake(hms, &format!("✓ Secure channel established with user: {name}"));
        self.handshake(hms, "All messages will be encrypted with AES-256\n");
        self.effects.print(format!("[{hms}] [JOIN] {name} joined from {}\n", self.peer(id)));
        let said = self.members.join(id, name, hms);
        self.say_all(said);
    }

    fn line(&mut self, id: ConnectionId, line: &str, hms: &str) {
        match self.members.line(id, line, hms) {
            Outcome::Say(lines) => self.say_all(lines),
            Outcome::SayAndLog(lines, log) => {
                self.effects.print(log);
                self.say_all(lines);
            }
            Outcome::Quit => self.gone(id, hms),
        }
    }

    fn say_all(&mut self, lines: Vec<(ConnectionId, String)>) {
        for (to, line) in lines {
            let Some(client) = self.clients.get_mut(&to) else { continue };
            client.session.say(start_of(&line));
            // A member who only listens has no event of its own with which this would come out.
            while let Some(step) = client.session.poll_step() {
                self.effects.step(to, step);
            }
            self.flush(to);
        }
    }

    /// Takes a connection out, and its member.
    fn gone(&mut self, id: ConnectionId, hms: &str) {
        self.flush(id);
        if let Some(mut client) = self.clients.remove(&id) {
            client.session.end("closes the connection; nothing proves that nothing was cut off");
            while let Some(event) = client.session.poll_event() {
                if let Event::Step(step) = event {
                    self.effects.step(id, *step);
                }
            }
            self.effects.push(Effect::Close { id });
        }
        if let Some((name, said)) = self.members.leave(id, hms) {
            self.effects.print(format!("[{hms}] [LEAVE] {name} left"));
            self.say_all(said);
        }
    }
}

impl Console for Server {
    fn handle(&mut self, now: Moment, input: Input<'_>) {
        let hms = now.hms();
        match input {
            Input::Start => self.start(),
            Input::Connected { id, peer } => self.connected(id, peer, &hms),
            Input::Received { id, bytes } => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.session.receive(bytes);
                    self.work(id, &hms);
                }
            }
            Input::Closed { id } => self.gone(id, &hms),
            Input::Line(_) | Input::Ran { .. } => {}
        }
    }

    fn wants_line(&self) -> bool {
        false
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.next()
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
