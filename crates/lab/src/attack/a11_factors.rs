//! A11: a signing key found by division.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Path};
use super::toy::{NOTHING, Passed, Watcher};
use super::{Card, Question, Scene};
use crate::toy_socket::cipher;
use crate::{Fault, Fix, Protocol};
use data_encoding::BASE64;

pub(super) const CARD: Card = Card {
    name: "A11",
    title: "a signature by division",
    claim: "Only Alice can sign: her private key stays with her.",
    idea: "Alice's public key holds the product of two primes. Mallory divides it by every small odd number until one \
           goes, works out the private key, and signs a message of her own.",
    why: "A product of 18 bits is taken apart in at most 127 divisions. The private key follows from the two primes.",
    falls: &[(Protocol::ToySocket, Some(Fix::F6))],
    holds: &[],
    mended: "Signatures are Ed25519 now: no division leads from the public key to the private one.",
    in_ssh: "Ed25519, or RSA with 2048 bits and more and SHA-2.",
    known: "FREAK, CVE-2015-0204; ROCA, CVE-2017-15361",
    predict: Question {
        text: "Mallory has Alice's public key and nothing else. What will she be able to do?",
        choices: ["Check signatures.", "Sign as Alice.", "Only read what is sent to Alice."],
        right: 1,
        because: "The private key follows from the two primes, and they are found by dividing.",
    },
    predict_fix: Some(Question {
        text: "Ed25519 has no two primes. What would Mallory have to find now?",
        choices: [
            "A logarithm on a curve of about 2 to the power of 252 points.",
            "One large prime.",
            "The hash of the key.",
        ],
        right: 0,
        because: "Nobody knows a way that takes fewer than about 2 to the power of 126 steps.",
    }),
    play,
};

const FORGED: &str = "pay Mallory 1000";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.extend(scene.says(Person::Alice, "hello"));
    cues.push(Cue::Whisper("forge"));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, FORGED), Sign::of(Person::Mallory, NOTHING)]));
    scene.alone(Watcher::new(forge), cues, |heard| heard.said(Person::Server, &format!("authenticated: {FORGED}")))
}

fn forge(passed: &Passed, path: Path, hand: &mut Hand<'_>) -> Result<(), String> {
    let none = || "there is no product of two primes in Alice's public key, and nothing to divide".to_owned();
    let (public, signing, tried) = passed.signing_key().ok_or_else(none)?;
    let key = passed.key()?;
    hand.deeds
        .say(format!("takes {} apart in {tried} divisions, and has Alice's private key: {}", public.n, signing.d));
    let ciphertext = cipher::encrypt(key, FORGED.as_bytes());
    let signature = signing.sign(cipher::hash(&ciphertext));
    let line = format!("{}|{}", BASE64.encode(&ciphertext), BASE64.encode(&signature));
    hand.deeds.say(format!("signs in Alice's name: {FORGED}"));
    hand.show("the forged message", line.as_bytes());
    hand.pass(path, line.as_bytes());
    Ok(())
}
