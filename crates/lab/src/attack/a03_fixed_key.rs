//! A3: a public value whose secret everybody can work out.

use super::play::{Cue, LinkId, Person, Play, Sign};
use super::reader::{self, Reader};
use super::tap::{Hand, Meddler, Path};
use super::{Card, NOT_ON_SSH, Question, Scene};
use crate::{Fault, Fix, Protocol};
use data_encoding::BASE64;
use nacre_wire::Role;
use nacre_wire::text::clean_line;
use std::collections::BTreeMap;

pub(super) const CARD: Card = Card {
    name: "A3",
    title: "a secret fixed by the messenger",
    claim: "The secret comes out of numbers that both sides draw at random, so nobody can know it beforehand.",
    idea: "Both sides send a public value and raise what they get to their private power. Mallory replaces both \
           values on the way by 1. Whatever the private numbers are: 1 to any power is 1. (dh-chat is run with \
           --no-checks here, because it would refuse.)",
    why: "The secret is 1 for both, and Mallory knows it without having drawn a number. The two ends talk to each \
          other directly, under a key that everybody can work out.",
    falls: &[(Protocol::DhChat, Some(Fix::F6)), (Protocol::ToySocket, Some(Fix::F6))],
    holds: &[(Protocol::MiniSsh, "the library refuses X25519 values whose secret would be zero")],
    mended: "A value that fixes the secret is refused: 0, 1, p-1 and what is not below p, and for X25519 what leads to \
             zero. (F1 stops it as well: the signature covers both values as each side saw them.)",
    in_ssh: "RFC 4253 section 8 demands 1 <= e <= p-1 and implementations narrow it to 1 < e < p-1; RFC 8731 demands \
             the check for zero; and the exchange hash that the host key signs holds both values.",
    known: "cryptopals 34 and 35; small subgroups in OpenSSL, CVE-2016-0701",
    predict: Question {
        text: "Mallory replaces both public values by 1. How many secrets will she have to try?",
        choices: ["As many as there are private numbers.", "One: she knows it already.", "One for each message."],
        right: 1,
        because: "1 to any power is 1, whatever the two have drawn.",
    },
    predict_fix: Some(Question {
        text: "What is the least that the two ends have to do about it?",
        choices: [
            "Refuse the few values that lead to a known secret.",
            "Use larger numbers.",
            "Draw the private numbers twice.",
        ],
        right: 0,
        because: "Larger numbers do not help: 1 stays 1. A check of one line does.",
    }),
    play,
};

const SAID: &str = "the safe is behind the clock";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let scene = &scene.without_checks();
    let mut cues = scene.enter(Person::Alice);
    cues.push(Cue::Type(Person::Alice, scene.line(SAID)));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, SAID)]));
    if scene.protocol == Protocol::DhChat {
        cues.push(Cue::Whisper("others"));
    }
    scene.alone(Fixer::new(scene)?, cues, |heard| heard.said(Person::Mallory, SAID))
}

struct Fixer {
    protocol: Protocol,
    /// What both values are replaced by.
    value: Vec<u8>,
    reader: Reader,
    /// Messages from the client, and from the server.
    seen: [usize; 2],
    /// Connections of her own, on each of which another value is tried: how many messages came on it, and which value.
    own: BTreeMap<LinkId, (usize, Value)>,
    /// The prime, as the server named it.
    prime: Vec<u8>,
}

/// A value whose powers are known to all, or that is none.
#[derive(Clone, Copy)]
enum Value {
    Zero,
    One,
    MinusOne,
    Prime,
}

impl Value {
    const ALL: [Self; 4] = [Self::Zero, Self::One, Self::MinusOne, Self::Prime];

    const fn name(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
            Self::MinusOne => "p-1",
            Self::Prime => "p",
        }
    }

    /// As wide as the prime, which is odd.
    fn bytes(self, prime: &[u8]) -> Vec<u8> {
        let (mut bytes, last) = match self {
            Self::Zero => (vec![0; prime.len()], 0),
            Self::One => (vec![0; prime.len()], 1),
            Self::MinusOne => (prime.to_vec(), prime.last().map_or(0, |last| last - 1)),
            Self::Prime => (prime.to_vec(), prime.last().copied().unwrap_or_default()),
        };
        bytes.last_mut().into_iter().for_each(|byte| *byte = last);
        bytes
    }
}

impl Fixer {
    fn new(scene: &Scene) -> Result<Self, Fault> {
        let mut one = vec![0; 256];
        if let Some(last) = one.last_mut() {
            *last = 1;
        }
        let (value, reader) = match scene.protocol {
            Protocol::DhChat => (one.clone(), reader::with_secret(scene, &one)?),
            Protocol::ToySocket if scene.fixes.has(Fix::F6) => {
                (BASE64.encode(&[0; 32]).into_bytes(), reader::with_toy_key(scene.fixes, 1))
            }
            Protocol::ToySocket => (b"1".to_vec(), reader::with_toy_key(scene.fixes, 1)),
            Protocol::MiniSsh | Protocol::RsaChat => {
                (vec![0; 32], reader::with_key(scene.protocol, scene.fixes, [0; 32]))
            }
            Protocol::Ssh => return Err(NOT_ON_SSH),
        };
        let (own, prime) = Default::default();
        Ok(Self { protocol: scene.protocol, value, reader, seen: [0; 2], own, prime })
    }

    /// Whether the message that is the `place`th from there is a public value.
    fn is_public(&self, from: Role, place: usize) -> bool {
        match (self.protocol, from) {
            // p and g go before.
            (Protocol::DhChat, Role::Server) => place == 2,
            _ => place == 0,
        }
    }
}

impl Fixer {
    /// The server's messages on a connection of her own: after p, g and its public value comes hers.
    fn on_own(&mut self, link: LinkId, body: &[u8], hand: &mut Hand<'_>) {
        let Some((count, value)) = self.own.get_mut(&link) else { return };
        *count += 1;
        match *count {
            1 => self.prime = body.to_vec(),
            3 => hand.put(link, Role::Server, &value.bytes(&self.prime)),
            _ => {}
        }
    }
}

impl Meddler for Fixer {
    fn whisper(&mut self, _word: &'static str, hand: &mut Hand<'_>) {
        hand.deeds.say("comes to the server herself, with other values whose secret everybody knows");
        Value::ALL.iter().for_each(|_| hand.deeds.connect());
        hand.deeds.wait();
    }

    fn own(&mut self, link: LinkId, _hand: &mut Hand<'_>) {
        let value = Value::ALL.get(self.own.len()).copied().unwrap_or(Value::Zero);
        self.own.insert(link, (0, value));
    }

    fn closed(&mut self, path: Path, hand: &mut Hand<'_>) -> bool {
        if let Some((_, value)) = self.own.remove(&path.link) {
            hand.deeds.say(format!("sends {}, and the server refuses it", value.name()));
        }
        true
    }

    fn quiet(&mut self, hand: &mut Hand<'_>) {
        for (_, value) in std::mem::take(&mut self.own).into_values() {
            hand.deeds.say(format!("sends {}, and the server takes it", value.name()));
        }
    }

    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        if self.own.contains_key(&path.link) {
            return self.on_own(path.link, &body, hand);
        }
        let who = if path.from == Role::Client { "Alice" } else { "the server" };
        let [client, server] = &mut self.seen;
        let count = if path.from == Role::Client { client } else { server };
        let place = *count;
        *count += 1;
        if self.is_public(path.from, place) {
            hand.deeds.say(format!("replaces the public value of {who}"));
            hand.show(format!("the public value of {who}"), &body);
            let value = self.value.clone();
            hand.show("what goes on in its place", &value);
            return hand.pass(path, &value);
        }
        if path.from == Role::Client
            && let Some(text) = (self.reader)(&body)
        {
            hand.deeds.say(format!("reads with the key that she knew beforehand: {}", clean_line(&text, 200)));
        }
        hand.pass(path, &body);
    }
}
