//! What can be wrong with a certificate, as such and for a purpose.

use super::CertificateKind;
use nacre_wire::DecodeError;

/// Why bytes are not a certificate that any CA vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateError {
    /// Something else: a plain key, or no key at all.
    NotACertificate,
    /// It does not decode; says which field.
    Malformed(DecodeError),
    /// The key that signed it is a certificate: chains are not followed (threat A7).
    CaIsCertificate,
    /// It is signed with an algorithm that is not known or not safe, `ssh-rsa` (SHA-1) for example.
    SignatureAlgorithm(String),
    /// The signature is not that of the CA it names.
    BadSignature,
}

impl From<DecodeError> for CertificateError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl std::fmt::Display for CertificateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotACertificate => f.write_str("not a certificate"),
            Self::Malformed(error) => write!(f, "not a certificate that is supported: {error}"),
            Self::CaIsCertificate => f.write_str("the CA key of the certificate is a certificate itself"),
            Self::SignatureAlgorithm(name) => {
                write!(f, "the certificate is signed with '{name}', which is not accepted: let its CA sign again")
            }
            Self::BadSignature => f.write_str("the certificate's signature is not that of its CA"),
        }
    }
}

impl std::error::Error for CertificateError {}

/// Why a certificate that is genuine is of no use here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateRefusal {
    /// It is for users and was shown by a host, or the other way round.
    WrongKind(CertificateKind),
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// It names nobody, which does not mean everybody (threat A7).
    NoPrincipals,
    /// It names others.
    WrongPrincipal,
    /// It asks for something that is not known here, and must not be passed over.
    UnknownCritical(String),
    /// The value of an option makes no sense.
    BadOption(String),
    /// It is for other addresses.
    SourceAddress,
    /// It wants its user verified by the security key it is for, and the key is none.
    NeedsVerification,
}

impl std::fmt::Display for CertificateRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WrongKind(kind) => write!(f, "wrong type: it is a {kind} certificate"),
            Self::NotYetValid => f.write_str("not yet valid"),
            Self::Expired => f.write_str("expired"),
            Self::NoPrincipals => f.write_str("it lists no principal"),
            Self::WrongPrincipal => f.write_str("wrong principal: the name is not one it lists"),
            Self::UnknownCritical(name) => write!(f, "its critical option '{name}' is not known"),
            Self::BadOption(name) => write!(f, "its option '{name}' has a value that makes no sense"),
            Self::SourceAddress => f.write_str("not permitted from this address (source-address)"),
            Self::NeedsVerification => {
                f.write_str("it demands verification by a security key (verify-required), which its key is not")
            }
        }
    }
}

impl std::error::Error for CertificateRefusal {}
