//! The server: every client has a session of its own; what is typed goes to all.

use super::session::{Event, Session};
use super::{MAX_STRANGERS, Settings};
use crate::console::{Address, ConnectionId, Console, Effect, Effects, Input};
use crate::fix::{Fix, Repairs};
use crate::{MAX_FRAME, Moment, Protocol, Randomness};
use nacre_wire::text::clean_line;
use std::collections::BTreeMap;

/// The server.
pub struct Server {
    settings: Settings,
    repairs: Repairs,
    random: Randomness,
    port: u16,
    clients: BTreeMap<ConnectionId, Client>,
    effects: Effects,
}

struct Client {
    session: Session,
    peer: Address,
    established: bool,
    /// No message of its has been opened yet.
    stranger: bool,
}

impl Server {
    /// A server that listens on `port`.
    pub fn new(settings: Settings, repairs: Repairs, random: Randomness, port: u16) -> Self {
        Self { settings, repairs, random, port, clients: BTreeMap::new(), effects: Effects::default() }
    }

    fn start(&mut self) {
        self.effects.print(format!("[*] Server listening on localhost:{}", self.port));
        self.effects.print("[*] Waiting for client connection...");
        if let Some(line) = self.repairs.server_line() {
            self.effects.print(format!("[*] {line}"));
        }
    }

    fn connected(&mut self, id: ConnectionId, peer: Address) {
        self.effects.print(format!("[*] New connection from {peer}"));
        let strangers = self.clients.values().filter(|client| client.stranger).count();
        if self.repairs.has(Fix::F10) && strangers >= MAX_STRANGERS {
            self.effects.print(format!("[!] {peer} closed: {strangers} clients have said nothing yet"));
            return self.effects.push(Effect::Close { id });
        }
        let random = self.random.part(&format!("{} server {id}", Protocol::DhChat.name()));
        match Session::server(self.settings, &self.repairs, random) {
            Ok(session) => {
                self.clients.insert(id, Client { session, peer, established: false, stranger: true });
                self.work(id);
            }
            Err(fault) => {
                self.effects.print(format!("[!] {fault}"));
                self.effects.push(Effect::Close { id });
            }
        }
    }

    /// Does what a client's session has come to.
    fn work(&mut self, id: ConnectionId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        self.effects.send(id, client.session.take_output());
        let mut over = None;
        while let Some(event) = client.session.poll_event() {
            match event {
                Event::Established => {
                    client.established = true;
                    if let Some(line) = client.session.take_proof_line() {
                        self.effects.print(format!("[*] {line}"));
                    }
                    self.effects.print(format!("[*] Secure connection established with {}", client.peer));
                    self.effects.print("[*] You can now send encrypted messages. Type 'exit' to quit.\n");
                }
                Event::Text(text) => {
                    client.stranger = false;
                    self.effects.print(format!("[Client]: {}", clean_line(&text, MAX_FRAME)));
                }
                Event::Left => over = Some(format!("[*] {} left", client.peer)),
                Event::Broken(fault) => over = Some(format!("[!] {} closed: {fault}", client.peer)),
                Event::Step(step) => self.effects.step(id, *step),
            }
        }
        if let Some(line) = over {
            self.effects.print(line);
            self.effects.push(Effect::Close { id });
            self.clients.remove(&id);
        }
    }

    fn typed(&mut self, line: &str) {
        let leaves = line == super::session::EXIT;
        let ids: Vec<ConnectionId> = self.clients.keys().copied().collect();
        for id in ids {
            let Some(client) = self.clients.get_mut(&id).filter(|client| client.established) else { continue };
            if leaves {
                client.session.leave()
            } else {
                client.session.say(line)
            }
            self.work(id);
        }
        if leaves {
            self.effects.push(Effect::Stop { good: true });
        }
    }
}

impl Console for Server {
    fn handle(&mut self, _now: Moment, input: Input<'_>) {
        match input {
            Input::Start => self.start(),
            Input::Connected { id, peer } => self.connected(id, peer),
            Input::Received { id, bytes } => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.session.receive(bytes);
                    self.work(id);
                }
            }
            Input::Closed { id } => {
                if let Some(client) = self.clients.remove(&id) {
                    self.effects.print(format!("[*] {} disconnected", client.peer));
                }
            }
            // The end of the input is no word of goodbye: a server in the background has none.
            Input::Line(None) | Input::Ran { .. } => {}
            Input::Line(Some("")) => {}
            Input::Line(Some(line)) => self.typed(line),
        }
    }

    fn wants_line(&self) -> bool {
        self.clients.values().any(|client| client.established)
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.next()
    }
}
