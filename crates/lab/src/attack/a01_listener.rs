//! A1: somebody who only listens.

use super::play::{Cue, Person, Play, Sign};
use super::reader::split_toy;
use super::tap::{Hand, Meddler, Path};
use super::{Card, Scene, everywhere};
use crate::fix::Fixes;
use crate::{Fault, Fix, Protocol};
use data_encoding::{BASE64, BASE64URL};
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A1",
    title: "somebody who only listens",
    claim: "Everything is encrypted: somebody who listens learns nothing.",
    idea: "Mallory passes everything on as it is, and looks at the sizes.",
    why: "She cannot read a word, and still sees who talks to whom, when, and how long each text is, to within one \
          block of the cipher. A short answer after a long question is often enough.",
    falls: &everywhere(None),
    holds: &[],
    mended: "",
    in_ssh: "There is no complete fix, in SSH neither: sizes and times of packets can be seen. IGNORE messages and \
             padding can blur them, and newer clients send keystrokes at even times.",
    play,
};

const SHORT: &str = "no";
const LONG: &str = "meet me at the old harbour at noon, and bring the papers";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.push(Cue::Whisper("now"));
    let mut signs = Vec::new();
    for text in [LONG, SHORT] {
        let line = scene.line(text);
        let counted = scene.fixes.has(Fix::F3) && !scene.fixes.has(Fix::F2);
        let (least, most) = room(scene.protocol, scene.fixes, line.len() + if counted { 8 } else { 0 });
        signs.push(Sign::of(Person::Mallory, told(least, most)));
        cues.push(Cue::Type(Person::Alice, line));
    }
    cues.push(Cue::Until(vec![Sign { times: 2, ..Sign::of(Person::Mallory, TOLD) }]));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, SHORT)]));
    scene.alone(Listener { protocol: scene.protocol, fixes: scene.fixes, armed: false }, cues, move |heard| {
        signs.iter().all(|sign| heard.has(sign))
    })
}

const TOLD: &str = "hears a text of";

fn told(least: usize, most: usize) -> String {
    format!("{TOLD} {least} to {most} bytes")
}

/// Bytes of a block of the cipher.
fn block(protocol: Protocol, fixes: Fixes) -> usize {
    if protocol == Protocol::ToySocket && !fixes.has(Fix::F6) { 4 } else { 16 }
}

/// The sizes of texts that are as long, encrypted, as one of `length` bytes.
fn room(protocol: Protocol, fixes: Fixes, length: usize) -> (usize, usize) {
    let block = block(protocol, fixes);
    (length / block * block, length / block * block + block - 1)
}

struct Listener {
    protocol: Protocol,
    fixes: Fixes,
    armed: bool,
}

impl Listener {
    /// Bytes of the ciphertext proper in a message.
    fn ciphertext(&self, body: &[u8]) -> Option<usize> {
        let mac = if self.fixes.has(Fix::F2) { 32 } else { 0 };
        match self.protocol {
            Protocol::DhChat => body.len().checked_sub(16 + mac),
            Protocol::RsaChat => BASE64.decode(body).ok()?.len().checked_sub(16 + mac),
            // Version, time, initialization vector and HMAC.
            Protocol::MiniSsh => BASE64URL.decode(body).ok()?.len().checked_sub(1 + 8 + 16 + 32),
            Protocol::ToySocket if self.fixes.has(Fix::F6) => split_toy(body)?.0.len().checked_sub(16),
            Protocol::ToySocket => Some(split_toy(body)?.0.len()),
        }
    }
}

impl Meddler for Listener {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        if self.armed
            && path.from == Role::Client
            && let Some(length) = self.ciphertext(&body)
        {
            hand.show("a message of Alice's", &body);
            let least = length.saturating_sub(block(self.protocol, self.fixes));
            hand.deeds.say(told(least, length.saturating_sub(1)));
        }
        hand.pass(path, &body);
    }

    fn whisper(&mut self, _word: &'static str, _hand: &mut Hand<'_>) {
        self.armed = true;
    }
}
