//! A6: Alice's own words come back to her.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Meddler, Path};
use super::{Card, Question, Scene};
use crate::{Fault, Fix, Protocol};
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A6",
    title: "a mirror",
    claim: "What can be opened with the key was said by the other side.",
    idea: "Mallory sends Alice's own message back to her.",
    why: "Both directions use one key. What Alice locked opens with the key that she opens the server's words with.",
    falls: &[(Protocol::DhChat, Some(Fix::F4)), (Protocol::RsaChat, Some(Fix::F4)), (Protocol::MiniSsh, Some(Fix::F4))],
    holds: &[(Protocol::ToySocket, "each side signs with its own RSA key, so Alice's signature is not the server's")],
    mended: "Each direction has a key of its own: what Alice locked does not open with the key for what she hears.",
    in_ssh: "Six keys come out of every exchange, A to F of RFC 4253 section 7.2: each direction has its own.",
    known: "SMB credentials sent back to where they came from, CVE-2008-4037",
    predict: Question {
        text: "Mallory sends Alice's own message back to Alice. Who will seem to have said it?",
        choices: ["The server, or whoever speaks through it.", "Alice herself.", "Nobody: it will not open."],
        right: 0,
        because: "What opens with the key must have come from the other side: that was the rule, and it was wrong.",
    },
    predict_fix: Some(Question {
        text: "Each direction has its own key now. What will happen to the copy?",
        choices: [
            "It opens, but with a warning.",
            "It does not open with the key for what Alice hears.",
            "It goes round for ever.",
        ],
        right: 1,
        because: "Only the server has the key that its words are locked with, and it did not lock this one.",
    }),
    play,
};

const SAID: &str = "are you there";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.push(Cue::Whisper("now"));
    cues.extend(scene.says(Person::Alice, SAID));
    let heard = match scene.protocol {
        Protocol::DhChat | Protocol::Ssh => format!("[Server]: {SAID}"),
        Protocol::ToySocket => format!("Authenticated: {SAID}"),
        Protocol::MiniSsh | Protocol::RsaChat => scene.line(SAID),
    };
    // Something that comes after it on the same line.
    let (then, sign) = match scene.protocol {
        Protocol::DhChat => (Some((Person::Server, "I am")), "I am"),
        Protocol::RsaChat => (Some((Person::Alice, "/list")), "Online: "),
        Protocol::MiniSsh | Protocol::ToySocket | Protocol::Ssh => (None, SAID),
    };
    cues.extend(then.map(|(who, line)| Cue::Type(who, line.to_owned())));
    cues.push(Cue::Until(vec![Sign::of(Person::Alice, sign), Sign::of(Person::Alice, "not genuine")]));
    scene.alone(Mirror { armed: false }, cues, move |all| all.lines_of(Person::Alice).any(|line| line == heard))
}

struct Mirror {
    armed: bool,
}

impl Meddler for Mirror {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        if path.from == Role::Client && std::mem::take(&mut self.armed) {
            hand.deeds.say("sends Alice's own message back to her");
            hand.show("the message that Alice sent, and got", &body);
            hand.put(path.link, Role::Client, &body);
        }
        hand.pass(path, &body);
    }

    fn whisper(&mut self, _word: &'static str, _hand: &mut Hand<'_>) {
        self.armed = true;
    }
}
