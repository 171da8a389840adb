//! A20: a server that reads along.

use super::a17_logs::Passer;
use super::play::{Attacker, Cue, Deeds, Person, Play, Seen, Sign};
use super::tap::Tapped;
use super::{Card, Question, Scene};
use crate::{Fault, Moment, Protocol};

pub(super) const CARD: Card = Card {
    name: "A20",
    title: "a curious server",
    claim: "End-to-end encryption: a private message can be read by its recipient alone.",
    idea: "Mallory runs the server. She looks at what it has in its hands.",
    why: "Each client shares a key with the server, not with the other client. The server opens every message and locks \
          it again for the next: it reads everything, and always could.",
    falls: &[(Protocol::RsaChat, None)],
    holds: &[],
    mended: "",
    in_ssh: "No transport can mend this, SSH neither: it protects the way to the server, not from the server. What \
             the server must not read has to be encrypted by one person for the other before it is sent.",
    known: "no number: it is no fault of the program, it is the design",
    predict: Question {
        text: "Alice writes a private message to Bob. Who will have read it?",
        choices: ["Alice and Bob.", "Alice, Bob and the server.", "Anybody on the wire."],
        right: 1,
        because: "Each has a key with the server. None of them has one with the other.",
    },
    predict_fix: None,
    play,
};

const SAID: &str = "do not tell the server";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.extend(scene.enter(Person::Bob));
    cues.push(Cue::Type(Person::Alice, format!("/pm Bob {SAID}")));
    cues.push(Cue::Until(vec![Sign::of(Person::Bob, SAID)]));
    cues.push(Cue::Open);
    Ok(Play {
        server: scene.server()?,
        clients: vec![scene.client(Person::Alice)?, scene.client(Person::Bob)?],
        straight: vec![Person::Alice, Person::Bob],
        mallory: Box::new(Operator(Tapped::new(scene.protocol, Passer))),
        cues,
        judge: Box::new(|heard| heard.said(Person::Mallory, SAID)),
    })
}

struct Operator(Tapped<Passer>);

impl Attacker for Operator {
    fn handle(&mut self, now: Moment, seen: Seen<'_>, deeds: &mut Deeds) {
        let Seen::Inside { texts, .. } = seen else { return self.0.handle(now, seen, deeds) };
        for text in texts.iter().filter(|text| text.starts_with("/pm ")) {
            deeds.say(format!("reads in her own server's memory: {text}"));
        }
    }
}
