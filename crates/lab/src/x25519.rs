//! A key of 32 bytes from X25519, then HKDF-SHA256 without a salt.

use crate::{Fault, Randomness};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};

/// Bytes of a public key.
const PUBLIC_LEN: usize = 32;
/// Bytes of what comes of it.
const KEY_LEN: usize = 32;

/// One side's key pair.
pub(crate) struct Pair {
    private: PrivateKey,
    secret: Vec<u8>,
    public: Vec<u8>,
}

/// What an exchange comes to.
pub(crate) struct Agreed {
    pub(crate) shared: Vec<u8>,
    pub(crate) key: [u8; KEY_LEN],
}

impl Pair {
    /// A fresh one.
    pub(crate) fn new(random: &mut Randomness) -> Result<Self, Fault> {
        let secret = random.bytes(PUBLIC_LEN)?;
        let private = PrivateKey::from_private_key(&X25519, &secret).map_err(|_| Fault::Cryptography)?;
        let public = private.compute_public_key().map_err(|_| Fault::Cryptography)?.as_ref().to_vec();
        Ok(Self { private, secret, public })
    }

    /// The public key.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The private key, for a step that is told.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The secret with the peer and the key made of it for `info`. A public key whose secret is known to all is refused.
    pub(crate) fn agree(&self, peer: &[u8], info: &str) -> Result<Agreed, Fault> {
        let what = "the public key";
        if peer.len() != PUBLIC_LEN {
            return Err(Fault::WrongLength { what, got: peer.len(), want: PUBLIC_LEN });
        }
        let refused = Fault::Refused { what, why: "the secret would be known to all" };
        let peer = UnparsedPublicKey::new(&X25519, peer);
        agree(&self.private, peer, refused, |shared| Ok(Agreed { shared: shared.to_vec(), key: derive(shared, info)? }))
    }
}

/// The private key of a public one, if it is one of the numbers up to `most`: found by trying them one after the other.
pub(crate) fn small_private_of(public: &[u8], most: u32) -> Option<u32> {
    (1..=most).find(|number| {
        let mut private = [0; PUBLIC_LEN];
        private.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
        let key = PrivateKey::from_private_key(&X25519, &private).ok().and_then(|key| key.compute_public_key().ok());
        key.is_some_and(|key| key.as_ref() == public)
    })
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

fn derive(shared: &[u8], info: &str) -> Result<[u8; KEY_LEN], Fault> {
    let mut key = [0; KEY_LEN];
    let secret = Salt::new(HKDF_SHA256, &[]).extract(shared);
    let info = [info.as_bytes()];
    let expanded = secret.expand(&info, Length);
    expanded.and_then(|expanded| expanded.fill(&mut key)).map_err(|_| Fault::Cryptography)?;
    Ok(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// RFC 7748 §6.1, and HKDF of its secret by another library.
    #[test]
    fn lab_the_session_key_is_hkdf_of_the_published_secret() {
        let shared = HEXLOWER.decode(b"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742").unwrap();
        assert_eq!(
            HEXLOWER.encode(&derive(&shared, "mini-ssh session key").unwrap()),
            "d5255c35985ab47b1b484d4a95dbb429b9c040acbfc61c66aa3b44a86a01181f"
        );
    }

    #[test]
    fn lab_both_ends_agree() {
        let mut random = Randomness::new(Some(1));
        let (a, b) = (Pair::new(&mut random).unwrap(), Pair::new(&mut random).unwrap());
        let (here, there) = (a.agree(b.public(), "x").unwrap(), b.agree(a.public(), "x").unwrap());
        assert_eq!((here.shared, here.key), (there.shared, there.key));
    }

    #[test]
    fn lab_a03_points_that_fix_the_secret_are_refused() {
        let pair = Pair::new(&mut Randomness::new(Some(1))).unwrap();
        let mut one = [0; 32];
        if let Some(first) = one.first_mut() {
            *first = 1;
        }
        for peer in [[0; 32], one] {
            assert!(matches!(pair.agree(&peer, "x"), Err(Fault::Refused { .. })));
        }
        assert!(matches!(pair.agree(&[9; 31], "x"), Err(Fault::WrongLength { .. })));
    }
}
