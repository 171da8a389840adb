//! A13: a key found because the beginning of a text is known.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Path};
use super::toy::{self, Passed, Watcher};
use super::{Card, Question, Scene};
use crate::toy_socket::cipher;
use crate::{Fault, Fix, Protocol};
use nacre_wire::Role;
use nacre_wire::text::clean_line;

pub(super) const CARD: Card = Card {
    name: "A13",
    title: "a text whose beginning is known",
    claim: "The cipher has four steps and a secret table: without the key nothing can be read.",
    idea: "The server's answers always begin with the same words. Mallory tries every key until an answer begins so. \
           She also sees at once which blocks are equal: equal text gives equal ciphertext.",
    why: "A key of 16 bits is found by trying, and a text whose beginning is known says when it is right.",
    falls: &[(Protocol::ToySocket, Some(Fix::F6))],
    holds: &[],
    mended: "The cipher is AES with a key of 256 bits and a fresh start for every message: knowing a text does not \
             help to find the key, and equal texts look different.",
    in_ssh: "AES-GCM, AES-CTR or ChaCha20 with keys of 128 to 256 bits, and a nonce that never comes twice.",
    known: "cryptopals 8 and 12; meetings under ECB, CVE-2020-11500",
    predict: Question {
        text: "The same text is encrypted twice under one key. What will Mallory see?",
        choices: ["Two different ciphertexts.", "The same blocks twice.", "Nothing: she would have to know the key."],
        right: 1,
        because: "A block by itself always becomes the same block: a book of codes.",
    },
    predict_fix: Some(Question {
        text: "The cipher is AES now. Is a large key enough to hide that two texts are equal?",
        choices: ["Yes.", "Only for short texts.", "No: each message also needs a fresh start (a nonce or an IV)."],
        right: 2,
        because: "AES block by block shows the same: that is ECB, and it is why pictures shine through it.",
    }),
    play,
};

const SAID: &str = "YES!NO!!YES!";
/// What can be seen of it without a key.
const EQUAL: &str = "blocks 1 and 3 of Alice's message are equal: so is the text in them";
const BEGINNING: &str = "Server received: ";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.extend(scene.says(Person::Alice, SAID));
    cues.push(Cue::Until(vec![Sign::of(Person::Alice, SAID)]));
    cues.push(Cue::Whisper("search"));
    scene.alone(Watcher::new(search), cues, |heard| {
        heard.said(Person::Mallory, EQUAL) && heard.said(Person::Mallory, &format!("reads: {SAID}"))
    })
}

fn search(passed: &Passed, _path: Path, hand: &mut Hand<'_>) -> Result<(), String> {
    for (ciphertext, _) in passed.messages(Role::Client) {
        hand.deeds.show("a message of Alice's", &ciphertext);
        let equal = toy::equal_blocks(&ciphertext);
        if equal.is_empty() {
            hand.deeds.say("sees no two blocks that are equal");
        }
        for (one, other) in equal {
            hand.deeds.say(format!(
                "sees that blocks {one} and {other} of Alice's message are equal: so is the text in them"
            ));
        }
    }
    let (answer, _) = passed.messages(Role::Server).last().ok_or_else(|| "the server has not answered".to_owned())?;
    hand.deeds.show("an answer of the server", &answer);
    let none = || format!("none of {} keys makes the answer begin with `{BEGINNING}`", toy::KEYS);
    let (key, tried) = toy::key_by_beginning(&answer, BEGINNING.as_bytes()).ok_or_else(none)?;
    hand.deeds.say(format!("tries {tried} keys until the answer begins with `{BEGINNING}`: {key:04x}"));
    for (ciphertext, _) in passed.messages(Role::Client) {
        if let Some(text) = cipher::decrypt(key, &ciphertext) {
            hand.deeds.say(format!("reads: {}", clean_line(&text, 200)));
        }
    }
    Ok(())
}
