//! The promises P3 to P6, on virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod limits;
mod penalties;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::*;

/// A draw that the random early drop spares at any fill below full, when the rate is below 100.
const SPARED: u32 = 99;
/// A draw that it hits as soon as there is any chance.
const HIT: u32 = 0;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The n-th of many IPv4 addresses, none of them loopback.
fn stranger(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + n).into()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[track_caller]
fn admitted(admission: Admission) -> (Ticket, Option<Ticket>) {
    match admission {
        Admission::Admit { ticket, evict } => (ticket, evict),
        Admission::Refuse(refusal) => panic!("refused: {}", refusal.reason()),
    }
}

#[track_caller]
fn refused(admission: Admission) -> Refusal {
    match admission {
        Admission::Refuse(refusal) => refusal,
        Admission::Admit { .. } => panic!("admitted"),
    }
}

/// One connection from `addr` that is admitted and ends so at once.
#[track_caller]
fn visit(admissions: &mut Admissions, now: Instant, addr: IpAddr, ending: Ending) {
    let (ticket, _) = admitted(admissions.admit(now, addr, SPARED));
    admissions.ended(now, ticket, ending);
}
