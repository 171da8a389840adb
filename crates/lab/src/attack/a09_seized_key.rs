//! A9: a key that opens the past.

use super::play::{Cue, Person, Play};
use super::reader::{self, Reader};
use super::tap::{Hand, Meddler, Path};
use super::{Card, Question, Scene};
use crate::fix::Fixes;
use crate::rsa_chat::ServerKey;
use crate::{Fault, Fix, Protocol, dh_chat};
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
    let found = match (&scene.server_key, scene.protocol) {
        (Some(key), _) => Found::Rsa(key.clone()),
        (None, Protocol::DhChat) if scene.fixes.has(Fix::F1) => Found::Signing(scene.private_of_server()?),
        _ => Found::Nothing,
    };
    let recorder = Recorder { fixes: scene.fixes, settings: scene.dh_settings(), found, record: Vec::new() };
    scene.alone(recorder, cues, |heard| heard.said(Person::Mallory, SAID))
}

/// What Mallory finds at the server.
enum Found {
    /// The key that sessions' keys are sent under.
    Rsa(ServerKey),
    /// The key that the server signs with.
    Signing(Vec<u8>),
    Nothing,
}

struct Recorder {
    fixes: Fixes,
    settings: dh_chat::Settings,
    found: Found,
    /// What Alice sent.
    record: Vec<Vec<u8>>,
}

impl Recorder {
    fn read(&self, mut reader: Reader, hand: &mut Hand<'_>) {
        let texts: Vec<Vec<u8>> = self.record.iter().skip(1).filter_map(|message| reader(message)).collect();
        if texts.is_empty() {
            hand.deeds.say("finds that it opens nothing in the record");
        }
        for text in texts {
            hand.deeds.say(format!("reads in the record: {}", clean_line(&text, 200)));
        }
    }

    /// Every session's key was sent under this one.
    fn open(&self, server: &ServerKey, first: &[u8], hand: &mut Hand<'_>) {
        hand.deeds.say("gets the server's private key");
        let Ok(key) = server.open(first) else {
            return hand.deeds.say("finds that it opens nothing in the record");
        };
        hand.deeds.show("the session's key, opened with it", &key);
        self.read(reader::with_key(Protocol::RsaChat, self.fixes, key), hand);
    }

    /// A key that signs is all there is: she takes it for the private number of the exchange.
    fn guess(&self, private: &[u8], first: &[u8], hand: &mut Hand<'_>) {
        hand.deeds.say("gets the server's private key, and takes it for the number that made the secret");
        let secret = dh_chat::secret_with(first, private);
        let Ok(key) = secret.and_then(|secret| dh_chat::key_of(&secret, &self.settings, self.fixes)) else {
            return hand.deeds.say("finds that no key comes of it");
        };
        hand.deeds.show("the key that comes of it", &key);
        self.read(reader::with_key(Protocol::DhChat, self.fixes, key), hand);
    }
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
        let Some(first) = self.record.first() else { return };
        hand.show("the first message of the record", first);
        match &self.found {
            Found::Rsa(key) => self.open(key, first, hand),
            Found::Signing(private) => self.guess(private, first, hand),
            Found::Nothing => hand.deeds.say("finds no private key at the server: none was kept"),
        }
    }
}
