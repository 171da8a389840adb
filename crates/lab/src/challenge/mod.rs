//! The challenges: a flag behind real ports, the honest parties played from here, and somebody from outside who attacks
//! with whatever they like.
//!
//! Each is a [`Challenge`] that tells it and a [`Game`] that plays it. What would make an attack other than the one it is
//! about easy is closed by fixes.

mod cards;
mod game;
mod rules;

pub use game::{Game, LinkId, Out, Outside};

use crate::{Fault, Fixes, Protocol, Randomness};
use std::fmt;
use std::time::Instant;

/// Bytes of randomness in a flag.
const FLAG: usize = 8;

/// A port of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// The server.
    Server,
    /// Alice's client, who takes whoever comes for the server.
    Alice,
    /// It says the flag once what was to be done is done.
    Door,
}

impl Gate {
    /// What is behind it.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Server => "the server",
            Self::Alice => "Alice's program, which takes whoever connects for the server",
            Self::Door => "the door, in plain text: it says the flag once it is open",
        }
    }
}

/// How hard it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difficulty {
    /// With what there is on every machine.
    Easy,
    /// With a small program.
    Medium,
    /// With a program and patience.
    Hard,
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        })
    }
}

/// A challenge, as it is told.
pub struct Challenge {
    /// A title of a few words.
    pub title: &'static str,
    /// How hard it is.
    pub difficulty: Difficulty,
    /// The protocol that is spoken.
    pub protocol: Protocol,
    /// The fixes that both ends have.
    pub fixes: Fixes,
    /// Its ports, in order.
    pub gates: &'static [Gate],
    /// Who is there, and what is to be done.
    pub story: &'static str,
    /// What the door says as long as it is shut.
    pub shut: &'static str,
    /// Each tells more than the one before.
    pub hints: [&'static str; 3],
    /// How it goes, and what would have stopped it; for somebody who has the flag.
    pub solution: &'static str,
    /// The attack that does the same.
    pub attack: &'static str,
    rules: rules::Make,
}

impl Challenge {
    /// All of them, from easy to hard; the first is number 1.
    pub const ALL: &[Self] = &cards::CARDS;

    /// The challenge with this number.
    pub fn from_number(number: usize) -> Option<&'static Self> {
        Self::ALL.get(number.checked_sub(1)?)
    }

    /// A game of it, at this time, with everybody's random bytes.
    ///
    /// # Errors
    /// The system's cryptography failed.
    pub fn game(&self, flag: &str, random: Randomness, now: Instant) -> Result<Game, Fault> {
        Game::new(self, flag, random, now)
    }
}

/// A fresh flag for the challenge with this number: with one seed each has another.
///
/// # Errors
/// The system's generator failed.
pub fn flag(random: &Randomness, number: u8) -> Result<String, Fault> {
    let bytes = random.part(&format!("flag {number}")).bytes(FLAG)?;
    Ok(format!("nacre{{{}}}", data_encoding::HEXLOWER.encode(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Card;

    #[test]
    fn lab_there_are_ten_challenges_from_easy_to_hard() {
        assert_eq!(Challenge::ALL.len(), 10);
        assert!(Challenge::ALL.is_sorted_by_key(|challenge| challenge.difficulty));
        assert!(Challenge::from_number(0).is_none() && Challenge::from_number(11).is_none());
        for challenge in Challenge::ALL {
            assert!(challenge.fixes.iter().all(|fix| fix.goes_with(challenge.protocol)), "{}", challenge.title);
            assert!(Card::from_name(challenge.attack).is_some_and(|card| card.goes_with(challenge.protocol)));
            assert_eq!(challenge.gates.contains(&Gate::Door), !challenge.shut.is_empty(), "{}", challenge.title);
            assert!(challenge.gates.is_sorted(), "{}", challenge.title);
        }
    }
}
