//! What Mallory does to `toy-socket` with a pencil: the tables and sums of A10 to A13.

use super::reader::split_toy;
use super::tap::{Hand, Meddler, Path};
use crate::toy_socket::numbers::{G, P, PublicKey, SigningKey, decimal, power};
use crate::toy_socket::{self, cipher};
use crate::x25519::small_private_of;
use data_encoding::BASE64;
use nacre_wire::Role;
use std::collections::BTreeMap;

/// Values that the generator has; as many are tried where there are more.
pub(super) const VALUES: u32 = 5_460;

/// What has passed of a connection.
#[derive(Default)]
pub(super) struct Passed {
    client: Vec<Vec<u8>>,
    server: Vec<Vec<u8>>,
}

impl Passed {
    /// One more message.
    fn add(&mut self, path: Path, message: &[u8]) {
        let messages = if path.from == Role::Client { &mut self.client } else { &mut self.server };
        messages.push(message.to_vec());
    }

    /// The message that an end sent in this place, as it stands there.
    pub(super) fn message(&self, from: Role, place: usize) -> Option<&[u8]> {
        let messages = if from == Role::Client { &self.client } else { &self.server };
        messages.get(place).map(Vec::as_slice)
    }

    fn number(&self, from: Role) -> Option<u32> {
        decimal(std::str::from_utf8(self.message(from, 0)?).ok()?)
    }

    /// The client's private value, by trying all that there are; or what came of trying, with F6.
    pub(super) fn private(&self) -> Result<u32, String> {
        let Some(client) = self.number(Role::Client) else { return Err(self.private_of_x25519()) };
        let found = (1..=VALUES).find(|exponent| power(G, *exponent, P) == client);
        found.ok_or_else(|| format!("none of {VALUES} powers of 3 is Alice's public value"))
    }

    fn private_of_x25519(&self) -> String {
        let public = self.message(Role::Client, 0).and_then(|line| BASE64.decode(line).ok());
        match public.and_then(|public| small_private_of(&public, VALUES)) {
            Some(private) => format!("Alice's private number is {private}, and that alone opens no AES"),
            None => format!("none of the first {VALUES} private numbers of X25519 makes Alice's public key"),
        }
    }

    /// The key.
    pub(super) fn key(&self) -> Result<u16, String> {
        let private = self.private()?;
        let server = self.number(Role::Server).map(|server| power(server, private, P));
        server.and_then(|key| u16::try_from(key).ok()).ok_or_else(|| "the server's value is no number".to_owned())
    }

    /// Alice's `E,N`.
    pub(super) fn public_key(&self) -> Option<PublicKey> {
        let line = std::str::from_utf8(self.message(Role::Client, 1)?).ok()?;
        PublicKey::read(line, toy_socket::BITS)
    }

    /// Alice's `E,N`, and the key that signs for it: with the number of divisions.
    pub(super) fn signing_key(&self) -> Option<(PublicKey, SigningKey, u32)> {
        let public = self.public_key()?;
        let p = (257..512u32).step_by(2).find(|p| public.n.is_multiple_of(*p))?;
        Some((public, SigningKey::of(p, public.n / p)?, (p - 257) / 2 + 1))
    }

    /// The messages from an end with this role: ciphertext and signature.
    pub(super) fn messages(&self, from: Role) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let lines = if from == Role::Client { &self.client } else { &self.server };
        lines.iter().filter_map(|line| split_toy(line))
    }
}

/// Mallory as somebody who lets everything pass, and at the play's word does something with what has passed.
pub(super) struct Watcher {
    passed: Passed,
    /// Where the client's messages pass.
    path: Option<Path>,
    act: Act,
}

/// What is done with what has passed; or why nothing comes of it.
pub(super) type Act = fn(&Passed, Path, &mut Hand<'_>) -> Result<(), String>;

/// What is said when nothing comes of it, before the reason.
pub(super) const NOTHING: &str = "finds nothing: ";

impl Watcher {
    pub(super) fn new(act: Act) -> Self {
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
        let path = self.path.ok_or_else(|| "Alice has said nothing".to_owned());
        if let Err(why) = path.and_then(|path| (self.act)(&self.passed, path, hand)) {
            hand.deeds.say(format!("{NOTHING}{why}"));
        }
    }
}

/// Keys that there are.
pub(super) const KEYS: u32 = 65_536;

/// The key under which a ciphertext begins with a text: with the number of keys that were tried.
pub(super) fn key_by_beginning(ciphertext: &[u8], beginning: &[u8]) -> Option<(u16, u32)> {
    let keys = 0..=u16::MAX;
    let is_it = |key: &u16| cipher::decrypt(*key, ciphertext).is_some_and(|text| text.starts_with(beginning));
    keys.clone().find(is_it).map(|key| (key, u32::from(key) + 1))
}

/// Pairs of blocks of a ciphertext that are equal, counted from 1.
pub(super) fn equal_blocks(ciphertext: &[u8]) -> Vec<(usize, usize)> {
    let blocks: Vec<(usize, &[u8])> = (1..).zip(ciphertext.chunks(cipher::BLOCK)).collect();
    let pairs = blocks.iter().flat_map(|one| blocks.iter().map(move |other| (one, other)));
    let equal = pairs.filter(|((one, text), (other, same))| one < other && text == same);
    equal.map(|((one, _), (other, _))| (*one, *other)).collect()
}

/// A text whose ciphertext has this hash, and begins so: with its ciphertext and the number of texts that were tried.
pub(super) fn text_with_hash(key: u16, hash: u16, beginning: &str) -> Option<(String, Vec<u8>, u32)> {
    (0..10_000_000u32).find_map(|number| {
        let text = format!("{beginning}{number}");
        let ciphertext = cipher::encrypt(key, text.as_bytes());
        (cipher::hash(&ciphertext) == hash).then_some((text, ciphertext, number + 1))
    })
}

/// Two numbers that give texts with one hash behind this beginning, and the hash: after as many tries as the second.
pub(super) fn two_texts_with_one_hash(key: u16, beginning: &str) -> Option<(u32, u32, u16)> {
    let mut seen = BTreeMap::new();
    // One more text than there are hashes.
    (0..=KEYS).find_map(|number| {
        let hash = cipher::hash(&cipher::encrypt(key, format!("{beginning}{number}").as_bytes()));
        seen.insert(hash, number).map(|before| (before, number, hash))
    })
}

/// A signature times another, so often that the product of the hashes is a hash and neither of the two: how often, the
/// hash, and the signature that fits it.
pub(super) fn product_of_signatures(public: &PublicKey, one: (u16, u32), other: (u16, u32)) -> Option<(u32, u16, u32)> {
    let times = |a: u32, b: u32| u32::try_from(u64::from(a) * u64::from(b) % u64::from(public.n)).ok();
    let (mut hash, mut signature) = (u32::from(one.0), one.1);
    for count in 1..=public.n {
        (hash, signature) = (times(hash, other.0.into())?, times(signature, other.1)?);
        let [_, bytes @ ..] = signature.to_be_bytes();
        let fitting = u16::try_from(hash).ok().filter(|hash| ![one.0, other.0].contains(hash));
        if let Some(hash) = fitting.filter(|hash| public.verifies(bytes, *hash)) {
            return Some((count, hash, signature));
        }
    }
    None
}
