//! The secret numbers of a key and the signer that AWS-LC makes of them. Making the signer is
//! also the check: parts that do not fit together are refused there.

use super::error::KeyError;
use crate::blob::{EcCurve, KeyBlob, bit_len};
use crate::provider::{RSA_CEILING_BITS, RSA_FLOOR_BITS};
use aws_lc_rs::agreement;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair};
use crypto_bigint::{BoxedUint, NonZero};
use zeroize::Zeroizing;

/// Bytes that are wiped when dropped.
pub(super) type Secret = Zeroizing<Vec<u8>>;

/// Bytes of an Ed25519 seed.
pub(super) const ED25519_SEED_LEN: usize = 32;

const MISMATCH: KeyError = KeyError::Malformed("key parts (they do not fit together)");

/// The numbers of an RSA key as big-endian magnitudes without leading zeros.
pub(super) struct RsaParts {
    pub(super) n: Vec<u8>,
    pub(super) e: Vec<u8>,
    pub(super) d: Secret,
    pub(super) p: Secret,
    pub(super) q: Secret,
    /// `q^-1 mod p`.
    pub(super) iqmp: Secret,
}

/// A key ready to sign, with what is needed to write it down.
pub(super) enum Material {
    Ed25519 { pair: Ed25519KeyPair, seed: Secret },
    Ecdsa { curve: EcCurve, pair: EcdsaKeyPair, scalar: Secret },
    Rsa { pair: Box<RsaKeyPair>, parts: RsaParts },
}

impl Material {
    /// From a seed, and the public key if the file had one.
    pub(super) fn ed25519(seed: &[u8], public: Option<&[u8]>) -> Result<Self, KeyError> {
        if seed.len() != ED25519_SEED_LEN {
            return Err(KeyError::Malformed("Ed25519 seed"));
        }
        let pair = match public {
            Some(public) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            None => Ed25519KeyPair::from_seed_unchecked(seed),
        };
        Ok(Self::Ed25519 { pair: pair.map_err(|_| MISMATCH)?, seed: Zeroizing::new(seed.to_vec()) })
    }

    /// From a scalar of at most the curve's width (leading zeros may be missing, RFC 4251 §5), and
    /// the point if the file had one.
    pub(super) fn ecdsa(curve: EcCurve, scalar: &[u8], point: Option<&[u8]>) -> Result<Self, KeyError> {
        let padding = curve.scalar_len().checked_sub(scalar.len()).ok_or(KeyError::Malformed("ECDSA scalar"))?;
        let mut fixed = Zeroizing::new(Vec::with_capacity(curve.scalar_len()));
        fixed.extend(std::iter::repeat_n(0, padding));
        fixed.extend_from_slice(scalar);
        let point = match point {
            Some(point) => point.to_vec(),
            None => derive_point(curve, &fixed)?,
        };
        let pair = EcdsaKeyPair::from_private_key_and_public_key(signing(curve), &fixed, &point);
        Ok(Self::Ecdsa { curve, pair: pair.map_err(|_| MISMATCH)?, scalar: fixed })
    }

    /// From RSA numbers. `d mod (p - 1)` and `d mod (q - 1)` are worked out here, because
    /// OpenSSH's files lack them.
    pub(super) fn rsa(parts: RsaParts) -> Result<Self, KeyError> {
        check_rsa_sizes(&parts)?;
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: parts.n.as_slice(), e: parts.e.as_slice() },
            d: parts.d.as_slice(),
            p: parts.p.as_slice(),
            q: parts.q.as_slice(),
            dP: &reduce(&parts.d, &parts.p)?,
            dQ: &reduce(&parts.d, &parts.q)?,
            qInv: parts.iqmp.as_slice(),
        };
        let pair = RsaKeyPair::from_components(&components).map_err(|_| MISMATCH)?;
        Ok(Self::Rsa { pair: Box::new(pair), parts })
    }

    /// The SSH public key blob.
    pub(super) fn public_blob(&self) -> Vec<u8> {
        match self {
            Self::Ed25519 { pair, .. } => KeyBlob::Ed25519 { public: pair.public_key().as_ref() }.encode(),
            Self::Ecdsa { curve, pair, .. } => {
                KeyBlob::Ecdsa { curve: *curve, point: pair.public_key().as_ref() }.encode()
            }
            Self::Rsa { parts, .. } => KeyBlob::Rsa { e: &parts.e, n: &parts.n }.encode(),
        }
    }
}

pub(super) fn signing(curve: EcCurve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        EcCurve::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        EcCurve::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        EcCurve::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
    }
}

/// The public point of a scalar: SEC 1 files may leave it out.
fn derive_point(curve: EcCurve, scalar: &[u8]) -> Result<Vec<u8>, KeyError> {
    let algorithm = match curve {
        EcCurve::P256 => &agreement::ECDH_P256,
        EcCurve::P384 => &agreement::ECDH_P384,
        EcCurve::P521 => &agreement::ECDH_P521,
    };
    let private = agreement::PrivateKey::from_private_key(algorithm, scalar).map_err(|_| MISMATCH)?;
    Ok(private.compute_public_key().map_err(|_| MISMATCH)?.as_ref().to_vec())
}

/// Bounds every number before arithmetic is done with any (threats K1, T22, A19).
fn check_rsa_sizes(parts: &RsaParts) -> Result<(), KeyError> {
    let bits = bit_len(&parts.n);
    if bits < RSA_FLOOR_BITS {
        return Err(KeyError::Weak(format!("RSA of {bits} bits, {RSA_FLOOR_BITS} are needed")));
    }
    if bits > RSA_CEILING_BITS {
        return Err(KeyError::Unsupported(format!("RSA of {bits} bits (at most {RSA_CEILING_BITS})")));
    }
    if KeyBlob::decode(&KeyBlob::Rsa { e: &parts.e, n: &parts.n }.encode()).is_err() {
        return Err(KeyError::Weak("RSA exponent that is even, 1 or longer than 32 bits".into()));
    }
    let longest = parts.n.len();
    let all = [&parts.d, &parts.p, &parts.q, &parts.iqmp];
    if all.iter().any(|part| part.len() > longest) { Err(MISMATCH) } else { Ok(()) }
}

/// `d mod (prime - 1)`, in time that depends on lengths only.
pub(super) fn reduce(d: &[u8], prime: &[u8]) -> Result<Secret, KeyError> {
    let read = |bytes: &[u8]| {
        let bits = u32::try_from(bytes.len() * 8).map_err(|_| MISMATCH)?;
        BoxedUint::from_be_slice(bytes, bits.max(8)).map(Zeroizing::new).map_err(|_| MISMATCH)
    };
    let prime = read(prime)?;
    let less_one = Zeroizing::new(prime.wrapping_sub(BoxedUint::one_with_precision(prime.bits_precision())));
    let modulus: Option<NonZero<BoxedUint>> = NonZero::new((*less_one).clone()).into();
    let modulus = Zeroizing::new(modulus.ok_or(MISMATCH)?);
    Ok(Zeroizing::new(Zeroizing::new(read(d)?.rem(&*modulus)).to_be_bytes().into_vec()))
}
