//! A14: somebody who says to be Alice.

use super::play::{Attacker, Cue, Deeds, LinkId, Person, Play, Seen, Sign};
use super::{Card, NOT_ON_SSH, Question, Scene, everywhere};
use crate::end::{End, Gist};
use crate::{Fault, Fix, Moment, Protocol, dh_chat, mini_ssh, rsa_chat, toy_socket};
use nacre_wire::Role;

pub(super) const CARD: Card = Card {
    name: "A14",
    title: "who is Alice?",
    claim: "Only authorised users can take part.",
    idea: "Mallory does not touch anybody's connection. She makes one of her own and says that she is Alice, or tries \
           the name and password that the description prints.",
    why: "A name is a word that anybody can say, and a password that everybody has is a word as well.",
    falls: &everywhere(Some(Fix::F7)),
    holds: &[],
    mended: "A user signs everything that both sides sent in this connection. Mallory has no key that the server \
             knows, and a signature from another connection does not fit this one.",
    in_ssh: "Public-key login signs the session identifier (RFC 4252 section 7); passwords are tried slowly and seldom.",
    known: "libssh, CVE-2018-10933: a client that said it was logged in, and was",
    predict: Question {
        text: "A stranger says that she is Alice. What will the server ask her for?",
        choices: ["Nothing that she does not have.", "A proof of her key.", "To wait until Alice has gone."],
        right: 0,
        because: "A name, or a name and a password that is printed in the description.",
    },
    predict_fix: Some(Question {
        text: "Mallory once saw a signature of Alice's for another connection. Will it do?",
        choices: [
            "Yes: it is genuine.",
            "No: what is signed belongs to this connection alone.",
            "Only the first time.",
        ],
        right: 1,
        because: "Both sides' fresh numbers are under it, and they never come again.",
    }),
    play,
};

const SAID: &str = "send the money to Mallory";

fn play(scene: &Scene) -> Result<Play, Fault> {
    let with_bob = scene.protocol == Protocol::RsaChat;
    let mut cues = if with_bob { scene.enter(Person::Bob) } else { Vec::new() };
    let believed = match scene.protocol {
        Protocol::RsaChat => Sign::of(Person::Bob, format!("Alice: {SAID}")),
        Protocol::MiniSsh => Sign::of(Person::Server, format!("echo {SAID}")),
        Protocol::DhChat | Protocol::ToySocket | Protocol::Ssh => Sign::of(Person::Server, SAID),
    };
    cues.push(Cue::Whisper("come"));
    cues.push(Cue::Until(vec![believed.clone(), Sign::of(Person::Mallory, TURNED_AWAY)]));
    Ok(Play {
        server: scene.server()?,
        clients: if with_bob { vec![scene.client(Person::Bob)?] } else { Vec::new() },
        straight: vec![Person::Bob],
        mallory: mallory(scene)?,
        cues,
        judge: Box::new(move |heard| heard.has(&believed)),
    })
}

const TURNED_AWAY: &str = "is turned away";

fn mallory(scene: &Scene) -> Result<Box<dyn Attacker>, Fault> {
    let (repairs, random) = (scene.repairs_of_mallory()?, scene.random.part("Mallory"));
    Ok(match scene.protocol {
        Protocol::DhChat => {
            Impostor::boxed(dh_chat::Session::client(scene.dh_settings(), &repairs, random), &[], &[SAID])
        }
        Protocol::RsaChat => Impostor::boxed(rsa_chat::Session::client(&repairs, random), &[], &["Alice", SAID]),
        Protocol::MiniSsh => {
            let end = mini_ssh::Session::new(Role::Client, &repairs, random)?;
            Impostor::boxed(end, &["user", "pass123", "echo send the money to Mallory"], &[])
        }
        Protocol::ToySocket => {
            let end = toy_socket::Session::new(Role::Client, toy_socket::BITS, &repairs, random)?;
            Impostor::boxed(end, &[], &[SAID])
        }
        Protocol::Ssh => return Err(NOT_ON_SSH),
    })
}

struct Impostor<E> {
    end: E,
    link: Option<LinkId>,
    /// What is said one by one, each when the server has said something.
    answers: Vec<&'static str>,
    /// What is said at once.
    texts: &'static [&'static str],
}

impl<E: End> Impostor<E> {
    fn boxed(end: E, answers: &[&'static str], texts: &'static [&'static str]) -> Box<dyn Attacker> {
        Box::new(Self { end, link: None, answers: answers.iter().rev().copied().collect(), texts })
    }

    fn work(&mut self, now: Moment, deeds: &mut Deeds) {
        while let Some(event) = self.end.poll_event() {
            match E::gist(event) {
                Gist::Established => {
                    deeds.say("has a secure connection of her own with the server");
                    self.texts.iter().for_each(|text| Self::say(&mut self.end, now, text, deeds));
                }
                Gist::Text(_) => {
                    if let Some(answer) = self.answers.pop() {
                        Self::say(&mut self.end, now, answer, deeds);
                    }
                }
                Gist::Broken(fault) => deeds.say(format!("{TURNED_AWAY}: {fault}")),
                Gist::Left | Gist::Other => {}
            }
        }
        if let Some(link) = self.link {
            deeds.send(link, Role::Server, self.end.take_output());
        }
    }

    fn say(end: &mut E, now: Moment, text: &str, deeds: &mut Deeds) {
        deeds.say(format!("says: {text}"));
        end.say_text(now, text.as_bytes());
    }
}

impl<E: End> Attacker for Impostor<E> {
    fn handle(&mut self, now: Moment, seen: Seen<'_>, deeds: &mut Deeds) {
        match seen {
            Seen::Whisper(_) => deeds.connect(),
            Seen::Own(link) => {
                self.link = Some(link);
                self.work(now, deeds);
            }
            Seen::Bytes { bytes, .. } => {
                self.end.receive(bytes);
                self.work(now, deeds);
            }
            Seen::Closed { .. } => deeds.say(TURNED_AWAY),
            Seen::Client(_) | Seen::Quiet | Seen::Inside { .. } => {}
        }
    }
}
