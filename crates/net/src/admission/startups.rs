//! `MaxStartups`: the connections that are not logged in yet, the room for more of them, and who goes when it is full.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::Ticket;
use super::source::Source;

/// Every admitted connection until its end, and the tallies the limits need.
#[derive(Debug, Default)]
pub(super) struct Startups {
    issued: u64,
    connections: HashMap<Ticket, Connection>,
    /// In order of age, since tickets count up.
    exchanging: BTreeSet<Ticket>,
    /// Connections at [`Stage::AwaitLogin`].
    awaiting_login: usize,
    evicted: usize,
    /// Connections not logged in, of every source that has one.
    per_source: HashMap<Source, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    addr: IpAddr,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    AwaitKeyExchange,
    AwaitLogin,
    LoggedIn,
    /// Told to go and not gone yet: it holds no place any more, and cannot win one back.
    Evicted,
}

impl Stage {
    fn is_startup(self) -> bool {
        matches!(self, Self::AwaitKeyExchange | Self::AwaitLogin)
    }
}

/// Whether there is room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    /// The random early drop hit.
    Dropped,
    Full,
}

impl Startups {
    /// The room under `MaxStartups` (begin, rate, full). `random_percent` is uniform in 0..100.
    pub(super) fn room(&self, (begin, rate, full): (u32, u32, u32), random_percent: u32) -> Room {
        let startups = u32::try_from(self.len()).unwrap_or(u32::MAX);
        if startups >= full {
            return Room::Full;
        }
        if startups < begin {
            return Room::Free;
        }
        // Between the two the chance rises in a straight line from `rate` to 100. Here begin <= startups < full, so
        // the divisor is not zero; 64 bits hold every product.
        let rate = u64::from(rate.min(100));
        let climbed = (100 - rate) * u64::from(startups - begin) / u64::from(full - begin);
        if u64::from(random_percent) < rate + climbed { Room::Dropped } else { Room::Free }
    }

    pub(super) fn open_from(&self, source: Source) -> usize {
        self.per_source.get(&source).copied().unwrap_or(0)
    }

    pub(super) fn admit(&mut self, addr: IpAddr, net_block: (u8, u8)) -> Ticket {
        let ticket = Ticket(self.issued);
        self.issued = self.issued.wrapping_add(1);
        self.connections.insert(ticket, Connection { addr, stage: Stage::AwaitKeyExchange });
        self.exchanging.insert(ticket);
        self.add_to_source(Source::of(addr, net_block));
        ticket
    }

    /// Takes its place from the oldest connection that has not finished key exchange. `None`: all have.
    pub(super) fn evict(&mut self, net_block: (u8, u8)) -> Option<Ticket> {
        let ticket = self.exchanging.first().copied()?;
        self.advance(ticket, Stage::Evicted, net_block);
        Some(ticket)
    }

    pub(super) fn key_exchange_done(&mut self, ticket: Ticket, net_block: (u8, u8)) {
        if self.exchanging.contains(&ticket) {
            self.advance(ticket, Stage::AwaitLogin, net_block);
        }
    }

    pub(super) fn logged_in(&mut self, ticket: Ticket, net_block: (u8, u8)) {
        if self.connections.get(&ticket).is_some_and(|connection| connection.stage.is_startup()) {
            self.advance(ticket, Stage::LoggedIn, net_block);
        }
    }

    /// Forgets a connection; its address, unless it was forgotten before.
    pub(super) fn remove(&mut self, ticket: Ticket, net_block: (u8, u8)) -> Option<IpAddr> {
        let connection = self.connections.remove(&ticket)?;
        self.leave(ticket, connection, net_block);
        Some(connection.addr)
    }

    /// Counts sources anew, for a changed block size. O(n).
    pub(super) fn recount_sources(&mut self, net_block: (u8, u8)) {
        self.per_source.clear();
        let startups = self.connections.values().filter(|connection| connection.stage.is_startup());
        for connection in startups {
            *self.per_source.entry(Source::of(connection.addr, net_block)).or_default() += 1;
        }
    }

    /// Connections not logged in: what `MaxStartups` counts.
    pub(super) fn len(&self) -> usize {
        self.exchanging.len() + self.awaiting_login
    }

    pub(super) fn exchanging(&self) -> usize {
        self.exchanging.len()
    }

    pub(super) fn evicted(&self) -> usize {
        self.evicted
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.len()
    }

    fn advance(&mut self, ticket: Ticket, stage: Stage, net_block: (u8, u8)) {
        let Some(connection) = self.connections.get_mut(&ticket) else { return };
        let before = *connection;
        connection.stage = stage;
        self.leave(ticket, before, net_block);
        match stage {
            Stage::AwaitKeyExchange => {
                self.exchanging.insert(ticket);
            }
            Stage::AwaitLogin => self.awaiting_login += 1,
            Stage::Evicted => self.evicted += 1,
            Stage::LoggedIn => {}
        }
        if stage.is_startup() {
            self.add_to_source(Source::of(before.addr, net_block));
        }
    }

    /// Takes a connection out of the tallies of the stage it was at.
    fn leave(&mut self, ticket: Ticket, connection: Connection, net_block: (u8, u8)) {
        match connection.stage {
            Stage::AwaitKeyExchange => {
                self.exchanging.remove(&ticket);
            }
            Stage::AwaitLogin => self.awaiting_login = self.awaiting_login.saturating_sub(1),
            Stage::Evicted => self.evicted = self.evicted.saturating_sub(1),
            Stage::LoggedIn => {}
        }
        if connection.stage.is_startup() {
            self.take_from_source(Source::of(connection.addr, net_block));
        }
    }

    fn add_to_source(&mut self, source: Source) {
        *self.per_source.entry(source).or_default() += 1;
    }

    fn take_from_source(&mut self, source: Source) {
        let Some(count) = self.per_source.get_mut(&source) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.per_source.remove(&source);
        }
    }
}
