//! `dh-chat`: two people, Diffie-Hellman over 2048 bits, PBKDF2 with a fixed salt, AES-256-CBC. Nobody shows who
//! they are, and nothing proves that a message was not changed.
//!
//! Frames have a length of four bytes before them. The server sends p, g and its public value, the client its own;
//! after that each frame is a message: initialization vector and ciphertext.

mod client;
mod group;
mod key;
mod server;
mod session;

use crate::{Fault, Fix, Fixes};

pub use client::Client;
pub use server::Server;
pub use session::{Event, ROUNDS, Session};

/// Bits of the prime that the description has.
pub const BITS: u32 = 2048;
/// Sizes of a prime that can be had.
pub const SIZES: [u32; 2] = [2048, 4096];
/// Rounds of PBKDF2 that the description has.
pub const ITERATIONS: u32 = 100_000;
/// Rounds that may be asked for.
pub const MAX_ITERATIONS: u32 = 10_000_000;

/// The key of a shared secret.
///
/// # Errors
/// There are no rounds.
pub fn key_of(secret: &[u8], settings: &Settings, fixes: Fixes) -> Result<[u8; 32], Fault> {
    if fixes.has(Fix::F10) { Ok(key::derive_quickly(secret)) } else { key::derive(secret, settings.iterations) }
}

/// The exponent of a public value, if it is one of the first `most`: found by trying them one after the other.
pub(crate) fn exponent_of(prime: &[u8], generator: &[u8], public: &[u8], most: u32) -> Option<u32> {
    group::Group::named(prime, generator, false).ok()?.search(public, most)
}

/// The secret of a public value in the usual group with an exponent of somebody's own.
pub(crate) fn secret_with(public: &[u8], exponent: &[u8]) -> Result<Vec<u8>, Fault> {
    group::Group::of_bits(BITS)?.agree(public, exponent, false)
}

/// Clients that may be there before any message of theirs could be opened, with F10.
pub const MAX_STRANGERS: usize = 10;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bits of the server's prime, one of [`SIZES`]. The client takes either.
    pub bits: u32,
    /// Rounds of PBKDF2, 1 to [`MAX_ITERATIONS`]; both ends need the same.
    pub iterations: u32,
    /// Public values and groups are checked, as the description's library does.
    pub checks: bool,
    /// A message that cannot be opened closes the connection without a word.
    pub quiet_errors: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bits: BITS, iterations: ITERATIONS, checks: true, quiet_errors: false }
    }
}
