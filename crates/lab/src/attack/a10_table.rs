//! A10: a private number found in a table.

use super::play::{Cue, Person, Play};
use super::tap::{Hand, Path};
use super::toy::{Passed, VALUES, Watcher};
use super::{Card, Question, Scene};
use crate::toy_socket::cipher;
use crate::{Fault, Fix, Protocol, dh_chat};
use nacre_wire::Role;
use nacre_wire::text::clean_line;

pub(super) const CARD: Card = Card {
    name: "A10",
    title: "a table of all secrets",
    claim: "The private number never leaves the machine, so the secret cannot be computed by a listener.",
    idea: "Mallory only listens. She computes 3 to the power of 1, 2, 3 and so on until Alice's public value appears: \
           that is Alice's private number.",
    why: "There are 5,460 different values. A computer tries them all before the key is let go.",
    falls: &[(Protocol::ToySocket, Some(Fix::F6))],
    holds: &[(Protocol::DhChat, "numbers of 2048 bits cannot be tried one by one")],
    mended: "The value has 256 bits now (X25519): there is no table of that, and never will be.",
    in_ssh: "X25519, ML-KEM with X25519, or groups of 2048 bits and more.",
    known: "cryptopals 58 (logarithms by search); Logjam, CVE-2015-4000",
    predict: Question {
        text: "Alice's number has 16 bits or fewer. How long will the search take?",
        choices: ["Years.", "A minute.", "Less time than a key takes to come up again."],
        right: 2,
        because: "`nacre lab cost` shows how it grows with each bit.",
    },
    predict_fix: Some(Question {
        text: "The search was for a number. What makes 256 bits different from 16?",
        choices: [
            "It takes sixteen times as long.",
            "Each bit doubles the work: no machine will ever come to an end.",
            "The table has to be sorted.",
        ],
        right: 1,
        because: "For plain trying. Cleverer ways need about the root of it, which is still 2 to the power of 128.",
    }),
    play,
};

const SAID: &str = "the boat leaves at nine";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.extend(scene.says(Person::Alice, SAID));
    cues.push(Cue::Whisper("count"));
    let act = if scene.protocol == Protocol::DhChat { count_large } else { count };
    scene.alone(Watcher::new(act), cues, |heard| heard.said(Person::Mallory, SAID))
}

fn count(passed: &Passed, _path: Path, hand: &mut Hand<'_>) -> Result<(), String> {
    let (private, key) = (passed.private()?, passed.key()?);
    hand.deeds.say(format!("tries {private} powers of 3, and has a private number of Alice's: {private}"));
    hand.deeds.show("the key", &key.to_be_bytes());
    for text in passed.messages(Role::Client).filter_map(|(ciphertext, _)| cipher::decrypt(key, &ciphertext)) {
        hand.deeds.say(format!("reads: {}", clean_line(&text, 200)));
    }
    Ok(())
}

/// The same with the numbers of `dh-chat`: as many powers, and no end in sight.
fn count_large(passed: &Passed, _path: Path, hand: &mut Hand<'_>) -> Result<(), String> {
    let server = |place| passed.message(Role::Server, place).ok_or_else(|| "the server named no group".to_owned());
    let public = passed.message(Role::Client, 0).ok_or_else(|| "Alice sent no public value".to_owned())?;
    hand.deeds.show("Alice's public value", public);
    match dh_chat::exponent_of(server(0)?, server(1)?, public, VALUES) {
        Some(private) => hand.deeds.say(format!("has a private number of Alice's: {private}")),
        None => {
            return Err(format!(
                "none of {VALUES} powers of 2 is Alice's public value, and there are 2 to the power of 2047"
            ));
        }
    }
    Ok(())
}
