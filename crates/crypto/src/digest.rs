//! Digests and comparisons that other crates need outside the protocol.

use aws_lc_rs::{constant_time, digest, hmac};

/// SHA-256.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    fixed(digest::digest(&digest::SHA256, data).as_ref())
}

/// HMAC-SHA1 (RFC 2104), for hashed known_hosts and one-time codes, whose formats fix it. HMAC does
/// not depend on what SHA-1 has lost.
pub fn hmac_sha1(key: &[u8], data: &[u8]) -> [u8; 20] {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    fixed(hmac::sign(&key, data).as_ref())
}

/// Compares in time that depends on the lengths only.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// SHA-1, for the `%C` token of `ssh_config` alone: it names things and protects nothing.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    fixed(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref())
}

/// The hash functions that files are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashKind {
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

impl HashKind {
    /// The name it has in files, `sha512` for example.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The one with this name.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        [Self::Sha256, Self::Sha512].into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    /// Bytes of a hash.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A hash of what comes piece by piece.
#[derive(Clone)]
pub struct Hasher(digest::Context);

impl Hasher {
    /// Of nothing yet.
    pub fn new(kind: HashKind) -> Self {
        Self(digest::Context::new(match kind {
            HashKind::Sha256 => &digest::SHA256,
            HashKind::Sha512 => &digest::SHA512,
        }))
    }

    /// Takes the next piece.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The hash of all pieces, [`HashKind::length`] bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of FIPS 180-4: "abc".
    #[test]
    fn pieces_hash_like_the_whole() {
        let known = [
            (HashKind::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                HashKind::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ];
        for (kind, hex) in known {
            let mut hasher = Hasher::new(kind);
            hasher.update(b"a");
            hasher.update(b"");
            hasher.update(b"bc");
            let hash = hasher.finish();
            assert_eq!(hash.len(), kind.length());
            assert_eq!(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), hex);
        }
    }
}
