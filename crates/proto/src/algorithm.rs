//! The algorithms this implementation knows, as values, each with its wire name and sizes.
//!
//! What is *offered* is configuration; what is *known* is this file. A name that is not here is
//! unknown everywhere: it cannot be configured, chosen or received.

use nacre_wire::names;

/// Declares an enum whose variants each have one wire name.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $wire:expr),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every one known, strongest preference first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }

            /// The algorithm of that wire name, if known.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|a| a.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named! {
    /// Key exchange methods.
    KexMethod {
        /// draft-ietf-sshm-mlkem-hybrid-kex.
        MlKem768X25519 = names::KEX_MLKEM768X25519,
        /// draft-ietf-sshm-ntruprime-ssh.
        Sntrup761X25519 = names::KEX_SNTRUP761X25519,
        /// The same under its first name.
        Sntrup761X25519OpenSsh = names::KEX_SNTRUP761X25519_OPENSSH,
        /// RFC 8731.
        Curve25519 = names::KEX_CURVE25519,
        /// The same under its first name.
        Curve25519LibSsh = names::KEX_CURVE25519_LIBSSH,
        /// RFC 5656.
        EcdhNistp256 = names::KEX_ECDH_NISTP256,
        /// RFC 5656.
        EcdhNistp384 = names::KEX_ECDH_NISTP384,
        /// RFC 5656.
        EcdhNistp521 = names::KEX_ECDH_NISTP521,
        /// RFC 8268.
        Group16Sha512 = names::KEX_GROUP16_SHA512,
        /// RFC 8268.
        Group18Sha512 = names::KEX_GROUP18_SHA512,
        /// RFC 8268.
        Group14Sha256 = names::KEX_GROUP14_SHA256,
    }
}

named! {
    /// Packet ciphers.
    CipherAlgorithm {
        /// RFC 5647 as OpenSSH does it.
        Aes256Gcm = names::CIPHER_AES256_GCM,
        /// RFC 5647 as OpenSSH does it.
        Aes128Gcm = names::CIPHER_AES128_GCM,
        /// OpenSSH's PROTOCOL.chacha20poly1305.
        ChaCha20Poly1305 = names::CIPHER_CHACHA20_POLY1305,
        /// RFC 4344.
        Aes256Ctr = names::CIPHER_AES256_CTR,
        /// RFC 4344.
        Aes192Ctr = names::CIPHER_AES192_CTR,
        /// RFC 4344.
        Aes128Ctr = names::CIPHER_AES128_CTR,
    }
}

named! {
    /// Message authentication codes for the ciphers that need one.
    MacAlgorithm {
        /// RFC 6668, over the cipher text.
        HmacSha256Etm = names::MAC_HMAC_SHA2_256_ETM,
        /// RFC 6668, over the cipher text.
        HmacSha512Etm = names::MAC_HMAC_SHA2_512_ETM,
        /// RFC 6668.
        HmacSha256 = names::MAC_HMAC_SHA2_256,
        /// RFC 6668.
        HmacSha512 = names::MAC_HMAC_SHA2_512,
    }
}

named! {
    /// What is done to payloads before they are sealed. Plain `zlib`, which begins before the login, is not known.
    CompressionMethod {
        /// Nothing.
        None = names::COMPRESSION_NONE,
        /// OpenSSH PROTOCOL §1.2: zlib, from the end of the login on.
        Zlib = names::COMPRESSION_ZLIB,
    }
}

named! {
    /// Signature algorithms, for host keys and for user keys, and those by which a certificate is shown with the
    /// signature of the key inside it (OpenSSH PROTOCOL.certkeys).
    SignatureAlgorithm {
        /// RFC 8709.
        Ed25519 = names::SSH_ED25519,
        /// RFC 5656.
        EcdsaNistp256 = names::ECDSA_NISTP256,
        /// RFC 5656.
        EcdsaNistp384 = names::ECDSA_NISTP384,
        /// RFC 5656.
        EcdsaNistp521 = names::ECDSA_NISTP521,
        /// OpenSSH PROTOCOL.u2f, with a key of RFC 8709.
        SkEd25519 = names::SK_SSH_ED25519,
        /// OpenSSH PROTOCOL.u2f, with a key of RFC 5656.
        SkEcdsaNistp256 = names::SK_ECDSA_NISTP256,
        /// RFC 8332.
        RsaSha512 = names::RSA_SHA2_512,
        /// RFC 8332.
        RsaSha256 = names::RSA_SHA2_256,
        /// A certificate with a key of RFC 8709.
        Ed25519Cert = names::SSH_ED25519_CERT,
        /// A certificate with a key of RFC 5656.
        EcdsaNistp256Cert = names::ECDSA_NISTP256_CERT,
        /// A certificate with a key of RFC 5656.
        EcdsaNistp384Cert = names::ECDSA_NISTP384_CERT,
        /// A certificate with a key of RFC 5656.
        EcdsaNistp521Cert = names::ECDSA_NISTP521_CERT,
        /// A certificate with a key of OpenSSH PROTOCOL.u2f.
        SkEd25519Cert = names::SK_SSH_ED25519_CERT,
        /// A certificate with a key of OpenSSH PROTOCOL.u2f.
        SkEcdsaNistp256Cert = names::SK_ECDSA_NISTP256_CERT,
        /// A certificate with an RSA key that signs as RFC 8332 says.
        RsaSha512Cert = names::RSA_SHA2_512_CERT,
        /// A certificate with an RSA key that signs as RFC 8332 says.
        RsaSha256Cert = names::RSA_SHA2_256_CERT,
    }
}

/// Hash functions of the key exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// How a key exchange method's values are encoded on the wire and in the exchange hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueEncoding {
    /// Public values and the secret as `mpint` (RFC 4253 §8).
    AllMpint,
    /// Public values as `string`, the secret as `mpint` (RFC 5656 §4, RFC 8731 §3.1).
    SecretMpint,
    /// Public values and the secret as `string` (the post-quantum hybrids).
    AllString,
}

impl KexMethod {
    /// The hash that the exchange hash and the key derivation use.
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::MlKem768X25519
            | Self::Curve25519
            | Self::Curve25519LibSsh
            | Self::EcdhNistp256
            | Self::Group14Sha256 => HashAlgorithm::Sha256,
            Self::EcdhNistp384 => HashAlgorithm::Sha384,
            Self::Sntrup761X25519
            | Self::Sntrup761X25519OpenSsh
            | Self::EcdhNistp521
            | Self::Group16Sha512
            | Self::Group18Sha512 => HashAlgorithm::Sha512,
        }
    }

    /// How values are encoded.
    pub const fn encoding(self) -> ValueEncoding {
        match self {
            Self::MlKem768X25519 | Self::Sntrup761X25519 | Self::Sntrup761X25519OpenSsh => ValueEncoding::AllString,
            Self::Group14Sha256 | Self::Group16Sha512 | Self::Group18Sha512 => ValueEncoding::AllMpint,
            _ => ValueEncoding::SecretMpint,
        }
    }

    /// True when a quantum computer that records traffic today gains nothing tomorrow.
    pub const fn is_post_quantum(self) -> bool {
        matches!(self.encoding(), ValueEncoding::AllString)
    }
}

impl CipherAlgorithm {
    /// Bytes of encryption key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 64,
            Self::Aes256Gcm | Self::Aes256Ctr => 32,
            Self::Aes192Ctr => 24,
            Self::Aes128Gcm | Self::Aes128Ctr => 16,
        }
    }

    /// Bytes of initial IV.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 0,
            Self::Aes256Gcm | Self::Aes128Gcm => 12,
            Self::Aes256Ctr | Self::Aes192Ctr | Self::Aes128Ctr => 16,
        }
    }

    /// True when the cipher authenticates by itself, so that no MAC is negotiated.
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::ChaCha20Poly1305 | Self::Aes256Gcm | Self::Aes128Gcm)
    }

    /// Bytes after which keys must be renewed (RFC 4344 §3.2, as OpenSSH counts them).
    pub const fn rekey_bytes(self) -> u64 {
        match self {
            Self::ChaCha20Poly1305 => 1 << 30,
            _ => 1 << 36,
        }
    }
}

impl MacAlgorithm {
    /// Bytes of key.
    pub const fn key_len(self) -> usize {
        self.tag_len()
    }

    /// Bytes of tag.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::HmacSha256Etm | Self::HmacSha256 => 32,
            Self::HmacSha512Etm | Self::HmacSha512 => 64,
        }
    }

    /// True when the code covers the cipher text (and the length stays in clear).
    pub const fn is_etm(self) -> bool {
        matches!(self, Self::HmacSha256Etm | Self::HmacSha512Etm)
    }
}

impl SignatureAlgorithm {
    /// Those of plain keys that lie in files, strongest preference first: hosts have them, and they can be made.
    pub const PLAIN: &'static [Self] = &[
        Self::Ed25519,
        Self::EcdsaNistp256,
        Self::EcdsaNistp384,
        Self::EcdsaNistp521,
        Self::RsaSha512,
        Self::RsaSha256,
    ];

    /// Those of their certificates, in the same order.
    pub const CERTIFICATES: &'static [Self] = &[
        Self::Ed25519Cert,
        Self::EcdsaNistp256Cert,
        Self::EcdsaNistp384Cert,
        Self::EcdsaNistp521Cert,
        Self::RsaSha512Cert,
        Self::RsaSha256Cert,
    ];

    /// True for RSA, of which one signature made with a fault can give the private key away, so
    /// that none may leave unchecked (threat T21).
    pub const fn is_rsa(self) -> bool {
        matches!(self.plain(), Self::RsaSha256 | Self::RsaSha512)
    }

    /// True for a key inside a security key, whose signatures say whether somebody was there (threat A8).
    pub const fn is_security_key(self) -> bool {
        matches!(self.plain(), Self::SkEd25519 | Self::SkEcdsaNistp256)
    }

    /// Every algorithm that signs, without the names of certificates.
    pub fn signing() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.iter().copied().filter(|algorithm| !algorithm.is_certificate())
    }

    /// Every algorithm by which a certificate is shown.
    pub fn certifying() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.iter().copied().filter(|algorithm| algorithm.is_certificate())
    }

    /// True when the key is shown in a certificate.
    pub const fn is_certificate(self) -> bool {
        self as u8 != self.plain() as u8
    }

    /// The algorithm that really signs: the one of the key inside a certificate. It is also the name inside the
    /// signature.
    pub const fn plain(self) -> Self {
        match self {
            Self::Ed25519 | Self::Ed25519Cert => Self::Ed25519,
            Self::EcdsaNistp256 | Self::EcdsaNistp256Cert => Self::EcdsaNistp256,
            Self::EcdsaNistp384 | Self::EcdsaNistp384Cert => Self::EcdsaNistp384,
            Self::EcdsaNistp521 | Self::EcdsaNistp521Cert => Self::EcdsaNistp521,
            Self::SkEd25519 | Self::SkEd25519Cert => Self::SkEd25519,
            Self::SkEcdsaNistp256 | Self::SkEcdsaNistp256Cert => Self::SkEcdsaNistp256,
            Self::RsaSha512 | Self::RsaSha512Cert => Self::RsaSha512,
            Self::RsaSha256 | Self::RsaSha256Cert => Self::RsaSha256,
        }
    }

    /// The algorithm by which a certificate of such a key is shown.
    pub const fn certified(self) -> Self {
        match self.plain() {
            Self::EcdsaNistp256 => Self::EcdsaNistp256Cert,
            Self::EcdsaNistp384 => Self::EcdsaNistp384Cert,
            Self::EcdsaNistp521 => Self::EcdsaNistp521Cert,
            Self::SkEd25519 => Self::SkEd25519Cert,
            Self::SkEcdsaNistp256 => Self::SkEcdsaNistp256Cert,
            Self::RsaSha512 => Self::RsaSha512Cert,
            Self::RsaSha256 => Self::RsaSha256Cert,
            _ => Self::Ed25519Cert,
        }
    }

    /// The key type that an SSH public key blob of this algorithm begins with.
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::RsaSha256 | Self::RsaSha512 => names::SSH_RSA,
            Self::RsaSha256Cert | Self::RsaSha512Cert => names::SSH_RSA_CERT,
            other => other.name(),
        }
    }
}
