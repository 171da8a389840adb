//! A5: messages that change places, or never arrive.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Meddler, Path};
use super::{Card, NOT_ON_SSH, Question, Scene, everywhere};
use crate::{Fault, Fix, Protocol};
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A5",
    title: "out of order, and cut off",
    claim: "What arrives is what was sent.",
    idea: "Mallory cannot read messages, but they pass through her hands. In the chats she lets the second go before \
           the first, keeps the third and then cuts the line. Where each message is answered she keeps one, and plays \
           an old answer again.",
    why: "Each message is whole and genuine. That they belong together, in this order and to this end, is sealed \
          nowhere.",
    falls: &everywhere(Some(Fix::F3)),
    holds: &[],
    mended: "The number sealed in a message says where it belongs. The first one out of its turn ends the connection.",
    in_ssh: "The packet numbers again; and the end is sealed too: DISCONNECT, EOF and CLOSE are packets like others.",
    known: "Terrapin, CVE-2023-48795: a beginning cut off unseen",
    predict: Question {
        text: "Messages go missing or change places. Which of the two ends will notice?",
        choices: ["The receiver.", "Both.", "Neither."],
        right: 2,
        because: "Each message is whole by itself; that is all that was ever promised.",
    },
    predict_fix: Some(Question {
        text: "With numbers under the seal: what happens at the first message that is out of its turn?",
        choices: [
            "It is put aside until the others have come.",
            "The connection ends.",
            "The receiver asks for it again.",
        ],
        right: 1,
        because: "The network below does not lose or turn anything by itself. Somebody did it.",
    }),
    play,
};

fn play(scene: &Scene) -> Result<Play, Fault> {
    match scene.protocol {
        Protocol::DhChat | Protocol::RsaChat => shuffled(scene),
        Protocol::MiniSsh | Protocol::ToySocket => pretended(scene),
        Protocol::Ssh => Err(NOT_ON_SSH),
    }
}

const FIRST: &str = "sell 100 shares";
const SECOND: &str = "no, wait";
const THIRD: &str = "do not sell";

fn shuffled(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.push(Cue::Whisper("now"));
    cues.extend([FIRST, SECOND, THIRD].map(|text| Cue::Type(Person::Alice, text.to_owned())));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, FIRST)]));
    cues.push(Cue::Whisper("cut"));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, "disconnected"), Sign::of(Person::Server, "left")]));
    scene.alone(Shuffler::default(), cues, |heard| {
        let place = |text: &str| heard.lines_of(Person::Server).position(|line| line.ends_with(text));
        matches!((place(FIRST), place(SECOND)), (Some(first), Some(second)) if second < first)
            && !heard.said(Person::Server, THIRD)
    })
}

/// What became of the three messages so far.
#[derive(Default)]
enum Shuffler {
    #[default]
    Idle,
    Armed,
    Holding(Vec<u8>),
    Dropping(Path),
}

impl Meddler for Shuffler {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        if path.from == Role::Server {
            return hand.pass(path, &body);
        }
        *self = match std::mem::take(self) {
            Self::Idle => {
                hand.pass(path, &body);
                Self::Idle
            }
            Self::Armed => {
                hand.deeds.say("keeps the first message");
                Self::Holding(body)
            }
            Self::Holding(first) => {
                hand.deeds.say("lets the second go, and the first after it");
                hand.show("the second, sent first", &body);
                hand.show("the first, sent second", &first);
                hand.pass(path, &body);
                hand.pass(path, &first);
                Self::Dropping(path)
            }
            Self::Dropping(path) => {
                hand.deeds.say("throws a message away");
                hand.show("the message that never arrives", &body);
                Self::Dropping(path)
            }
        };
    }

    fn whisper(&mut self, _word: &'static str, hand: &mut Hand<'_>) {
        *self = match std::mem::take(self) {
            Self::Dropping(path) => {
                hand.deeds.say("cuts the line to the server");
                hand.deeds.close(path.link, Role::Server);
                Self::Dropping(path)
            }
            _ => Self::Armed,
        };
    }
}

const ORDER: &str = "book one seat";

fn pretended(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    let answered = |times| Sign { times, ..Sign::of(Person::Alice, ORDER) };
    for times in [1, 2] {
        cues.push(Cue::Whisper("now"));
        cues.push(Cue::Type(Person::Alice, scene.line(ORDER)));
        cues.push(Cue::Until(vec![answered(times)]));
    }
    scene.alone(Pretender::default(), cues, move |heard| {
        heard.has(&answered(2)) && heard.times(Person::Server, ORDER) == 1
    })
}

/// Where the two orders are.
#[derive(Default)]
enum Pretender {
    #[default]
    Idle,
    /// The next answer is to be remembered.
    Listening,
    Remembering(Vec<u8>),
    /// The next order is to be kept.
    Keeping(Vec<u8>),
}

impl Meddler for Pretender {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        *self = match (std::mem::take(self), path.from) {
            (Self::Listening, Role::Server) => {
                hand.deeds.say("remembers the server's answer, without being able to read it");
                hand.pass(path, &body);
                Self::Remembering(body)
            }
            (Self::Keeping(answer), Role::Client) => {
                hand.deeds.say("keeps Alice's second order, and plays the old answer again");
                hand.show("the order that never arrives", &body);
                hand.show("the old answer, played again", &answer);
                hand.put(path.link, Role::Client, &answer);
                Self::Idle
            }
            (state, _) => {
                hand.pass(path, &body);
                state
            }
        };
    }

    fn whisper(&mut self, _word: &'static str, _hand: &mut Hand<'_>) {
        *self = match std::mem::take(self) {
            Self::Remembering(answer) => Self::Keeping(answer),
            _ => Self::Listening,
        };
    }
}
