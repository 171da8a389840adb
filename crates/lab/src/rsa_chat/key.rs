//! The server's RSA key: generated, shown as PEM, and used for one message a connection.

use super::repeatable;
use crate::cbc::KEY_LEN;
use crate::{Fault, Randomness};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use data_encoding::BASE64;
use std::sync::Arc;

const HEAD: &str = "-----BEGIN PUBLIC KEY-----";
const TAIL: &str = "-----END PUBLIC KEY-----";
/// Characters in a line of PEM.
const LINE: usize = 64;

/// The server's key, the same for all its connections.
#[derive(Clone)]
pub struct ServerKey(Arc<Inner>);

struct Inner {
    key: OaepPrivateDecryptingKey,
    pem: String,
}

impl ServerKey {
    /// A new key of one of [`super::SIZES`].
    ///
    /// # Errors
    /// Another size.
    pub fn generate(bits: u32, random: &mut Randomness) -> Result<Self, Fault> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return Err(Fault::Refused { what: "the size of the key", why: "it is 2048, 3072 or 4096 bits" }),
        };
        let key = match random {
            Randomness::System => PrivateDecryptingKey::generate(size).map_err(|_| Fault::Cryptography)?,
            seeded @ Randomness::Seeded(_) => {
                let pkcs8 = repeatable::generate(bits, seeded)?;
                PrivateDecryptingKey::from_pkcs8(&pkcs8).map_err(|_| Fault::Cryptography)?
            }
        };
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| Fault::Cryptography)?;
        let pem = pem(public.as_ref());
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| Fault::Cryptography)?;
        Ok(Self(Arc::new(Inner { key, pem })))
    }

    /// The public half as PEM, with a line end after its last line.
    pub fn pem(&self) -> &str {
        &self.0.pem
    }

    /// Bytes of what is encrypted under it.
    pub(super) fn len(&self) -> usize {
        self.0.key.key_size_bytes()
    }

    /// The AES key that a client sent.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<[u8; KEY_LEN], Fault> {
        let what = "the encrypted AES key";
        if sealed.len() != self.len() {
            return Err(Fault::WrongLength { what, got: sealed.len(), want: self.len() });
        }
        let mut room = vec![0; self.0.key.min_output_size()];
        let opened = self.0.key.decrypt(&OAEP_SHA1_MGF1SHA1, sealed, &mut room, None);
        let opened = opened.map_err(|_| Fault::Refused { what, why: "it cannot be decrypted" })?;
        let wrong = Fault::WrongLength { what: "the AES key", got: opened.len(), want: KEY_LEN };
        <[u8; KEY_LEN]>::try_from(&*opened).map_err(|_| wrong)
    }
}

fn pem(der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let mut lines = vec![HEAD];
    let mut rest = base64.as_str();
    while let Some((line, more)) = rest.split_at_checked(LINE.min(rest.len())).filter(|(line, _)| !line.is_empty()) {
        lines.push(line);
        rest = more;
    }
    lines.push(TAIL);
    lines.join("\n") + "\n"
}

/// A public key that came from a server.
pub(super) struct PublicKey {
    der: Vec<u8>,
    key: PublicEncryptingKey,
}

impl PublicKey {
    /// Reads PEM, with or without its last line end.
    pub(super) fn read(pem: &[u8]) -> Result<Self, Fault> {
        let wrong = Fault::NotAsStated("the server's public key");
        let text = std::str::from_utf8(pem).map_err(|_| wrong)?.trim_ascii();
        let body = text.strip_prefix(HEAD).and_then(|text| text.strip_suffix(TAIL)).ok_or(wrong)?;
        let base64: String = body.split_ascii_whitespace().collect();
        let der = BASE64.decode(base64.as_bytes()).map_err(|_| wrong)?;
        let key = PublicEncryptingKey::from_der(&der).map_err(|_| wrong)?;
        Ok(Self { der, key })
    }

    /// Its size.
    pub(super) fn bits(&self) -> usize {
        self.key.key_size_bits()
    }

    /// An AES key under it.
    pub(super) fn seal(&self, key: &[u8], random: &mut Randomness) -> Result<Vec<u8>, Fault> {
        if matches!(random, Randomness::Seeded(_)) {
            return repeatable::encrypt(&self.der, key, random);
        }
        let public = OaepPublicEncryptingKey::new(self.key.clone()).map_err(|_| Fault::Cryptography)?;
        let mut room = vec![0; public.ciphertext_size()];
        let sealed = public.encrypt(&OAEP_SHA1_MGF1SHA1, key, &mut room, None);
        sealed.map(|sealed| sealed.to_vec()).map_err(|_| Fault::Cryptography)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lab_a_public_key_is_as_long_as_written() {
        let key = ServerKey::generate(2048, &mut Randomness::new(None)).unwrap();
        assert_eq!(key.pem().len(), 451);
        let public = PublicKey::read(key.pem().as_bytes()).unwrap();
        assert_eq!(public.bits(), 2048);
        assert!(PublicKey::read(key.pem().trim_end().as_bytes()).is_ok());
        let sealed = public.seal(&[7; 32], &mut Randomness::new(None)).unwrap();
        assert_eq!(sealed.len(), 256);
        assert_eq!(key.open(&sealed).unwrap(), [7; 32]);
    }

    /// What is made of parts for a seed is what AWS-LC makes and takes.
    #[test]
    fn lab_a_seed_makes_the_same_key_and_the_same_ciphertext() {
        let make = |seed| ServerKey::generate(2048, &mut Randomness::new(Some(seed))).unwrap();
        let key = make(1);
        assert_eq!(key.pem(), make(1).pem());
        assert_ne!(key.pem(), make(2).pem());
        assert_eq!(key.pem().len(), 451);
        let public = PublicKey::read(key.pem().as_bytes()).unwrap();
        for length in [0, 31, 32, 33, 214] {
            let text = vec![9; length];
            let sealed = public.seal(&text, &mut Randomness::new(Some(3))).unwrap();
            assert_eq!(sealed, public.seal(&text, &mut Randomness::new(Some(3))).unwrap());
            assert_eq!(key.open(&sealed).is_ok(), length == 32);
        }
        assert!(public.seal(&[9; 215], &mut Randomness::new(Some(3))).is_err());
    }

    #[test]
    fn lab_what_is_no_key_is_refused() {
        let key = ServerKey::generate(2048, &mut Randomness::new(None)).unwrap();
        let pem = key.pem();
        for wrong in ["", HEAD, &pem.replace("PUBLIC", "PRIVATE"), &pem.replace("MIIB", "MIIC"), &pem.replace('A', "*")]
        {
            assert!(PublicKey::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(ServerKey::generate(1024, &mut Randomness::new(None)).is_err());
        let public = PublicKey::read(pem.as_bytes()).unwrap();
        let short = public.seal(&[7; 16], &mut Randomness::new(None)).unwrap();
        assert!(matches!(key.open(&short), Err(Fault::WrongLength { what: "the AES key", .. })));
        assert!(matches!(key.open(&[1; 256]), Err(Fault::Refused { .. })));
        assert!(matches!(key.open(&[1; 255]), Err(Fault::WrongLength { .. })));
    }
}
