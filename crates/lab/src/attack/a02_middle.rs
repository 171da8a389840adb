//! A2: somebody in the middle, who has one secure connection with each side.

use super::play::{Attacker, Cue, Deeds, LinkId, Person, Play, Seen, Sign};
use super::{Card, NOT_ON_SSH, Question, Scene, everywhere};
use crate::end::{End, Gist};
use crate::rsa_chat::{self, ServerKey};
use crate::{Fault, Fix, Moment, Protocol, dh_chat, mini_ssh, toy_socket};
use nacre_wire::Role;
use nacre_wire::text::clean_line;

pub(super) const CARD: Card = Card {
    name: "A2",
    title: "somebody in the middle",
    claim: "The connection is encrypted with a secret that only the two ends know: nobody on the way can read it.",
    idea: "Mallory sits between Alice and the server. To Alice she plays the server, to the server she plays Alice. \
           She makes one secret with each of them, opens every message, reads it, changes what she likes, locks it \
           again and passes it on.",
    why: "Nothing that the server sends says whose it is. Alice locked her door well, and gave Mallory the key.",
    falls: &everywhere(Some(Fix::F1)),
    holds: &[],
    mended: "The server signs everything that both sides sent, and Alice knows the server's key. Mallory sent other \
             values to each side, and cannot sign for the server: Alice hangs up before she has said a word.",
    in_ssh: "The host key signs the exchange hash H; known_hosts holds the key that is to be expected. The first \
             time somebody has to say yes to a fingerprint: that one time it is up to them.",
    known: "cryptopals 34 (a man in the middle of Diffie-Hellman); goto fail, CVE-2014-1266: a signature that was never checked",
    predict: Question {
        text: "Mallory will read every message and change one. What will Alice's program say when it has connected?",
        choices: [
            "That somebody listens.",
            "That the connection could not be made.",
            "What it always says: all is well.",
        ],
        right: 2,
        because: "Her program did everything right, with the wrong person.",
    },
    predict_fix: Some(Question {
        text: "Now the server signs. Mallory can pass a signature on as it is. Why does that not help her?",
        choices: [
            "It covers the values that each side saw, and Mallory sent each side other ones.",
            "A signature cannot be copied.",
            "It is encrypted.",
        ],
        right: 0,
        because: "What is signed is the whole conversation so far; in the middle there are two of them.",
    }),
    play,
};

const SAID: &str = "the meeting is at 10";
const HEARD: &str = "the meeting is at 11";
const CHANGE: (&str, &str) = ("at 10", "at 11");

fn play(scene: &Scene) -> Result<Play, Fault> {
    let mut cues = scene.enter(Person::Alice);
    cues.push(Cue::Type(Person::Alice, scene.line(SAID)));
    cues.push(Cue::Until(vec![Sign::of(Person::Server, HEARD), Sign::of(Person::Server, SAID)]));
    let is_in = scene.is_in(Person::Alice);
    // Where there is a password she has it, and does something in the user's name.
    let taken: &[&str] = match scene.protocol {
        Protocol::MiniSsh => {
            &["reads what Alice says: pass123", "ran `whoami` at the server as the user, who is: user"]
        }
        _ => &[],
    };
    Ok(Play {
        server: scene.server()?,
        clients: vec![scene.client(Person::Alice)?],
        straight: Vec::new(),
        mallory: mallory(scene)?,
        cues,
        judge: Box::new(move |heard| {
            let all = [SAID].iter().chain(taken).all(|text| heard.said(Person::Mallory, text));
            heard.has(&is_in) && heard.said(Person::Server, HEARD) && all
        }),
    })
}

fn mallory(scene: &Scene) -> Result<Box<dyn Attacker>, Fault> {
    let (repairs, random) = (scene.repairs_of_mallory()?, scene.random.part("Mallory"));
    let (here, there) = (random.part("to Alice"), random.part("to the server"));
    Ok(match scene.protocol {
        Protocol::DhChat => {
            let settings = scene.dh_settings();
            let to_client = dh_chat::Session::server(settings, &repairs, here)?;
            Middle::boxed(to_client, dh_chat::Session::client(settings, &repairs, there))
        }
        Protocol::RsaChat => {
            let key = ServerKey::generate(rsa_chat::BITS, &mut random.part("Mallory's RSA key"))?;
            let to_client = rsa_chat::Session::server(&key, &repairs, here);
            Middle::boxed(to_client, rsa_chat::Session::client(&repairs, there))
        }
        Protocol::MiniSsh => {
            let to_client = mini_ssh::Session::new(Role::Server, &repairs, here)?;
            Middle::boxed(to_client, mini_ssh::Session::new(Role::Client, &repairs, there)?)
        }
        Protocol::ToySocket => {
            let to_client = toy_socket::Session::new(Role::Server, toy_socket::BITS, &repairs, here)?;
            let to_server = toy_socket::Session::new(Role::Client, toy_socket::BITS, &repairs, there)?;
            Middle::boxed(to_client, to_server)
        }
        Protocol::Ssh => return Err(NOT_ON_SSH),
    })
}

/// One of Mallory's two ends, with what waits until it has its key.
struct Half<E> {
    end: E,
    ready: bool,
    waiting: Vec<Vec<u8>>,
    /// What it last received.
    received: Vec<u8>,
}

impl<E: End> Half<E> {
    fn new(end: E) -> Self {
        Self { end, ready: false, waiting: Vec::new(), received: Vec::new() }
    }

    fn say(&mut self, now: Moment, text: &[u8]) {
        if self.ready {
            self.end.say_text(now, text);
        } else {
            self.waiting.push(text.to_vec());
        }
    }

    fn be_ready(&mut self, now: Moment) {
        self.ready = true;
        for text in std::mem::take(&mut self.waiting) {
            self.end.say_text(now, &text);
        }
    }
}

/// Mallory with an end to each side.
struct Middle<E> {
    to_client: Half<E>,
    to_server: Half<E>,
    /// Answers to commands of Mallory's own that the client is not to see.
    own_answers: usize,
}

impl<E: End> Middle<E> {
    fn boxed(to_client: E, to_server: E) -> Box<dyn Attacker> {
        Box::new(Self { to_client: Half::new(to_client), to_server: Half::new(to_server), own_answers: 0 })
    }

    /// Does what both ends have come to, until nothing happens any more.
    fn work(&mut self, now: Moment, link: LinkId, deeds: &mut Deeds) {
        loop {
            if let Some(event) = self.to_client.end.poll_event() {
                self.client_came_to(now, link, E::gist(event), deeds);
            } else if let Some(event) = self.to_server.end.poll_event() {
                self.server_came_to(now, link, E::gist(event), deeds);
            } else {
                break;
            }
        }
        deeds.send(link, Role::Client, self.to_client.end.take_output());
        deeds.send(link, Role::Server, self.to_server.end.take_output());
    }

    fn client_came_to(&mut self, now: Moment, link: LinkId, gist: Gist, deeds: &mut Deeds) {
        match gist {
            Gist::Established => {
                deeds.say("has a secret key with Alice, who takes her for the server");
                self.to_client.be_ready(now);
            }
            Gist::Text(text) => {
                self.to_client.end.accept();
                let read = clean_line(&text, crate::MAX_FRAME);
                let changed = read.replace(CHANGE.0, CHANGE.1);
                deeds.say(format!("reads what Alice says: {read}"));
                self.to_server.say(now, changed.as_bytes());
                if changed != read {
                    deeds.say(format!("tells the server instead: {changed}"));
                    deeds.show("what Alice sent, under the key that she has with Mallory", &self.to_client.received);
                    let out = self.to_server.end.take_output();
                    deeds.show("what the server got, under the key that it has with Mallory", &out);
                    deeds.send(link, Role::Server, out);
                }
            }
            gist => Self::ended(link, Role::Server, &gist, deeds),
        }
    }

    fn server_came_to(&mut self, now: Moment, link: LinkId, gist: Gist, deeds: &mut Deeds) {
        match gist {
            Gist::Established => {
                deeds.say("has another secret key with the server, which takes her for Alice");
                self.to_server.be_ready(now);
            }
            Gist::Text(text) if self.own_answers > 0 => {
                self.own_answers -= 1;
                deeds.say(format!("ran `whoami` at the server as the user, who is: {}", clean_line(&text, 100)));
            }
            Gist::Text(text) => {
                self.to_client.say(now, &text);
                if text == mini_ssh::LOGGED_IN.as_bytes() {
                    self.own_answers += 1;
                    self.to_server.say(now, b"whoami");
                }
            }
            gist => Self::ended(link, Role::Client, &gist, deeds),
        }
    }

    /// One side is over: the other is closed.
    fn ended(link: LinkId, other: Role, gist: &Gist, deeds: &mut Deeds) {
        match gist {
            Gist::Broken(fault) => {
                deeds.say(format!("gets no further: {fault}"));
                deeds.close(link, other);
            }
            Gist::Left => deeds.close(link, other),
            Gist::Established | Gist::Text(_) | Gist::Other => {}
        }
    }
}

impl<E: End> Attacker for Middle<E> {
    fn handle(&mut self, now: Moment, seen: Seen<'_>, deeds: &mut Deeds) {
        match seen {
            Seen::Client(link) => {
                deeds.say("answers Alice in the server's place, and calls the server in Alice's");
                self.work(now, link, deeds);
            }
            Seen::Bytes { link, from, bytes } => {
                let half = if from == Role::Client { &mut self.to_client } else { &mut self.to_server };
                half.received = bytes.to_vec();
                half.end.receive(bytes);
                self.work(now, link, deeds);
            }
            Seen::Closed { link, by } => {
                deeds.say(format!("sees that {} hung up", if by == Role::Client { "Alice" } else { "the server" }));
                deeds.close(link, by.peer());
            }
            Seen::Own(_) | Seen::Quiet | Seen::Inside { .. } | Seen::Whisper(_) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::attack::Heard;
    use crate::{Fixes, Randomness};
    use std::time::Instant;

    /// Where there is a password Mallory must have had it, and have used the session.
    #[test]
    fn lab_a02_on_mini_ssh_is_judged_by_what_mallory_took() {
        let scene = Scene::new(Protocol::MiniSsh, Fixes::NONE, Randomness::new(Some(1)), Instant::now()).unwrap();
        let play = CARD.play(&scene).unwrap();
        let mut heard = Heard::default();
        heard.line(Person::Alice, "Authentication successful");
        heard.line(Person::Server, HEARD);
        heard.line(Person::Mallory, SAID);
        assert!(!(play.judge)(&heard));
        heard.line(Person::Mallory, "reads what Alice says: pass123");
        assert!(!(play.judge)(&heard));
        heard.line(Person::Mallory, "ran `whoami` at the server as the user, who is: user");
        assert!((play.judge)(&heard));
    }
}
