//! Who may connect, as a pure state machine: no socket, no clock, no randomness of its own.
//!
//! The listener asks [`Admissions::admit`] for every accepted socket and reports what becomes of it:
//! ```text
//! admit ──> key_exchange_done ──> authenticated ──> ended
//!   │               └── any of these may be skipped ──^
//!   ├─ Refuse: tell the peer `line()`, log `reason()`, close
//!   └─ Admit { evict: Some(ticket) }: close that connection, too, then report its end like any other's
//! ```
//! A newcomer is judged in this order: the penalties of its source (`PerSourcePenalties`), the connections its source
//! has open before login (`PerSourceMaxStartups`), those of everyone (`MaxStartups`). Where the last turns it away, the oldest
//! connection that has not finished key exchange goes instead, if there is one.
//!
//! Memory is bounded by the penalties remembered, and one small entry for each connection until its end is reported.

mod config;
mod penalties;
mod refusal;
mod source;
mod startups;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Instant;

pub use config::{AdmissionConfig, Overflow, PenaltyConfig};
pub use refusal::{Ending, Offence, Refusal};

use penalties::Penalties;
use source::Source;
use startups::{Room, Startups};

/// Names one admitted connection. Never given out twice by the same [`Admissions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The answer to a newcomer.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Serve it.
    Admit {
        /// Its name from now on.
        ticket: Ticket,
        /// The connection that has to go for it: close it without a word, since it has not finished key exchange,
        /// and report its end as [`Ending::NoAuth`], so that one source which fills the server with idle connections
        /// is soon refused. A slow honest peer is evicted once, which stays far below the minimum.
        evict: Option<Ticket>,
    },
    /// Tell it why and close.
    Refuse(Refusal),
}

/// How many of what there are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that have not finished key exchange.
    pub exchanging: usize,
    /// Connections past key exchange and not logged in. With `exchanging`: what `MaxStartups` counts.
    pub awaiting_login: usize,
    /// Connections logged in.
    pub logged_in: usize,
    /// Connections told to go whose end was not reported yet.
    pub evicted: usize,
    /// IPv4 sources with a penalty, enforced or not.
    pub penalised4: usize,
    /// IPv6 sources with a penalty, enforced or not.
    pub penalised6: usize,
}

/// Everything known about who is connected and who misbehaved.
#[derive(Debug)]
pub struct Admissions {
    config: AdmissionConfig,
    penalties: Penalties,
    startups: Startups,
}

impl Admissions {
    /// Nobody is connected, nobody has a penalty.
    pub fn new(config: AdmissionConfig) -> Self {
        Self { config, penalties: Penalties::default(), startups: Startups::default() }
    }

    /// Judges a newcomer. `random_percent` is uniform in 0..100 (the random early drop's draw). A refusal costs the
    /// source nothing. O(log n) and the length of the exempt list.
    pub fn admit(&mut self, now: Instant, addr: IpAddr, random_percent: u32) -> Admission {
        let source = Source::of(addr, self.config.net_block);
        match self.judge(now, addr, source, random_percent) {
            Err(refusal) => Admission::Refuse(refusal),
            Ok(evict) => Admission::Admit { ticket: self.startups.admit(addr, self.config.net_block), evict },
        }
    }

    /// The connection's first key exchange is complete: it can no longer be evicted.
    pub fn key_exchange_done(&mut self, ticket: Ticket) {
        self.startups.key_exchange_done(ticket, self.config.net_block);
    }

    /// The connection's peer logged in: it no longer counts as a start-up. An evicted connection stays evicted.
    pub fn authenticated(&mut self, ticket: Ticket) {
        self.startups.logged_in(ticket, self.config.net_block);
    }

    /// The connection is closed. Only the first report about a ticket counts.
    pub fn ended(&mut self, now: Instant, ticket: Ticket, ending: Ending) {
        let Some(addr) = self.startups.remove(ticket, self.config.net_block) else { return };
        let Some(offence) = ending.offence() else { return };
        let Some(config) = self.config.penalties.as_ref().filter(|_| !self.is_exempt(addr)) else { return };
        self.penalties.charge(now, Source::of(addr, self.config.net_block), offence, config);
    }

    /// Takes a new configuration. Connections stay, even above a lowered limit; penalties stay unless they are turned
    /// off or the block size changed, which leaves no telling whose they were.
    pub fn reload(&mut self, config: AdmissionConfig) {
        let same_sources = config.net_block == self.config.net_block;
        self.config = config;
        if !same_sources {
            self.startups.recount_sources(self.config.net_block);
        }
        match &self.config.penalties {
            Some(penalties) if same_sources => self.penalties.trim(penalties),
            _ => self.penalties = Penalties::default(),
        }
    }

    /// How many of what there are, for the log and for tests. O(1).
    pub fn counts(&self) -> Counts {
        let (penalised4, penalised6) = self.penalties.len();
        let startups = &self.startups;
        Counts {
            exchanging: startups.exchanging(),
            awaiting_login: startups.len() - startups.exchanging(),
            logged_in: startups.connections() - startups.len() - startups.evicted(),
            evicted: startups.evicted(),
            penalised4,
            penalised6,
        }
    }

    /// The connection to evict for the newcomer, if one must go, or why the newcomer may not stay.
    fn judge(&mut self, now: Instant, addr: IpAddr, source: Source, percent: u32) -> Result<Option<Ticket>, Refusal> {
        if let Some(config) = self.config.penalties.as_ref().filter(|_| !self.is_exempt(addr))
            && let Some(refusal) = self.penalties.refusal(now, source, config)
        {
            return Err(refusal);
        }
        let open = u32::try_from(self.startups.open_from(source)).unwrap_or(u32::MAX);
        if self.config.per_source_max_startups.is_some_and(|limit| open >= limit) {
            return Err(Refusal::TooManyFromSource);
        }
        match self.startups.room(self.config.max_startups, percent) {
            Room::Free => Ok(None),
            // Of two strangers the one that has shown nothing since it came is the worse bet: thousands of idle
            // connections must not keep a login out by the draw. Only where nobody can go does the draw decide.
            Room::Dropped | Room::Full => {
                self.startups.evict(self.config.net_block).map(Some).ok_or(Refusal::TooManyStartups)
            }
        }
    }

    fn is_exempt(&self, addr: IpAddr) -> bool {
        self.config.exempt.iter().any(|network| source::contains(*network, addr))
    }
}
