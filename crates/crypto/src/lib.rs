//! The cryptography that Nacre ships: `nacre-proto`'s traits on top of AWS-LC, private and public
//! keys, password hashes and one-time codes.
//!
//! Only SSH's own constructions and file formats are written here; every primitive comes from
//! `aws-lc-rs`, or, where that has none, from `crypto-bigint` (finite-field groups), `sntrup761`,
//! `bcrypt-pbkdf`, `argon2`, `pkcs8` and `md-5` (old fingerprints and key files). This crate reads
//! and writes no files: bytes in, values out.

mod base64;
mod blob;
mod certificate;
mod digest;
mod kex;
mod packet;
mod password;
mod private;
mod provider;
mod public;
mod revocation;
mod sshsig;
mod totp;
mod verify;

pub use base64::{base64_decode, base64_encode};
pub use blob::EcCurve;
pub use certificate::{
    Certificate, CertificateError, CertificateKind, CertificateOption, CertificateRefusal, CertificateRequest, FOREVER,
    NewOption, UserLimits,
};
pub use digest::{HashKind, Hasher, ct_eq, hmac_sha1, sha1, sha256};
pub use kex::primes::{GROUP14, GROUP16};
pub use password::{PasswordError, burn_password, hash_password, verify_password};
pub use private::{DEFAULT_ROUNDS, KeyError, KeyKind, MAX_ROUNDS, PrivateKey, Protection, certified_key, public_half};
pub use provider::{AwsLc, random_bytes};
pub use public::{ForeignKeyError, PublicKey, PublicKeyError, fingerprint_sha256, write_rfc4716};
pub use revocation::{RevocationError, RevocationList, Revoked, RevokedCertificates};
pub use sshsig::{SshSignature, SshSignatureError};
pub use totp::{TOTP_DIGITS, TOTP_STEP_SECONDS, totp, totp_check};
pub use verify::{SecurityKeyFlags, security_key_flags};
