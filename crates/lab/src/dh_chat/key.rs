//! The message key: PBKDF2-HMAC-SHA256 of the shared secret, with a salt that is always the same.

use crate::Fault;
use crate::cbc::KEY_LEN;
use aws_lc_rs::{hmac, pbkdf2};
use std::num::NonZeroU32;

/// The salt.
pub(super) const SALT: &str = "dh-chat fixed salt";

/// The key's bytes.
pub(super) fn derive(secret: &[u8], iterations: u32) -> Result<[u8; KEY_LEN], Fault> {
    let rounds = NonZeroU32::new(iterations).ok_or(Fault::Cryptography)?;
    let mut key = [0; KEY_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, SALT.as_bytes(), secret, &mut key);
    Ok(key)
}

/// The key's bytes with F10: the secret has 2048 bits and needs no stretching, one HMAC mixes it.
pub(super) fn derive_quickly(secret: &[u8]) -> [u8; KEY_LEN] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SALT.as_bytes()), secret);
    let mut key = [0; KEY_LEN];
    key.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    key
}
