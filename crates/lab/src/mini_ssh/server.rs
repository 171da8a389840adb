//! The server: asks who is there, and runs commands.

use super::session::{Event, Session};
use super::{Settings, TRIES, commands};
use crate::console::{Address, ConnectionId, Console, Effect, Effects, Input};
use crate::fix::Repairs;
use crate::frame::start_of;
use crate::{MAX_FRAME, Moment, Protocol, Randomness};
use nacre_wire::Role;
use nacre_wire::text::clean_line;
use std::collections::BTreeMap;

/// What a server asks and says.
pub(super) const ASK_NAME: &str = "Username: ";
pub(super) const ASK_PASSWORD: &str = "Password: ";
pub(super) const OK: &str = "AUTH_OK";
pub(super) const FAILED: &str = "AUTH_FAILED";
pub(super) const EXIT: &str = "exit";
pub(super) const BYE: &str = "BYE";

/// The server.
pub struct Server {
    settings: Settings,
    repairs: Repairs,
    random: Randomness,
    port: u16,
    clients: BTreeMap<ConnectionId, Client>,
    effects: Effects,
}

/// What a client says next.
enum Stage {
    Key,
    Name { tries: u32 },
    Password { tries: u32, name: Vec<u8> },
    Command,
}

struct Client {
    session: Session,
    peer: Address,
    stage: Stage,
}

impl Server {
    /// A server that listens on `port`.
    pub fn new(settings: Settings, repairs: Repairs, random: Randomness, port: u16) -> Self {
        Self { settings, repairs, random, port, clients: BTreeMap::new(), effects: Effects::default() }
    }

    fn start(&mut self) {
        self.effects.print(format!("[*] Server listening on 127.0.0.1:{}", self.port));
        if let Some(line) = self.repairs.server_line() {
            self.effects.print(format!("[*] {line}"));
        }
    }

    fn connected(&mut self, id: ConnectionId, peer: Address, now: Moment) {
        self.effects.print(format!("[+] Connection from {peer}"));
        let random = self.random.part(&format!("{} server {id}", Protocol::MiniSsh.name()));
        match Session::new(Role::Server, &self.repairs, random) {
            Ok(session) => {
                self.clients.insert(id, Client { session, peer, stage: Stage::Key });
                self.work(id, now);
            }
            Err(fault) => {
                self.effects.print(format!("[-] {fault}"));
                self.effects.push(Effect::Close { id });
            }
        }
    }

    /// Does what a client's session has come to.
    fn work(&mut self, id: ConnectionId, now: Moment) {
        while let Some(event) = self.clients.get_mut(&id).and_then(|client| client.session.poll_event()) {
            match event {
                Event::Established => {
                    self.log(id, '+', "Session key established");
                    if let Some(line) = self.clients.get_mut(&id).and_then(|client| client.session.take_proof_line()) {
                        self.log(id, '+', &line);
                    }
                    self.stage(id, Stage::Name { tries: 0 });
                    self.say(id, now, ASK_NAME.as_bytes());
                }
                Event::Text(text) => self.text(id, now, text),
                Event::Broken(fault) => {
                    self.log(id, '-', &format!("Connection closed: {fault}"));
                    self.close(id);
                }
                Event::Step(step) => self.effects.step(id, *step),
            }
        }
        self.flush(id);
    }

    fn text(&mut self, id: ConnectionId, now: Moment, text: Vec<u8>) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        match std::mem::replace(&mut client.stage, Stage::Key) {
            Stage::Name { tries } => {
                self.stage(id, Stage::Password { tries, name: text });
                self.say(id, now, ASK_PASSWORD.as_bytes());
            }
            Stage::Password { tries, name } => self.password(id, now, tries + 1, &name, &text),
            Stage::Command => {
                self.stage(id, Stage::Command);
                self.command(id, now, &String::from_utf8_lossy(&text));
            }
            Stage::Key => {}
        }
    }

    fn password(&mut self, id: ConnectionId, now: Moment, tries: u32, name: &[u8], password: &[u8]) {
        let shown = clean_line(name, MAX_FRAME);
        if name == self.settings.user.as_bytes() && password == self.settings.password.as_bytes() {
            self.log(id, '+', &format!("User '{shown}' authenticated"));
            self.say(id, now, OK.as_bytes());
            self.stage(id, Stage::Command);
            if let Some(client) = self.clients.get_mut(&id) {
                client.session.logged_in();
            }
            return;
        }
        self.log(id, '-', &format!("Authentication failed for '{shown}'"));
        self.say(id, now, FAILED.as_bytes());
        if tries < TRIES {
            self.stage(id, Stage::Name { tries });
            self.say(id, now, ASK_NAME.as_bytes());
        } else {
            self.close(id);
        }
    }

    fn command(&mut self, id: ConnectionId, now: Moment, line: &str) {
        self.log(id, '>', &clean_line(line.as_bytes(), MAX_FRAME));
        if line.trim() == EXIT {
            self.say(id, now, BYE.as_bytes());
            self.log(id, '+', "Session ended");
            return self.close(id);
        }
        if !self.settings.really_exec {
            let output = commands::answer(line, &self.settings.user, now);
            return self.output(id, now, output.as_bytes());
        }
        if let Some(client) = self.clients.get_mut(&id) {
            client.session.hold(true);
            self.effects.push(Effect::Run { id, command: line.to_owned() });
        }
    }

    /// Sends what a command printed: UTF-8, cut where a character ends.
    fn output(&mut self, id: ConnectionId, now: Moment, output: &[u8]) {
        self.say(id, now, start_of(&String::from_utf8_lossy(output)).as_bytes());
    }

    fn log(&mut self, id: ConnectionId, mark: char, line: &str) {
        let peer = self.clients.get(&id).map(|client| client.peer.to_string()).unwrap_or_default();
        self.effects.print(format!("[{mark}] {peer} {line}"));
    }

    fn stage(&mut self, id: ConnectionId, stage: Stage) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.stage = stage;
        }
    }

    fn say(&mut self, id: ConnectionId, now: Moment, text: &[u8]) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.session.say(now, text);
        }
    }

    fn flush(&mut self, id: ConnectionId) {
        if let Some(client) = self.clients.get_mut(&id) {
            self.effects.send(id, client.session.take_output());
        }
    }

    fn close(&mut self, id: ConnectionId) {
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
    }
}

impl Console for Server {
    fn handle(&mut self, now: Moment, input: Input<'_>) {
        match input {
            Input::Start => self.start(),
            Input::Connected { id, peer } => self.connected(id, peer, now),
            Input::Received { id, bytes } => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.session.receive(bytes);
                    self.work(id, now);
                }
            }
            Input::Closed { id } if self.clients.contains_key(&id) => {
                self.log(id, '-', "Connection lost");
                self.close(id);
            }
            Input::Ran { id, output } => {
                self.output(id, now, output);
                if let Some(client) = self.clients.get_mut(&id) {
                    client.session.hold(false);
                    self.work(id, now);
                }
            }
            Input::Closed { .. } | Input::Line(_) => {}
        }
    }

    fn wants_line(&self) -> bool {
        false
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.next()
    }
}
