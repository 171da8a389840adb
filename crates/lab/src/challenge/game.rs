//! A challenge as it is played: the honest parties as consoles, joined to each other and to the ports.

use super::rules::{Hear, Rules, Turn};
use super::{Challenge, Gate};
use crate::attack::{Person, Scene};
use crate::console::{Address, ConnectionId, Console, Effect, Input, SERVER};
use crate::{Fault, Moment, Randomness};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// A connection from outside.
pub type LinkId = u32;

/// What happened outside.
#[derive(Debug)]
pub enum Outside<'a> {
    /// Somebody connected.
    Connected {
        /// Which connection.
        link: LinkId,
        /// To which port.
        gate: Gate,
        /// Where they are.
        peer: Address,
    },
    /// Bytes came.
    Received {
        /// On which connection.
        link: LinkId,
        /// What came.
        bytes: &'a [u8],
    },
    /// The peer ended the connection, or it broke.
    Closed {
        /// Which.
        link: LinkId,
    },
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// Send bytes.
    Send {
        /// On which connection.
        link: LinkId,
        /// These.
        bytes: Vec<u8>,
    },
    /// Close a connection once everything is sent.
    Close {
        /// Which.
        link: LinkId,
    },
    /// The door has opened.
    Opened,
}

/// Who is at the other end of a connection of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Outside(LinkId),
    Bob,
}

/// A client that is played.
struct Client {
    /// Where its server is.
    server: Address,
    console: Box<dyn Console>,
    /// What is typed as soon as lines are wanted.
    lines: VecDeque<String>,
    hear: Hear,
}

impl Client {
    fn new(server: Address, console: Box<dyn Console>, lines: &[String], hear: Hear) -> Self {
        Self { server, console, lines: lines.iter().cloned().collect(), hear }
    }

    /// The next line, if one is there and wanted.
    fn line(&mut self) -> Option<String> {
        if self.console.wants_line() { self.lines.pop_front() } else { None }
    }
}

/// A connection of the server.
struct Served {
    peer: Peer,
    hear: Hear,
}

/// The game.
pub struct Game {
    scene: Scene,
    rules: Rules,
    flag: String,
    shut: &'static str,
    open: bool,
    server: Box<dyn Console>,
    /// Connections of the server.
    served: BTreeMap<ConnectionId, Served>,
    next: ConnectionId,
    /// Alice, who is there for whoever connected to her last.
    alice: Option<(LinkId, Client)>,
    bob: Option<Client>,
    outs: VecDeque<Out>,
}

impl Game {
    pub(super) fn new(challenge: &Challenge, flag: &str, random: Randomness, now: Instant) -> Result<Self, Fault> {
        let scene = Scene::new(challenge.protocol, challenge.fixes, random, now)?;
        let rules = (challenge.rules)(flag);
        let server = scene.server()?;
        let bob = match &rules.bob {
            Some(lines) => Some(Client::new(inside(), scene.client(Person::Bob)?.1, lines, (rules.hear)())),
            None => None,
        };
        Ok(Self {
            scene,
            rules,
            flag: flag.to_owned(),
            shut: challenge.shut,
            open: false,
            server,
            served: BTreeMap::new(),
            next: SERVER + 1,
            alice: None,
            bob,
            outs: VecDeque::new(),
        })
    }

    /// Everybody comes in who is there from the beginning.
    pub fn start(&mut self, now: Moment) {
        self.at_server(now, Input::Start);
        self.at_bob(now, Input::Start);
        self.work(now);
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Moment, outside: Outside<'_>) {
        match outside {
            Outside::Connected { link, gate: Gate::Server, peer } => self.connected(now, Peer::Outside(link), peer),
            Outside::Connected { link, gate: Gate::Alice, peer } => self.alice_comes(now, link, peer),
            Outside::Connected { link, gate: Gate::Door, .. } => self.say_at_door(link),
            Outside::Received { link, bytes } => match self.connection_of(Peer::Outside(link)) {
                Some(id) => self.at_server(now, Input::Received { id, bytes }),
                None => self.at_alice(now, link, Input::Received { id: SERVER, bytes }),
            },
            Outside::Closed { link } => match self.connection_of(Peer::Outside(link)) {
                Some(id) => self.gone(now, id),
                None => {
                    self.at_alice(now, link, Input::Closed { id: SERVER });
                    self.alice.take_if(|(own, _)| *own == link);
                }
            },
        }
        self.work(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Out> {
        self.outs.pop_front()
    }

    fn say_at_door(&mut self, link: LinkId) {
        let text = match self.open {
            true => format!("The door is open. The flag is {}\n", self.flag),
            false => format!("{}\n", self.shut),
        };
        self.outs.push_back(Out::Send { link, bytes: text.into_bytes() });
        self.outs.push_back(Out::Close { link });
    }

    fn alice_comes(&mut self, now: Moment, link: LinkId, peer: Address) {
        if let Some((before, _)) = self.alice.take() {
            self.outs.push_back(Out::Close { link: before });
        }
        let Ok((_, console)) = self.scene.client(Person::Alice) else {
            return self.outs.push_back(Out::Close { link });
        };
        self.alice = Some((link, Client::new(peer, console, &self.rules.alice, (self.rules.hear)())));
        self.at_alice(now, link, Input::Start);
    }

    fn connected(&mut self, now: Moment, peer: Peer, address: Address) {
        let id = self.next;
        self.next = self.next.wrapping_add(1).max(SERVER + 1);
        self.served.insert(id, Served { peer, hear: (self.rules.hear)() });
        self.at_server(now, Input::Connected { id, peer: address });
    }

    fn connection_of(&self, peer: Peer) -> Option<ConnectionId> {
        self.served.iter().find(|(_, served)| served.peer == peer).map(|(id, _)| *id)
    }

    fn gone(&mut self, now: Moment, id: ConnectionId) {
        self.served.remove(&id);
        self.at_server(now, Input::Closed { id });
    }

    /// Lines are typed as long as somebody has one and wants one.
    fn work(&mut self, now: Moment) {
        loop {
            if let Some(line) = self.bob.as_mut().and_then(Client::line) {
                self.at_bob(now, Input::Line(Some(&line)));
            } else if let Some((link, line)) =
                self.alice.as_mut().and_then(|(link, alice)| Some((*link, alice.line()?)))
            {
                self.at_alice(now, link, Input::Line(Some(&line)));
            } else {
                return;
            }
        }
    }

    fn at_server(&mut self, now: Moment, input: Input<'_>) {
        // What the server prints now is about this connection, if it is about any.
        let about = match &input {
            Input::Connected { id, .. } | Input::Received { id, .. } | Input::Closed { id } | Input::Ran { id, .. } => {
                Some(*id)
            }
            Input::Start | Input::Line(_) => None,
        };
        self.server.handle(now, input);
        while let Some(effect) = self.server.poll() {
            match effect {
                Effect::Send { to, bytes } => match self.served.get(&to).map(|served| served.peer) {
                    Some(Peer::Outside(link)) => self.outs.push_back(Out::Send { link, bytes }),
                    Some(Peer::Bob) => self.at_bob(now, Input::Received { id: SERVER, bytes: &bytes }),
                    None => {}
                },
                Effect::Close { id } => match self.served.remove(&id).map(|served| served.peer) {
                    Some(Peer::Outside(link)) => self.outs.push_back(Out::Close { link }),
                    Some(Peer::Bob) => self.at_bob(now, Input::Closed { id: SERVER }),
                    None => {}
                },
                Effect::Print(lines) => self.heard(now, Person::Server, about, &lines),
                _ => {}
            }
        }
    }

    fn at_alice(&mut self, now: Moment, link: LinkId, input: Input<'_>) {
        let Some((_, alice)) = self.alice.as_mut().filter(|(own, _)| *own == link) else { return };
        alice.console.handle(now, input);
        while let Some(effect) = self.alice.as_mut().and_then(|(_, alice)| alice.console.poll()) {
            match effect {
                Effect::Connect => {
                    let server = self.alice.as_ref().map(|(_, alice)| alice.server.clone());
                    let peer = server.unwrap_or_else(inside);
                    self.at_alice(now, link, Input::Connected { id: SERVER, peer });
                }
                Effect::Send { bytes, .. } => self.outs.push_back(Out::Send { link, bytes }),
                Effect::Close { .. } => self.outs.push_back(Out::Close { link }),
                Effect::Print(lines) => self.heard(now, Person::Alice, None, &lines),
                _ => {}
            }
        }
    }

    fn at_bob(&mut self, now: Moment, input: Input<'_>) {
        let Some(bob) = &mut self.bob else { return };
        bob.console.handle(now, input);
        while let Some(effect) = self.bob.as_mut().and_then(|bob| bob.console.poll()) {
            match effect {
                Effect::Connect => {
                    self.connected(now, Peer::Bob, inside());
                    self.at_bob(now, Input::Connected { id: SERVER, peer: inside() });
                }
                Effect::Send { bytes, .. } => {
                    if let Some(id) = self.connection_of(Peer::Bob) {
                        self.at_server(now, Input::Received { id, bytes: &bytes });
                    }
                }
                Effect::Print(lines) => self.heard(now, Person::Bob, None, &lines),
                _ => {}
            }
        }
    }

    /// Somebody's program printed lines; the server's, about one of its connections.
    fn heard(&mut self, now: Moment, who: Person, about: Option<ConnectionId>, lines: &str) {
        for line in lines.lines() {
            let hear = match who {
                Person::Server => about.and_then(|id| self.served.get_mut(&id)).map(|served| &mut served.hear),
                Person::Alice => self.alice.as_mut().map(|(_, alice)| &mut alice.hear),
                _ => self.bob.as_mut().map(|bob| &mut bob.hear),
            };
            for turn in hear.map(|hear| hear(who, line)).unwrap_or_default() {
                self.take(now, turn);
            }
        }
    }

    fn take(&mut self, now: Moment, turn: Turn) {
        match turn {
            Turn::ServerSays(line) => self.at_server(now, Input::Line(Some(&line))),
            Turn::BobSays(line) => self.bob.iter_mut().for_each(|bob| bob.lines.push_back(line.clone())),
            Turn::Open if self.open => {}
            Turn::Open => {
                self.open = true;
                self.outs.push_back(Out::Opened);
            }
        }
    }
}

/// Where somebody is who is in no need of a port.
fn inside() -> Address {
    Address { host: "127.0.0.1".to_owned(), port: 0 }
}
