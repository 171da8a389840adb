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
        if self.repairs.has(Fix::F10) {
            self.make_room();
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

    /// The stranger who has been silent for longest goes when there are too many: who came first must not keep everybody
    /// else out.
    fn make_room(&mut self) {
        let strangers = self.clients.iter().filter(|(_, client)| client.stranger).map(|(id, _)| *id);
        let strangers: Vec<ConnectionId> = strangers.collect();
        let Some(id) = strangers.first().filter(|_| strangers.len() >= MAX_STRANGERS) else { return };
        let Some((id, client)) = self.clients.remove_entry(id) else { return };
        let count = strangers.len();
        self.effects.print(format!("[!] {} closed: {count} clients have said nothing yet", client.peer));
        self.effects.push(Effect::Close { id });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fixes;

    #[test]
    fn lab_dh_chat_with_f10_idle_strangers_make_room_for_newcomers() {
        let repairs = Repairs { fixes: Fixes::from(Fix::F10), ..Repairs::NONE };
        let mut server = Server::new(Settings::default(), repairs, Randomness::new(Some(1)), 1);
        for id in 1..=12 {
            let peer = Address { host: "127.0.0.1".to_owned(), port: 1 };
            server.handle(Moment::FIXED, Input::Connected { id, peer });
        }
        let effects: Vec<Effect> = std::iter::from_fn(|| server.poll()).collect();
        let closed = effects.iter().filter_map(|effect| match effect {
            Effect::Close { id } => Some(*id),
            _ => None,
        });
        assert_eq!(closed.collect::<Vec<_>>(), [1, 2]);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Send { to: 12, .. })));
    }
}
