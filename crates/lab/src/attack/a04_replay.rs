//! A4: what was sent once is sent again.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Meddler, Path};
use super::{Card, Question, Scene, everywhere};
use crate::{Fault, Fix};
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A4",
    title: "the same message twice",
    claim: "Messages cannot be forged, because only the two ends have the key.",
    idea: "Mallory cannot read or make a message. But she can copy one: she sends Alice's message on, and then the \
           same bytes once more.",
    why: "Nothing in a message says which one it is. What was genuine once is genuine for ever.",
    falls: &everywhere(Some(Fix::F3)),
    holds: &[],
    mended: "Every message has a number that is sealed with it, and the receiver counts along. The copy has a number \
             that was there already: the connection ends.",
    in_ssh: "Every packet has a number that both sides count and neither sends; it goes into the MAC or the nonce.",
    known: "KRACK, CVE-2017-13077: a key put in again, so that counting begins again",
    predict: Question {
        text: "Mallory sends the same sealed bytes a second time. What will the receiver do?",
        choices: ["Refuse them: it knows these bytes.", "Take them as a new message.", "Hang up."],
        right: 1,
        because: "The bytes are genuine, and nothing in them says which message they are.",
    },
    predict_fix: Some(Question {
        text: "Where does the number of a message have to be, so that Mallory cannot change it?",
        choices: [
            "In front of it, for all to see.",
            "It can be anywhere if it is long.",
            "Under the seal, whether it is sent or only counted.",
        ],
        right: 2,
        because: "A number outside the seal would be changed together with the order.",
    }),
    play,
};

const SAID: &str = "pay Bob 10";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.push(Cue::Whisper("now"));
    cues.push(Cue::Type(Person::Alice, scene.line(SAID)));
    let twice = Sign { times: 2, ..Sign::of(Person::Server, SAID) };
    cues.push(Cue::Until(vec![twice.clone()]));
    scene.alone(Doubler { armed: false }, cues, move |heard| heard.has(&twice))
}

struct Doubler {
    armed: bool,
}

impl Meddler for Doubler {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        hand.pass(path, &body);
        if path.from == Role::Client && std::mem::take(&mut self.armed) {
            hand.deeds.say("copies a message of Alice's that she cannot read, and sends it a second time");
            hand.show("the message, sent twice", &body);
            hand.pass(path, &body);
        }
    }

    fn whisper(&mut self, _word: &'static str, _hand: &mut Hand<'_>) {
        self.armed = true;
    }
}
