//! Diffie-Hellman and RSA in numbers that fit into a register.

use crate::{Fault, Randomness};

/// The prime.
pub(crate) const P: u32 = 65_521;
/// The generator, which generates 5,460 values only.
pub(crate) const G: u32 = 3;
/// The public exponents, of which the smallest that goes is taken.
const EXPONENTS: [u32; 8] = [3, 5, 7, 11, 13, 17, 19, 23];

/// base to the power of exponent.
pub(crate) fn power(base: u32, exponent: u32, modulus: u32) -> u32 {
    let modulus = u64::from(modulus);
    let (mut result, mut base, mut exponent) = (1 % modulus, u64::from(base) % modulus, exponent);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % modulus;
        }
        base = base * base % modulus;
        exponent >>= 1;
    }
    // Below a modulus of 32 bits.
    u32::try_from(result).unwrap_or_default()
}

/// A private value, 1 to P-1.
pub(crate) fn draw(random: &mut Randomness) -> Result<u32, Fault> {
    below(random, P - 1).map(|value| value + 1)
}

/// A number below `bound`, each as likely as the others.
fn below(random: &mut Randomness, bound: u32) -> Result<u32, Fault> {
    loop {
        let value = u32::from_be_bytes(random.array()?);
        if value < u32::MAX - u32::MAX % bound {
            return Ok(value % bound);
        }
    }
}

/// The primes with so many bits.
fn primes(bits: u32) -> Vec<u32> {
    let is_prime = |n: &u32| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (1 << (bits - 1)..1 << bits).filter(is_prime).collect()
}

/// What signatures are checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublicKey {
    pub(crate) e: u32,
    pub(crate) n: u32,
}

/// What signs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SigningKey {
    pub(crate) d: u32,
    pub(crate) public: PublicKey,
}

impl SigningKey {
    /// A key of two different primes of so many bits.
    pub(crate) fn generate(bits: u32, random: &mut Randomness) -> Result<Self, Fault> {
        let primes = primes(bits);
        let count = u32::try_from(primes.len()).map_err(|_| Fault::Cryptography)?;
        loop {
            let mut pick = || below(random, count).map(|place| usize::try_from(place).ok().and_then(|p| primes.get(p)));
            let (Some(p), Some(q)) = (pick()?, pick()?) else { continue };
            if let Some(key) = Self::of(*p, *q) {
                return Ok(key);
            }
        }
    }

    /// The key of two primes, if they are different and an exponent goes with them.
    pub(crate) fn of(p: u32, q: u32) -> Option<Self> {
        let all = (p - 1) * (q - 1);
        let e = EXPONENTS.into_iter().find(|e| greatest_common_divisor(*e, all) == 1)?;
        // The exponent is small: one of its first multiples of `all`, plus one, is its product with d.
        let d = (1..e).find_map(|k| (k * all + 1).is_multiple_of(e).then(|| (k * all + 1) / e))?;
        (p != q).then_some(Self { d, public: PublicKey { e, n: p * q } })
    }

    /// hash to the power of d, three bytes.
    pub(crate) fn sign(&self, hash: u16) -> [u8; 3] {
        let [_, signature @ ..] = power(u32::from(hash), self.d, self.public.n).to_be_bytes();
        signature
    }
}

impl PublicKey {
    /// `E,N` of a peer, if N is the product of two different primes of so many bits and E the smallest exponent that
    /// goes.
    pub(crate) fn read(text: &str, bits: u32) -> Option<Self> {
        let (e, n) = text.split_once(',')?;
        let key = Self { e: decimal(e)?, n: decimal(n)? };
        let p = primes(bits).into_iter().find(|p| key.n.is_multiple_of(*p))?;
        let q = key.n / p;
        let is_sized = q.checked_ilog2() == Some(bits - 1) && primes(bits).contains(&q);
        (is_sized && SigningKey::of(p, q)?.public == key).then_some(key)
    }

    /// Whether a signature is this hash's.
    pub(crate) fn verifies(&self, signature: [u8; 3], hash: u16) -> bool {
        let [a, b, c] = signature;
        let signature = u32::from_be_bytes([0, a, b, c]);
        signature < self.n && power(signature, self.e, self.n) == u32::from(hash)
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A number of digits alone.
pub(crate) fn decimal(text: &str) -> Option<u32> {
    let is_digits = !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lab_there_are_903_moduli_and_a_hash_fits_in_each() {
        let primes = primes(9);
        assert_eq!((primes.len(), primes.first(), primes.last()), (43, Some(&257), Some(&509)));
        let mut moduli = 0;
        for (place, p) in primes.iter().enumerate() {
            for q in primes.iter().skip(place + 1) {
                let key = SigningKey::of(*p, *q).unwrap();
                assert!(key.public.n > 0xffff && key.public.n < 1 << 18);
                for hash in [0, 1, 0x29b1, 0xffff] {
                    assert!(key.public.verifies(key.sign(hash), hash));
                    assert!(!key.public.verifies(key.sign(hash), hash ^ 1));
                }
                moduli += 1;
            }
        }
        assert_eq!(moduli, 903);
    }

    #[test]
    fn lab_a10_the_generator_has_5460_values() {
        let mut values: Vec<u32> = (1..P).map(|exponent| power(G, exponent, P)).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 5460);
    }

    #[test]
    fn lab_keys_that_are_not_as_stated_are_refused() {
        let key = SigningKey::of(257, 263).unwrap().public;
        assert_eq!(PublicKey::read(&format!("{},{}", key.e, key.n), 9), Some(key));
        for wrong in [
            format!("{},{}", key.e + 2, key.n),
            format!("{},{}", key.e, key.n + 2),
            format!("{},{}", key.e, 257 * 257),
            format!("{},{}", key.e, 257 * 521),
            format!("+{},{}", key.e, key.n),
            format!("{} ,{}", key.e, key.n),
            "3,0".to_owned(),
            "3,257".to_owned(),
            "3".to_owned(),
            ",".to_owned(),
            "99999999999,3".to_owned(),
        ] {
            assert_eq!(PublicKey::read(&wrong, 9), None, "{wrong}");
        }
        for bits in super::super::SIZES {
            let key = SigningKey::generate(bits, &mut Randomness::new(Some(u64::from(bits)))).unwrap();
            let text = format!("{},{}", key.public.e, key.public.n);
            assert_eq!(PublicKey::read(&text, bits), Some(key.public));
            assert!(key.public.n < 1 << 24);
        }
    }
}
