//! A12: one signature, two texts.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Path};
use super::toy::{self, NOTHING, Passed, Watcher};
use super::{Card, Question, Scene};
use crate::toy_socket::cipher;
use crate::{Fault, Fix, Protocol};
use data_encoding::BASE64;
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A12",
    title: "one signature for two texts",
    claim: "A signature belongs to one message: it prevents tampering.",
    idea: "What is signed is a hash of 16 bits. Mallory tries texts of her own until one has the hash of Alice's \
           message, and puts Alice's signature under it. She needs no private key. (For the cipher she uses A10.)",
    why: "There are 65,536 hashes. About as many tries find a text with the one that is wanted.",
    falls: &[(Protocol::ToySocket, Some(Fix::F6))],
    holds: &[],
    mended: "Ed25519 signs with SHA-512: nobody has ever found two texts with one such hash.",
    in_ssh: "SHA-256 or SHA-512 in every signature and in the exchange hash.",
    known: "cryptopals 41 (RSA without padding); certificates by MD5, CVE-2004-2761",
    predict: Question {
        text: "Mallory wants another text under the same signature of 16 bits of hash. How many will she try?",
        choices: ["About 65,536.", "About 4 billion.", "It depends on Alice's key."],
        right: 0,
        because: "The key plays no part. For any two texts with one hash, about 320 are enough: the birthdays of a class.",
    },
    predict_fix: Some(Question {
        text: "And with SHA-512?",
        choices: [
            "About 512 times as many.",
            "More than anybody can: 2 to the power of 512, or 256 for any two.",
            "The same, but each takes longer.",
        ],
        right: 1,
        because: "The number of hashes grows with the power of their length.",
    }),
    play,
};

const SAID: &str = "pay Bob 10";
const FORGED: &str = "pay Mallory ";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.extend(scene.says(Person::Alice, SAID));
    cues.push(Cue::Whisper("search"));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, FORGED), Sign::of(Person::Mallory, NOTHING)]));
    scene.alone(Watcher::new(search), cues, |heard| heard.said(Person::Server, &format!("authenticated: {FORGED}")))
}

fn search(passed: &Passed, path: Path, hand: &mut Hand<'_>) -> Result<(), String> {
    let key = passed.key()?;
    let (ciphertext, signature) =
        passed.messages(Role::Client).last().ok_or_else(|| "Alice has said nothing".to_owned())?;
    let hash = cipher::hash(&ciphertext);
    let none = || "no text that was tried has the hash of Alice's".to_owned();
    let (text, forged, tried) = toy::text_with_hash(key, hash, FORGED).ok_or_else(none)?;
    hand.deeds.say(format!("tries {tried} texts until one has the hash {hash:04x} of Alice's: {text}"));
    let line = format!("{}|{}", BASE64.encode(&forged), BASE64.encode(&signature));
    hand.show("another text, Alice's signature", line.as_bytes());
    hand.pass(path, line.as_bytes());
    Ok(())
}
