//! The server: it knows one user by a key, and shows what is said to it.

use super::Settings;
use super::end::End;
use crate::console::{Address, ConnectionId, Console, Effect, Effects, Input};
use crate::{Moment, Protocol};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::login::server::UserPolicy;
use nacre_proto::{Event, OpenAnswer};
use nacre_wire::text::clean_line;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest name that is shown.
const MAX_NAME: usize = 32;
/// Failed attempts after which a connection ends.
const MAX_TRIES: u32 = 3;
/// RFC 4254 §5.1.
const PROHIBITED: u32 = 1;

/// The server, with its connections.
pub struct Server {
    settings: Settings,
    clients: BTreeMap<ConnectionId, Client>,
    effects: Effects,
}

struct Client {
    end: End,
    peer: Address,
    name: String,
}

impl Server {
    /// A server that nobody has come to yet.
    pub fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), clients: BTreeMap::new(), effects: Effects::default() }
    }

    fn connected(&mut self, id: ConnectionId, peer: Address) {
        self.effects.print(format!("[*] New connection from {peer}"));
        match End::server(&self.settings) {
            Ok(end) => {
                self.clients.insert(id, Client { end, peer, name: String::new() });
                self.work(id);
            }
            Err(error) => {
                self.effects.print(format!("[!] {peer} closed: {error}"));
                self.effects.push(Effect::Close { id });
            }
        }
    }

    /// Does what a client's connection has come to.
    fn work(&mut self, id: ConnectionId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        while let Some(event) = client.end.poll_event() {
            for line in client.event(&self.settings, event) {
                self.effects.print(line);
            }
        }
        let out = client.end.take_output();
        for line in client.end.take_numbers() {
            self.effects.print(line);
        }
        self.effects.send(id, out);
        if let Some(error) = client.end.error() {
            self.effects.print(format!("[!] {} closed: {error}", client.peer));
            self.effects.push(Effect::Close { id });
            self.clients.remove(&id);
        }
    }
}

impl Client {
    /// Answers what is asked; lines to print.
    fn event(&mut self, settings: &Settings, event: Event) -> Vec<String> {
        match event {
            Event::SignExchange { pending, algorithm, exchange_hash, .. } => {
                self.end.answer(pending, settings.host_key.sign(algorithm, &exchange_hash).ok());
            }
            Event::LookUpUser { pending, user } => {
                self.name = clean_line(&user, MAX_NAME);
                self.end.answer(pending, policy());
            }
            Event::CheckKey { pending, public_key, .. } => {
                self.end.answer(pending, public_key == settings.user_key.public_blob());
            }
            Event::Authenticated { .. } => return vec![format!("[*] {} logged in with a key", self.name)],
            Event::OpenRequest { pending, kind, .. } if kind == "session" => {
                self.end.answer(pending, OpenAnswer::Accept);
            }
            Event::OpenRequest { pending, .. } => {
                let description = "sessions only".to_owned();
                self.end.answer(pending, OpenAnswer::Reject { reason: PROHIBITED, description });
            }
            Event::Data { channel, data, .. } => {
                let lines = self.end.take_lines(channel, &data);
                return lines.iter().map(|line| format!("[{}]: {line}", self.name)).collect();
            }
            Event::Request { pending: Some(pending), .. } => self.end.answer(pending, false),
            Event::Global { pending: Some(pending), .. } => self.end.answer(pending, None),
            _ => {}
        }
        Vec::new()
    }
}

/// What holds for a login, whoever it is.
fn policy() -> UserPolicy {
    UserPolicy {
        methods: vec![vec!["publickey".to_owned()]],
        max_tries: MAX_TRIES,
        failure_delay: Duration::ZERO,
        banner: None,
        none_succeeds: false,
        algorithms: vec![SignatureAlgorithm::Ed25519],
    }
}

impl Console for Server {
    fn handle(&mut self, _now: Moment, input: Input<'_>) {
        match input {
            Input::Start => {
                self.effects.print(format!("[*] Server listening on localhost:{}", Protocol::Ssh.port()));
            }
            Input::Connected { id, peer } => self.connected(id, peer),
            Input::Received { id, bytes } => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.end.receive(bytes);
                    self.work(id);
                }
            }
            Input::Closed { id } => {
                if let Some(client) = self.clients.remove(&id) {
                    self.effects.print(format!("[*] {} disconnected", client.peer));
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
