//! F2, F3, F4 and F8: what seals and opens a connection's messages. Without fixes it is the protocol's own cipher
//! under one key, and not a byte more.

use super::{Fix, Fixes};
use crate::{Fault, Moment, Randomness};
use aws_lc_rs::hmac;
use nacre_wire::Role;

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of a MAC, HMAC-SHA256.
const MAC: usize = 32;
/// Messages in one direction under one key with F8.
const MESSAGES: u64 = 16;

/// A protocol's own cipher.
pub(crate) trait Cipher: Send {
    /// With this key.
    fn of(key: [u8; KEY]) -> Self;
    /// A sealed text.
    fn seal(&self, text: &[u8], now: Moment, random: &mut Randomness) -> Result<Vec<u8>, Fault>;
    /// The text, or nothing where the cipher itself says so.
    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// Both directions of a connection.
pub(crate) struct Guard<C> {
    fixes: Fixes,
    outbound: Way<C>,
    inbound: Way<C>,
}

/// One direction.
struct Way<C> {
    key: [u8; KEY],
    cipher: C,
    mac: hmac::Key,
    count: u64,
}

impl<C: Cipher> Way<C> {
    fn new(key: [u8; KEY]) -> Self {
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &part(&key, "mac"));
        Self { key, cipher: C::of(key), mac, count: 0 }
    }

    /// What the MAC is made of: the number of the message where messages are counted, and the ciphertext.
    fn covered(&self, fixes: Fixes, sealed: &[u8]) -> Vec<u8> {
        let number = self.count.to_be_bytes();
        [if fixes.has(Fix::F3) { number.as_slice() } else { &[] }, sealed].concat()
    }

    /// On to the next message.
    fn advance(&mut self, fixes: Fixes) {
        self.count += 1;
        if fixes.has(Fix::F8) && self.count.is_multiple_of(MESSAGES) {
            let count = self.count;
            *self = Self { count, ..Self::new(part(&self.key, "next")) };
        }
    }
}

/// A key made of another.
fn part(key: &[u8; KEY], name: &str) -> [u8; KEY] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), name.as_bytes());
    let mut out = [0; KEY];
    out.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

impl<C: Cipher> Guard<C> {
    /// For the end with this role, with the key that the protocol came to.
    pub(crate) fn new(fixes: Fixes, role: Role, key: [u8; KEY]) -> Self {
        let way = |from: Role| match (fixes.has(Fix::F4), from) {
            (false, _) => Way::new(key),
            (true, Role::Client) => Way::new(part(&key, "client to server")),
            (true, Role::Server) => Way::new(part(&key, "server to client")),
        };
        Self { fixes, outbound: way(role), inbound: way(role.peer()) }
    }

    /// The number goes inside the ciphertext where no MAC can hold it.
    fn numbers_inside(&self) -> bool {
        self.fixes.has(Fix::F3) && !self.fixes.has(Fix::F2)
    }

    /// A message for the wire.
    pub(crate) fn seal(&mut self, text: &[u8], now: Moment, random: &mut Randomness) -> Result<Vec<u8>, Fault> {
        let number = self.outbound.count.to_be_bytes();
        let text = [if self.numbers_inside() { number.as_slice() } else { &[] }, text].concat();
        let mut sealed = self.outbound.cipher.seal(&text, now, random)?;
        if self.fixes.has(Fix::F2) {
            let mac = hmac::sign(&self.outbound.mac, &self.outbound.covered(self.fixes, &sealed));
            sealed.extend_from_slice(mac.as_ref());
        }
        self.outbound.advance(self.fixes);
        Ok(sealed)
    }

    /// The text of a message, or nothing where the protocol's own cipher says so.
    ///
    /// # Errors
    /// A fix says so: the connection ends.
    pub(crate) fn open(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let mut sealed = message;
        if self.fixes.has(Fix::F2) {
            let split = message.len().checked_sub(MAC).and_then(|place| message.split_at_checked(place));
            let (body, mac) = split.ok_or(Fault::NotGenuine)?;
            let covered = self.inbound.covered(self.fixes, body);
            hmac::verify(&self.inbound.mac, &covered, mac).map_err(|_| Fault::NotGenuine)?;
            sealed = body;
        } else if message.is_empty() && !self.numbers_inside() {
            return Ok(Some(Vec::new()));
        }
        let Some(mut text) = self.inbound.cipher.open(sealed) else { return Ok(None) };
        if self.numbers_inside() {
            let (number, rest) = text.split_first_chunk::<8>().ok_or(Fault::NotGenuine)?;
            let (got, want) = (u64::from_be_bytes(*number), self.inbound.count);
            if got != want {
                return Err(Fault::WrongNumber { got, want });
            }
            text = rest.to_vec();
        }
        self.inbound.advance(self.fixes);
        Ok(Some(text))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::cbc::CbcKey;

    fn pair(fixes: Fixes) -> (Guard<CbcKey>, Guard<CbcKey>) {
        (Guard::new(fixes, Role::Client, [7; KEY]), Guard::new(fixes, Role::Server, [7; KEY]))
    }

    fn seal(guard: &mut Guard<CbcKey>, text: &[u8]) -> Vec<u8> {
        guard.seal(text, Moment::FIXED, &mut Randomness::new(Some(1))).unwrap()
    }

    #[test]
    fn lab_every_set_of_fixes_carries_texts_both_ways() {
        for set in 0..16u8 {
            let on = |fixes: Fixes, (bit, fix)| if set >> bit & 1 == 1 { fixes.with(fix) } else { fixes };
            let fixes = [Fix::F2, Fix::F3, Fix::F4, Fix::F8].into_iter().enumerate().fold(Fixes::NONE, on);
            let (mut client, mut server) = pair(fixes);
            for number in 0..40u8 {
                let there = seal(&mut client, &[number]);
                assert_eq!(server.open(&there).unwrap().unwrap(), [number], "{fixes}");
                let back = seal(&mut server, b"");
                assert_eq!(client.open(&back).unwrap().unwrap(), b"", "{fixes}");
            }
        }
    }

    #[test]
    fn lab_without_fixes_it_is_the_cipher_alone() {
        let (mut client, mut server) = pair(Fixes::NONE);
        let sealed = seal(&mut client, b"hello");
        assert_eq!(CbcKey::of([7; KEY]).open(&sealed).unwrap(), b"hello");
        assert_eq!(server.open(b"").unwrap().unwrap(), b"");
        assert_eq!(server.open(&[0; 32]).unwrap(), None);
    }

    #[test]
    fn lab_a07_with_f2_every_turned_bit_ends_the_connection() {
        let (mut client, _) = pair(Fix::F2.into());
        let sealed = seal(&mut client, b"to Bob");
        assert_eq!(sealed.len(), 16 + 16 + MAC);
        for place in 0..sealed.len() * 8 {
            let mut turned = sealed.clone();
            turned[place / 8] ^= 1 << (place % 8);
            assert_eq!(pair(Fix::F2.into()).1.open(&turned), Err(Fault::NotGenuine));
        }
        assert_eq!(pair(Fix::F2.into()).1.open(b""), Err(Fault::NotGenuine));
    }

    #[test]
    fn lab_a04_with_f3_a_message_counts_once_and_in_its_turn() {
        for fixes in [Fixes::from(Fix::F3), Fixes::from(Fix::F3).with(Fix::F2)] {
            let (mut client, mut server) = pair(fixes);
            let (first, second) = (seal(&mut client, b"first"), seal(&mut client, b"second"));
            assert!(pair(fixes).1.open(&second).is_err());
            assert!(server.open(&first).unwrap().is_some());
            assert!(server.open(&first).is_err());
            assert!(server.open(&second).unwrap().is_some());
        }
    }

    #[test]
    fn lab_a06_with_f4_nothing_that_was_sent_comes_back() {
        let fixes = Fixes::from(Fix::F4).with(Fix::F2);
        let (mut client, _) = pair(fixes);
        let sealed = seal(&mut client, b"hello");
        assert_eq!(client.open(&sealed), Err(Fault::NotGenuine));
        let (mut client, _) = pair(Fix::F2.into());
        let sealed = seal(&mut client, b"hello");
        assert_eq!(client.open(&sealed).unwrap().unwrap(), b"hello");
    }

    #[test]
    fn lab_with_f8_the_seventeenth_message_has_another_key() {
        let (mut client, _) = pair(Fix::F8.into());
        let first: Vec<_> = (0..17).map(|_| seal(&mut client, b"same")).collect();
        let key = CbcKey::of([7; KEY]);
        assert!(first[..16].iter().all(|sealed| key.open(sealed).as_deref() == Some(b"same".as_slice())));
        assert_ne!(key.open(&first[16]).as_deref(), Some(b"same".as_slice()));
    }
}
