//! A challenge on sockets of this machine.

use super::super::clock::Clock;
use super::super::failed;
use super::super::link::Link;
use super::super::program::Happening;
use super::{Numbered, flags, told};
use crate::cli::lab::ChallengeArgs;
use crate::failure::Failure;
use crate::output;
use crate::signal::{SIGINT, SIGTERM, Signal};
use nacre_lab::Randomness;
use nacre_lab::challenge::{Game, Gate, LinkId, Out, Outside, flag};
use nacre_lab::console::Address;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Connections at once.
const MAX_LINKS: usize = 100;
/// How long connections wait when none can be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// Where a challenge's ports begin unless told otherwise: ten for each.
const PORTS: u16 = 7000;

/// Somebody who has come to a port.
type Arrival = (Gate, TcpStream, SocketAddr);

/// Opens it until it is told to stop.
///
/// # Errors
/// A port is taken, or the flag cannot be remembered.
pub async fn run(numbered: Numbered, args: &ChallengeArgs) -> Result<ExitCode, Failure> {
    let (mut interrupted, mut terminated) = (caught(SIGINT)?, caught(SIGTERM)?);
    let (arrivals, mut arrived) = mpsc::channel(1);
    let ports = open(numbered, args.port, &arrivals).await?;
    let random = Randomness::new(args.seed);
    let flag = flag(&random, numbered.number).map_err(failed)?;
    let game = numbered.challenge.game(&flag, random, Instant::now()).map_err(failed)?;
    flags::remember(numbered.number, &flag)?;
    let (happenings, mut happened) = mpsc::channel(64);
    let mut table = Table { game, clock: Clock::new(args.seed), links: BTreeMap::new(), next: 0, happenings };
    table.game.start(table.clock.now());
    output::print(&told(numbered, &ports))?;
    loop {
        tokio::select! {
            Some(arrival) = arrived.recv() => table.connected(arrival)?,
            Some(happening) = happened.recv() => table.happened(happening)?,
            () = interrupted.recv() => break,
            () = terminated.recv() => break,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn caught(number: i32) -> Result<Signal, Failure> {
    Signal::catch(number).map_err(|error| failed(format!("cannot wait for signals: {error}")))
}

/// Listens on as many ports as there are gates.
async fn open(numbered: Numbered, first: Option<u16>, arrivals: &mpsc::Sender<Arrival>) -> Result<Vec<u16>, Failure> {
    let usual = PORTS + 10 * u16::from(numbered.number);
    let first = first.unwrap_or(usual);
    let mut ports = Vec::new();
    for (gate, place) in numbered.challenge.gates.iter().zip(0..) {
        let port = if first == 0 { 0 } else { first.saturating_add(place) };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
            failed(format!("cannot listen on 127.0.0.1 port {port}: {error}")).hint("choose another: --port PORT")
        })?;
        ports.push(listener.local_addr().map_err(failed)?.port());
        tokio::spawn(accept(*gate, listener, arrivals.clone()));
    }
    Ok(ports)
}

async fn accept(gate: Gate, listener: TcpListener, arrivals: mpsc::Sender<Arrival>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if arrivals.send((gate, stream, peer)).await.is_err() {
                    return;
                }
            }
            // No descriptors, most likely: it would fail again at once.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// A game and the connections to it.
struct Table {
    game: Game,
    clock: Clock,
    links: BTreeMap<LinkId, Link>,
    next: LinkId,
    happenings: mpsc::Sender<Happening>,
}

impl Table {
    fn connected(&mut self, (gate, stream, peer): Arrival) -> Result<(), Failure> {
        if self.links.len() >= MAX_LINKS {
            return Ok(());
        }
        let link = self.next;
        self.next = self.next.wrapping_add(1);
        self.links.insert(link, Link::new(link, stream, self.happenings.clone()));
        let peer = Address { host: peer.ip().to_string(), port: peer.port() };
        self.game.handle(self.clock.now(), Outside::Connected { link, gate, peer });
        self.work()
    }

    fn happened(&mut self, happening: Happening) -> Result<(), Failure> {
        let now = self.clock.now();
        match happening {
            Happening::Received(link, bytes) => self.game.handle(now, Outside::Received { link, bytes: &bytes }),
            Happening::Closed(link) => {
                self.game.handle(now, Outside::Closed { link });
                self.links.remove(&link);
            }
            Happening::Ran(..) => {}
        }
        self.work()
    }

    /// Does what the game wants.
    fn work(&mut self) -> Result<(), Failure> {
        let mut out: BTreeMap<LinkId, Vec<u8>> = BTreeMap::new();
        while let Some(wanted) = self.game.poll() {
            match wanted {
                Out::Send { link, mut bytes } => out.entry(link).or_default().append(&mut bytes),
                Out::Close { link } => {
                    self.send(link, out.remove(&link).unwrap_or_default());
                    self.links.remove(&link);
                }
                Out::Opened => output::print("The door is open.\n")?,
            }
        }
        for (link, bytes) in out {
            self.send(link, bytes);
        }
        Ok(())
    }

    /// A peer that takes nothing loses its connection; its task says that it is gone.
    fn send(&mut self, link: LinkId, bytes: Vec<u8>) {
        if !bytes.is_empty() && self.links.get(&link).is_some_and(|link| !link.send(bytes)) {
            self.links.remove(&link);
        }
    }
}
