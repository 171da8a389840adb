//! Base64 (RFC 4648 §4), with padding, in constant time so that keys may pass through.

use base64ct::{Base64, Encoding};

/// Encodes, with padding.
pub fn base64_encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Decodes the one canonical, padded form; `None` for anything else, blanks included.
pub fn base64_decode(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok()
}
