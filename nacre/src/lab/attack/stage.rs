//! Performs a play on sockets of this machine: every connection in it is a real one, and everything happens in one
//! loop, so that it is known when all that was sent has arrived. What was sent is dealt with in the order of sending and
//! in the same pieces, whichever socket is faster: with a seed a play is told the same each time.

use super::super::clock::Clock;
use super::super::failed;
use super::super::link::Link;
use super::super::program::{FIRST_PORT, Happening};
use super::arrivals::{Arrived, Coming};
use crate::failure::Failure;
use nacre_lab::attack::{Attacker, Cue, Deed, Deeds, Heard, LinkId, Person, Play, Seen};
use nacre_lab::console::{Address, ConnectionId, Console, Effect, Input, SERVER};
use nacre_lab::dh_chat::ROUNDS;
use nacre_wire::Role;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long anything that a play waits for may take, for the sake of busy machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// What somebody did.
pub enum Act {
    /// Typed a line.
    Types(String),
    /// Printed lines.
    Prints(String),
    /// Mallory: said what is going on.
    Says(String),
    /// Mallory: showed bytes.
    Shows(String, Vec<u8>),
}

/// What came of a play.
pub struct Ending {
    /// What everybody did, in order.
    pub told: Vec<(Person, Act)>,
    /// Whether the attack succeeded.
    pub succeeded: bool,
}

/// Whose socket it is.
#[derive(Clone, Copy)]
enum Owner {
    Server(ConnectionId),
    Client(Person),
    Mallory(LinkId, Role),
}

/// One end of a connection.
struct Socket {
    owner: Owner,
    peer: u32,
    /// Nothing once we have closed it.
    link: Option<Link>,
}

struct Actor {
    console: Box<dyn Console>,
    over: bool,
}

struct Stage {
    server: Box<dyn Console>,
    clients: BTreeMap<Person, Actor>,
    straight: Vec<Person>,
    mallory: Box<dyn Attacker>,
    to_server: TcpListener,
    to_mallory: TcpListener,
    sockets: BTreeMap<u32, Socket>,
    next: u32,
    links: LinkId,
    /// Connections that the server had.
    served: ConnectionId,
    happenings: mpsc::Sender<Happening>,
    happened: mpsc::Receiver<Happening>,
    /// What was sent to which socket and has not been dealt with, in the order of sending.
    under_way: VecDeque<(u32, Coming)>,
    /// What has come of it.
    arrived: BTreeMap<u32, Arrived>,
    mallory_waits: bool,
    clock: Clock,
    heard: Heard,
    told: Vec<(Person, Act)>,
}

/// Performs a play to its end.
///
/// # Errors
/// No sockets can be had, or what the play waits for does not come.
pub async fn perform(play: Play, clock: Clock) -> Result<Ending, Failure> {
    let Play { server, clients, straight, mallory, cues, judge } = play;
    let (happenings, happened) = mpsc::channel(64);
    let clients = clients.into_iter().map(|(who, console)| (who, Actor { console, over: false })).collect();
    let mut stage = Stage {
        server,
        clients,
        straight,
        mallory,
        to_server: listen().await?,
        to_mallory: listen().await?,
        sockets: BTreeMap::new(),
        next: 0,
        links: 0,
        served: 0,
        happenings,
        happened,
        under_way: VecDeque::new(),
        arrived: BTreeMap::new(),
        mallory_waits: false,
        clock,
        heard: Heard::default(),
        told: Vec::new(),
    };
    stage.at_server(Input::Start).await?;
    for cue in cues {
        stage.cue(cue).await?;
    }
    while stage.mallory_waits || !stage.under_way.is_empty() {
        stage.step().await?;
    }
    Ok(Ending { succeeded: judge(&stage.heard), told: stage.told })
}

async fn listen() -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)
}

/// A connection to one of our listeners: the end that connected, and the end that was accepted.
async fn connected(listener: &TcpListener) -> Result<(TcpStream, TcpStream), Failure> {
    let address = listener.local_addr().map_err(failed)?;
    let near = TcpStream::connect(address).await.map_err(failed)?;
    let own = near.local_addr().map_err(failed)?;
    loop {
        // Anybody on this machine can connect; only our own connection counts.
        let (far, peer) = listener.accept().await.map_err(failed)?;
        if peer == own {
            return Ok((near, far));
        }
    }
}

impl Stage {
    async fn cue(&mut self, cue: Cue) -> Result<(), Failure> {
        match cue {
            Cue::Enter(who) => self.at_client(who, Input::Start).await,
            Cue::Type(who, line) => self.types(who, &line).await,
            Cue::Whisper(word) => self.at_mallory(Seen::Whisper(word)).await,
            Cue::Open => {
                let lines = self.heard.lines_of(Person::Server).map(str::to_owned).collect();
                let texts = self.heard.fields(Person::Server, "text").map(str::to_owned).collect();
                let rounds = self.heard.sum(Person::Server, ROUNDS);
                self.at_mallory(Seen::Inside { lines, texts, rounds }).await
            }
            Cue::Until(signs) => {
                while !signs.iter().any(|sign| self.heard.has(sign)) && !self.somebody_is_over() {
                    self.step().await?;
                }
                Ok(())
            }
        }
    }

    async fn types(&mut self, who: Person, line: &str) -> Result<(), Failure> {
        while self.clients.get(&who).is_some_and(|actor| !actor.over && !actor.console.wants_line()) {
            self.step().await?;
        }
        if self.clients.get(&who).is_some_and(|actor| actor.over) {
            return Ok(());
        }
        self.told.push((who, Act::Types(line.to_owned())));
        match who {
            Person::Server => self.at_server(Input::Line(Some(line))).await,
            _ => self.at_client(who, Input::Line(Some(line))).await,
        }
    }

    fn somebody_is_over(&self) -> bool {
        self.clients.values().any(|actor| actor.over)
    }

    /// One thing happens.
    async fn step(&mut self) -> Result<(), Failure> {
        let Some((socket, coming)) = self.under_way.pop_front() else {
            if self.mallory_waits {
                self.mallory_waits = false;
                return self.at_mallory(Seen::Quiet).await;
            }
            return Err(failed("the attack is undecided: nothing happens any more"));
        };
        // What comes to a socket that we have closed since is nobody's business.
        if self.sockets.get(&socket).is_none_or(|socket| socket.link.is_none()) {
            return Ok(());
        }
        while !self.arrived.get(&socket).is_some_and(|arrived| arrived.has(coming)) {
            self.arrival().await?;
        }
        let arrived = self.arrived.entry(socket).or_default();
        match coming {
            Coming::Bytes(count) => {
                let bytes = arrived.take(count);
                self.received(socket, &bytes).await
            }
            Coming::End => self.closed(socket).await,
        }
    }

    /// Something arrives at some socket.
    async fn arrival(&mut self) -> Result<(), Failure> {
        let happening = timeout(PATIENCE, self.happened.recv()).await;
        match happening.map_err(|_| failed("the attack is undecided: what was sent does not arrive"))? {
            Some(Happening::Received(socket, bytes)) => self.arrived.entry(socket).or_default().bytes.extend(bytes),
            Some(Happening::Closed(socket)) => self.arrived.entry(socket).or_default().ended = true,
            Some(Happening::Ran(..)) | None => {}
        }
        Ok(())
    }

    async fn received(&mut self, socket: u32, bytes: &[u8]) -> Result<(), Failure> {
        match self.sockets.get(&socket).map(|socket| socket.owner) {
            Some(Owner::Server(id)) => self.at_server(Input::Received { id, bytes }).await,
            Some(Owner::Client(who)) => self.at_client(who, Input::Received { id: SERVER, bytes }).await,
            Some(Owner::Mallory(link, from)) => self.at_mallory(Seen::Bytes { link, from, bytes }).await,
            None => Ok(()),
        }
    }

    /// The other end of a socket is gone.
    async fn closed(&mut self, socket: u32) -> Result<(), Failure> {
        let Some(Socket { owner, link: Some(_), .. }) = self.sockets.get(&socket) else { return Ok(()) };
        let owner = *owner;
        self.close(socket);
        match owner {
            Owner::Server(id) => self.at_server(Input::Closed { id }).await,
            Owner::Client(who) => self.at_client(who, Input::Closed { id: SERVER }).await,
            Owner::Mallory(link, by) => self.at_mallory(Seen::Closed { link, by }).await,
        }
    }

    /// Closes a socket once everything is sent.
    fn close(&mut self, socket: u32) {
        let Some(ours) = self.sockets.get_mut(&socket) else { return };
        let peer = ours.peer;
        if ours.link.take().is_some() && self.sockets.get(&peer).is_some_and(|peer| peer.link.is_some()) {
            self.under_way.push_back((peer, Coming::End));
        }
    }

    fn socket_of(&self, is_it: impl Fn(Owner) -> bool) -> Option<u32> {
        let found = self.sockets.iter().find(|(_, socket)| socket.link.is_some() && is_it(socket.owner));
        found.map(|(number, _)| *number)
    }

    fn send(&mut self, socket: Option<u32>, bytes: Vec<u8>) {
        let Some(ours) = socket.and_then(|socket| self.sockets.get(&socket)) else { return };
        let (peer, count) = (ours.peer, bytes.len());
        if ours.link.as_ref().is_some_and(|link| link.send(bytes)) {
            self.under_way.push_back((peer, Coming::Bytes(count)));
        }
    }

    /// Adds both ends of a connection.
    fn join(&mut self, (near, near_owner): (TcpStream, Owner), (far, far_owner): (TcpStream, Owner)) {
        let (near_number, far_number) = (self.next, self.next + 1);
        self.next += 2;
        for (number, peer, stream, owner) in
            [(near_number, far_number, near, near_owner), (far_number, near_number, far, far_owner)]
        {
            let link = Some(Link::new(number, stream, self.happenings.clone()));
            self.sockets.insert(number, Socket { owner, peer, link });
        }
    }

    /// A connection to the server, which hears of it.
    async fn connect_to_server(&mut self, owner: Owner) -> Result<(), Failure> {
        let (near, far) = connected(&self.to_server).await?;
        let id = self.served;
        self.served += 1;
        // What is shown of a port does not depend on the run.
        let port = FIRST_PORT.saturating_add(u16::try_from(id).unwrap_or(u16::MAX));
        let peer = Address { host: Ipv4Addr::LOCALHOST.to_string(), port };
        self.join((near, owner), (far, Owner::Server(id)));
        self.at_server(Input::Connected { id, peer }).await
    }

    async fn connect(&mut self, who: Person) -> Result<(), Failure> {
        if self.straight.contains(&who) {
            self.connect_to_server(Owner::Client(who)).await?;
        } else {
            let link = self.links;
            self.links += 1;
            let (near, far) = connected(&self.to_mallory).await?;
            self.join((near, Owner::Client(who)), (far, Owner::Mallory(link, Role::Client)));
            self.connect_to_server(Owner::Mallory(link, Role::Server)).await?;
            self.at_mallory(Seen::Client(link)).await?;
        }
        let peer = Address { host: Ipv4Addr::LOCALHOST.to_string(), port: FIRST_PORT };
        self.at_client(who, Input::Connected { id: SERVER, peer }).await
    }

    async fn at_server(&mut self, input: Input<'_>) -> Result<(), Failure> {
        self.server.handle(self.clock.now(), input);
        while let Some(effect) = self.server.poll() {
            self.effect(Person::Server, effect).await?;
        }
        Ok(())
    }

    async fn at_client(&mut self, who: Person, input: Input<'_>) -> Result<(), Failure> {
        let now = self.clock.now();
        let Some(actor) = self.clients.get_mut(&who) else { return Ok(()) };
        actor.console.handle(now, input);
        while let Some(effect) = self.clients.get_mut(&who).and_then(|actor| actor.console.poll()) {
            self.effect(who, effect).await?;
        }
        Ok(())
    }

    async fn effect(&mut self, who: Person, effect: Effect) -> Result<(), Failure> {
        let is_it = |id| {
            move |owner| match owner {
                Owner::Server(other) => who == Person::Server && other == id,
                Owner::Client(other) => who == other,
                Owner::Mallory(..) => false,
            }
        };
        match effect {
            Effect::Connect => return Box::pin(self.connect(who)).await,
            Effect::Send { to, bytes } => self.send(self.socket_of(is_it(to)), bytes),
            Effect::Close { id } => {
                if let Some(socket) = self.socket_of(is_it(id)) {
                    self.close(socket);
                }
            }
            Effect::Print(lines) => {
                self.heard.line(who, &lines);
                self.told.push((who, Act::Prints(lines)));
            }
            Effect::Step { step, .. } => self.heard.step(who, *step),
            Effect::Stop { .. } | Effect::Leave => {
                if let Some(actor) = self.clients.get_mut(&who) {
                    actor.over = true;
                }
            }
            Effect::Prompt(_) | Effect::PromptHidden(_) | Effect::Run { .. } => {}
        }
        Ok(())
    }

    async fn at_mallory(&mut self, seen: Seen<'_>) -> Result<(), Failure> {
        let mut deeds = Deeds::default();
        self.mallory.handle(self.clock.now(), seen, &mut deeds);
        while let Some(deed) = deeds.poll() {
            match deed {
                Deed::Connect => Box::pin(self.own_connection()).await?,
                Deed::Send { link, to, bytes } => self.send(self.of_mallory(link, to), bytes),
                Deed::Close { link, to } => {
                    if let Some(socket) = self.of_mallory(link, to) {
                        self.close(socket);
                    }
                }
                Deed::Wait => self.mallory_waits = true,
                Deed::Say(text) => {
                    self.heard.line(Person::Mallory, &text);
                    self.told.push((Person::Mallory, Act::Says(text)));
                }
                Deed::Show { label, bytes } => self.told.push((Person::Mallory, Act::Shows(label, bytes))),
            }
        }
        Ok(())
    }

    fn of_mallory(&self, link: LinkId, to: Role) -> Option<u32> {
        self.socket_of(|owner| matches!(owner, Owner::Mallory(other, side) if other == link && side == to))
    }

    async fn own_connection(&mut self) -> Result<(), Failure> {
        let link = self.links;
        self.links += 1;
        self.connect_to_server(Owner::Mallory(link, Role::Server)).await?;
        self.at_mallory(Seen::Own(link)).await
    }
}
