//! A15: work that a server does for anybody.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Meddler, Path, Tapped};
use super::{Card, Question, Scene};
use crate::{Fault, Fix, Protocol, dh_chat};
use nacre_wire::Role;

/// The card of strangers who cost.
pub const CARD: Card = Card {
    name: "A15",
    title: "hard work for strangers",
    claim: "100,000 rounds of PBKDF2 make the key stronger.",
    idea: "Mallory opens twelve connections, sends one number on each and then nothing. The server stretches each \
           secret by 100,000 rounds, for somebody who has not said a word.",
    why: "Stretching helps a weak password. This secret has 2048 bits and needs no help: the rounds only cost, and the \
          one who pays is the server. The salt is always the same, which would make a table possible besides.",
    falls: &[(Protocol::DhChat, Some(Fix::F10))],
    holds: &[],
    mended: "One round makes the key, and no more than ten strangers who have said nothing are kept at a time.",
    in_ssh: "Keys are one hash of K, H, a letter and the session identifier (RFC 4253 section 7.2); MaxStartups and \
             LoginGraceTime bound what strangers may hold.",
    known: "D(HE)at, CVE-2002-20001: key exchanges ordered for nothing",
    predict: Question {
        text: "Who pays for the 100,000 rounds of a stranger who never says a word?",
        choices: ["The stranger.", "Both the same.", "The server."],
        right: 2,
        because: "Mallory sends one number, the same each time, and computes nothing.",
    },
    predict_fix: Some(Question {
        text: "One round in place of 100,000: is the key easier to guess now?",
        choices: [
            "No: the secret has 2048 bits, and nobody guesses those.",
            "Yes, 100,000 times.",
            "Yes, for short messages.",
        ],
        right: 0,
        because: "Rounds are for passwords, which people choose. This secret was drawn.",
    }),
    play,
};

const STRANGERS: usize = 12;
/// Rounds of hashing in all that no stranger should be able to ask for.
const MANY: u64 = 1_000_000;

fn play(scene: &Scene) -> Result<Play, Fault> {
    // The server derives the key before it asks who is there.
    let steps = |times| Sign { times, ..Sign::of(Person::Mallory, SENT) };
    Ok(Play {
        server: scene.server()?,
        clients: Vec::new(),
        straight: Vec::new(),
        mallory: Box::new(Tapped::new(scene.protocol, Crowd { sent: 0 })),
        cues: vec![
            Cue::Whisper("come"),
            Cue::Until(vec![steps(STRANGERS), Sign::of(Person::Server, "have said nothing yet")]),
            Cue::Whisper("wait"),
            Cue::Until(vec![Sign::of(Person::Mallory, SILENT)]),
            Cue::Open,
        ],
        judge: Box::new(|heard| heard.sum(Person::Server, dh_chat::ROUNDS) > MANY),
    })
}

const SENT: &str = "sends one number";
const SILENT: &str = "says nothing more";

struct Crowd {
    /// Numbers that were sent, each by another stranger.
    sent: usize,
}

impl Meddler for Crowd {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        // p, g and the public value: the last is 256 bytes that do not begin with the prime's ones.
        if path.from == Role::Server && body.len() == 256 && !body.starts_with(&[255; 8]) {
            let mut two = vec![0; 256];
            if let Some(last) = two.last_mut() {
                *last = 2;
            }
            if self.sent == 0 {
                hand.show("the number: 2", &two);
            }
            self.sent += 1;
            hand.deeds.say(format!("{SENT} and then nothing, as stranger {}", self.sent));
            hand.put(path.link, Role::Server, &two);
        }
    }

    fn whisper(&mut self, word: &'static str, hand: &mut Hand<'_>) {
        match word {
            "come" => (0..STRANGERS).for_each(|_| hand.deeds.connect()),
            _ => hand.deeds.wait(),
        }
    }

    fn quiet(&mut self, hand: &mut Hand<'_>) {
        hand.deeds.say(SILENT);
    }

    fn inside(&mut self, rounds: u64, hand: &mut Hand<'_>) {
        hand.deeds.say(format!("looks into the server: {rounds} rounds of hashing for her, who has done none"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::attack::Heard;
    use crate::{Fixes, Randomness, Row, Step};
    use std::time::Instant;

    /// The verdict comes from what the server did, whatever fix it says it has.
    #[test]
    fn lab_a15_is_judged_by_the_rounds_that_were_done() {
        for fixes in [Fixes::NONE, Fixes::from(Fix::F10)] {
            let scene = Scene::new(Protocol::DhChat, fixes, Randomness::new(Some(1)), Instant::now()).unwrap();
            let play = CARD.play(&scene).unwrap();
            for (rounds, many) in [("100000", true), ("1", false)] {
                let mut heard = Heard::default();
                for _ in 0..STRANGERS {
                    let step = Step::new(Row::KeyExchange, 4, Role::Server, "key", "");
                    heard.step(Person::Server, step.public("shared", "x").public("rounds", rounds));
                }
                assert_eq!((play.judge)(&heard), many, "{fixes}: {rounds}");
            }
        }
    }
}
