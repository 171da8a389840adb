//! What the operator decides: limits and penalties, under sshd_config's words and, but for three, its values.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::refusal::Offence;

/// Who may connect. The default differs from OpenSSH's in `MaxStartups` (10:30:100 there), the IPv6 block (128 there)
/// and in that loopback is exempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionConfig {
    /// `MaxStartups` as (begin, rate in percent, full): connections not yet logged in. From `begin` on a newcomer
    /// costs somebody the place with a chance that rises in a straight line from `rate` to 100 at `full`: the oldest
    /// connection that has not finished key exchange, and itself when there is none.
    pub max_startups: (u32, u32, u32),
    /// `PerSourceMaxStartups`: connections not yet logged in from one source. `None`: no limit.
    pub per_source_max_startups: Option<u32>,
    /// `PerSourceNetBlockSize` as (IPv4 bits, IPv6 bits): how much of an address makes a source.
    pub net_block: (u8, u8),
    /// `PerSourcePenalties`. `None`: off.
    pub penalties: Option<PenaltyConfig>,
    /// `PerSourcePenaltyExemptList` as (address, prefix bits). Limits on start-ups hold for these, too.
    pub exempt: Vec<(IpAddr, u8)>,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self {
            max_startups: (100, 30, 1000),
            per_source_max_startups: None,
            net_block: (32, 64),
            penalties: Some(PenaltyConfig::default()),
            exempt: vec![(Ipv4Addr::new(127, 0, 0, 0).into(), 8), (Ipv6Addr::LOCALHOST.into(), 128)],
        }
    }
}

/// `PerSourcePenalties`: what each offence costs, and how many offenders are remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PenaltyConfig {
    /// `crash`: the server process that served the peer crashed.
    pub crash: Duration,
    /// `authfail`: the peer tried to log in and failed.
    pub auth_fail: Duration,
    /// `invaliduser`: it tried as a user that does not exist.
    pub invalid_user: Duration,
    /// `refuseconnection`: the configuration's `RefuseConnection` turned it away.
    pub refuse_connection: Duration,
    /// `noauth`: it left without trying to log in.
    pub no_auth: Duration,
    /// `grace-exceeded`: it had not logged in by `LoginGraceTime`.
    pub grace_exceeded: Duration,
    /// `min`: what must have added up before a source is refused.
    pub min: Duration,
    /// `max`: what can add up.
    pub max: Duration,
    /// `max-sources4`: IPv4 sources remembered.
    pub max_sources4: usize,
    /// `max-sources6`: IPv6 sources remembered, counted apart so that plentiful IPv6 cannot push out IPv4.
    pub max_sources6: usize,
    /// `overflow`: what happens when the IPv4 memory is full.
    pub overflow4: Overflow,
    /// `overflow6`: what happens when the IPv6 memory is full.
    pub overflow6: Overflow,
}

/// What happens when as many sources have penalties as are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Everyone of that address family who is not exempt is refused until a penalty runs out.
    DenyAll,
    /// The penalty that would run out soonest is forgotten for the new one.
    Permissive,
}

impl Default for PenaltyConfig {
    fn default() -> Self {
        Self {
            crash: Duration::from_secs(90),
            auth_fail: Duration::from_secs(5),
            invalid_user: Duration::from_secs(5),
            refuse_connection: Duration::from_secs(10),
            no_auth: Duration::from_secs(1),
            grace_exceeded: Duration::from_secs(10),
            min: Duration::from_secs(15),
            max: Duration::from_secs(600),
            max_sources4: 65_536,
            max_sources6: 65_536,
            overflow4: Overflow::Permissive,
            overflow6: Overflow::Permissive,
        }
    }
}

impl PenaltyConfig {
    /// What one offence costs.
    pub fn cost(&self, offence: Offence) -> Duration {
        match offence {
            Offence::AuthFailed => self.auth_fail,
            Offence::Crash => self.crash,
            Offence::GraceExceeded => self.grace_exceeded,
            Offence::InvalidUser => self.invalid_user,
            Offence::NoAuth => self.no_auth,
            Offence::RefusedByPolicy => self.refuse_connection,
        }
    }
}
