//! `PerSourcePenalties`: offences add up per source, run off with time, and past a minimum the source is refused.
//!
//! A penalty is kept as the moment it runs out, so decay costs nothing. IPv4 and IPv6 have a table each.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::config::{Overflow, PenaltyConfig};
use super::refusal::{Offence, Refusal};
use super::source::Source;

/// Longest penalty kept, whatever `max` says: the longest span sshd_config can say, so that the moment it runs out exists.
const LONGEST: Duration = Duration::from_secs(i32::MAX as u64);

#[derive(Debug, Default)]
pub(super) struct Penalties {
    v4: Table,
    v6: Table,
}

impl Penalties {
    /// Why `source` may not connect now, if so. O(log n), plus what ran out since the last call.
    pub(super) fn refusal(&mut self, now: Instant, source: Source, config: &PenaltyConfig) -> Option<Refusal> {
        let (table, bound) = self.table(source, config);
        table.expire(now);
        table.refusal(now, source, bound)
    }

    /// Adds an offence to the source's penalty. O(log n), plus what ran out since the last call.
    pub(super) fn charge(&mut self, now: Instant, source: Source, offence: Offence, config: &PenaltyConfig) {
        let cost = config.cost(offence);
        if cost.is_zero() {
            return;
        }
        let (table, bound) = self.table(source, config);
        table.expire(now);
        if table.make_room(source, bound) {
            table.charge(now, source, offence, cost, config);
        }
    }

    /// Brings the tables under new bounds.
    pub(super) fn trim(&mut self, config: &PenaltyConfig) {
        self.v4.shrink_to(config.max_sources4);
        self.v6.shrink_to(config.max_sources6);
    }

    /// Sources remembered (IPv4, IPv6), those included that ran out but were not met since.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.v4.by_source.len(), self.v6.by_source.len())
    }

    fn table(&mut self, source: Source, config: &PenaltyConfig) -> (&mut Table, Bound) {
        if source.is_ipv4() {
            (&mut self.v4, Bound { sources: config.max_sources4, overflow: config.overflow4 })
        } else {
            (&mut self.v6, Bound { sources: config.max_sources6, overflow: config.overflow6 })
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    sources: usize,
    overflow: Overflow,
}

#[derive(Clone, Copy, Debug)]
struct Penalty {
    expiry: Instant,
    /// Once refused, a source stays so until the end, else waiting out all but `min` would be enough.
    enforced: bool,
    latest: Offence,
}

/// Penalties of one address family. Every source is in both maps or in neither.
#[derive(Debug, Default)]
struct Table {
    by_source: HashMap<Source, Penalty>,
    by_expiry: BTreeSet<(Instant, Source)>,
}

impl Table {
    fn refusal(&self, now: Instant, source: Source, bound: Bound) -> Option<Refusal> {
        if let Some(penalty) = self.by_source.get(&source).filter(|penalty| penalty.enforced) {
            let remaining = penalty.expiry.saturating_duration_since(now);
            return Some(Refusal::Penalised { remaining, offence: penalty.latest });
        }
        let full = self.by_source.len() >= bound.sources;
        let (soonest, _) = self.by_expiry.first().filter(|_| full && bound.overflow == Overflow::DenyAll)?;
        Some(Refusal::PenaltiesFull { remaining: soonest.saturating_duration_since(now) })
    }

    fn charge(&mut self, now: Instant, source: Source, offence: Offence, cost: Duration, config: &PenaltyConfig) {
        let before = self.by_source.get(&source).copied();
        let owed = before.map_or(Duration::ZERO, |penalty| penalty.expiry.saturating_duration_since(now));
        let owed = owed.saturating_add(cost).min(config.max).min(LONGEST);
        let Some(expiry) = now.checked_add(owed) else { return };
        let enforced = owed >= config.min || before.is_some_and(|penalty| penalty.enforced);
        if let Some(penalty) = before {
            self.by_expiry.remove(&(penalty.expiry, source));
        }
        self.by_expiry.insert((expiry, source));
        self.by_source.insert(source, Penalty { expiry, enforced, latest: offence });
    }

    /// True when `source` can be remembered within the bound, perhaps because another was forgotten for it.
    fn make_room(&mut self, source: Source, bound: Bound) -> bool {
        if self.by_source.len() < bound.sources || self.by_source.contains_key(&source) {
            return true;
        }
        if bound.sources == 0 || bound.overflow == Overflow::DenyAll {
            return false;
        }
        // The soonest to run out goes first, so a flood of small offences pushes out itself, not the long penalties.
        self.shrink_to(bound.sources.saturating_sub(1));
        true
    }

    fn shrink_to(&mut self, sources: usize) {
        while self.by_source.len() > sources {
            let Some((_, source)) = self.by_expiry.pop_first() else { return };
            self.by_source.remove(&source);
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((expiry, source)) = self.by_expiry.first().copied() {
            if expiry > now {
                return;
            }
            self.by_expiry.pop_first();
            self.by_source.remove(&source);
        }
    }
}
