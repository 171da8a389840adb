//! A provider whose every random choice follows from a seed, with real arithmetic throughout: what
//! it sends to a foreign peer can be sent again, byte for byte.
//!
//! The key exchanges here are another implementation than the one that ships, which makes every
//! random choice itself. Hashes, packets and signatures are the shipped provider's.

use crate::provider::leave_to_inner;
use curve25519_dalek::montgomery::MontgomeryPoint;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::{CipherAlgorithm, HashAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{CryptoError, KexAnswer, KexClient, KeyMaterial, Open, Provider, Seal, SecretBytes};
use p256::elliptic_curve::sec1::ToSec1Point;
use sntrup761::{Ciphertext, DecapsulationKey, EncapsulationKey, PUBLIC_KEY_SIZE};
use std::sync::atomic::{AtomicU64, Ordering};

/// Real cryptography from a seed. It knows the exchanges on X25519, on the NIST curve of 256 bits,
/// and the sntrup761 hybrid; others it refuses.
pub struct Seeded {
    inner: AwsLc,
    seed: u64,
    draws: AtomicU64,
}

impl Seeded {
    /// The same seed gives the same bytes in the same order.
    pub fn new(seed: u64) -> Self {
        Self { inner: AwsLc::default(), seed, draws: AtomicU64::new(0) }
    }

    /// The next 32 bytes of the seed's sequence.
    fn draw(&self) -> [u8; 32] {
        let count = self.draws.fetch_add(1, Ordering::Relaxed);
        let input = [b"nacre test seed".as_slice(), &self.seed.to_be_bytes(), &count.to_be_bytes()];
        let bytes = self.inner.hash(HashAlgorithm::Sha256, &input);
        bytes.try_into().expect("a hash of 32 bytes")
    }
}

/// A secret of a curve.
enum Curve {
    X25519([u8; 32]),
    P256(p256::SecretKey),
}

impl Curve {
    fn new(method: KexMethod, provider: &Seeded) -> Result<Self, CryptoError> {
        match method {
            KexMethod::EcdhNistp256 => loop {
                // All but a few of the numbers of 256 bits are secrets of this curve.
                if let Ok(secret) = p256::SecretKey::from_slice(&provider.draw()) {
                    return Ok(Self::P256(secret));
                }
            },
            KexMethod::Curve25519
            | KexMethod::Curve25519LibSsh
            | KexMethod::Sntrup761X25519
            | KexMethod::Sntrup761X25519OpenSsh => Ok(Self::X25519(provider.draw())),
            _ => Err(CryptoError),
        }
    }

    fn public(&self) -> Vec<u8> {
        match self {
            Self::X25519(secret) => MontgomeryPoint::mul_base_clamped(*secret).0.to_vec(),
            Self::P256(secret) => secret.public_key().to_sec1_point(false).as_bytes().to_vec(),
        }
    }

    fn agree(&self, peer: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::X25519(secret) => {
                let peer = MontgomeryPoint(peer.try_into().map_err(|_| CryptoError)?);
                let shared = peer.mul_clamped(*secret).0;
                if shared == [0; 32] { Err(CryptoError) } else { Ok(shared.to_vec()) }
            }
            Self::P256(secret) => {
                let peer = Some(peer).filter(|peer| peer.len() == 65).ok_or(CryptoError)?;
                let peer = p256::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError)?;
                let shared = p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine());
                Ok(shared.raw_secret_bytes().to_vec())
            }
        }
    }
}

fn is_hybrid(method: KexMethod) -> bool {
    matches!(method, KexMethod::Sntrup761X25519 | KexMethod::Sntrup761X25519OpenSsh)
}

/// The hybrid's secret: both secrets hashed (draft-ietf-sshm-ntruprime-ssh §3).
fn combined(inner: &AwsLc, kem: &[u8], curve: &[u8]) -> SecretBytes {
    SecretBytes::new(inner.hash(HashAlgorithm::Sha512, &[kem, curve]))
}

struct Client {
    inner: AwsLc,
    curve: Curve,
    kem: Option<Box<DecapsulationKey>>,
    public: Vec<u8>,
}

impl KexClient for Client {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, server_public: &[u8]) -> Result<SecretBytes, CryptoError> {
        let Some(kem) = &self.kem else { return self.curve.agree(server_public).map(SecretBytes::new) };
        let (ciphertext, point) = server_public.split_at_checked(sntrup761::CIPHERTEXT_SIZE).ok_or(CryptoError)?;
        let ciphertext = Ciphertext::try_from(ciphertext).map_err(|_| CryptoError)?;
        let curve = self.curve.agree(point)?;
        Ok(combined(&self.inner, kem.decapsulate(&ciphertext).as_ref(), &curve))
    }
}

impl Provider for Seeded {
    leave_to_inner!(hash, sealer, opener, verify);

    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        for chunk in out.chunks_mut(32) {
            chunk.copy_from_slice(&self.draw()[..chunk.len()]);
        }
        Ok(())
    }

    fn kex_client(&self, method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError> {
        let curve = Curve::new(method, self)?;
        let (mut public, mut kem) = (Vec::new(), None);
        if is_hybrid(method) {
            let (encapsulation, decapsulation) = sntrup761::generate_key_from_seed(self.draw());
            public.extend_from_slice(encapsulation.as_ref());
            kem = Some(Box::new(decapsulation));
        }
        public.extend_from_slice(&curve.public());
        Ok(Box::new(Client { inner: self.inner, curve, kem, public }))
    }

    fn kex_server(&self, method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
        let curve = Curve::new(method, self)?;
        if !is_hybrid(method) {
            let secret = SecretBytes::new(curve.agree(client_public)?);
            return Ok(KexAnswer { public: curve.public(), secret });
        }
        let (key, point) = client_public.split_at_checked(PUBLIC_KEY_SIZE).ok_or(CryptoError)?;
        let key = EncapsulationKey::try_from(key).map_err(|_| CryptoError)?;
        let agreed = curve.agree(point)?;
        let (ciphertext, secret) = key.encapsulate_deterministic(self.draw());
        let public = [ciphertext.as_ref(), &curve.public()].concat();
        Ok(KexAnswer { public, secret: combined(&self.inner, secret.as_ref(), &agreed) })
    }
}
