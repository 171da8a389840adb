//! `toy-socket`: Diffie-Hellman over 16 bits, a cipher of four steps, a hash of 16 bits and RSA with primes of 9 bits:
//! small enough to break with pencil and paper, complete enough to have every part that a secure channel has.
//!
//! Every message is a line of ASCII. Both ends send a public value and then `E,N`, the client first; after that each
//! line is `base64(ciphertext)|base64(signature)`.

pub(crate) mod cipher;
mod client;
pub(crate) mod numbers;
mod server;
mod session;
mod suite;

pub use client::Client;
pub use server::Server;
pub use session::{Event, Session};

/// Bits of each of RSA's primes that the description has.
pub const BITS: u32 = 9;
/// Sizes of primes that can be had: N has to fit into the signature's three bytes.
pub const SIZES: [u32; 4] = [9, 10, 11, 12];
/// Bytes of a line, its end not counted.
pub const MAX_LINE: usize = 64 * 1024;
/// Bytes of a text whose line, and that of the answer with the text in it, is within [`MAX_LINE`] with any fixes.
pub const MAX_TEXT: usize = 48_000;
