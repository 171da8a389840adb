//! A provider without arithmetic: thousands of handshakes a second, the same bytes every time.
//!
//! It protects nothing. What it leaves out is exactly what a mutation could never get past
//! (signatures, tags), so that mutated messages reach the code behind.

use super::forced::force;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::{CipherAlgorithm, HashAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{
    CryptoError, KexAnswer, KexClient, KeyMaterial, Open, PacketShape, Provider, Seal, SecretBytes,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// The fake provider.
pub struct NoMaths {
    real: AwsLc,
    state: AtomicU64,
    zeros: usize,
    real_packets: bool,
}

impl NoMaths {
    /// Fake key exchange, fake signatures, packets in clear. The same seed gives the same bytes.
    pub fn new(seed: u64) -> Self {
        Self { real: AwsLc::default(), state: AtomicU64::new(seed), zeros: 0, real_packets: false }
    }

    /// Fake key exchange whose secrets begin with so many zero bytes, but real signatures and
    /// real packets, which fail when the two ends derive different keys.
    pub fn with_zeros(seed: u64, zeros: usize) -> Self {
        Self { zeros, real_packets: true, ..Self::new(seed) }
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(8) {
            // SplitMix64: any well-spread sequence will do here.
            let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
        out
    }

    fn secret(real: &AwsLc, client: &[u8], server: &[u8], zeros: usize) -> Result<SecretBytes, CryptoError> {
        if client.len() != 32 || server.len() != 32 {
            return Err(CryptoError);
        }
        Ok(force(&SecretBytes::new(real.hash(HashAlgorithm::Sha256, &[client, server])), zeros))
    }
}

struct Client {
    real: AwsLc,
    public: [u8; 32],
    zeros: usize,
}

impl KexClient for Client {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, server_public: &[u8]) -> Result<SecretBytes, CryptoError> {
        NoMaths::secret(&self.real, &self.public, server_public, self.zeros)
    }
}

/// Packets in clear, shaped as before the first NEWKEYS.
struct Clear;

const SHAPE: PacketShape = PacketShape { block_len: 8, length_in_block: true, head_len: 4, tag_len: 0 };

impl Seal for Clear {
    fn shape(&self) -> PacketShape {
        SHAPE
    }

    fn seal(&mut self, _sequence: u32, _packet: &mut [u8]) -> Result<(), CryptoError> {
        Ok(())
    }
}

impl Open for Clear {
    fn shape(&self) -> PacketShape {
        SHAPE
    }

    fn packet_length(&mut self, _sequence: u32, head: &mut [u8]) -> Result<u32, CryptoError> {
        head.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(CryptoError)
    }

    fn open(&mut self, _sequence: u32, _packet: &mut [u8]) -> Result<(), CryptoError> {
        Ok(())
    }
}

impl Provider for NoMaths {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.bytes::<8>()[..chunk.len()]);
        }
        Ok(())
    }

    fn kex_client(&self, _method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError> {
        Ok(Box::new(Client { real: self.real, public: self.bytes(), zeros: self.zeros }))
    }

    fn kex_server(&self, _method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
        let public = self.bytes::<32>();
        let secret = Self::secret(&self.real, client_public, &public, self.zeros)?;
        Ok(KexAnswer { public: public.to_vec(), secret })
    }

    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Vec<u8> {
        self.real.hash(algorithm, parts)
    }

    fn sealer(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Seal>, CryptoError> {
        if self.real_packets { self.real.sealer(cipher, mac, keys) } else { Ok(Box::new(Clear)) }
    }

    fn opener(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Open>, CryptoError> {
        if self.real_packets { self.real.opener(cipher, mac, keys) } else { Ok(Box::new(Clear)) }
    }

    fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        if self.real_packets { self.real.verify(algorithm, public_key, message, signature) } else { Ok(()) }
    }
}
