//! A1: somebody who only listens.

use super::play::{Cue, Person, Play, Sign};
use super::reader::split_toy;
use super::tap::{Hand, Meddler, Path};
use super::{Card, Question, Scene};
use crate::fix::Fixes;
use crate::{Fault, Fix, Protocol};
use data_encoding::{BASE64, BASE64URL};
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A1",
    title: "somebody who only listens",
    claim: "Everything is encrypted: somebody who listens learns nothing.",
    idea: "Mallory passes everything on as it is, and looks at the sizes, at the clock and at what follows what.",
    why: "She cannot read a word, and still sees who talks to whom, when, and how long each text is, to within one \
          block of the cipher. A short answer after a long question is often enough.",
    falls: &[
        (Protocol::DhChat, None),
        (Protocol::RsaChat, None),
        (Protocol::MiniSsh, None),
        (Protocol::ToySocket, None),
        (Protocol::Ssh, None),
    ],
    holds: &[],
    mended: "",
    in_ssh: "There is no complete fix, in SSH neither: sizes and times of packets can be seen. IGNORE messages and \
             padding can blur them, and newer clients send keystrokes at even times.",
    known: "cryptopals 51 (lengths that tell); CRIME, CVE-2012-4929",
    predict: Question {
        text: "Mallory has no key and changes nothing. What will she be able to say at the end?",
        choices: ["Nothing at all.", "How long each text is, and who spoke when.", "The first word of each text."],
        right: 1,
        because: "Encryption hides what is said, not that it is said, nor how much.",
    },
    predict_fix: None,
    play,
};

const SHORT: &str = "no";
const LONG: &str = "meet me at the old harbour at noon, and bring the papers";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.push(Cue::Whisper("now"));
    let mut signs = Vec::new();
    for (text, times) in [(LONG, 1), (SHORT, 2)] {
        let line = scene.line(text);
        let (least, most) = room(scene, line.len());
        signs.push(Sign::of(Person::Mallory, told(least, most)));
        cues.push(Cue::Type(Person::Alice, line));
        cues.push(Cue::Until(vec![Sign { times, ..Sign::of(Person::Mallory, TOLD) }]));
    }
    cues.push(Cue::Until(vec![Sign::of(Person::Server, SHORT)]));
    let word = word(scene.protocol).map(|word| (word, room(scene, word.len()).0));
    if let Some((word, _)) = word {
        signs.push(Sign::of(Person::Mallory, recognised(word)));
        cues.push(Cue::Type(Person::Alice, word.to_owned()));
        cues.push(Cue::Until(vec![Sign::of(Person::Mallory, recognised(word))]));
    }
    let (protocol, fixes) = (scene.protocol, scene.fixes);
    scene.alone(Listener { protocol, fixes, armed: false, word, last: None }, cues, move |heard| {
        signs.iter().all(|sign| heard.has(sign))
    })
}

/// A word of the protocol that Alice says at the end.
const fn word(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::DhChat | Protocol::MiniSsh => Some("exit"),
        Protocol::ToySocket => Some("EXIT"),
        Protocol::RsaChat => Some("/list"),
        Protocol::Ssh => None,
    }
}

fn recognised(word: &str) -> String {
    format!("recognises `{word}`")
}

const TOLD: &str = "hears a text of";

fn told(least: usize, most: usize) -> String {
    format!("{TOLD} {least} to {most} bytes, and can read none of them")
}

/// Bytes of a block of the cipher.
fn block(protocol: Protocol, fixes: Fixes) -> usize {
    match protocol {
        Protocol::ToySocket if !fixes.has(Fix::F6) => 4,
        Protocol::Ssh => 8,
        _ => 16,
    }
}

/// The sizes of texts that are as long, encrypted, as a line of `length` bytes.
fn room(scene: &Scene, length: usize) -> (usize, usize) {
    let block = block(scene.protocol, scene.fixes);
    let least = match scene.protocol {
        // With its line's end, and with what is around it.
        Protocol::Ssh => (length + 1 + AROUND).next_multiple_of(block) - AROUND - (block - 1),
        _ if scene.fixes.has(Fix::F3) && !scene.fixes.has(Fix::F2) => (length + NUMBER) / block * block,
        _ => length / block * block,
    };
    (least, least + block - 1)
}

/// Bytes of the number that F3 puts before a text.
const NUMBER: usize = 8;
/// In a packet of SSH with CHANNEL_DATA: the padding's length, the message's number, channel and length, the least padding.
const AROUND: usize = 1 + 1 + 4 + 4 + 4;
/// RFC 4253 §6 and chacha20-poly1305@openssh.com: a packet's length, and its seal.
const LENGTH_AND_TAG: usize = 4 + 16;

struct Listener {
    protocol: Protocol,
    fixes: Fixes,
    armed: bool,
    /// The protocol's word, and the size of the smallest text that looks like it.
    word: Option<(&'static str, usize)>,
    /// The same size of Alice's last text.
    last: Option<usize>,
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
            // One more than the longest text for which there is room.
            Protocol::Ssh => (body.len() + 1).checked_sub(LENGTH_AND_TAG + AROUND),
        }
    }
}

impl Listener {
    /// What follows the text that Alice said last fits the word, and so does its size.
    fn recognise(&mut self, follows: &str, hand: &mut Hand<'_>) {
        if let (Some((word, least)), Some(last)) = (self.word, self.last)
            && least == last
        {
            self.last = None;
            hand.deeds.say(format!("{}: it is as long as that text, and then {follows}", recognised(word)));
        }
    }

    fn heard(&mut self, path: Path, body: &[u8], hand: &mut Hand<'_>) {
        let way = if path.from == Role::Client { "Alice to the server" } else { "the server to Alice" };
        hand.deeds.say(format!("at {}: {way}, {} bytes", hand.now.hms(), body.len()));
        match (path.from, self.ciphertext(body)) {
            (Role::Client, Some(length)) => {
                hand.show("a message of Alice's", body);
                let least = length.saturating_sub(block(self.protocol, self.fixes));
                hand.deeds.say(told(least, length.saturating_sub(1)));
                self.last = Some(least);
            }
            // Who is alone in a chat gets no answer to a text.
            (Role::Server, _) if self.protocol == Protocol::RsaChat => {
                self.recognise("the server answers, which it does to no text", hand);
            }
            _ => {}
        }
    }
}

impl Meddler for Listener {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        if self.armed {
            self.heard(path, &body, hand);
        }
        hand.pass(path, &body);
    }

    fn closed(&mut self, _path: Path, hand: &mut Hand<'_>) -> bool {
        self.recognise("the connection ends", hand);
        true
    }

    fn whisper(&mut self, _word: &'static str, _hand: &mut Hand<'_>) {
        self.armed = true;
    }
}
