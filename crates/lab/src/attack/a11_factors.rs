//! A11: a signing key found by division.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Meddler, Path, Tapped};
use super::toy::Passed;
use super::{Card, Scene};
use crate::toy_socket::cipher;
use crate::{Fault, Fix, Protocol};
use data_encoding::BASE64;
use nacre_wire::Role;

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
    play,
};

const FORGED: &str = "pay Mallory 1000";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.extend(scene.says(Person::Alice, "hello"));
    cues.push(Cue::Whisper("forge"));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, FORGED), Sign::of(Person::Mallory, NOTHING)]));
    Ok(Play {
        server: scene.server()?,
        clients: vec![scene.client(Person::Alice)?],
        straight: Vec::new(),
        mallory: Box::new(Tapped::new(scene.protocol, Forger::default())),
        cues,
        judge: Box::new(|heard| heard.said(Person::Server, &format!("authenticated: {FORGED}"))),
    })
}

const NOTHING: &str = "finds nothing to divide";

#[derive(Default)]
struct Forger {
    passed: Passed,
    path: Option<Path>,
}

impl Meddler for Forger {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        hand.pass(path, &body);
        self.passed.add(path, &body);
        if path.from == Role::Client {
            self.path = Some(path);
        }
    }

    fn whisper(&mut self, _word: &'static str, hand: &mut Hand<'_>) {
        let (Some((public, signing, tried)), Some(key), Some(path)) =
            (self.passed.signing_key(), self.passed.key(), self.path)
        else {
            return hand.deeds.say(NOTHING);
        };
        hand.deeds
            .say(format!("takes {} apart in {tried} divisions, and has Alice's private key: {}", public.n, signing.d));
        let ciphertext = cipher::encrypt(key, FORGED.as_bytes());
        let signature = signing.sign(cipher::hash(&ciphertext));
        let line = format!("{}|{}", BASE64.encode(&ciphertext), BASE64.encode(&signature));
        hand.deeds.say(format!("signs in Alice's name: {FORGED}"));
        hand.show("the forged message", line.as_bytes());
        hand.pass(path, line.as_bytes());
    }
}
