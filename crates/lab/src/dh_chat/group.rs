//! Diffie-Hellman in a group that the server names.

use crate::{Fault, Randomness};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd, Resize};
use nacre_crypto::{GROUP14, GROUP16};

/// Most bytes of a prime.
const MAX_LEN: usize = 512;
/// Bytes of a private exponent: more than twice the strength of either group.
const EXPONENT_LEN: usize = 64;

/// A group.
pub(super) struct Group {
    /// Bytes of the prime, and of public values and secrets.
    len: usize,
    generator: Vec<u8>,
    params: BoxedMontyParams,
}

impl Group {
    /// RFC 3526's group with so many bits.
    pub(super) fn of_bits(bits: u32) -> Result<Self, Fault> {
        let refused = Fault::Refused { what: "the size of the prime", why: "it is 2048 or 4096 bits" };
        let prime = known(bits).ok_or(refused)?;
        Self::new(&prime, &[2])
    }

    /// The group that a server names, if it is one of RFC 3526's. Without `checks` anything odd will do.
    pub(super) fn named(prime: &[u8], generator: &[u8], checks: bool) -> Result<Self, Fault> {
        if prime.len() > MAX_LEN {
            return Err(Fault::WrongLength { what: "p", got: prime.len(), want: MAX_LEN });
        }
        if checks {
            let bits = u32::try_from(prime.len() * 8).unwrap_or(u32::MAX);
            if known(bits).is_none_or(|known| known != prime) {
                return Err(Fault::Refused { what: "p", why: "it is not a safe prime that everybody knows" });
            }
            if generator != [2] {
                return Err(Fault::Refused { what: "g", why: "the generator of these groups is 2" });
            }
        }
        if generator.is_empty() || generator.len() > prime.len() {
            return Err(Fault::WrongLength { what: "g", got: generator.len(), want: 1 });
        }
        Self::new(prime, generator)
    }

    fn new(prime: &[u8], generator: &[u8]) -> Result<Self, Fault> {
        let refused = Fault::Refused { what: "p", why: "it is no odd number above 2" };
        let bits = u32::try_from(prime.len() * 8).map_err(|_| refused)?;
        let value = BoxedUint::from_be_slice(prime, bits).map_err(|_| refused)?;
        if value <= BoxedUint::from(2u8).resize(bits) {
            return Err(refused);
        }
        let odd: Odd<BoxedUint> = Option::from(Odd::new(value)).ok_or(refused)?;
        let params = BoxedMontyParams::new_vartime(odd);
        Ok(Self { len: prime.len(), generator: generator.to_vec(), params })
    }

    /// The prime.
    pub(super) fn prime(&self) -> Vec<u8> {
        self.narrow(self.params.modulus().as_ref())
    }

    /// The generator.
    pub(super) fn generator(&self) -> &[u8] {
        &self.generator
    }

    /// A fresh private exponent.
    pub(super) fn draw(random: &mut Randomness) -> Result<Vec<u8>, Fault> {
        random.bytes(EXPONENT_LEN)
    }

    /// The public value of a private exponent.
    pub(super) fn public(&self, exponent: &[u8]) -> Result<Vec<u8>, Fault> {
        self.power(&self.generator, exponent)
    }

    /// The shared secret, as wide as the prime.
    ///
    /// With `checks`, 0, 1, p-1 and what is not below p are refused: the secret would be known to all.
    pub(super) fn agree(&self, peer: &[u8], exponent: &[u8], checks: bool) -> Result<Vec<u8>, Fault> {
        if peer.len() != self.len {
            return Err(Fault::WrongLength { what: "the public value", got: peer.len(), want: self.len });
        }
        if checks {
            self.check(peer)?;
        }
        self.power(peer, exponent)
    }

    /// The exponent of a public value, if it is one of the first `most`.
    pub(super) fn search(&self, public: &[u8], most: u32) -> Option<u32> {
        let form = |bytes: &[u8]| {
            let number = self.number(bytes).ok()?.rem_vartime(self.params.modulus().as_nz_ref());
            Some(BoxedMontyForm::new(number, &self.params))
        };
        let (wanted, generator) = (form(public)?, form(&self.generator)?);
        let powers = std::iter::successors(Some(generator.clone()), |power| Some(power.mul(&generator)));
        (1..=most).zip(powers).find(|(_, power)| *power == wanted).map(|(exponent, _)| exponent)
    }

    fn check(&self, peer: &[u8]) -> Result<(), Fault> {
        let value = self.number(peer)?;
        let one = BoxedUint::one_with_precision(value.bits_precision());
        let most = self.params.modulus().as_ref().wrapping_sub(&one);
        if value <= one || value >= most {
            return Err(Fault::Refused { what: "the public value", why: "the secret would be known to all" });
        }
        Ok(())
    }

    fn number(&self, bytes: &[u8]) -> Result<BoxedUint, Fault> {
        let bits = self.params.modulus().as_ref().bits_precision();
        BoxedUint::from_be_slice(bytes, bits).map_err(|_| Fault::Cryptography)
    }

    /// base to the power of exponent, as wide as the prime.
    fn power(&self, base: &[u8], exponent: &[u8]) -> Result<Vec<u8>, Fault> {
        let modulus = self.params.modulus().as_nz_ref();
        let base = self.number(base)?.rem_vartime(modulus);
        let bits = u32::try_from(exponent.len() * 8).map_err(|_| Fault::Cryptography)?;
        let exponent = BoxedUint::from_be_slice(exponent, bits).map_err(|_| Fault::Cryptography)?;
        Ok(self.narrow(&BoxedMontyForm::new(base, &self.params).pow(&exponent).retrieve()))
    }

    /// A number as wide as the prime; numbers are kept in whole words.
    fn narrow(&self, number: &BoxedUint) -> Vec<u8> {
        let wide = number.to_be_bytes();
        wide.get(wide.len().saturating_sub(self.len)..).unwrap_or_default().to_vec()
    }
}

/// RFC 3526's prime with so many bits.
fn known(bits: u32) -> Option<Vec<u8>> {
    let text = match bits {
        2048 => GROUP14,
        4096 => GROUP16,
        _ => return None,
    };
    data_encoding::HEXUPPER.decode(text.as_bytes()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn wide(value: u8) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        bytes[255] = value;
        bytes
    }

    #[test]
    fn lab_both_sides_get_one_secret() {
        let mut random = Randomness::new(Some(1));
        for bits in [2048, 4096] {
            let group = Group::of_bits(bits).unwrap();
            let (a, b) = (Group::draw(&mut random).unwrap(), Group::draw(&mut random).unwrap());
            let (to_b, to_a) = (group.public(&a).unwrap(), group.public(&b).unwrap());
            let secret = group.agree(&to_a, &a, true).unwrap();
            assert_eq!(secret, group.agree(&to_b, &b, true).unwrap());
            assert_eq!(secret.len() * 8, usize::try_from(bits).unwrap());
        }
    }

    #[test]
    fn lab_a10_a_small_exponent_is_found_and_a_drawn_one_is_not() {
        let group = Group::of_bits(2048).unwrap();
        for exponent in [1u16, 2, 5000] {
            let public = group.public(&exponent.to_be_bytes()).unwrap();
            assert_eq!(group.search(&public, 5000), Some(exponent.into()));
        }
        assert_eq!(group.search(&group.public(&5001u16.to_be_bytes()).unwrap(), 5000), None);
        let drawn = Group::draw(&mut Randomness::new(Some(1))).unwrap();
        assert_eq!(group.search(&group.public(&drawn).unwrap(), 5000), None);
    }

    #[test]
    fn lab_a03_values_that_fix_the_secret_are_refused() {
        let group = Group::of_bits(2048).unwrap();
        let prime = group.prime();
        let mut below = prime.clone();
        below[255] -= 1;
        for value in [wide(0), wide(1), below.clone(), prime.clone(), vec![255; 256]] {
            assert!(matches!(group.agree(&value, &[5], true), Err(Fault::Refused { .. })));
        }
        assert_eq!(group.agree(&wide(1), &[5], false).unwrap(), wide(1));
        assert_eq!(group.agree(&below, &[6], false).unwrap(), wide(1));
        assert_eq!(group.agree(&wide(2), &[5], true).unwrap(), wide(32));
        assert!(matches!(group.agree(&wide(2)[1..], &[5], false), Err(Fault::WrongLength { .. })));
    }

    #[test]
    fn lab_a03_a_group_that_nobody_knows_is_refused() {
        let mut prime = Group::of_bits(2048).unwrap().prime();
        prime[100] ^= 4;
        assert!(matches!(Group::named(&prime, &[2], true), Err(Fault::Refused { what: "p", .. })));
        assert!(Group::named(&prime, &[2], false).is_ok());
        let known = Group::of_bits(2048).unwrap().prime();
        assert!(matches!(Group::named(&known, &[5], true), Err(Fault::Refused { what: "g", .. })));
        for odd in [vec![], vec![0], vec![1], vec![2], vec![4], vec![7; 513]] {
            assert!(Group::named(&odd, &[2], false).is_err());
        }
        // 2^5 mod 23, and a prime of three bytes: 2^20 mod 65537.
        assert_eq!(Group::named(&[23], &[2], false).unwrap().public(&[5]).unwrap(), [9]);
        assert_eq!(Group::named(&[1, 0, 1], &[2], false).unwrap().public(&[20]).unwrap(), [0, 255, 241]);
    }
}
