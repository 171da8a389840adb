//! Mallory's view of a connection: messages in place of bytes. What nobody touches goes on as it came.

use super::packets::Packets;
use super::play::{Attacker, Deeds, LinkId, Seen};
use crate::frame::{Blobs, Frames, blob, framed};
use crate::{Moment, Protocol};
use nacre_wire::Role;
use std::collections::BTreeMap;

/// How a protocol cuts its bytes into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framing(Protocol);

impl Framing {
    pub(super) const fn of(protocol: Protocol) -> Self {
        Self(protocol)
    }

    /// A message as it stands on the wire.
    pub(super) fn wrap(self, body: &[u8]) -> Vec<u8> {
        match self.0 {
            Protocol::DhChat | Protocol::MiniSsh => framed(body),
            Protocol::RsaChat => blob(body),
            Protocol::ToySocket => [body, b"\n"].concat(),
            Protocol::Ssh => body.to_vec(),
        }
    }

    fn splitter(self) -> Splitter {
        match self.0 {
            Protocol::DhChat | Protocol::MiniSsh => Splitter::Frames(Frames::default()),
            Protocol::RsaChat => Splitter::Blobs(Blobs::default()),
            Protocol::ToySocket => Splitter::Lines(Vec::new()),
            Protocol::Ssh => Splitter::Packets(Packets::default()),
        }
    }
}

/// One direction's bytes.
enum Splitter {
    Frames(Frames),
    Blobs(Blobs),
    Lines(Vec<u8>),
    Packets(Packets),
}

impl Splitter {
    fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Frames(frames) => frames.push(bytes),
            Self::Blobs(blobs) => blobs.push(bytes),
            Self::Lines(waiting) => waiting.extend_from_slice(bytes),
            Self::Packets(packets) => packets.push(bytes),
        }
    }

    /// The next message's body. The ends that Mallory listens to send what is well formed.
    fn next(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Frames(frames) => frames.next().ok().flatten(),
            Self::Blobs(blobs) => blobs.next().ok().flatten(),
            Self::Lines(waiting) => {
                let length = waiting.iter().position(|byte| *byte == b'\n')?;
                let mut line: Vec<u8> = waiting.drain(..=length).collect();
                line.pop();
                Some(line)
            }
            Self::Packets(packets) => packets.next(),
        }
    }
}

/// Where a message passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) link: LinkId,
    pub(super) from: Role,
}

/// Mallory as somebody who gets messages.
pub(super) trait Meddler: Send {
    /// A message passes; it goes on only if it is sent on.
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>);
    /// A word of the play.
    fn whisper(&mut self, _word: &'static str, _hand: &mut Hand<'_>) {}
    /// Nothing more comes of what was sent.
    fn quiet(&mut self, _hand: &mut Hand<'_>) {}
    /// Mallory has looked into the server, which has done so many rounds of hashing for keys.
    fn inside(&mut self, _rounds: u64, _hand: &mut Hand<'_>) {}
    /// A connection of Mallory's own stands.
    fn own(&mut self, _link: LinkId, _hand: &mut Hand<'_>) {}
    /// One side of a connection is gone; true when the other is to hear of it.
    fn closed(&mut self, _path: Path, _hand: &mut Hand<'_>) -> bool {
        true
    }
}

/// What a meddler does.
pub(super) struct Hand<'a> {
    framing: Framing,
    /// When it is.
    pub(super) now: Moment,
    pub(super) deeds: &'a mut Deeds,
}

impl Hand<'_> {
    /// Sends a message on to where it was going.
    pub(super) fn pass(&mut self, path: Path, body: &[u8]) {
        self.put(path.link, path.from.peer(), body);
    }

    /// Sends a message.
    pub(super) fn put(&mut self, link: LinkId, to: Role, body: &[u8]) {
        let bytes = self.framing.wrap(body);
        self.deeds.send(link, to, bytes);
    }

    /// What a message looks like on the wire.
    pub(super) fn show(&mut self, label: impl Into<String>, body: &[u8]) {
        let bytes = self.framing.wrap(body);
        self.deeds.show(label, &bytes);
    }
}

/// Mallory in the middle of every connection.
pub(super) struct Tapped<M> {
    framing: Framing,
    meddler: M,
    waiting: BTreeMap<(LinkId, bool), Splitter>,
}

impl<M: Meddler> Tapped<M> {
    pub(super) fn new(protocol: Protocol, meddler: M) -> Self {
        Self { framing: Framing::of(protocol), meddler, waiting: BTreeMap::new() }
    }
}

impl<M: Meddler> Attacker for Tapped<M> {
    fn handle(&mut self, now: Moment, seen: Seen<'_>, deeds: &mut Deeds) {
        let framing = self.framing;
        let hand = &mut Hand { framing, now, deeds };
        match seen {
            Seen::Client(_) => {}
            Seen::Inside { rounds, .. } => self.meddler.inside(rounds, hand),
            Seen::Own(link) => self.meddler.own(link, hand),
            Seen::Bytes { link, from, bytes } => {
                let place = (link, from == Role::Server);
                let splitter = self.waiting.entry(place).or_insert_with(|| framing.splitter());
                splitter.push(bytes);
                while let Some(body) = self.waiting.get_mut(&place).and_then(Splitter::next) {
                    self.meddler.message(Path { link, from }, body, hand);
                }
            }
            Seen::Closed { link, by } => {
                if self.meddler.closed(Path { link, from: by }, hand) {
                    hand.deeds.close(link, by.peer());
                }
            }
            Seen::Quiet => self.meddler.quiet(hand),
            Seen::Whisper(word) => self.meddler.whisper(word, hand),
        }
    }
}
