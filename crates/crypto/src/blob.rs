//! SSH public key blobs (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4), read strictly: one blob for
//! one key, so that comparing blobs byte for byte compares keys (threat T22).

use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm};
use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt, names};

/// Bytes of an Ed25519 public key.
pub(crate) const ED25519_PUBLIC_LEN: usize = 32;

/// The three curves of RFC 5656 §10.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EcCurve {
    /// nistp256.
    P256,
    /// nistp384.
    P384,
    /// nistp521.
    P521,
}

impl EcCurve {
    /// All three.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The curve's name inside a blob.
    pub const fn identifier(self) -> &'static str {
        match self {
            Self::P256 => "nistp256",
            Self::P384 => "nistp384",
            Self::P521 => "nistp521",
        }
    }

    /// The key type, which is also the signature algorithm.
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::P256 => names::ECDSA_NISTP256,
            Self::P384 => names::ECDSA_NISTP384,
            Self::P521 => names::ECDSA_NISTP521,
        }
    }

    /// The size that people call it by, in bits.
    pub const fn bits(self) -> usize {
        match self {
            Self::P256 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// Bytes of a scalar.
    pub(crate) const fn scalar_len(self) -> usize {
        self.bits().div_ceil(8)
    }

    /// Bytes of a point in uncompressed form.
    pub(crate) const fn point_len(self) -> usize {
        1 + 2 * self.scalar_len()
    }

    pub(crate) fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// A public key, taken apart. All fields borrow from the blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyBlob<'a> {
    Ed25519 {
        public: &'a [u8],
    },
    Ecdsa {
        curve: EcCurve,
        point: &'a [u8],
    },
    Rsa {
        e: &'a [u8],
        n: &'a [u8],
    },
    /// OpenSSH PROTOCOL.u2f; the application is what the security key made the key for.
    SkEd25519 {
        public: &'a [u8],
        application: &'a [u8],
    },
    SkEcdsa {
        point: &'a [u8],
        application: &'a [u8],
    },
}

impl<'a> KeyBlob<'a> {
    /// Reads a blob. RSA exponents must be odd and in `3 .. 2^32`; sizes of moduli are for the
    /// caller to judge. Points must be uncompressed; whether they are on the curve is found out
    /// when the key is used.
    pub(crate) fn decode(blob: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(blob);
        let key_type = reader.string("key type")?;
        let key = if key_type == names::SSH_ED25519.as_bytes() {
            Self::Ed25519 { public: ed25519(&mut reader)? }
        } else if key_type == names::SK_SSH_ED25519.as_bytes() {
            Self::SkEd25519 { public: ed25519(&mut reader)?, application: application(&mut reader)? }
        } else if key_type == names::SK_ECDSA_NISTP256.as_bytes() {
            Self::SkEcdsa { point: point(&mut reader, EcCurve::P256)?, application: application(&mut reader)? }
        } else if key_type == names::SSH_RSA.as_bytes() {
            let e = reader.mpint("exponent")?;
            let n = reader.mpint("modulus")?;
            check_exponent(e)?;
            Self::Rsa { e, n }
        } else if let Some(curve) = EcCurve::ALL.into_iter().find(|c| c.key_type().as_bytes() == key_type) {
            Self::Ecdsa { curve, point: point(&mut reader, curve)? }
        } else {
            return Err(bad("key type"));
        };
        reader.finish()?;
        Ok(key)
    }

    /// Writes a blob.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Ed25519 { public } => {
                out.put_string(names::SSH_ED25519);
                out.put_string(public);
            }
            Self::Ecdsa { curve, point } => {
                out.put_string(curve.key_type());
                out.put_string(curve.identifier());
                out.put_string(point);
            }
            Self::Rsa { e, n } => {
                out.put_string(names::SSH_RSA);
                out.put_mpint(e);
                out.put_mpint(n);
            }
            Self::SkEd25519 { public, application } => {
                out.put_string(names::SK_SSH_ED25519);
                out.put_string(public);
                out.put_string(application);
            }
            Self::SkEcdsa { point, application } => {
                out.put_string(names::SK_ECDSA_NISTP256);
                out.put_string(EcCurve::P256.identifier());
                out.put_string(point);
                out.put_string(application);
            }
        }
        out
    }
}

/// How many bits a big-endian magnitude without leading zeros has.
pub(crate) fn bit_len(magnitude: &[u8]) -> usize {
    match magnitude.first() {
        Some(first) => magnitude.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

fn ed25519<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    sized(reader.string("public key")?, ED25519_PUBLIC_LEN, "public key")
}

fn point<'a>(reader: &mut Reader<'a>, curve: EcCurve) -> Result<&'a [u8], DecodeError> {
    if reader.string("curve")? != curve.identifier().as_bytes() {
        return Err(bad("curve"));
    }
    let point = sized(reader.string("point")?, curve.point_len(), "point")?;
    if point.first() == Some(&0x04) { Ok(point) } else { Err(bad("point")) }
}

/// `ssh:` as a rule, and always text.
fn application<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let name = reader.text("application")?;
    if name.contains('\0') { Err(bad("application")) } else { Ok(name.as_bytes()) }
}

fn bad(field: &'static str) -> DecodeError {
    DecodeError { kind: DecodeErrorKind::BadValue, field }
}

fn sized<'a>(bytes: &'a [u8], len: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
    if bytes.len() == len { Ok(bytes) } else { Err(bad(field)) }
}

/// Odd, at least 3, below 2^32 (threat T22: with e = 1 every signature can be forged).
fn check_exponent(e: &[u8]) -> Result<(), DecodeError> {
    let odd = e.last().is_some_and(|b| b & 1 == 1);
    if odd && e.len() <= 4 && e != [1] { Ok(()) } else { Err(bad("exponent")) }
}
