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
           message, and puts Alice's signature under it. She needs no private key. (For the cipher she uses A10.) Besides \
           she finds two texts of her own with one hash, and makes a third signature of two that Alice has made.",
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
const ALSO_SAID: &str = "pay Carol 20";
const FORGED: &str = "pay Mallory ";
/// What she says of two texts of her own, and of a signature that she has made of Alice's.
const COLLISION: &str = "finds two texts of her own with one hash";
const PRODUCT: &str = "which Alice has never signed";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    for text in [SAID, ALSO_SAID] {
        cues.extend(scene.says(Person::Alice, text));
    }
    cues.push(Cue::Whisper("search"));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, FORGED), Sign::of(Person::Mallory, NOTHING)]));
    scene.alone(Watcher::new(search), cues, |heard| {
        let told = [COLLISION, PRODUCT].iter().all(|text| heard.said(Person::Mallory, text));
        told && heard.said(Person::Server, &format!("authenticated: {FORGED}"))
    })
}

fn search(passed: &Passed, path: Path, hand: &mut Hand<'_>) -> Result<(), String> {
    let key = passed.key()?;
    collide(key, hand)?;
    multiply(passed, hand)?;
    let silent = || "Alice has said nothing".to_owned();
    let (ciphertext, signature) = passed.messages(Role::Client).last().ok_or_else(silent)?;
    let hash = cipher::hash(&ciphertext);
    let none = || "no text that was tried has the hash of Alice's".to_owned();
    let (text, forged, tried) = toy::text_with_hash(key, hash, FORGED).ok_or_else(none)?;
    hand.deeds.say(format!("tries {tried} texts until one has the hash {hash:04x} of Alice's: {text}"));
    let line = format!("{}|{}", BASE64.encode(&forged), BASE64.encode(&signature));
    hand.show("another text, Alice's signature", line.as_bytes());
    hand.pass(path, line.as_bytes());
    Ok(())
}

/// Any two texts with one hash: whoever signs one has signed the other.
fn collide(key: u16, hand: &mut Hand<'_>) -> Result<(), String> {
    let found = toy::two_texts_with_one_hash(key, SAID);
    let (one, other, hash) = found.ok_or_else(|| "no two texts that were tried have one hash".to_owned())?;
    let tried = other + 1;
    hand.deeds.say(format!("{COLLISION}, {hash:04x}, after {tried} tries: `{SAID}{one}` and `{SAID}{other}`"));
    Ok(())
}

/// RSA as it is in books: the product of two signatures is the signature of the product.
fn multiply(passed: &Passed, hand: &mut Hand<'_>) -> Result<(), String> {
    let public = passed.public_key().ok_or_else(|| "Alice's public key is no `E,N`".to_owned())?;
    let signed: Vec<(u16, u32)> = passed
        .messages(Role::Client)
        .filter_map(|(ciphertext, signature)| {
            let [a, b, c] = *signature.as_slice() else { return None };
            Some((cipher::hash(&ciphertext), u32::from_be_bytes([0, a, b, c])))
        })
        .collect();
    let [.., one, other] = *signed.as_slice() else { return Err("Alice has signed too little".to_owned()) };
    // Powers of a hash of 0 or 1 lead nowhere.
    let pairs = [(one, other), (other, one)].into_iter();
    let found = pairs.filter_map(|pair| Some((pair, toy::product_of_signatures(&public, pair.0, pair.1)?))).next();
    let none = || "no product of the signatures fits a hash".to_owned();
    let ((one, other), (times, hash, signature)) = found.ok_or_else(none)?;
    hand.deeds.say(format!(
        "multiplies Alice's signature of {:04x} with that of {:04x}, {times} times: {signature} is a signature of \
         {hash:04x}, {PRODUCT}",
        one.0, other.0
    ));
    Ok(())
}
