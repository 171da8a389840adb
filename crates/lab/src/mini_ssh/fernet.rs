//! Fernet: a message as AES-128-CBC with HMAC-SHA256 over it, in base64url. The specification is at
//! github.com/fernet/spec. What `mini-ssh` sends is tokens and nothing else; nobody asks how old they are.

use crate::cbc::CbcKey;
use crate::fix::Cipher;
use crate::{Fault, Moment, Randomness};
use aws_lc_rs::hmac;
use data_encoding::BASE64URL;

/// Bytes of a key: half of them sign, half encrypt.
pub(super) const KEY_LEN: usize = 32;
const VERSION: u8 = 0x80;
/// Version and time.
const HEAD: usize = 9;
const IV: usize = 16;
const MAC: usize = 32;

/// A key.
pub(super) struct Fernet {
    sign: hmac::Key,
    encrypt: CbcKey,
}

impl Fernet {
    /// The key of these bytes.
    pub(super) fn new(bytes: &[u8; KEY_LEN]) -> Self {
        let (sign, encrypt) = bytes.split_at(KEY_LEN / 2);
        let mut key = [0; KEY_LEN / 2];
        key.copy_from_slice(encrypt);
        Self { sign: hmac::Key::new(hmac::HMAC_SHA256, sign), encrypt: CbcKey::Aes128(key) }
    }

    fn seal_under(&self, iv: [u8; IV], text: &[u8], now: Moment) -> Result<String, Fault> {
        let body = self.encrypt.seal_under(iv, text)?;
        let mut token = [&[VERSION], now.unix.to_be_bytes().as_slice(), &body].concat();
        let mac = hmac::sign(&self.sign, &token);
        token.extend_from_slice(mac.as_ref());
        Ok(BASE64URL.encode(&token))
    }

    /// The text of a token that is genuine, however old.
    fn open_token(&self, token: &[u8]) -> Option<Vec<u8>> {
        let token = BASE64URL.decode(token).ok()?;
        let (signed, mac) = token.split_at_checked(token.len().checked_sub(MAC)?)?;
        let (head, body) = signed.split_at_checked(HEAD)?;
        if head.first() != Some(&VERSION) || body.len() < IV {
            return None;
        }
        hmac::verify(&self.sign, signed, mac).ok()?;
        self.encrypt.open_text(body)
    }
}

impl Cipher for Fernet {
    fn of(key: [u8; KEY_LEN]) -> Self {
        Self::new(&key)
    }

    /// A token in base64url.
    fn seal(&self, text: &[u8], now: Moment, random: &mut Randomness) -> Result<Vec<u8>, Fault> {
        Ok(self.seal_under(random.array()?, text, now)?.into_bytes())
    }

    fn open(&self, token: &[u8]) -> Option<Vec<u8>> {
        self.open_token(token)
    }
}

/// The vectors published with the specification: generate.json, verify.json, invalid.json.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GOOD: &str =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    fn key() -> Fernet {
        let secret = BASE64URL.decode(b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
        Fernet::new(&secret.try_into().unwrap())
    }

    #[test]
    fn lab_fernet_generates_the_published_token() {
        // 1985-10-26T01:20:00-07:00, the bytes 0 to 15.
        let now = Moment { unix: 499_162_800, offset: 0 };
        let iv = std::array::from_fn(|place| u8::try_from(place).unwrap());
        assert_eq!(key().seal_under(iv, b"hello", now).unwrap(), GOOD);
    }

    #[test]
    fn lab_fernet_opens_the_published_token() {
        assert_eq!(key().open(GOOD.as_bytes()).unwrap(), b"hello");
    }

    #[test]
    fn lab_fernet_refuses_the_published_invalid_tokens() {
        for (why, token) in [
            (
                "incorrect mac",
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
            ),
            ("too short", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA=="),
            (
                "invalid base64",
                "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            ),
            (
                "payload size",
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
            ),
            (
                "padding",
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
            ),
            (
                "incorrect IV",
                "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
            ),
        ] {
            assert!(key().open(token.as_bytes()).is_none(), "{why}");
        }
    }

    /// The description sets no age: what the vectors call expired or from the future is taken.
    #[test]
    fn lab_a04_fernet_takes_tokens_of_any_age() {
        for token in [
            "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
        ] {
            assert_eq!(key().open(token.as_bytes()).unwrap(), b"");
        }
    }

    #[test]
    fn lab_fernet_sees_every_turned_bit() {
        let token = BASE64URL.decode(GOOD.as_bytes()).unwrap();
        for place in 0..token.len() * 8 {
            let mut turned = token.clone();
            *turned.get_mut(place / 8).unwrap() ^= 1 << (place % 8);
            assert!(key().open(BASE64URL.encode(&turned).as_bytes()).is_none(), "bit {place}");
        }
        assert!(key().open(GOOD.trim_end_matches('=').as_bytes()).is_none());
        assert!(key().open(b"").is_none());
    }
}
