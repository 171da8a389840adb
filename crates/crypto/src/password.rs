//! Password hashes: argon2id (RFC 9106) in PHC strings.

use crate::provider::fill_random;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::OnceLock;

/// 19 MiB, two passes, one lane: the first choice of OWASP's password storage sheet for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_LEN: usize = 16;

/// What a stored hash may ask for at most: 1 GiB, 64 passes, 16 lanes.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 16;

/// Why a password could not be hashed or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordError {
    /// The stored text is not an argon2id PHC string.
    Malformed,
    /// The stored parameters cost more than this program is willing to spend.
    TooCostly,
    /// A primitive failed.
    Failed,
}

impl std::fmt::Display for PasswordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the stored password is not an argon2id hash: set it anew",
            Self::TooCostly => "the stored password asks for too much memory or time: set it anew",
            Self::Failed => "hashing the password failed",
        })
    }
}

impl std::error::Error for PasswordError {}

/// Hashes a password with a fresh salt: a string that begins with `$argon2id$`.
///
/// # Errors
/// The generator or the primitive failed.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Failed)?;
    let mut salt = [0; SALT_LEN];
    fill_random(&mut salt).map_err(|_| PasswordError::Failed)?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash =
        hasher.hash_password_with_salt(password.as_bytes(), &salt).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that `phc` was made from.
///
/// # Errors
/// `phc` is not a hash that can be checked.
pub fn verify_password(phc: &str, password: &str) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(phc).map_err(|_| PasswordError::Malformed)?;
    if hash.algorithm.as_str() != "argon2id" || hash.salt.is_none() || hash.hash.is_none() {
        return Err(PasswordError::Malformed);
    }
    let params = Params::try_from(&hash).map_err(|_| PasswordError::Malformed)?;
    if params.m_cost() > MOST_MEMORY_KIB || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES {
        return Err(PasswordError::TooCostly);
    }
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(PasswordError::Failed),
    }
}

/// Spends the time of one check and finds nothing: for names that have no password, so that a
/// stranger cannot tell by the clock which names exist.
pub fn burn_password(password: &str) {
    if let Some(dummy) = dummy_hash() {
        // The answer is of no interest; the time it took is all that is wanted.
        let _ = verify_password(dummy, password);
    }
}

/// A hash like every other, made once a process.
fn dummy_hash() -> Option<&'static str> {
    static DUMMY: OnceLock<Option<String>> = OnceLock::new();
    DUMMY.get_or_init(|| hash_password("no account has this password").ok()).as_deref()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let phc = hash_password("correct horse").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_eq!(verify_password(&phc, "correct horse"), Ok(true));
        assert_eq!(verify_password(&phc, "correct horsf"), Ok(false));
        assert_eq!(verify_password(&phc, ""), Ok(false));
        assert_ne!(phc, hash_password("correct horse").unwrap(), "the salt must differ");
    }

    #[test]
    fn hashes_that_are_no_argon2id_or_too_costly_are_refused() {
        for bad in ["", "x", "$argon2id$", "$1$abc$def", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$aGVsbG8gd29ybGQ"] {
            assert_eq!(verify_password(bad, "x"), Err(PasswordError::Malformed), "{bad}");
        }
        let costly = "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ";
        assert_eq!(verify_password(costly, "x"), Err(PasswordError::TooCostly));
        let slow = "$argon2id$v=19$m=64,t=4000000000,p=1$c29tZXNhbHRzb21lc2FsdA$aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ";
        assert_eq!(verify_password(slow, "x"), Err(PasswordError::TooCostly));
    }

    #[test]
    fn a_hash_made_elsewhere_is_read() {
        // RFC 9106's reference program: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -e
        let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(verify_password(phc, "password"), Ok(true));
        assert_eq!(verify_password(phc, "differentpassword"), Ok(false));
    }

    #[test]
    fn burning_does_the_work_of_checking() {
        // Same algorithm and parameters, and a check that runs to its end: same time.
        let parameters = |phc: &str| phc.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        let dummy = dummy_hash().unwrap();
        assert_eq!(parameters(dummy), parameters(&hash_password("x").unwrap()));
        assert_eq!(verify_password(dummy, "x"), Ok(false));
    }
}
