//! What it costs to find secrets by trying, and how that grows with every bit.

use crate::{Fault, Randomness};

/// The fewest bits of a number that is searched here.
pub const MIN_BITS: u32 = 8;
/// The most: beyond them products do not fit, and nobody waits so long.
pub const MAX_BITS: u32 = 44;

/// A public value whose private number is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logarithm {
    modulus: u64,
    public: u64,
}

/// The number whose powers are taken.
const BASE: u64 = 4;

impl Logarithm {
    /// A group of `bits` bits, and in it the public value whose private number is the last of all: the longest search
    /// that there is.
    ///
    /// # Errors
    /// `bits` is not between [`MIN_BITS`] and [`MAX_BITS`], or there is no randomness.
    pub fn draw(bits: u32, random: &mut Randomness) -> Result<Self, Fault> {
        within(bits)?;
        // With p = 2q + 1 the square of anything has q different powers; the last is its inverse.
        let modulus = prime(bits, random, |candidate| is_prime(candidate) && is_prime(candidate / 2))?;
        Ok(Self { modulus, public: power(BASE, modulus / 2 - 1, modulus) })
    }

    /// The private number, found by taking one power after the other; it is the number of tries as well.
    pub fn search(&self) -> u64 {
        let (mut value, mut tries) = (BASE, 1);
        while value != self.public {
            value = times(value, BASE, self.modulus);
            tries += 1;
        }
        tries
    }
}

/// A product of two primes of about the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product(u64);

impl Product {
    /// One of `bits` bits or one less.
    ///
    /// # Errors
    /// As [`Logarithm::draw`].
    pub fn draw(bits: u32, random: &mut Randomness) -> Result<Self, Fault> {
        within(bits)?;
        let smaller = prime(bits / 2, random, is_prime)?;
        Ok(Self(smaller * prime(bits - bits / 2, random, is_prime)?))
    }

    /// Its smaller prime, found by dividing by one odd number after the other.
    pub fn search(&self) -> u64 {
        let mut divisor = 3;
        while !self.0.is_multiple_of(divisor) {
            divisor += 2;
        }
        divisor
    }
}

fn within(bits: u32) -> Result<(), Fault> {
    match (MIN_BITS..=MAX_BITS).contains(&bits) {
        true => Ok(()),
        false => Err(Fault::Refused { what: "bits", why: "a search takes 8 to 44 of them" }),
    }
}

/// A number with so many bits that fits: the first from a random one on, beginning anew at the end.
fn prime(bits: u32, random: &mut Randomness, fits: impl Fn(u64) -> bool) -> Result<u64, Fault> {
    let (least, count) = (1u64 << (bits - 1), 1u64 << (bits - 1));
    let start = u64::from_be_bytes(random.array()?) % count;
    let mut candidates = (0..count).map(|step| least + (start + step) % count);
    candidates.find(|candidate| fits(*candidate)).ok_or(Fault::Cryptography)
}

/// Whether no number divides it. Tried one by one: its root has at most 22 bits.
fn is_prime(number: u64) -> bool {
    let mut odd = (3..).step_by(2).take_while(|divisor: &u64| divisor * divisor <= number);
    number > 2 && number % 2 == 1 && odd.all(|divisor| !number.is_multiple_of(divisor))
}

/// A product of two numbers of at most [`MAX_BITS`] bits.
fn times(one: u64, other: u64, modulus: u64) -> u64 {
    u64::try_from(u128::from(one) * u128::from(other) % u128::from(modulus)).unwrap_or_default()
}

fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    let (mut result, mut square, mut rest) = (1, base, exponent);
    while rest > 0 {
        if rest & 1 == 1 {
            result = times(result, square, modulus);
        }
        square = times(square, square, modulus);
        rest >>= 1;
    }
    result
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_the_secret() {
        let mut random = Randomness::new(Some(1));
        for bits in [8, 9, 12, 16, 20] {
            let drawn = Logarithm::draw(bits, &mut random).unwrap();
            assert_eq!(64 - drawn.modulus.leading_zeros(), bits);
            let private = drawn.search();
            assert_eq!(power(BASE, private, drawn.modulus), drawn.public);
            assert_eq!(private, drawn.modulus / 2 - 1, "the last of the table");
            let product = Product::draw(bits, &mut random).unwrap();
            let smaller = product.search();
            assert!(product.0.is_multiple_of(smaller) && is_prime(smaller) && is_prime(product.0 / smaller));
            assert!((bits - 1..=bits).contains(&(64 - product.0.leading_zeros())));
        }
    }

    #[test]
    fn the_largest_product_is_taken_apart() {
        let product = Product::draw(MAX_BITS, &mut Randomness::new(Some(2))).unwrap();
        let smaller = product.search();
        assert!(smaller > 1 << 20 && product.0.is_multiple_of(smaller));
    }

    #[test]
    fn other_sizes_are_refused() {
        for bits in [0, 7, 45, 64, 2048, u32::MAX] {
            assert!(Logarithm::draw(bits, &mut Randomness::System).is_err(), "{bits}");
            assert!(Product::draw(bits, &mut Randomness::System).is_err(), "{bits}");
        }
    }
}
