//! One-time codes as an authenticator app computes them (RFC 6238), from the enrolment's address.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::time::{SystemTime, UNIX_EPOCH};

/// The secret of the `otpauth://totp/...?secret=...` address that stands somewhere in `text`.
pub fn secret(text: &str) -> Vec<u8> {
    let (_, rest) = text.split_once("secret=").unwrap_or_else(|| panic!("no enrolment in: {text}"));
    let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    BASE32_NOPAD.decode(word.as_bytes()).unwrap_or_else(|error| panic!("{word}: {error}"))
}

/// The code of the half minute that is `steps` after the one now.
pub fn code(secret: &[u8], steps: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    code_at(secret, (now / 30).wrapping_add_signed(steps))
}

fn code_at(secret: &[u8], counter: u64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("any length will do");
    mac.update(&counter.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash[19] & 15);
    let word = u32::from_be_bytes([hash[offset], hash[offset + 1], hash[offset + 2], hash[offset + 3]]);
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B gives eight digits; six are its last six.
        let secret = b"12345678901234567890";
        assert_eq!(code_at(secret, 59 / 30), "287082");
        assert_eq!(code_at(secret, 1_111_111_109 / 30), "081804");
        assert_eq!(code_at(secret, 20_000_000_000 / 30), "353130");
    }

    #[test]
    fn the_secret_is_found_in_an_enrolment() {
        let text = "Scan this:\notpauth://totp/Nacre:me?secret=GEZDGNBVGY3TQOJQ&issuer=Nacre\n";
        assert_eq!(secret(text), b"1234567890");
    }
}
