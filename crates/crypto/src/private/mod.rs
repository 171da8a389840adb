//! Private keys: made, read, written and used for signatures. Secrets are wiped when dropped and
//! never printed.

mod agent_form;
mod der;
mod error;
mod foreign;
mod material;
mod openssh;
mod openssh_cipher;
mod pem;
mod sign;

pub use agent_form::certified_key;
pub use error::KeyError;
pub use openssh::{DEFAULT_ROUNDS, MAX_ROUNDS, Protection};

use crate::blob::{EcCurve, KeyBlob, bit_len};
use crate::provider::fill_random;
use crate::public::PublicKey;
use aws_lc_rs::encoding::{AsBigEndian, AsDer};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{EcdsaKeyPair, RsaKeyPair};
use material::Material;
use nacre_proto::algorithm::SignatureAlgorithm;
use pem::Pem;
use zeroize::Zeroizing;

/// The kinds of key that can be made, as `-t` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `ed25519`; one size only.
    Ed25519,
    /// `ecdsa`; 256 bits (the default), 384 or 521.
    Ecdsa,
    /// `rsa`; 2048, 3072 (the default), 4096 or 8192 bits.
    Rsa,
}

/// A private key with its comment.
pub struct PrivateKey {
    material: Material,
    blob: Vec<u8>,
    comment: String,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.public_key().fingerprint_sha256())
    }
}

impl PrivateKey {
    fn new(material: Material, comment: String) -> Self {
        Self { blob: material.public_blob(), material, comment }
    }

    /// Makes a new key. `bits` is `None` for the kind's default size.
    ///
    /// # Errors
    /// A size that the kind does not have, or the generator failed.
    pub fn generate(kind: KeyKind, bits: Option<usize>) -> Result<Self, KeyError> {
        let material = match kind {
            KeyKind::Ed25519 => generate_ed25519(bits)?,
            KeyKind::Ecdsa => generate_ecdsa(bits.unwrap_or(256))?,
            KeyKind::Rsa => generate_rsa(bits.unwrap_or(3072))?,
        };
        Ok(Self::new(material, String::new()))
    }

    /// Reads a private key file: OpenSSH's own format, PKCS#8 (`PRIVATE KEY`, `ENCRYPTED PRIVATE
    /// KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`), the last two also with the
    /// legacy `DEK-Info` encryption under AES. `passphrase` is used only when the key is encrypted.
    ///
    /// # Errors
    /// See [`KeyError`]. What a file may cost (rounds, iterations, sizes) is bounded before any
    /// key derivation or arithmetic (threat K1).
    pub fn read(file: &[u8], passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        let pem = Pem::read(file)?;
        if pem.dek_info.is_some() && !matches!(pem.label, "RSA PRIVATE KEY" | "EC PRIVATE KEY") {
            return Err(KeyError::Malformed("encryption header"));
        }
        match pem.label {
            "OPENSSH PRIVATE KEY" => openssh::read(&pem.body, passphrase),
            "PRIVATE KEY" => der::pkcs8(&pem.body).map(Self::uncommented),
            "ENCRYPTED PRIVATE KEY" => der::encrypted_pkcs8(&pem.body, passphrase).map(Self::uncommented),
            "RSA PRIVATE KEY" => der::legacy(&pem, passphrase, der::pkcs1).map(Self::uncommented),
            "EC PRIVATE KEY" => der::legacy(&pem, passphrase, der::sec1).map(Self::uncommented),
            other => Err(KeyError::Unsupported(nacre_wire::text::clean(other.as_bytes(), 64))),
        }
    }

    fn uncommented(material: Material) -> Self {
        Self::new(material, String::new())
    }

    /// Writes the key in OpenSSH's format, encrypted when `protection` is given.
    ///
    /// # Errors
    /// The passphrase is empty, the rounds are 0 or more than [`MAX_ROUNDS`], or a primitive failed.
    pub fn write_openssh(&self, protection: Option<Protection<'_>>) -> Result<Zeroizing<String>, KeyError> {
        openssh::write(self, protection)
    }

    /// The key with its secret and its comment, as an agent is given it (RFC 9987 §3.2): key type, the numbers of
    /// that type, comment. For the agent's socket and nothing else; the bytes are wiped when dropped.
    pub fn dangerous_agent_form(&self) -> Zeroizing<Vec<u8>> {
        openssh::agent_form(self)
    }

    /// [`PrivateKey::dangerous_agent_form`] together with a certificate of this key.
    ///
    /// # Errors
    /// The certificate is not one of this key.
    pub fn dangerous_agent_form_certified(&self, certificate: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        agent_form::write_certified(self, certificate)
    }

    /// Reads what [`PrivateKey::dangerous_agent_form`] writes, and the certificate if one is there.
    ///
    /// # Errors
    /// It is no key that can be used; every size is bounded before arithmetic is done (threat G4).
    pub fn read_agent_form(form: &[u8]) -> Result<(Self, Option<Vec<u8>>), KeyError> {
        agent_form::read(form)
    }

    /// The SSH public key blob (RFC 4253 §6.6).
    pub fn public_blob(&self) -> &[u8] {
        &self.blob
    }

    /// The public half, with the same comment.
    pub fn public_key(&self) -> PublicKey {
        PublicKey { blob: self.blob.clone(), comment: self.comment.clone() }
    }

    /// The comment; empty when the format has none.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Changes the comment.
    pub fn set_comment(&mut self, comment: impl Into<String>) {
        self.comment = comment.into();
    }

    /// The kind of key.
    pub fn kind(&self) -> KeyKind {
        match &self.material {
            Material::Ed25519 { .. } => KeyKind::Ed25519,
            Material::Ecdsa { .. } => KeyKind::Ecdsa,
            Material::Rsa { .. } => KeyKind::Rsa,
        }
    }

    /// The size in bits, as [`PublicKey::bits`].
    pub fn bits(&self) -> usize {
        match &self.material {
            Material::Ed25519 { .. } => 256,
            Material::Ecdsa { curve, .. } => curve.bits(),
            Material::Rsa { parts, .. } => bit_len(&parts.n),
        }
    }

    /// The signature algorithms this key can be used with, strongest first.
    pub fn algorithms(&self) -> Vec<SignatureAlgorithm> {
        match &self.material {
            Material::Ed25519 { .. } => vec![SignatureAlgorithm::Ed25519],
            Material::Ecdsa { curve: EcCurve::P256, .. } => vec![SignatureAlgorithm::EcdsaNistp256],
            Material::Ecdsa { curve: EcCurve::P384, .. } => vec![SignatureAlgorithm::EcdsaNistp384],
            Material::Ecdsa { curve: EcCurve::P521, .. } => vec![SignatureAlgorithm::EcdsaNistp521],
            Material::Rsa { .. } => vec![SignatureAlgorithm::RsaSha512, SignatureAlgorithm::RsaSha256],
        }
    }

    /// Signs `data`: an SSH signature blob, `string format, string signature` (RFC 4253 §6.6). By a certificate's
    /// algorithm it signs as the key inside (OpenSSH PROTOCOL.certkeys).
    ///
    /// # Errors
    /// The key cannot do `algorithm`, or the primitive failed. An RSA signature is verified before
    /// it is returned, because a faulty one would give the key away (threat T21).
    pub fn sign(&self, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        sign::sign(&self.material, algorithm.plain(), data)
    }
}

/// The public half of a private key file in OpenSSH's format, which stays readable when the key is
/// encrypted. It is a claim until the key has been opened. The comment is not part of it.
///
/// # Errors
/// As [`PrivateKey::read`]; other formats keep no public half in clear and are `Unsupported`.
pub fn public_half(file: &[u8]) -> Result<PublicKey, KeyError> {
    let pem = Pem::read(file)?;
    match pem.label {
        "OPENSSH PRIVATE KEY" => openssh::public_half(&pem.body),
        other => Err(KeyError::Unsupported(nacre_wire::text::clean(other.as_bytes(), 64))),
    }
}

fn generate_ed25519(bits: Option<usize>) -> Result<Material, KeyError> {
    if let Some(bits) = bits.filter(|bits| *bits != 256) {
        return Err(KeyError::Unsupported(format!("Ed25519 of {bits} bits (there is one size, 256)")));
    }
    let mut seed = Zeroizing::new([0; material::ED25519_SEED_LEN]);
    fill_random(seed.as_mut_slice()).map_err(|_| KeyError::Failed)?;
    Material::ed25519(seed.as_slice(), None)
}

fn generate_ecdsa(bits: usize) -> Result<Material, KeyError> {
    let curve = EcCurve::ALL.into_iter().find(|curve| curve.bits() == bits);
    let curve = curve.ok_or_else(|| KeyError::Unsupported(format!("ECDSA of {bits} bits (use 256, 384 or 521)")))?;
    let pair = EcdsaKeyPair::generate(material::signing(curve)).map_err(|_| KeyError::Failed)?;
    let scalar = pair.private_key().as_be_bytes().map_err(|_| KeyError::Failed)?;
    Material::ecdsa(curve, scalar.as_ref(), None)
}

fn generate_rsa(bits: usize) -> Result<Material, KeyError> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        bits if bits < 2048 => return Err(KeyError::Weak(format!("RSA of {bits} bits (use 2048 or more)"))),
        _ => return Err(KeyError::Unsupported(format!("RSA of {bits} bits (use 2048, 3072, 4096 or 8192)"))),
    };
    let pair = RsaKeyPair::generate(size).map_err(|_| KeyError::Failed)?;
    der::pkcs8(pair.as_der().map_err(|_| KeyError::Failed)?.as_ref())
}

/// Checks that the blob a file claims is the one its secret has.
fn same_public(material: &Material, blob: &[u8]) -> Result<(), KeyError> {
    let claimed = KeyBlob::decode(blob).map_err(|_| KeyError::Malformed("public key"))?;
    if claimed.encode() == material.public_blob() {
        Ok(())
    } else {
        Err(KeyError::Malformed("public key (it is not the private key's)"))
    }
}
