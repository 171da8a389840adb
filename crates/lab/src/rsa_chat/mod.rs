//! `rsa-chat`: a chat for many. The client makes an AES-256 key and sends it under the server's RSA key, which nobody
//! vouches for; from then on AES in CBC, without proof that a message was not changed. The server reads everything.
//!
//! Blobs have a length of ten digits before them. The server sends its public key as PEM, the client the AES key under
//! RSA-OAEP, the server `HANDSHAKE_OK`, the client its name; messages are base64 of initialization vector and
//! ciphertext.

mod client;
mod key;
mod members;
mod repeatable;
mod server;
mod session;

pub use client::Client;
pub use key::ServerKey;
pub use server::Server;
pub use session::{Event, Session};

/// Bits of the server's key that the description has.
pub const BITS: u32 = 2048;
/// Sizes of a server's key that can be had.
pub const SIZES: [u32; 3] = [2048, 3072, 4096];
/// Bytes of a blob before the client has a name, with F10.
pub const MAX_STRANGER_BLOB: usize = 1024;
/// Characters of a name.
pub const MAX_NAME: usize = 32;

/// What the consoles show of a secret key: the first characters of its base64.
fn prefix(key: &[u8]) -> String {
    data_encoding::BASE64.encode(key).chars().take(9).collect()
}
