//! A9: a key that opens the past.

use super::play::{Cue, Person, Play};
use super::reader;
use super::tap::{Hand, Meddler, Path};
use super::{Card, Question, Scene};
use crate::fix::Fixes;
use crate::rsa_chat::ServerKey;
use crate::{Fault, Fix, Protocol};
use nacre_wire::Role;
use nacre_wire::text::clean_line;

pub(super) const CARD: Card = Card {
    name: "A9",
    title: "the server's key, years later",
    claim: "Perfect forward secrecy: every session has a key of its own, so old sessions stay secret.",
    idea: "Mallory records everything and understands nothing. Years later the server's private key falls into her \
           hands. She opens the record.",
    why: "Every session's key went over the wire under that one key. Whoever has it one day opens all of them.",
    falls: &[(Protocol::RsaChat, Some(Fix::F5))],
    holds: &[(
        Protocol::DhChat,
        "the private numbers are drawn for each connection and forgotten: there is nothing to seize",
    )],
    mended: "The key comes out of two numbers that were made for this connection and forgotten after it. The server's \
             key opens nothing.",
    in_ssh: "Key exchange is always with fresh keys (X25519, ML-KEM); the host key only signs.",
    known: "Heartbleed, CVE-2014-0160: private keys read out of running servers",
    predict: Question {
        text: "The server's key is stolen years later. Which of the old recorded sessions will open?",
        choices: [
            "None: each had a key of its own.",
            "The last one.",
            "All of them, where their keys were sent under it.",
        ],
        right: 2,
        because: "A key of one's own is no help if it travelled inside something that opens later.",
    },
    predict_fix: Some(Question {
        text: "What is different when both sides draw fresh numbers and forget them?",
        choices: [
            "There is nothing left anywhere that opens the record.",
            "The record is longer.",
            "The server's key is not needed any more.",
        ],
        right: 0,
        because: "The server's key still says who it is. It just locks nothing.",
    }),
    play,
};

const SAID: &str = "the old map is in the piano";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.extend(scene.says(Person::Alice, SAID));
    cues.push(Cue::Whisper("years later"));
    let recorder = Recorder { fixes: scene.fixes, key: scene.server_key.clone(), record: Vec::new() };
    scene.alone(recorder, cues, |heard| heard.said(Person::Mallory, SAID))
}

struct Recorder {
    fixes: Fixes,
    /// The server's private key, which Mallory gets at the end.
    key: Option<ServerKey>,
    /// What Alice sent.
    record: Vec<Vec<u8>>,
}

impl Meddler for Recorder {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        hand.pass(path, &body);
        if path.from == Role::Client {
            self.record.push(body);
        }
    }

    fn whisper(&mut self, _word: &'static str, hand: &mut Hand<'_>) {
        hand.deeds.say(format!("has recorded {} messages of Alice's", self.record.len()));
        let Some(server) = &self.key else {
            return hand.deeds.say("finds no private key at the server: none was kept");
        };
        hand.deeds.say("gets the server's private key");
        let Some((first, messages)) = self.record.split_first() else { return };
        hand.show("the first message of the record", first);
        let Ok(key) = server.open(first) else {
            return hand.deeds.say("finds that it opens nothing in the record");
        };
        hand.deeds.show("the session's key, opened with it", &key);
        let mut reader = reader::with_key(Protocol::RsaChat, self.fixes, key);
        for text in messages.iter().filter_map(|message| reader(message)) {
            hand.deeds.say(format!("reads in the record: {}", clean_line(&text, 200)));
        }
    }
}
