//! Key exchange: one file for each family, dispatched by method.

mod curve;
mod group;
mod hybrid;
pub mod primes;

use curve::Curve;
use group::Group;
use hybrid::Kem;
use nacre_proto::algorithm::KexMethod;
use nacre_proto::crypto::{CryptoError, KexAnswer, KexClient};

/// What a method is made of.
enum Family {
    Curve(Curve),
    Group(Group),
    Hybrid(Kem),
}

fn family(method: KexMethod) -> Family {
    match method {
        KexMethod::MlKem768X25519 => Family::Hybrid(Kem::MlKem768),
        KexMethod::Sntrup761X25519 | KexMethod::Sntrup761X25519OpenSsh => Family::Hybrid(Kem::Sntrup761),
        KexMethod::Curve25519 | KexMethod::Curve25519LibSsh => Family::Curve(Curve::X25519),
        KexMethod::EcdhNistp256 => Family::Curve(Curve::P256),
        KexMethod::EcdhNistp384 => Family::Curve(Curve::P384),
        KexMethod::EcdhNistp521 => Family::Curve(Curve::P521),
        KexMethod::Group14Sha256 => Family::Group(Group::Modp2048),
        KexMethod::Group16Sha512 => Family::Group(Group::Modp4096),
        KexMethod::Group18Sha512 => Family::Group(Group::Modp8192),
    }
}

/// Begins as the client.
pub(crate) fn client(method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError> {
    Ok(match family(method) {
        Family::Curve(curve) => Box::new(curve::Client::new(curve)?),
        Family::Group(group) => Box::new(group::Client::new(group)?),
        Family::Hybrid(kem) => hybrid::client(kem)?,
    })
}

/// Answers as the server.
pub(crate) fn server(method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
    match family(method) {
        Family::Curve(curve) => {
            let own = curve::Client::new(curve)?;
            Ok(KexAnswer { secret: own.agree(client_public)?, public: own.into_public() })
        }
        Family::Group(group) => {
            let own = group::Client::new(group)?;
            Ok(KexAnswer { secret: own.agree(client_public)?, public: own.into_public() })
        }
        Family::Hybrid(kem) => hybrid::server(kem, client_public),
    }
}
