//! A7: bits turned in a ciphertext that are the same bits turned in the text.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Meddler, Path, Tapped};
use super::{Card, Question, Scene};
use crate::{Fault, Fix, Protocol};
use data_encoding::BASE64;
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A7",
    title: "three bytes turned",
    claim: "A changed message is seen, because its padding would be wrong.",
    idea: "Mallory knows, or guesses, how a message begins. In this way of encrypting (CBC) the first block of the text \
           is mixed with the 16 bytes that stand in front. She turns three of those bytes by what makes Bob into Eve.",
    why: "Encryption hides a text; it does not hold it together. The padding is at the other end of the message and \
          knows nothing of it.",
    falls: &[(Protocol::RsaChat, Some(Fix::F2)), (Protocol::DhChat, Some(Fix::F2))],
    holds: &[],
    mended: "Every message carries a seal (a MAC) over all of its bytes, and it is checked before anything else is \
             done. One turned bit, and the connection ends.",
    in_ssh: "A MAC over ciphertext (the -etm names) or an AEAD cipher (aes-gcm, chacha20-poly1305) for every packet.",
    known: "cryptopals 16; EFAIL, CVE-2017-17689",
    predict: Question {
        text: "Mallory turns three bytes of what she cannot read. What will the server find?",
        choices: ["Noise from there on.", "A text in which one name is another.", "Padding that is wrong."],
        right: 1,
        because: "In CBC a turned bit in front turns the same bit of the block behind it, and nothing else of that block.",
    },
    predict_fix: Some(Question {
        text: "Why must the seal be checked before the text is decrypted?",
        choices: [
            "It is faster.",
            "Decrypting would break the seal.",
            "What is done with a forged text before the check can be seen from outside.",
        ],
        right: 2,
        because: "The next attack, A8, lives of just that.",
    }),
    play,
};

const NAMES: (&[u8], &[u8]) = (b"Bob", b"Eve");
/// Where the name begins, in `/pm Bob` and in `pay Bob`.
const PLACE: usize = 4;
const SECRET: &str = "the key is under the mat";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let is_chat = scene.protocol == Protocol::RsaChat;
    let (people, line, good, bad) = if is_chat {
        let line = format!("/pm Bob {SECRET}");
        let people: &[Person] = &[Person::Alice, Person::Bob, Person::Eve];
        (people, line, Sign::of(Person::Bob, SECRET), Sign::of(Person::Eve, SECRET))
    } else {
        let people: &[Person] = &[Person::Alice];
        let says = |line| Sign::of(Person::Server, line);
        (people, "pay Bob 10".to_owned(), says("pay Bob 10"), says("pay Eve 10"))
    };
    let mut cues: Vec<Cue> = people.iter().flat_map(|who| scene.enter(*who)).collect();
    cues.push(Cue::Whisper("now"));
    cues.push(Cue::Type(Person::Alice, line));
    cues.push(Cue::Until(vec![good, bad.clone()]));
    Ok(Play {
        server: scene.server()?,
        clients: people.iter().map(|who| scene.client(*who)).collect::<Result<_, _>>()?,
        straight: vec![Person::Bob, Person::Eve],
        mallory: Box::new(Tapped::new(scene.protocol, Flipper::new(scene))),
        cues,
        judge: Box::new(move |heard| heard.has(&bad)),
    })
}

struct Flipper {
    is_base64: bool,
    /// Where the name begins in the text that is encrypted.
    place: usize,
    armed: bool,
}

impl Flipper {
    fn new(scene: &Scene) -> Self {
        // Where messages are counted inside the ciphertext, the number stands before the text.
        let counted = scene.fixes.has(Fix::F3) && !scene.fixes.has(Fix::F2);
        let place = PLACE + if counted { 8 } else { 0 };
        Self { is_base64: scene.protocol == Protocol::RsaChat, place, armed: false }
    }

    fn turned(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = if self.is_base64 { BASE64.decode(body).ok()? } else { body.to_vec() };
        let difference = NAMES.0.iter().zip(NAMES.1).map(|(from, to)| from ^ to);
        let places = sealed.get_mut(self.place..)?;
        places.iter_mut().zip(difference).for_each(|(byte, turn)| *byte ^= turn);
        Some(if self.is_base64 { BASE64.encode(&sealed).into_bytes() } else { sealed })
    }
}

impl Meddler for Flipper {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        if path.from == Role::Server || !std::mem::take(&mut self.armed) {
            return hand.pass(path, &body);
        }
        let turned = self.turned(&body).unwrap_or_default();
        hand.deeds
            .say("turns 3 bytes of a message that she cannot read, by what is between the letters of Bob and Eve");
        hand.show("as Alice sent it", &body);
        hand.show("as Mallory sent it on", &turned);
        hand.pass(path, &turned);
    }

    fn whisper(&mut self, _word: &'static str, _hand: &mut Hand<'_>) {
        self.armed = true;
    }
}
