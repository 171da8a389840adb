//! A8: a message read byte by byte, because the server says whether its padding is right.

use super::play::{Cue, Person, Play, Sign};
use super::tap::{Hand, Meddler, Path, Tapped};
use super::{Card, Question, Scene};
use crate::{Fault, Fix, Protocol};
use data_encoding::BASE64;
use nacre_wire::Role;
use nacre_wire::text::clean_line;

pub(super) const CARD: Card = Card {
    name: "A8",
    title: "the server as an oracle",
    claim: "Errors are handled gracefully: a message that cannot be decrypted is answered by a polite error, and the \
            session goes on.",
    idea: "Mallory keeps a message that she cannot read. She sends the server blocks of it with a changed byte in \
           front, and watches for one thing only: is there an error, or is there none? None means that the last bytes \
           came out as right padding, and that tells her one byte of the text. Then the next.",
    why: "A yes or no about the padding is enough to work out every byte: 128 questions each on average, without the \
          key. The polite error is the leak.",
    falls: &[(Protocol::RsaChat, Some(Fix::F2)), (Protocol::DhChat, Some(Fix::F2))],
    holds: &[],
    mended: "The seal (the MAC) is checked before anything is decrypted. The first changed message ends the connection, \
             whatever its padding: there is nothing to ask any more.",
    in_ssh: "A wrong MAC is a disconnect, always the same. SSH had a leak of this kind itself, CVE-2008-5161: lengths \
             inside CBC that were acted on before the MAC was checked. It is why CBC is gone.",
    known: "cryptopals 17; POODLE, CVE-2014-3566, and SSH's own, CVE-2008-5161",
    predict: Question {
        text: "Mallory learns one thing a question: was there an error? How many questions does a byte take?",
        choices: ["128 on average.", "As many as there are keys.", "It cannot be done with yes and no."],
        right: 0,
        because: "One of 256 changes gives right padding, and she meets it halfway on average.",
    },
    predict_fix: Some(Question {
        text: "Would it be enough to say the same words for every error?",
        choices: [
            "Yes.",
            "No: time and what follows would still differ. Nothing may be decrypted before it is known to be whole.",
            "Yes, with a longer key.",
        ],
        right: 1,
        because: "That was tried for years, and each time the leak came back as a difference in time.",
    }),
    play,
};

const SAID: &str = "the password is rosebud";
const BLOCK: usize = 16;
/// With so many bytes in front of a guess is it tried before Mallory gives up.
const FILLERS: u8 = 3;

fn play(scene: &Scene) -> Result<Play, Fault> {
    let is_chat = scene.protocol == Protocol::RsaChat;
    let people: &[Person] = if is_chat { &[Person::Alice, Person::Bob] } else { &[Person::Alice] };
    let (line, arrives) = match is_chat {
        true => (format!("/pm Bob {SAID}"), Sign::of(Person::Bob, SAID)),
        false => (SAID.to_owned(), Sign::of(Person::Server, SAID)),
    };
    let mut cues: Vec<Cue> = people.iter().flat_map(|who| scene.enter(*who)).collect();
    cues.push(Cue::Whisper("keep"));
    cues.push(Cue::Type(Person::Alice, line));
    cues.push(Cue::Until(vec![arrives]));
    cues.push(Cue::Whisper("ask"));
    cues.push(Cue::Until(vec![Sign::of(Person::Mallory, END)]));
    Ok(Play {
        server: scene.server()?,
        clients: people.iter().map(|who| scene.client(*who)).collect::<Result<_, _>>()?,
        straight: vec![Person::Bob],
        mallory: Box::new(Tapped::new(scene.protocol, Asker::new(scene))),
        cues,
        judge: Box::new(|heard| heard.said(Person::Mallory, SAID)),
    })
}

/// What Mallory's last words begin with.
const END: &str = "in the end";

struct Asker {
    is_base64: bool,
    armed: bool,
    /// The message that was kept, and where it passed.
    kept: Option<(Path, Vec<u8>)>,
    search: Option<Search>,
    /// The server has answered the last question: with an error, for there is no other answer.
    answered: bool,
    asked: usize,
}

/// How far Mallory is.
struct Search {
    /// The blocks, the first of which is the initialization vector.
    blocks: Vec<[u8; BLOCK]>,
    /// The block that is being worked out, 1 and up.
    block: usize,
    /// What the cipher makes of that block, as far as it is known: from `place + 1` on.
    inner: [u8; BLOCK],
    /// The byte that is being worked out.
    place: usize,
    guess: u8,
    /// What stands before it. A server answers a text that it takes for a command, and that looks like an error: with
    /// another filler it is no command.
    filler: u8,
    /// The guess is being tried with another byte before it: was it longer padding by chance?
    twice: bool,
    text: Vec<u8>,
}

impl Asker {
    fn new(scene: &Scene) -> Self {
        let is_base64 = scene.protocol == Protocol::RsaChat;
        Self { is_base64, armed: false, kept: None, search: None, answered: false, asked: 0 }
    }

    fn begin(&mut self, hand: &mut Hand<'_>) {
        let Some((_, body)) = &self.kept else { return };
        let sealed = if self.is_base64 { BASE64.decode(body).unwrap_or_default() } else { body.clone() };
        let blocks = sealed.as_chunks::<BLOCK>().0.to_vec();
        self.search = Some(Search::new(blocks));
        self.ask(hand);
    }

    fn ask(&mut self, hand: &mut Hand<'_>) {
        let (Some(search), Some((path, _))) = (&self.search, &self.kept) else { return };
        let question = search.question();
        let body = if self.is_base64 { BASE64.encode(&question).into_bytes() } else { question };
        if self.asked == 0 {
            hand.deeds.say("asks. Every line of nonsense that the server prints from here on is a yes");
            hand.show("the first question: a block that she made, and one that Alice made", &body);
        }
        self.asked += 1;
        self.answered = false;
        hand.put(path.link, Role::Server, &body);
        hand.deeds.wait();
    }

    fn finish(&mut self, text: &[u8], hand: &mut Hand<'_>) {
        self.search = None;
        hand.deeds.say(format!("{END}, after {} questions, reads: {}", self.asked, clean_line(text, 200)));
    }
}

impl Meddler for Asker {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        if self.search.is_some() && path.from == Role::Server {
            // An error that Alice is not to see.
            self.answered = true;
            return;
        }
        if path.from == Role::Client && std::mem::take(&mut self.armed) {
            hand.deeds.say("keeps a copy of a message that she cannot read");
            hand.show("the message", &body);
            self.kept = Some((path, body.clone()));
        }
        hand.pass(path, &body);
    }

    fn whisper(&mut self, word: &'static str, hand: &mut Hand<'_>) {
        match word {
            "keep" => self.armed = true,
            _ => self.begin(hand),
        }
    }

    fn quiet(&mut self, hand: &mut Hand<'_>) {
        let Some(search) = &mut self.search else { return };
        let (block, total) = (search.block, search.blocks.len().saturating_sub(1));
        let found = search.text.len();
        match search.heard(!self.answered) {
            Next::Ask => {
                if search.text.len() > found {
                    let known = search.text.len();
                    hand.deeds.say(format!("block {block} of {total}: {known} bytes, {} questions", self.asked));
                }
                self.ask(hand);
            }
            Next::Done(text) => self.finish(&text, hand),
            Next::Lost => {
                self.search = None;
                hand.deeds.say(format!("{END} learns nothing: every answer is the same"));
            }
        }
    }

    fn closed(&mut self, path: Path, hand: &mut Hand<'_>) -> bool {
        if self.search.take().is_some() && path.from == Role::Server {
            hand.deeds.say(format!("{END} learns nothing: the server hung up at question {}", self.asked));
        }
        true
    }
}

/// What comes of an answer.
enum Next {
    Ask,
    Done(Vec<u8>),
    Lost,
}

impl Search {
    fn new(blocks: Vec<[u8; BLOCK]>) -> Self {
        let (inner, text) = ([0; BLOCK], Vec::new());
        Self { blocks, block: 1, inner, place: BLOCK - 1, guess: 0, filler: 0, twice: false, text }
    }

    /// A block that is all guess, and the block that is being worked out.
    fn question(&self) -> Vec<u8> {
        let padding = u8::try_from(BLOCK - self.place).unwrap_or_default();
        let known = self.inner.iter().enumerate().map(|(place, inner)| match place.cmp(&self.place) {
            std::cmp::Ordering::Greater => inner ^ padding,
            std::cmp::Ordering::Equal => self.guess,
            std::cmp::Ordering::Less => self.filler ^ if self.twice { 0x80 } else { 0 },
        });
        known.chain(self.blocks.get(self.block).copied().unwrap_or_default()).collect()
    }

    /// Takes in whether the padding was right.
    fn heard(&mut self, right: bool) -> Next {
        let is_last = self.place == BLOCK - 1;
        if right && is_last && !self.twice {
            self.twice = true;
            return Next::Ask;
        }
        self.twice = false;
        if !right {
            self.guess = self.guess.wrapping_add(1);
            self.filler += u8::from(self.guess == 0);
            return if self.filler < FILLERS { Next::Ask } else { Next::Lost };
        }
        let padding = u8::try_from(BLOCK - self.place).unwrap_or_default();
        if let Some(inner) = self.inner.get_mut(self.place) {
            *inner = self.guess ^ padding;
        }
        self.guess = 0;
        match self.place.checked_sub(1) {
            Some(place) => {
                self.place = place;
                Next::Ask
            }
            None => self.next_block(),
        }
    }

    fn next_block(&mut self) -> Next {
        let before = self.blocks.get(self.block - 1).copied().unwrap_or_default();
        self.text.extend(self.inner.iter().zip(before).map(|(inner, before)| inner ^ before));
        self.block += 1;
        self.place = BLOCK - 1;
        self.filler = 0;
        if self.block < self.blocks.len() {
            return Next::Ask;
        }
        let padding = self.text.last().copied().map_or(0, usize::from);
        self.text.truncate(self.text.len().saturating_sub(padding));
        Next::Done(std::mem::take(&mut self.text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// Whether a server stays silent: the padding is right, and the text is no command.
    fn is_silent(question: &[u8], inner: &[u8; BLOCK]) -> bool {
        let text: Vec<u8> = question.iter().zip(inner).map(|(question, inner)| question ^ inner).collect();
        let padding = usize::from(*text.last().unwrap());
        let right =
            (1..=BLOCK).contains(&padding) && text.iter().rev().take(padding).all(|b| usize::from(*b) == padding);
        right && (padding == BLOCK || text.first() != Some(&b'/'))
    }

    #[test]
    fn a_text_that_comes_out_as_a_command_is_found_all_the_same() {
        for first in [b'/', b'/' ^ 1, b'/' ^ 0x80, 0, 1] {
            let mut inner = *b"?abcdefghijklmn\x01";
            inner[0] = first;
            let mut search = Search::new(vec![[0; BLOCK], [7; BLOCK]]);
            let text = loop {
                match search.heard(is_silent(&search.question(), &inner)) {
                    Next::Ask => {}
                    Next::Done(text) => break text,
                    Next::Lost => panic!("{first}"),
                }
            };
            assert_eq!(text, inner[..BLOCK - 1]);
        }
    }

    #[test]
    fn where_every_answer_is_the_same_nothing_is_learnt() {
        let mut search = Search::new(vec![[0; BLOCK], [7; BLOCK]]);
        let asked = (1..).find(|_| matches!(search.heard(false), Next::Lost)).unwrap();
        assert_eq!(asked, 256 * usize::from(FILLERS));
    }
}
