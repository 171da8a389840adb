//! Diffie-Hellman on curves: X25519 (RFC 8731) and the NIST curves (RFC 5656 §4).

use crate::provider::refuse;
use aws_lc_rs::agreement::{self, Algorithm, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use nacre_proto::crypto::{CryptoError, KexClient, SecretBytes};

/// SEC 1 §2.3.3: the first byte of a point that is not compressed.
const UNCOMPRESSED: u8 = 0x04;

/// A curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    X25519,
    P256,
    P384,
    P521,
}

impl Curve {
    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::X25519 => &agreement::X25519,
            Self::P256 => &agreement::ECDH_P256,
            Self::P384 => &agreement::ECDH_P384,
            Self::P521 => &agreement::ECDH_P521,
        }
    }

    /// Bytes of a public value on the wire.
    const fn public_len(self) -> usize {
        match self {
            Self::X25519 => 32,
            Self::P256 => 65,
            Self::P384 => 97,
            Self::P521 => 133,
        }
    }

    /// The one form SSH knows. The library would also take compressed points and DER.
    fn has_wire_form(self, public: &[u8]) -> bool {
        public.len() == self.public_len() && (self == Self::X25519 || public.first() == Some(&UNCOMPRESSED))
    }
}

/// One side's ephemeral key pair.
pub(super) struct Client {
    curve: Curve,
    private: PrivateKey,
    public: Vec<u8>,
}

impl Client {
    /// A fresh key pair.
    pub(super) fn new(curve: Curve) -> Result<Self, CryptoError> {
        let private = PrivateKey::generate(curve.algorithm()).map_err(refuse)?;
        let public = private.compute_public_key().map_err(refuse)?.as_ref().to_vec();
        Ok(Self { curve, private, public })
    }

    /// The shared secret with the peer's public value. The library refuses points off the curve
    /// and X25519 results that are all zero (threat T9).
    pub(super) fn agree(&self, peer: &[u8]) -> Result<SecretBytes, CryptoError> {
        if !self.curve.has_wire_form(peer) {
            return Err(CryptoError);
        }
        let peer = UnparsedPublicKey::new(self.curve.algorithm(), peer);
        agreement::agree(&self.private, peer, CryptoError, |secret| Ok(SecretBytes::new(secret.to_vec())))
    }

    /// The public value, by value.
    pub(super) fn into_public(self) -> Vec<u8> {
        self.public
    }
}

impl KexClient for Client {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn dangerous_private(&self) -> Option<SecretBytes> {
        // Of these curves only X25519 has one form that everybody writes a private value in.
        if self.curve != Curve::X25519 {
            return None;
        }
        let private: Curve25519SeedBin<'_> = self.private.as_be_bytes().ok()?;
        Some(SecretBytes::new(private.as_ref().to_vec()))
    }

    fn finish(self: Box<Self>, server_public: &[u8]) -> Result<SecretBytes, CryptoError> {
        self.agree(server_public)
    }
}
