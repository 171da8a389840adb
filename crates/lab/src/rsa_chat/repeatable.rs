//! RSA whose randomness is a seed's. AWS-LC draws its own, so what a run with `--seed` needs is made here of its
//! parts; runs without a seed use none of this.

use crate::{Fault, Randomness};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, NonZero, Odd, Resize};
use crypto_primes::hazmat::SmallFactorsSieve;
use crypto_primes::{Flavor, is_prime};
use nacre_crypto::sha1;
use pkcs1::{RsaPrivateKeyRef, RsaPublicKeyRef};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{OctetStringRef, UintRef};
use pkcs8::der::{Decode, Encode};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use std::num::NonZeroU32;

/// Bytes of a SHA-1 hash.
const HASH: usize = 20;
/// The public exponent.
const EXPONENT: u32 = 65_537;

fn failed<E>(_: E) -> Fault {
    Fault::Cryptography
}

/// A private key as PKCS#8.
pub(super) fn generate(bits: u32, random: &mut Randomness) -> Result<Vec<u8>, Fault> {
    loop {
        let (p, q) = (prime(bits / 2, random)?, prime(bits / 2, random)?);
        if let Some(key) = assemble(bits, &p, &q) {
            return key;
        }
    }
}

/// A prime with so many bits, the upper two of them set.
fn prime(bits: u32, random: &mut Randomness) -> Result<BoxedUint, Fault> {
    let length = usize::try_from(bits / 8).map_err(failed)?;
    let size = NonZeroU32::new(bits).ok_or(Fault::Cryptography)?;
    loop {
        let mut bytes = random.bytes(length)?;
        if let Some(first) = bytes.first_mut() {
            *first |= 0xc0;
        }
        let start = BoxedUint::from_be_slice(&bytes, bits).map_err(failed)?;
        let mut sieve = SmallFactorsSieve::new(start, size, false).map_err(failed)?;
        if let Some(prime) = sieve.find(|candidate| is_prime(Flavor::Any, candidate)) {
            return Ok(prime);
        }
    }
}

/// The key of two primes, unless they do not go with the exponent.
fn assemble(bits: u32, p: &BoxedUint, q: &BoxedUint) -> Option<Result<Vec<u8>, Fault>> {
    let one = BoxedUint::one_with_precision(bits);
    let (p, q) = (p.clone().resize(bits), q.clone().resize(bits));
    let (p_less, q_less) = (p.wrapping_sub(&one), q.wrapping_sub(&one));
    let e = BoxedUint::from(EXPONENT).resize(bits);
    let all: Option<NonZero<BoxedUint>> = Option::from(NonZero::new(p_less.wrapping_mul(&q_less)));
    let d: BoxedUint = Option::from(e.invert_mod(&all?))?;
    let inverse: BoxedUint = Option::from(q.invert_mod(&Option::from(NonZero::new(p.clone()))?))?;
    let rest = |of: BoxedUint| -> Option<BoxedUint> { Some(d.rem_vartime(&Option::from(NonZero::new(of))?)) };
    let (dp, dq) = (rest(p_less)?, rest(q_less)?);
    let n = p.wrapping_mul(&q);
    let numbers = [n, e, d, p, q, dp, dq, inverse].map(|number| number.to_be_bytes_trimmed_vartime().into_vec());
    Some(encode(&numbers))
}

fn encode(numbers: &[Vec<u8>; 8]) -> Result<Vec<u8>, Fault> {
    let [n, e, d, p, q, dp, dq, inverse] = numbers;
    let number = |bytes| UintRef::new(bytes).map_err(failed);
    let key = RsaPrivateKeyRef {
        modulus: number(n)?,
        public_exponent: number(e)?,
        private_exponent: number(d)?,
        prime1: number(p)?,
        prime2: number(q)?,
        exponent1: number(dp)?,
        exponent2: number(dq)?,
        coefficient: number(inverse)?,
        other_prime_infos: None,
    };
    let key = key.to_der().map_err(failed)?;
    let secret = OctetStringRef::new(&key).map_err(failed)?;
    PrivateKeyInfoRef::new(pkcs1::ALGORITHM_ID, secret).to_der().map_err(failed)
}

/// RSA-OAEP with SHA-1 (RFC 8017 §7.1.1) under the key in `public`, a SubjectPublicKeyInfo.
pub(super) fn encrypt(public: &[u8], text: &[u8], random: &mut Randomness) -> Result<Vec<u8>, Fault> {
    let info = SubjectPublicKeyInfoRef::from_der(public).map_err(failed)?;
    let key = RsaPublicKeyRef::from_der(info.subject_public_key.raw_bytes()).map_err(failed)?;
    let modulus = key.modulus.as_bytes();
    let padded = pad(text, modulus.len(), random.array()?)?;
    let bits = u32::try_from(modulus.len() * 8).map_err(failed)?;
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).map_err(failed);
    let odd: Odd<BoxedUint> = Option::from(Odd::new(number(modulus)?)).ok_or(Fault::Cryptography)?;
    let base = BoxedMontyForm::new(number(&padded)?, &BoxedMontyParams::new_vartime(odd));
    let exponent = number(key.public_exponent.as_bytes())?;
    Ok(base.pow(&exponent).retrieve().to_be_bytes().into_vec())
}

/// EME-OAEP with an empty label.
fn pad(text: &[u8], length: usize, seed: [u8; HASH]) -> Result<Vec<u8>, Fault> {
    let zeros = length.checked_sub(2 * HASH + 2 + text.len()).ok_or(Fault::Cryptography)?;
    let block = [sha1(b"").as_slice(), &vec![0; zeros], &[1], text].concat();
    let block = masked(&block, &seed);
    let seed = masked(&seed, &block);
    Ok([&[0], seed.as_slice(), &block].concat())
}

/// `bytes` under MGF1's mask of `seed` (RFC 8017 §B.2.1).
fn masked(bytes: &[u8], seed: &[u8]) -> Vec<u8> {
    let mask = (0u32..).flat_map(|counter| sha1(&[seed, &counter.to_be_bytes()].concat()));
    bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}
