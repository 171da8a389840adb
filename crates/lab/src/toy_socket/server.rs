//! The server: shows what came and was authenticated, and answers each message.

use super::MAX_LINE;
use super::session::{Event, Session};
use crate::console::{Address, ConnectionId, Console, Effect, Effects, Input};
use crate::fix::Repairs;
use crate::{Moment, Protocol, Randomness};
use nacre_wire::Role;
use nacre_wire::text::clean_line;
use std::collections::BTreeMap;

/// The server.
pub struct Server {
    bits: u32,
    repairs: Repairs,
    random: Randomness,
    port: u16,
    clients: BTreeMap<ConnectionId, Client>,
    effects: Effects,
}

struct Client {
    session: Session,
    peer: Address,
}

impl Server {
    /// A server that listens on `port`, with RSA primes of `bits`.
    pub fn new(bits: u32, repairs: Repairs, random: Randomness, port: u16) -> Self {
        Self { bits, repairs, random, port, clients: BTreeMap::new(), effects: Effects::default() }
    }

    fn connected(&mut self, id: ConnectionId, peer: Address) {
        self.effects.print(format!("Client connected from {peer}"));
        let random = self.random.part(&format!("{} server {id}", Protocol::ToySocket.name()));
        match Session::new(Role::Server, self.bits, &self.repairs, random) {
            Ok(session) => {
                self.clients.insert(id, Client { session, peer });
            }
            Err(fault) => {
                self.effects.print(format!("Error: {fault}"));
                self.effects.push(Effect::Close { id });
            }
        }
    }

    /// Does what a client's session has come to.
    fn work(&mut self, id: ConnectionId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let mut over = None;
        while let Some(event) = client.session.poll_event() {
            match event {
                Event::Established => {
                    self.effects.print("Shared secret and RSA keys exchanged");
                    if let Some(line) = client.session.take_proof_line() {
                        self.effects.print(format!("Note: {line}"));
                    }
                }
                Event::Text(text) => {
                    let shown = clean_line(&text, MAX_LINE);
                    self.effects.print(format!("Received and authenticated: {shown}"));
                    client.session.say(&[b"Server received: ", text.as_slice()].concat());
                }
                Event::Rejected(answer) => self.effects.print(format!("Rejected a message: {answer}")),
                Event::Left => over = Some(format!("Client {} left", client.peer)),
                Event::Broken(fault) => over = Some(format!("Client {} closed: {fault}", client.peer)),
                Event::Step(step) => self.effects.step(id, *step),
                Event::Error(_) => {}
            }
        }
        self.effects.send(id, client.session.take_output());
        if let Some(line) = over {
            self.effects.print(line);
            self.effects.push(Effect::Close { id });
            self.clients.remove(&id);
        }
    }
}

impl Console for Server {
    fn handle(&mut self, _now: Moment, input: Input<'_>) {
        match input {
            Input::Start => {
                self.effects.print(format!("Server is listening on 127.0.0.1:{}", self.port));
                if let Some(line) = self.repairs.server_line() {
                    self.effects.print(line);
                }
            }
            Input::Connected { id, peer } => self.connected(id, peer),
            Input::Received { id, bytes } => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.session.receive(bytes);
                    self.work(id);
                }
            }
            Input::Closed { id } => {
                if let Some(client) = self.clients.remove(&id) {
                    self.effects.print(format!("Client {} disconnected", client.peer));
                }
            }
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
