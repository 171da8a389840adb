//! Keys for tests, made anew in each process and never written anywhere.

use nacre_crypto::{KeyKind, PrivateKey};
use nacre_proto::HostKey;
use std::sync::OnceLock;

/// The Ed25519 host key of the test server.
pub fn host_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeyKind::Ed25519, None).expect("a key"))
}

/// The Ed25519 key of the test user.
pub fn user_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeyKind::Ed25519, None).expect("a key"))
}

/// An RSA key of 2048 bits.
pub fn rsa_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeyKind::Rsa, Some(2048)).expect("a key"))
}

/// An ECDSA key on the curve of 256 bits.
pub fn p256_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeyKind::Ecdsa, Some(256)).expect("a key"))
}

/// An ECDSA key on the curve of 384 bits.
pub fn p384_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeyKind::Ecdsa, Some(384)).expect("a key"))
}

/// A second Ed25519 key, for whoever needs a stranger's.
pub fn other_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeyKind::Ed25519, None).expect("a key"))
}

/// The public half of a host key as a server's configuration wants it.
pub fn public_half(key: &PrivateKey) -> HostKey {
    HostKey { algorithms: key.algorithms(), blob: key.public_blob().to_vec() }
}
