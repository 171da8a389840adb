//! The attacks: each is a card that tells it, and a play that does it. Plays run on sockets of this machine, which the
//! binary has; here is who does what, and how it is judged.

mod a01_listener;
mod a02_middle;
mod a03_fixed_key;
mod a04_replay;
mod a05_reorder;
mod a06_reflection;
mod a07_bit_flip;
mod a08_padding;
mod a09_seized_key;
mod a10_table;
mod a11_factors;
mod a12_collision;
mod a13_codebook;
mod a14_impostor;
mod a15_strangers;
mod a16_length;
mod a17_logs;
mod a18_terrapin;
mod a20_curious;
mod packets;
mod play;
mod question;
mod reader;
mod scene;
mod tap;
mod toy;

pub use a15_strangers::CARD as STRANGERS;
pub use a18_terrapin::{ADDS, CARD as TERRAPIN, TAKEN, terrapin};
pub use play::{Attacker, Cue, Deed, Deeds, Heard, LinkId, Person, Play, Seen, Sign};
pub use question::Question;
pub use scene::Scene;

use crate::{Fault, Fix, Protocol};
use std::fmt;

/// What an attack comes to that cannot be tried on SSH.
const NOT_ON_SSH: Fault = Fault::Refused { what: "ssh", why: "A1, A18 and A19 are the attacks on it" };

/// An attack, as it is told.
pub struct Card {
    /// Its name, such as `A2`.
    pub name: &'static str,
    /// A title of a few words.
    pub title: &'static str,
    /// What the protocols' descriptions claim, or what their users believe.
    pub claim: &'static str,
    /// What Mallory can do, and does.
    pub idea: &'static str,
    /// Why it works.
    pub why: &'static str,
    /// The protocols that fall to it, and the fix that stops it there.
    pub falls: &'static [(Protocol, Option<Fix>)],
    /// Protocols that can be attacked so and hold as they are, with the reason.
    pub holds: &'static [(Protocol, &'static str)],
    /// Why the fix stops it.
    pub mended: &'static str,
    /// Where SSH has that fix.
    pub in_ssh: &'static str,
    /// Its cousins: the exercise of cryptopals and the entry of CVE that are like it.
    pub known: &'static str,
    /// What can be guessed before it runs.
    pub predict: Question,
    /// What can be guessed before it runs against the fix.
    pub predict_fix: Option<Question>,
    play: fn(&Scene) -> Result<Play, Fault>,
}

/// All protocols of the classroom fall, and this fix stops it everywhere.
const fn everywhere(fix: Option<Fix>) -> [(Protocol, Option<Fix>); 4] {
    [(Protocol::DhChat, fix), (Protocol::RsaChat, fix), (Protocol::MiniSsh, fix), (Protocol::ToySocket, fix)]
}

/// Cards are told apart by their names.
impl PartialEq for Card {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Card {}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Card {
    /// The attacks, in order.
    pub const ALL: &[Self] = &[
        a01_listener::CARD,
        a02_middle::CARD,
        a03_fixed_key::CARD,
        a04_replay::CARD,
        a05_reorder::CARD,
        a06_reflection::CARD,
        a07_bit_flip::CARD,
        a08_padding::CARD,
        a09_seized_key::CARD,
        a10_table::CARD,
        a11_factors::CARD,
        a12_collision::CARD,
        a13_codebook::CARD,
        a14_impostor::CARD,
        a15_strangers::CARD,
        a16_length::CARD,
        a17_logs::CARD,
        a18_terrapin::CARD,
        a20_curious::CARD,
    ];

    /// The attack with this name.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|card| card.name.eq_ignore_ascii_case(name))
    }

    /// Whether the attack can be tried on a protocol.
    pub fn goes_with(&self, protocol: Protocol) -> bool {
        self.protocols().any(|other| other == protocol)
    }

    /// The protocols that the attack can be tried on.
    pub fn protocols(&self) -> impl Iterator<Item = Protocol> {
        let falls = self.falls.iter().map(|(protocol, _)| *protocol);
        falls.chain(self.holds.iter().map(|(protocol, _)| *protocol))
    }

    /// The fix that stops it.
    pub fn fix(&self, protocol: Protocol) -> Option<Fix> {
        self.falls.iter().find(|(other, _)| *other == protocol).and_then(|(_, fix)| *fix)
    }

    /// The play.
    ///
    /// # Errors
    /// The system's cryptography failed.
    pub fn play(&self, scene: &Scene) -> Result<Play, Fault> {
        (self.play)(scene)
    }
}
