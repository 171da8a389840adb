//! A17: a log that tells too much.

use super::play::{Attacker, Cue, Deeds, Person, Play, Seen};
use super::tap::{Hand, Meddler, Path, Tapped};
use super::{Card, Question, Scene};
use crate::{Fault, Fix, Moment, Protocol};
use data_encoding::{BASE64_NOPAD, HEXLOWER};

pub(super) const CARD: Card = Card {
    name: "A17",
    title: "a log that tells too much",
    claim: "Only the beginning of the key is shown, to let people compare.",
    idea: "Mallory gets the server's log: logs are mailed, stored, shown on screens. She looks for keys in it.",
    why: "Nine characters of base64 are 54 bits of the key, 48 of them as whole bytes. 202 bits are left, which is \
          enough today; but a secret that is printed is no secret, and nobody counts what the next version prints.",
    falls: &[(Protocol::RsaChat, Some(Fix::F10))],
    holds: &[],
    mended: "The log says that there is a key, and nothing of it.",
    in_ssh: "No key is ever logged. What tells steps marks secrets, and shows them only on request.",
    known: "CWE-532: secrets in log files",
    predict: Question {
        text: "The log shows the first characters of a key. What is that worth to somebody who reads it?",
        choices: ["48 bits of the key, for nothing.", "Nothing: the rest is hidden.", "The whole key."],
        right: 0,
        because: "Base64 characters are six bits each; nine of them are 54 bits, and 48 of those make whole bytes.",
    },
    predict_fix: Some(Question {
        text: "How can two people still compare their keys?",
        choices: [
            "They cannot.",
            "By a fingerprint: a hash of public keys, never of the secret ones.",
            "By showing the last characters.",
        ],
        right: 1,
        because: "SSH shows fingerprints of public keys, and nobody minds who reads those.",
    }),
    play,
};

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.push(Cue::Open);
    Ok(Play {
        server: scene.server()?,
        clients: vec![scene.client(Person::Alice)?],
        straight: Vec::new(),
        mallory: Box::new(LogReader(Tapped::new(scene.protocol, Passer))),
        cues,
        judge: Box::new(|heard| {
            let mut found = heard.lines_of(Person::Mallory).filter_map(|line| line.strip_prefix(FOUND));
            let is_key = |start: &str| heard.fields(Person::Server, "key").any(|key| key.starts_with(start));
            found.any(|start| start.len() == 12 && is_key(start))
        }),
    })
}

const FOUND: &str = "reads in the log how a key begins: ";
const MARK: &str = "Decrypted AES-256 key: ";

/// Somebody who touches nothing.
pub(super) struct Passer;

impl Meddler for Passer {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        hand.pass(path, &body);
    }
}

struct LogReader(Tapped<Passer>);

impl Attacker for LogReader {
    fn handle(&mut self, now: Moment, seen: Seen<'_>, deeds: &mut Deeds) {
        let Seen::Inside { lines, .. } = seen else { return self.0.handle(now, seen, deeds) };
        for line in lines.iter().filter(|line| line.contains(MARK)) {
            deeds.say(format!("finds a line in the log: {line}"));
            let prefix = line.split(MARK).nth(1).and_then(|rest| rest.get(..8));
            match prefix.and_then(|prefix| BASE64_NOPAD.decode(prefix.as_bytes()).ok()) {
                Some(bytes) => deeds.say(format!("{FOUND}{}", HEXLOWER.encode(&bytes))),
                None => deeds.say("learns nothing from it"),
            }
        }
    }
}
