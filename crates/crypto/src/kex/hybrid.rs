//! Post-quantum hybrids: a key encapsulation next to X25519, both secrets hashed together
//! (draft-ietf-sshm-mlkem-hybrid-kex §2.4, draft-ietf-sshm-ntruprime-ssh §3).
//!
//! Public values are the encapsulation's value followed by the 32 bytes of X25519.

use super::curve::{self, Curve};
use crate::provider::{fill_random, refuse};
use aws_lc_rs::digest;
use aws_lc_rs::kem::{self, ML_KEM_768};
use nacre_proto::crypto::{CryptoError, KexAnswer, KexClient, SecretBytes};
use zeroize::Zeroizing;

const MLKEM_PUBLIC_LEN: usize = 1184;
const MLKEM_CIPHERTEXT_LEN: usize = 1088;

/// A key encapsulation method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kem {
    MlKem768,
    Sntrup761,
}

impl Kem {
    const fn public_len(self) -> usize {
        match self {
            Self::MlKem768 => MLKEM_PUBLIC_LEN,
            Self::Sntrup761 => sntrup761::PUBLIC_KEY_SIZE,
        }
    }

    const fn ciphertext_len(self) -> usize {
        match self {
            Self::MlKem768 => MLKEM_CIPHERTEXT_LEN,
            Self::Sntrup761 => sntrup761::CIPHERTEXT_SIZE,
        }
    }

    /// `HASH(kem_secret || x25519_secret)`.
    fn combine(self, kem_secret: &[u8], curve_secret: &SecretBytes) -> SecretBytes {
        let mut context = digest::Context::new(match self {
            Self::MlKem768 => &digest::SHA256,
            Self::Sntrup761 => &digest::SHA512,
        });
        context.update(kem_secret);
        context.update(curve_secret.expose());
        SecretBytes::new(context.finish().as_ref().to_vec())
    }
}

/// The private half of an encapsulation key.
enum KemPrivate {
    MlKem768(Box<kem::DecapsulationKey>),
    Sntrup761(Box<sntrup761::DecapsulationKey>),
}

impl KemPrivate {
    fn generate(kem: Kem) -> Result<(Self, Vec<u8>), CryptoError> {
        match kem {
            Kem::MlKem768 => {
                let private = kem::DecapsulationKey::generate(&ML_KEM_768).map_err(refuse)?;
                let public = private.encapsulation_key().map_err(refuse)?;
                let public = public.key_bytes().map_err(refuse)?.as_ref().to_vec();
                Ok((Self::MlKem768(Box::new(private)), public))
            }
            Kem::Sntrup761 => {
                let (public, private) = sntrup761::generate_key_from_seed(*fresh_seed()?);
                Ok((Self::Sntrup761(Box::new(private)), public.as_ref().to_vec()))
            }
        }
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match self {
            Self::MlKem768(private) => {
                let secret = private.decapsulate(ciphertext.into()).map_err(refuse)?;
                Ok(Zeroizing::new(secret.as_ref().to_vec()))
            }
            Self::Sntrup761(private) => {
                let ciphertext = sntrup761::Ciphertext::try_from(ciphertext).map_err(refuse)?;
                Ok(Zeroizing::new(private.decapsulate(&ciphertext).as_ref().to_vec()))
            }
        }
    }
}

/// The seed of one sntrup761 operation. The crate stretches it with ChaCha20, so that its
/// randomness, too, begins in AWS-LC's generator (threat T21).
fn fresh_seed() -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let mut seed = Zeroizing::new([0; 32]);
    fill_random(seed.as_mut_slice())?;
    Ok(seed)
}

/// Encapsulates to a peer's key: ciphertext and secret.
fn encapsulate(kem: Kem, public: &[u8]) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
    match kem {
        Kem::MlKem768 => {
            let public = kem::EncapsulationKey::new(&ML_KEM_768, public).map_err(refuse)?;
            let (ciphertext, secret) = public.encapsulate().map_err(refuse)?;
            Ok((ciphertext.as_ref().to_vec(), Zeroizing::new(secret.as_ref().to_vec())))
        }
        Kem::Sntrup761 => {
            let public = sntrup761::EncapsulationKey::try_from(public).map_err(refuse)?;
            let (ciphertext, secret) = public.encapsulate_deterministic(*fresh_seed()?);
            Ok((ciphertext.as_ref().to_vec(), Zeroizing::new(secret.as_ref().to_vec())))
        }
    }
}

struct Client {
    kem: Kem,
    private: KemPrivate,
    curve: curve::Client,
    public: Vec<u8>,
}

/// Begins as the client.
pub(super) fn client(kem: Kem) -> Result<Box<dyn KexClient>, CryptoError> {
    let (private, mut public) = KemPrivate::generate(kem)?;
    let curve = curve::Client::new(Curve::X25519)?;
    public.extend_from_slice(curve.public());
    Ok(Box::new(Client { kem, private, curve, public }))
}

impl KexClient for Client {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, server_public: &[u8]) -> Result<SecretBytes, CryptoError> {
        let (ciphertext, curve_public) =
            server_public.split_at_checked(self.kem.ciphertext_len()).ok_or(CryptoError)?;
        let curve_secret = self.curve.agree(curve_public)?;
        let kem_secret = self.private.decapsulate(ciphertext)?;
        Ok(self.kem.combine(&kem_secret, &curve_secret))
    }
}

/// Answers as the server.
pub(super) fn server(kem: Kem, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
    let (kem_public, curve_public) = client_public.split_at_checked(kem.public_len()).ok_or(CryptoError)?;
    let curve = curve::Client::new(Curve::X25519)?;
    let curve_secret = curve.agree(curve_public)?;
    let (mut public, kem_secret) = encapsulate(kem, kem_public)?;
    public.extend_from_slice(curve.public());
    Ok(KexAnswer { public, secret: kem.combine(&kem_secret, &curve_secret) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn unhex(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn sntrup761_opens_the_drafts_ciphertext() {
        let mut lines = include_str!("../../tests/data/sntrup761.txt").lines().filter(|line| !line.starts_with('#'));
        let mut next = || unhex(lines.next().unwrap());
        let (secret_key, ciphertext, expected) = (next(), next(), next());
        let key = sntrup761::DecapsulationKey::try_from(secret_key.as_slice()).unwrap();
        let secret = KemPrivate::Sntrup761(Box::new(key)).decapsulate(&ciphertext).unwrap();
        assert_eq!(*secret, expected);
    }

    #[test]
    fn secrets_are_hashed_in_the_documents_order() {
        // SHA-256("ab") and SHA-512("ab").
        let curve = SecretBytes::new(b"b".to_vec());
        assert_eq!(
            Kem::MlKem768.combine(b"a", &curve).expose(),
            unhex("fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603")
        );
        let long = Kem::Sntrup761.combine(b"a", &curve);
        assert!(long.expose().starts_with(&unhex("2d408a0717ec188158278a796c689044")));
        assert_eq!(long.expose().len(), 64);
    }
}
