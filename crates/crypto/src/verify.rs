//! Checking signatures made by SSH keys (RFC 4253 §6.6, RFC 5656 §3.1.2, RFC 8332 §3, RFC 8709 §6).
//!
//! The negotiated algorithm rules: the key's type and curve and the format name inside the
//! signature must all be the ones it names (threats H3 and A6).

use crate::blob::{EcCurve, KeyBlob, bit_len};
use crate::digest::sha256;
use crate::provider::{RSA_CEILING_BITS, refuse};
use aws_lc_rs::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate;
use nacre_proto::crypto::CryptoError;
use nacre_wire::Reader;

/// Flags of a security key's signature.
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;

/// Bytes of an Ed25519 signature.
const ED25519_SIGNATURE_LEN: usize = 64;

/// Checks `signature` over `message`, as `nacre_proto::crypto::Provider::verify` says.
pub(crate) fn verify(
    min_rsa_bits: usize,
    algorithm: SignatureAlgorithm,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    if algorithm.is_certificate() {
        // The key inside signs. Whether the certificate holds is for its judge to say.
        let head = certificate::split(public_key).map_err(refuse)?;
        let fits = head.key_type == algorithm.key_type();
        return if fits {
            verify(min_rsa_bits, algorithm.plain(), &head.key, message, signature)
        } else {
            Err(CryptoError)
        };
    }
    let key = KeyBlob::decode(public_key).map_err(refuse)?;
    if algorithm.is_security_key() {
        return verify_security_key(algorithm, key, message, signature);
    }
    let signature = open_signature(algorithm, signature)?;
    match (algorithm, key) {
        (SignatureAlgorithm::Ed25519, KeyBlob::Ed25519 { public }) => verify_ed25519(public, message, signature),
        (SignatureAlgorithm::EcdsaNistp256, KeyBlob::Ecdsa { curve: curve @ EcCurve::P256, point })
        | (SignatureAlgorithm::EcdsaNistp384, KeyBlob::Ecdsa { curve: curve @ EcCurve::P384, point })
        | (SignatureAlgorithm::EcdsaNistp521, KeyBlob::Ecdsa { curve: curve @ EcCurve::P521, point }) => {
            verify_ecdsa(curve, point, message, signature)
        }
        (SignatureAlgorithm::RsaSha256, KeyBlob::Rsa { e, n }) => {
            verify_rsa(min_rsa_bits, &signature::RSA_PKCS1_2048_8192_SHA256, (e, n), message, signature)
        }
        (SignatureAlgorithm::RsaSha512, KeyBlob::Rsa { e, n }) => {
            verify_rsa(min_rsa_bits, &signature::RSA_PKCS1_2048_8192_SHA512, (e, n), message, signature)
        }
        _ => Err(CryptoError),
    }
}

/// `string format, string blob`, where the format must be the algorithm's own name.
fn open_signature(algorithm: SignatureAlgorithm, signature: &[u8]) -> Result<&[u8], CryptoError> {
    let mut reader = Reader::new(signature);
    let format = reader.string("signature format").map_err(refuse)?;
    let blob = reader.string("signature blob").map_err(refuse)?;
    reader.finish().map_err(refuse)?;
    if format == algorithm.name().as_bytes() { Ok(blob) } else { Err(CryptoError) }
}

/// What a security key says of the moment it signed (OpenSSH PROTOCOL.u2f).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityKeyFlags {
    /// Somebody touched it.
    pub user_present: bool,
    /// It made sure who that was.
    pub user_verified: bool,
}

/// The flags in a signature of a security key. They are a claim until the signature was verified.
///
/// # Errors
/// It is no such signature.
pub fn security_key_flags(signature: &[u8]) -> Result<SecurityKeyFlags, CryptoError> {
    let flags = open_security_key(signature)?.flags;
    Ok(SecurityKeyFlags { user_present: flags & USER_PRESENT != 0, user_verified: flags & USER_VERIFIED != 0 })
}

/// A signature taken apart: `string format, string blob, byte flags, uint32 counter`.
struct SecurityKeySignature<'a> {
    format: &'a [u8],
    blob: &'a [u8],
    flags: u8,
    counter: u32,
}

fn open_security_key(signature: &[u8]) -> Result<SecurityKeySignature<'_>, CryptoError> {
    let mut reader = Reader::new(signature);
    let format = reader.string("signature format").map_err(refuse)?;
    let blob = reader.string("signature blob").map_err(refuse)?;
    let flags = reader.u8("flags").map_err(refuse)?;
    let counter = reader.u32("counter").map_err(refuse)?;
    reader.finish().map_err(refuse)?;
    Ok(SecurityKeySignature { format, blob, flags, counter })
}

/// A security key signs the hash of its application, the flags, its counter and the hash of the message. Whether the flags
/// are enough is for whoever knows what is wanted of them (threat A8).
fn verify_security_key(
    algorithm: SignatureAlgorithm,
    key: KeyBlob<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let signature = open_security_key(signature)?;
    if signature.format != algorithm.name().as_bytes() {
        return Err(CryptoError);
    }
    let (KeyBlob::SkEd25519 { application, .. } | KeyBlob::SkEcdsa { application, .. }) = key else {
        return Err(CryptoError);
    };
    let mut signed = sha256(application).to_vec();
    signed.push(signature.flags);
    signed.extend_from_slice(&signature.counter.to_be_bytes());
    signed.extend_from_slice(&sha256(message));
    match (algorithm, key) {
        (SignatureAlgorithm::SkEd25519, KeyBlob::SkEd25519 { public, .. }) => {
            verify_ed25519(public, &signed, signature.blob)
        }
        (SignatureAlgorithm::SkEcdsaNistp256, KeyBlob::SkEcdsa { point, .. }) => {
            verify_ecdsa(EcCurve::P256, point, &signed, signature.blob)
        }
        _ => Err(CryptoError),
    }
}

fn verify_ed25519(public: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    if signature.len() != ED25519_SIGNATURE_LEN {
        return Err(CryptoError);
    }
    UnparsedPublicKey::new(&signature::ED25519, public).verify(message, signature).map_err(refuse)
}

fn verify_ecdsa(curve: EcCurve, point: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    let mut reader = Reader::new(signature);
    let r = reader.mpint("r").map_err(refuse)?;
    let s = reader.mpint("s").map_err(refuse)?;
    reader.finish().map_err(refuse)?;
    let width = curve.scalar_len();
    let mut fixed = Vec::with_capacity(2 * width);
    for scalar in [r, s] {
        let padding = width.checked_sub(scalar.len()).ok_or(CryptoError)?;
        fixed.extend(std::iter::repeat_n(0, padding));
        fixed.extend_from_slice(scalar);
    }
    UnparsedPublicKey::new(curve.verification(), point).verify(message, &fixed).map_err(refuse)
}

fn verify_rsa(
    min_bits: usize,
    parameters: &'static RsaParameters,
    (e, n): (&[u8], &[u8]),
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    // Sizes come first: what a stranger's key may cost is bounded before any arithmetic (T22).
    let bits = bit_len(n);
    if bits < min_bits || bits > RSA_CEILING_BITS {
        return Err(CryptoError);
    }
    // RFC 8332 §3 wants the full width; some signers drop leading zeros, and OpenSSH lets them.
    let padding = n.len().checked_sub(signature.len()).ok_or(CryptoError)?;
    let mut padded = vec![0; padding];
    padded.extend_from_slice(signature);
    RsaPublicKeyComponents { n, e }.verify(parameters, message, &padded).map_err(refuse)
}
