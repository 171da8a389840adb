//! Randomness that a seed can fix, so that a run can be had again byte for byte.

use crate::Fault;
use aws_lc_rs::hmac;
use nacre_crypto::random_bytes;
use nacre_crypto::sha256;

/// Bytes that one step of a seeded stream gives.
const BLOCK: usize = 32;

/// Where a run's random bytes come from.
pub enum Randomness {
    /// The system's generator.
    System,
    /// A stream that a seed decides: HMAC-SHA256 of a counter.
    Seeded(Box<Stream>),
}

/// A seeded stream.
pub struct Stream {
    key: hmac::Key,
    counter: u64,
    waiting: Vec<u8>,
}

impl Stream {
    fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), counter: 0, waiting: Vec::new() }
    }

    fn next(&mut self, count: usize) -> Vec<u8> {
        while self.waiting.len() < count {
            let block = hmac::sign(&self.key, &self.counter.to_be_bytes());
            self.waiting.extend_from_slice(block.as_ref());
            self.counter += 1;
        }
        let rest = self.waiting.split_off(count);
        std::mem::replace(&mut self.waiting, rest)
    }
}

impl Randomness {
    /// The stream of a seed, or the system's generator where there is none.
    pub fn new(seed: Option<u64>) -> Self {
        match seed {
            None => Self::System,
            Some(seed) => {
                let key = sha256(&[b"nacre lab seed ".as_slice(), &seed.to_be_bytes()].concat());
                Self::Seeded(Box::new(Stream::new(&key)))
            }
        }
    }

    /// Randomness of its own for a part of the run, which does not depend on how much the others used.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        match self {
            Self::System => Self::System,
            Self::Seeded(stream) => {
                let key = hmac::sign(&stream.key, &[b"part ", name.as_bytes()].concat());
                Self::Seeded(Box::new(Stream::new(key.as_ref())))
            }
        }
    }

    /// `count` bytes.
    ///
    /// # Errors
    /// The system's generator failed.
    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Fault> {
        if let Self::Seeded(stream) = self {
            return Ok(stream.next(count));
        }
        let mut out = Vec::with_capacity(count + BLOCK);
        while out.len() < count {
            out.extend_from_slice(&random_bytes::<BLOCK>().map_err(|_| Fault::Cryptography)?);
        }
        out.truncate(count);
        Ok(out)
    }

    /// `N` bytes.
    ///
    /// # Errors
    /// The system's generator failed.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.bytes(N)?.try_into().map_err(|_| Fault::Cryptography)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Randomness;

    #[test]
    fn lab_a_seed_decides_every_byte() {
        let draw = |seed| Randomness::new(Some(seed)).bytes(100).unwrap();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let mut whole = Randomness::new(Some(7));
        let pieces = [whole.bytes(1).unwrap(), whole.bytes(33).unwrap(), whole.bytes(66).unwrap()].concat();
        assert_eq!(pieces, draw(7));
    }

    #[test]
    fn lab_a_part_does_not_depend_on_what_others_used() {
        let mut used = Randomness::new(Some(7));
        used.bytes(50).unwrap();
        let fresh = Randomness::new(Some(7));
        assert_eq!(used.part("a").bytes(40).unwrap(), fresh.part("a").bytes(40).unwrap());
        assert_ne!(fresh.part("a").bytes(40).unwrap(), fresh.part("b").bytes(40).unwrap());
    }

    #[test]
    fn lab_without_a_seed_nothing_repeats() {
        let mut random = Randomness::new(None);
        assert_ne!(random.bytes(40).unwrap(), random.bytes(40).unwrap());
        assert_ne!(random.part("a").array::<32>().unwrap(), random.part("a").array::<32>().unwrap());
    }
}
