//! Signing: the primitive's result in SSH's form.

use super::error::KeyError;
use super::material::Material;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, RsaEncoding, RsaKeyPair, RsaParameters};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_wire::WriteExt;

/// Signs `data` and returns `string format, string signature`.
pub(super) fn sign(material: &Material, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>, KeyError> {
    let signature = match (material, algorithm) {
        (Material::Ed25519 { pair, .. }, SignatureAlgorithm::Ed25519) => {
            pair.try_sign(data).map_err(|_| KeyError::Failed)?.as_ref().to_vec()
        }
        (Material::Ecdsa { curve, pair, .. }, algorithm) if algorithm.name() == curve.key_type() => {
            let fixed = pair.sign(&SystemRandom::new(), data).map_err(|_| KeyError::Failed)?;
            let (r, s) = fixed.as_ref().split_at_checked(curve.scalar_len()).ok_or(KeyError::Failed)?;
            let mut out = Vec::new();
            out.put_mpint(r);
            out.put_mpint(s);
            out
        }
        (Material::Rsa { pair, parts }, algorithm) => {
            let (encoding, parameters) = rsa_scheme(algorithm)?;
            let signature = sign_rsa(pair, encoding, data)?;
            let public = PublicKeyComponents { n: parts.n.as_slice(), e: parts.e.as_slice() };
            released(public, parameters, data, signature)?
        }
        _ => return Err(cannot(algorithm)),
    };
    let mut out = Vec::new();
    out.put_string(algorithm.name());
    out.put_string(signature);
    Ok(out)
}

fn cannot(algorithm: SignatureAlgorithm) -> KeyError {
    KeyError::Unsupported(format!("{algorithm} with a key of another type"))
}

fn rsa_scheme(algorithm: SignatureAlgorithm) -> Result<(&'static dyn RsaEncoding, &'static RsaParameters), KeyError> {
    match algorithm {
        SignatureAlgorithm::RsaSha512 => Ok((&signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512)),
        SignatureAlgorithm::RsaSha256 => Ok((&signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256)),
        other => Err(cannot(other)),
    }
}

fn sign_rsa(pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding, data: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), data, &mut signature).map_err(|_| KeyError::Failed)?;
    Ok(signature)
}

/// Lets a signature out only when it verifies: one made with a fault in half of the arithmetic
/// reveals a prime to whoever sees it (threat T21).
fn released(
    public: PublicKeyComponents<&[u8]>,
    parameters: &RsaParameters,
    data: &[u8],
    signature: Vec<u8>,
) -> Result<Vec<u8>, KeyError> {
    public.verify(parameters, data, &signature).map_err(|_| KeyError::Failed)?;
    Ok(signature)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::private::{KeyKind, PrivateKey};

    #[test]
    fn t21_a_faulty_rsa_signature_never_leaves() {
        let key = PrivateKey::generate(KeyKind::Rsa, Some(2048)).unwrap();
        let Material::Rsa { pair, parts } = &key.material else { panic!("not RSA") };
        let public = || PublicKeyComponents { n: parts.n.as_slice(), e: parts.e.as_slice() };
        for algorithm in key.algorithms() {
            let (encoding, parameters) = rsa_scheme(algorithm).unwrap();
            let good = sign_rsa(pair, encoding, b"data").unwrap();
            assert_eq!(released(public(), parameters, b"data", good.clone()), Ok(good.clone()));
            for at in 0..good.len() {
                let mut faulty = good.clone();
                faulty[at] ^= 1 << (at % 8);
                assert_eq!(released(public(), parameters, b"data", faulty), Err(KeyError::Failed), "byte {at}");
            }
        }
    }
}
