//! A16: a length that asks for too much.

use super::play::{Cue, LinkId, Person, Play, Sign};
use super::tap::{Hand, Meddler, Path, Tapped};
use super::{Card, Question, Scene};
use crate::{Fault, Fix, Protocol};
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A16",
    title: "ten digits for ten gigabytes",
    claim: "Each message has its length in front, so the receiver knows how much to read.",
    idea: "Mallory connects, and before anybody knows who she is she says that 9999999999 bytes will follow. A server \
           written from the description makes room for them; this one stops at 1 MiB. So she sends a whole megabyte \
           where 256 bytes belong.",
    why: "The server keeps whatever a stranger sends, up to its limit, before the stranger has shown a key. A thousand \
          strangers are a gigabyte.",
    falls: &[(Protocol::RsaChat, Some(Fix::F10))],
    holds: &[],
    mended: "Before a client has a name no blob of more than 1024 bytes is taken: the digits alone end the connection.",
    in_ssh: "Packets are bounded (RFC 4253 section 6.1), and once there are keys the length is under the MAC as well.",
    known: "libssh2, CVE-2019-3855: a length believed",
    predict: Question {
        text: "A stranger announces ten gigabytes. What does a server written from the description do?",
        choices: ["Ask who it is.", "Make room for them.", "Hang up."],
        right: 1,
        because: "The description says to read the length and then as many bytes as it says.",
    },
    predict_fix: Some(Question {
        text: "What does a server know about a stranger's next message that bounds it?",
        choices: ["Nothing.", "The time of day.", "What is due: a key of a known size, and nothing longer."],
        right: 2,
        because: "What can be expected has a size, and what is larger is no mistake.",
    }),
    play,
};

const BYTES: usize = 1_000_000;

fn play(scene: &Scene) -> Result<Play, Fault> {
    let taken = Sign::of(Person::Server, format!("has {BYTES} bytes and should have"));
    let refused = Sign::of(Person::Server, format!("{BYTES} bytes announced"));
    Ok(Play {
        server: scene.server()?,
        clients: Vec::new(),
        straight: Vec::new(),
        mallory: Box::new(Tapped::new(scene.protocol, Glutton { first: None })),
        cues: vec![
            Cue::Whisper("come"),
            Cue::Until(vec![Sign::of(Person::Server, "9999999999 bytes announced")]),
            Cue::Whisper("come"),
            Cue::Until(vec![taken.clone(), refused]),
        ],
        judge: Box::new(move |heard| heard.has(&taken)),
    })
}

struct Glutton {
    /// The connection that asks for ten gigabytes.
    first: Option<LinkId>,
}

impl Meddler for Glutton {
    fn message(&mut self, path: Path, _body: Vec<u8>, hand: &mut Hand<'_>) {
        if self.first == Some(path.link) {
            hand.deeds.say("asks the server to make room for 9999999999 bytes");
            hand.deeds.show("all that she sends", b"9999999999");
            return hand.deeds.send(path.link, Role::Server, b"9999999999".to_vec());
        }
        if path.from == Role::Server {
            hand.deeds.say(format!("sends {BYTES} bytes where a key of 256 belongs"));
            hand.put(path.link, Role::Server, &vec![b'x'; BYTES]);
        }
    }

    fn whisper(&mut self, _word: &'static str, hand: &mut Hand<'_>) {
        hand.deeds.connect();
    }

    fn own(&mut self, link: LinkId, _hand: &mut Hand<'_>) {
        self.first.get_or_insert(link);
    }
}
