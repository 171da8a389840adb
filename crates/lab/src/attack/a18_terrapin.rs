//! A18: Terrapin, CVE-2023-48795. The beginning of what the server says is cut off, and neither side notices.

use super::packets::{number_of, plain};
use super::play::{Attacker, Person, Play};
use super::tap::{Hand, Meddler, Path, Tapped};
use super::{Card, Question, Scene};
use crate::{Fault, Fix, Protocol};
use nacre_wire::{Role, number};

/// The card of Terrapin.
pub const CARD: Card = Card {
    name: "A18",
    title: "Terrapin: a beginning cut off",
    claim: "In SSH every packet has a number that goes into its seal: nothing can be added, left out or moved unseen.",
    idea: "The numbers begin with the connection, and count packets that are not sealed yet. Mallory adds one that says \
           nothing (IGNORE) before the keys are there: Alice's count is one ahead. Then she takes away the first \
           sealed one: Alice's count is right again. That packet is EXT_INFO, in which a server says what else it can do.",
    why: "Every seal fits, for both ends count the same again. Alice does without whatever EXT_INFO would have told \
          her: newer signatures, or hiding at which times keys are typed.",
    falls: &[(Protocol::Ssh, Some(Fix::F9))],
    holds: &[],
    mended: "Strict key exchange: nothing that is not due may come before the keys are in use, and with them counting \
             begins anew. The packet that Mallory adds ends the connection.",
    in_ssh: "Both ends say it in their first KEXINIT, since December 2023: kex-strict-c-v00@openssh.com and \
             kex-strict-s-v00@openssh.com. It takes both. Ciphers with a count of their own, such as AES-GCM, did not \
             fall to this.",
    known: "Terrapin, CVE-2023-48795",
    predict: Question {
        text: "Mallory adds one packet and takes one away. Both ends count packets. Who will notice?",
        choices: ["The one that got one too few.", "Neither: the two mistakes cancel.", "Both, at the next seal."],
        right: 1,
        because: "The count is all that ties packets together, and it is right again.",
    },
    predict_fix: Some(Question {
        text: "With strict key exchange, what is it that ends the connection?",
        choices: [
            "The missing EXT_INFO.",
            "A wrong seal.",
            "The packet that was added, for nothing that is not due may come there.",
        ],
        right: 2,
        because: "And had it come unseen, counting begins anew with the keys, and the seal would not fit.",
    }),
    play,
};

/// What Mallory says who adds a packet.
pub const ADDS: &str = "adds a packet that says nothing";
/// How she calls the packet that she shows when she has taken it away.
pub const TAKEN: &str = "the packet, EXT_INFO, which Alice never gets";

/// What both ends have in their first KEXINIT who know strict key exchange.
const MARKERS: [(Role, &[u8]); 2] =
    [(Role::Client, b"kex-strict-c-v00@openssh.com"), (Role::Server, b"kex-strict-s-v00@openssh.com")];

const SAID: &str = "the meeting is at 10";
/// What Alice prints who has not seen EXT_INFO.
const UNSEEN: &str = "no EXT_INFO";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.extend(scene.says(Person::Alice, SAID));
    scene.alone(Terrapin::default(), cues, |heard| {
        heard.said(Person::Alice, UNSEEN) && heard.said(Person::Server, &format!("]: {SAID}"))
    })
}

/// Mallory before any server of SSH.
pub fn terrapin() -> Box<dyn Attacker> {
    Box::new(Tapped::new(Protocol::Ssh, Terrapin::default()))
}

#[derive(Default)]
struct Terrapin {
    stage: Stage,
    /// Packets of the server so far.
    sent: u32,
}

#[derive(Default)]
enum Stage {
    /// Nothing was added yet.
    #[default]
    Before,
    Added,
    /// NEWKEYS is held back, so that Alice says nothing and all that the server sends is its EXT_INFO.
    Holding {
        path: Path,
        newkeys: Vec<u8>,
        taken: Vec<u8>,
    },
    Done,
}

impl Terrapin {
    fn add(&self, path: Path, hand: &mut Hand<'_>) {
        let ignore = plain(&[number::IGNORE, 0, 0, 0, 0]);
        hand.deeds.say(format!("{ADDS}: Alice counts it as number {}", self.sent));
        hand.show("the packet, IGNORE, which is not sealed", &ignore);
        hand.pass(path, &ignore);
    }

    /// Alice may go on, without what was taken.
    fn release(&mut self, hand: &mut Hand<'_>) {
        if let Stage::Holding { path, newkeys, taken } = std::mem::replace(&mut self.stage, Stage::Done) {
            let nonce = u64::from(self.sent).to_be_bytes();
            hand.deeds.say(format!("takes away the first sealed packet: the server counts it as number {}", self.sent));
            hand.show(TAKEN, &taken);
            let next = u64::from(self.sent + 1).to_be_bytes();
            hand.deeds.show("the number that went into its seal", &nonce);
            hand.deeds.show("the number that both go on with", &next);
            hand.pass(path, &newkeys);
        }
    }
}

/// Whether somebody wants strict key exchange can be read by anybody.
fn look(from: Role, kexinit: &[u8], hand: &mut Hand<'_>) {
    let wants = |marker: &[u8]| kexinit.windows(marker.len()).any(|window| window == marker);
    let strict = MARKERS.iter().any(|(role, marker)| *role == from && wants(marker));
    let who = if from == Role::Client { "Alice's client" } else { "the server" };
    hand.deeds.say(format!("sees that {who} {} strict key exchange", if strict { "offers" } else { "does not offer" }));
}

impl Meddler for Terrapin {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        // Sealed bytes may look like anything.
        if matches!(self.stage, Stage::Before) && number_of(&body) == Some(number::KEXINIT) {
            look(path.from, &body, hand);
        }
        if path.from == Role::Client {
            return hand.pass(path, &body);
        }
        if let Stage::Holding { taken, .. } = &mut self.stage {
            return taken.extend_from_slice(&body);
        }
        match (number_of(&body), &self.stage) {
            (Some(number::KEX_ECDH_REPLY), Stage::Before) => {
                self.add(path, hand);
                self.stage = Stage::Added;
            }
            (Some(number::NEWKEYS), Stage::Added) => {
                self.sent += 1;
                self.stage = Stage::Holding { path, newkeys: body, taken: Vec::new() };
                return hand.deeds.wait();
            }
            // Whatever that was, it was no exchange, and what comes now cannot be read.
            (Some(number::NEWKEYS), _) => self.stage = Stage::Done,
            _ => {}
        }
        self.sent += u32::from(number_of(&body).is_some());
        hand.pass(path, &body);
    }

    fn quiet(&mut self, hand: &mut Hand<'_>) {
        self.release(hand);
    }

    fn closed(&mut self, path: Path, hand: &mut Hand<'_>) -> bool {
        self.stage = Stage::Done;
        hand.deeds.say(format!("sees that {} hung up", if path.from == Role::Client { "Alice" } else { "the server" }));
        true
    }
}
