//! Checking a password against a crypt(5) hash with the machine's own libcrypt.
//!
//! crypt(3) reports failure with a string that looks like a hash (`*0`), and a stored field may hold markers that are no
//! hash at all (`*`, `!`, `x`). Comparing the two as strings lets a failure match a marker. Here a field must be the full
//! shape of a known scheme before anything is hashed, and so must the result before it is compared.

use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::io;

use libloading::Library;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{causes, refused};

/// Longest password that is hashed, in bytes; longer ones are denied unseen (OpenSSH's bound as well).
pub const MAX_PASSWORD: usize = 1024;

/// libxcrypt's crypt_data is 32 KiB, glibc's 128 KiB: this holds either.
const CRYPT_DATA: usize = 256 * 1024;

/// What became of a password check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Match,
    /// The password is wrong.
    Mismatch,
    /// Longer than [`MAX_PASSWORD`] or holds a NUL: denied without hashing.
    UnusablePassword,
    /// The stored field is a marker (`*`, `!`, `x`, empty...): no password is right.
    NoPassword,
    /// The stored field is no hash of a scheme we know; includes DES, which looks at 8 characters only.
    UnknownScheme,
    /// libcrypt refused this scheme, its parameters or this password.
    CryptFailed,
}

impl Verdict {
    /// Whether to let the user in: only [`Verdict::Match`].
    pub fn is_match(self) -> bool {
        self == Self::Match
    }
}

/// A hash scheme of crypt(5): its prefix and the shape of what follows.
struct Scheme {
    prefix: &'static str,
    /// Length of the encoded hash at the end.
    hash: usize,
    /// Whether `field` (after the prefix, hash and its `$` removed) is a well-formed parameter and salt part.
    settings: fn(&str) -> bool,
}

const SCHEMES: [Scheme; 10] = [
    Scheme { prefix: "$y$", hash: 43, settings: yescrypt_settings },
    Scheme { prefix: "$gy$", hash: 43, settings: yescrypt_settings },
    Scheme { prefix: "$sm3y$", hash: 43, settings: yescrypt_settings },
    Scheme { prefix: "$7$", hash: 43, settings: scrypt_settings },
    Scheme { prefix: "$6$", hash: 86, settings: sha_settings },
    Scheme { prefix: "$5$", hash: 43, settings: sha_settings },
    Scheme { prefix: "$2b$", hash: 53, settings: bcrypt_settings },
    Scheme { prefix: "$2a$", hash: 53, settings: bcrypt_settings },
    Scheme { prefix: "$2y$", hash: 53, settings: bcrypt_settings },
    Scheme { prefix: "$1$", hash: 22, settings: md5_settings },
];

fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/')
}

fn yescrypt_settings(field: &str) -> bool {
    field.split_once('$').is_some_and(|(params, salt)| {
        !params.is_empty() && is_base64(params) && is_base64(salt) && (1..=86).contains(&salt.len())
    })
}

fn scrypt_settings(field: &str) -> bool {
    (11..=97).contains(&field.len()) && is_base64(field)
}

fn sha_settings(field: &str) -> bool {
    let salt = match field.strip_prefix("rounds=").and_then(|rest| rest.split_once('$')) {
        Some((rounds, salt)) if !rounds.is_empty() && rounds.bytes().all(|byte| byte.is_ascii_digit()) => salt,
        Some(_) => return false,
        None => field,
    };
    is_salt(salt, 16)
}

fn md5_settings(field: &str) -> bool {
    is_salt(field, 8)
}

fn is_salt(salt: &str, longest: usize) -> bool {
    (1..=longest).contains(&salt.len()) && salt.bytes().all(|byte| byte.is_ascii_graphic() && !b"$:*!".contains(&byte))
}

fn bcrypt_settings(field: &str) -> bool {
    field.len() == 2 && field.bytes().all(|byte| byte.is_ascii_digit())
}

/// The scheme of a complete, well-formed hash.
fn scheme_of(field: &str) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|scheme| {
        field
            .strip_prefix(scheme.prefix)
            .and_then(|rest| rest.len().checked_sub(scheme.hash).and_then(|at| rest.split_at_checked(at)))
            .and_then(|(settings, hash)| Some((settings.strip_suffix('$')?, hash)))
            .is_some_and(|(settings, hash)| is_base64(hash) && (scheme.settings)(settings))
    })
}

/// Markers that passwd(5), shadow(5) and crypt(3) use where no hash is.
fn is_marker(field: &str) -> bool {
    field.is_empty() || field == "x" || field.starts_with(['*', '!'])
}

/// What can be said before hashing: the reason to deny, or `None` when the field and password deserve a hash.
fn deny_before_hashing(stored: &str, password: &[u8]) -> Option<Verdict> {
    if password.len() > MAX_PASSWORD || password.contains(&0) {
        Some(Verdict::UnusablePassword)
    } else if is_marker(stored) {
        Some(Verdict::NoPassword)
    } else if scheme_of(stored).is_none() {
        Some(Verdict::UnknownScheme)
    } else {
        None
    }
}

/// Compares crypt's output with the stored hash; `None` is a failed call.
fn compare(stored: &str, computed: Option<&str>) -> Verdict {
    let (Some(computed), Some(scheme)) = (computed, scheme_of(stored)) else { return Verdict::CryptFailed };
    let same_scheme = scheme_of(computed).is_some_and(|other| other.prefix == scheme.prefix);
    if !same_scheme || computed.len() != stored.len() {
        return Verdict::CryptFailed;
    }
    if bool::from(computed.as_bytes().ct_eq(stored.as_bytes())) { Verdict::Match } else { Verdict::Mismatch }
}

/// Decides on `password` with `crypt` as the hash function, which gets the password and the stored field as its setting
/// and gives the whole new hash, or `None` when it failed.
fn check_with(stored: &str, password: &[u8], crypt: impl FnOnce(&[u8], &str) -> Option<Zeroizing<String>>) -> Verdict {
    if let Some(denied) = deny_before_hashing(stored, password) {
        return denied;
    }
    let computed = crypt(password, stored);
    compare(stored, computed.as_ref().map(|text| text.as_str()))
}

type CryptR = unsafe extern "C" fn(*const c_char, *const c_char, *mut c_void) -> *mut c_char;

/// The machine's libcrypt, loaded at run time so that Nacre starts where it is missing.
pub struct Verifier {
    crypt_r: CryptR,
    /// Keeps `crypt_r` mapped.
    _library: Library,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(libcrypt)")
    }
}

impl Verifier {
    /// Loads libcrypt (`libcrypt.so.1`, or `libcrypt.so.2` where only that is installed).
    ///
    /// # Errors
    /// `NotFound`, saying what to install, when the library or its `crypt_r` is missing.
    pub fn load() -> io::Result<Self> {
        let mut last = String::new();
        for name in ["libcrypt.so.1", "libcrypt.so.2"] {
            match Self::load_named(name) {
                Ok(verifier) => return Ok(verifier),
                Err(err) => last = causes(&err),
            }
        }
        Err(refused(
            io::ErrorKind::NotFound,
            "load the system's password hashing library",
            format!("{last}; install libcrypt (libcrypt1, libxcrypt) or turn PasswordAuthentication off"),
        ))
    }

    fn load_named(name: &str) -> Result<Self, libloading::Error> {
        // SAFETY: libcrypt's initialisers touch nothing but libcrypt; the name has no slash, so only the system's library
        // path is searched.
        let library = unsafe { Library::new(name) }?;
        // SAFETY: crypt_r has had this signature in every libcrypt with these sonames (crypt(3)).
        let crypt_r = *unsafe { library.get::<CryptR>(b"crypt_r\0") }?;
        Ok(Self { crypt_r, _library: library })
    }

    /// Checks `password` against the stored field of passwd or shadow. Takes as long as the scheme is meant to (tens to
    /// hundreds of milliseconds): call it off the event loop.
    pub fn check(&self, stored: &str, password: &[u8]) -> Verdict {
        check_with(stored, password, |password, setting| self.crypt(password, setting))
    }

    /// Spends the time of a check against a fixed hash and denies: for accounts that do not exist, so that the clock does
    /// not tell. `like` is the stored field of some real account, so that the cost is this machine's usual one.
    pub fn deny(&self, like: Option<&str>, password: &[u8]) {
        const SHA512: &str = "$6$nobodyatall$";
        let setting = like.filter(|field| scheme_of(field).is_some()).unwrap_or(SHA512);
        if password.len() <= MAX_PASSWORD && !password.contains(&0) {
            drop(self.crypt(password, setting));
        }
    }

    fn crypt(&self, password: &[u8], setting: &str) -> Option<Zeroizing<String>> {
        let mut phrase = Zeroizing::new(Vec::with_capacity(password.len().saturating_add(1)));
        phrase.extend_from_slice(password);
        phrase.push(0);
        let phrase = CStr::from_bytes_with_nul(&phrase).ok()?;
        let setting = CString::new(setting).ok()?;
        // u128 for its alignment; zeroed memory is an uninitialised crypt_data to both implementations.
        let mut data: Vec<u128> = vec![0; CRYPT_DATA / size_of::<u128>()];
        // SAFETY: two NUL-terminated strings and a zeroed, aligned block larger than any crypt_data, all alive across the call.
        let output = unsafe { (self.crypt_r)(phrase.as_ptr(), setting.as_ptr(), data.as_mut_ptr().cast()) };
        let text = if output.is_null() {
            None
        } else {
            // SAFETY: not null, so it is a NUL-terminated string (inside `data`, or static), and `data` is still alive.
            unsafe { CStr::from_ptr(output) }.to_str().ok().map(|text| Zeroizing::new(text.to_owned()))
        };
        data.zeroize();
        text.filter(|text| !text.starts_with('*'))
    }
}

#[cfg(test)]
#[path = "password_tests.rs"]
mod tests;
