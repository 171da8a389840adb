//! What Mallory does to `toy-socket` with a pencil: the tables and sums of A10 to A13.

use super::reader::split_toy;
use super::tap::{Hand, Meddler, Path};
use crate::toy_socket::numbers::{G, P, PublicKey, SigningKey, decimal, power};
use crate::toy_socket::{self, cipher};
use nacre_wire::Role;

/// Values that the generator has.
const VALUES: u32 = 5_460;

/// What has passed of a connection.
#[derive(Default)]
pub(super) struct Passed {
    client: Vec<String>,
    server: Vec<String>,
}

impl Passed {
    /// One more line.
    pub(super) fn add(&mut self, path: Path, line: &[u8]) {
        let lines = if path.from == Role::Client { &mut self.client } else { &mut self.server };
        lines.push(String::from_utf8_lossy(line).into_owned());
    }

    /// Both public values, when they have passed and are numbers.
    fn publics(&self) -> Option<(u32, u32)> {
        let first = |lines: &[String]| decimal(lines.first()?);
        Some((first(&self.client)?, first(&self.server)?))
    }

    /// The client's private value, by trying all: with the number of those that were tried.
    pub(super) fn private(&self) -> Option<(u32, u32)> {
        let (client, _) = self.publics()?;
        (1..=VALUES).find(|exponent| power(G, *exponent, P) == client).map(|exponent| (exponent, exponent))
    }

    /// The key.
    pub(super) fn key(&self) -> Option<u16> {
        let (_, server) = self.publics()?;
        u16::try_from(power(server, self.private()?.0, P)).ok()
    }

    /// Alice's `E,N`, and the key that signs for it: with the number of divisions.
    pub(super) fn signing_key(&self) -> Option<(PublicKey, SigningKey, u32)> {
        let public = PublicKey::read(self.client.get(1)?, toy_socket::BITS)?;
        let p = (257..512u32).step_by(2).find(|p| public.n.is_multiple_of(*p))?;
        Some((public, SigningKey::of(p, public.n / p)?, (p - 257) / 2 + 1))
    }

    /// The messages from an end with this role: ciphertext and signature.
    pub(super) fn messages(&self, from: Role) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let lines = if from == Role::Client { &self.client } else { &self.server };
        lines.iter().filter_map(|line| split_toy(line.as_bytes()))
    }
}

/// Mallory as somebody who lets everything pass, and at the play's word does something with what has passed.
pub(super) struct Watcher {
    passed: Passed,
    /// Where the client's messages pass.
    path: Option<Path>,
    act: fn(&Passed, Path, &mut Hand<'_>) -> Option<()>,
}

/// What is said when nothing comes of it.
pub(super) const NOTHING: &str = "finds nothing: the numbers are too large to try";

impl Watcher {
    pub(super) fn new(act: fn(&Passed, Path, &mut Hand<'_>) -> Option<()>) -> Self {
        Self { passed: Passed::default(), path: None, act }
    }
}

impl Meddler for Watcher {
    fn message(&mut self, path: Path, body: Vec<u8>, hand: &mut Hand<'_>) {
        hand.pass(path, &body);
        self.passed.add(path, &body);
        if path.from == Role::Client {
            self.path = Some(path);
        }
    }

    fn whisper(&mut self, _word: &'static str, hand: &mut Hand<'_>) {
        if self.path.and_then(|path| (self.act)(&self.passed, path, hand)).is_none() {
            hand.deeds.say(NOTHING);
        }
    }
}

/// The key under which a ciphertext begins with a text: with the number of keys that were tried.
pub(super) fn key_by_beginning(ciphertext: &[u8], beginning: &[u8]) -> Option<(u16, u32)> {
    let keys = 0..=u16::MAX;
    let is_it = |key: &u16| cipher::decrypt(*key, ciphertext).is_some_and(|text| text.starts_with(beginning));
    keys.clone().find(is_it).map(|key| (key, u32::from(key) + 1))
}

/// A text whose ciphertext has this hash, and begins so: with its ciphertext and the number of texts that were tried.
pub(super) fn text_with_hash(key: u16, hash: u16, beginning: &str) -> Option<(String, Vec<u8>, u32)> {
    (0..10_000_000u32).find_map(|number| {
        let text = format!("{beginning}{number}");
        let ciphertext = cipher::encrypt(key, text.as_bytes());
        (cipher::hash(&ciphertext) == hash).then_some((text, ciphertext, number + 1))
    })
}
