//! The message key: PBKDF2-HMAC-SHA256 of the shared secret, with a salt that is always the same.

use crate::Fault;
use crate::cbc::{CbcKey, KEY_LEN};
use aws_lc_rs::pbkdf2;
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

/// The key for messages.
pub(super) const fn cipher(bytes: [u8; KEY_LEN]) -> CbcKey {
    CbcKey::new(bytes)
}
