//! Cryptography that tests can bend: wrappers of a real provider, and one without arithmetic.

mod counting;
mod failing;
mod forced;
mod nomaths;
mod seeded;

pub use counting::{Counting, Counts};
pub use failing::{Call, Failing};
pub use forced::ForcedZeros;
pub use nomaths::NoMaths;
pub use seeded::Seeded;

/// The methods of `Provider` that a wrapper leaves to `self.inner`.
macro_rules! leave_to_inner {
    ($($method:ident),+) => { $($crate::provider::leave_to_inner!(@ $method);)+ };
    (@ random) => {
        fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
            self.inner.random(out)
        }
    };
    (@ hash) => {
        fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Vec<u8> {
            self.inner.hash(algorithm, parts)
        }
    };
    (@ sealer) => {
        fn sealer(
            &self,
            cipher: CipherAlgorithm,
            mac: Option<MacAlgorithm>,
            keys: &KeyMaterial,
        ) -> Result<Box<dyn Seal>, CryptoError> {
            self.inner.sealer(cipher, mac, keys)
        }
    };
    (@ opener) => {
        fn opener(
            &self,
            cipher: CipherAlgorithm,
            mac: Option<MacAlgorithm>,
            keys: &KeyMaterial,
        ) -> Result<Box<dyn Open>, CryptoError> {
            self.inner.opener(cipher, mac, keys)
        }
    };
    (@ verify) => {
        fn verify(
            &self,
            algorithm: SignatureAlgorithm,
            public_key: &[u8],
            message: &[u8],
            signature: &[u8],
        ) -> Result<(), CryptoError> {
            self.inner.verify(algorithm, public_key, message, signature)
        }
    };
}
pub(crate) use leave_to_inner;
