//! Signatures of files (OpenSSH PROTOCOL.sshsig): a key, a purpose, and a signature over a hash.

use crate::certificate::{Certificate, CertificateError};
use crate::digest::HashKind;
use crate::private::{KeyError, PrivateKey};
use crate::provider::RSA_FLOOR_BITS;
use crate::public::{PublicKey, PublicKeyError};
use crate::verify;
use base64ct::{Base64, Encoding};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate::plain_key;
use nacre_wire::{DecodeError, Reader, WriteExt};

/// What every signature, and everything that is signed, begins with.
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Characters of a line between them.
const WIDTH: usize = 70;
/// The largest file of a signature that is looked at, in bytes; an RSA certificate and signature take 6 KiB.
const MAX_FILE: usize = 128 * 1024;

/// Why a signature cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshSignatureError {
    /// There is no armour, or what it holds is not Base64.
    Armour,
    /// It does not decode; says which field.
    Malformed(DecodeError),
    /// Another version of the format.
    Version(u32),
    /// A hash that is none of `sha256` and `sha512`.
    Hash,
    /// The key is of no type that is supported.
    Key(PublicKeyError),
    /// The certificate is not genuine.
    Certificate(CertificateError),
    /// It was made for another purpose.
    Namespace(String),
    /// It is not a signature by its key over these bytes.
    Wrong,
}

impl From<DecodeError> for SshSignatureError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl std::fmt::Display for SshSignatureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Armour => write!(f, "not a signature: no Base64 between `{BEGIN}` and its end"),
            Self::Malformed(error) => write!(f, "a damaged signature: {error}"),
            Self::Version(version) => write!(f, "a signature of format {version}, of which only 1 is known"),
            Self::Hash => f.write_str("its hash is none of sha256 and sha512"),
            Self::Key(error) => write!(f, "its key: {error}"),
            Self::Certificate(error) => write!(f, "its certificate: {error}"),
            Self::Namespace(name) => write!(f, "it was made for the namespace \"{name}\""),
            Self::Wrong => f.write_str("it is not one over these bytes"),
        }
    }
}

impl std::error::Error for SshSignatureError {}

/// A signature, not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    key: PublicKey,
    certificate: Option<Certificate>,
    shown: Vec<u8>,
    namespace: String,
    hash: HashKind,
    signature: Vec<u8>,
}

impl SshSignature {
    /// What is signed for a file with this hash, [`HashKind::length`] bytes, in this namespace.
    pub fn message(namespace: &str, hash: HashKind, digest: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.put_string(namespace);
        out.put_string("");
        out.put_string(hash.name());
        out.put_string(digest);
        out
    }

    /// The algorithm for a key that signs files; of RSA's the one with SHA-512. `None` for a key of no type that signs.
    pub fn algorithm(key: &PublicKey) -> Option<SignatureAlgorithm> {
        SignatureAlgorithm::signing().find(|algorithm| algorithm.key_type() == key.key_type())
    }

    /// Signs a file with this hash.
    ///
    /// # Errors
    /// A primitive failed.
    pub fn sign(
        key: &PrivateKey,
        shown: &[u8],
        namespace: &str,
        hash: HashKind,
        digest: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let algorithm = Self::algorithm(&key.public_key()).ok_or(KeyError::Failed)?;
        let signature = key.sign(algorithm, &Self::message(namespace, hash, digest))?;
        Ok(Self::encode(shown, namespace, hash, &signature))
    }

    /// Puts together what a file holds: `shown` is the key or certificate, `signature` is over [`Self::message`].
    pub fn encode(shown: &[u8], namespace: &str, hash: HashKind, signature: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.put_u32(VERSION);
        out.put_string(shown);
        out.put_string(namespace);
        out.put_string("");
        out.put_string(hash.name());
        out.put_string(signature);
        out
    }

    /// Reads a signature without its armour.
    ///
    /// # Errors
    /// See [`SshSignatureError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SshSignatureError> {
        let mut reader = Reader::new(bytes.strip_prefix(MAGIC).ok_or(SshSignatureError::Armour)?);
        match reader.u32("version")? {
            VERSION => {}
            other => return Err(SshSignatureError::Version(other)),
        }
        let shown = reader.string("public key")?.to_vec();
        let namespace = reader.text("namespace")?.to_owned();
        reader.string("reserved")?;
        let hash = HashKind::by_name(reader.string("hash algorithm")?).ok_or(SshSignatureError::Hash)?;
        let signature = reader.string("signature")?.to_vec();
        reader.finish()?;
        let inside = plain_key(&shown);
        let key = PublicKey::from_blob(&inside, "").map_err(SshSignatureError::Key)?;
        let certificate = match inside == shown {
            true => None,
            false => Some(Certificate::from_blob(&shown).map_err(SshSignatureError::Certificate)?),
        };
        Ok(Self { key, certificate, shown, namespace, hash, signature })
    }

    /// Reads the text of a file. It begins with the armour; what stands behind is passed over.
    ///
    /// # Errors
    /// See [`SshSignatureError`].
    pub fn from_armour(text: &[u8]) -> Result<Self, SshSignatureError> {
        let text = std::str::from_utf8(text.get(..MAX_FILE).unwrap_or(text)).map_err(|_| SshSignatureError::Armour)?;
        let mut lines = text.lines().map(str::trim_end);
        if lines.next() != Some(BEGIN) {
            return Err(SshSignatureError::Armour);
        }
        let mut base64 = String::new();
        loop {
            match lines.next() {
                Some(END) => break,
                Some(line) => base64.push_str(line),
                None => return Err(SshSignatureError::Armour),
            }
        }
        Self::decode(&Base64::decode_vec(&base64).map_err(|_| SshSignatureError::Armour)?)
    }

    /// The text of a file for an encoded signature.
    pub fn armour(encoded: &[u8]) -> String {
        let base64 = Base64::encode_string(encoded);
        let mut out = format!("{BEGIN}\n");
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at_checked(WIDTH).unwrap_or((rest, ""));
            out.push_str(line);
            out.push('\n');
            rest = tail;
        }
        out.push_str(END);
        out.push('\n');
        out
    }

    /// The key that signed, or is said to have.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The certificate that was shown for it. That its CA signed it is verified.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The key or certificate as it was shown.
    pub fn shown(&self) -> &[u8] {
        &self.shown
    }

    /// The purpose it was made for; as it stands in the file, so not fit for a terminal.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The hash of the file that was signed.
    pub fn hash(&self) -> HashKind {
        self.hash
    }

    /// Verifies that the key signed a file with this hash for this purpose.
    ///
    /// # Errors
    /// It did not.
    pub fn verify(&self, namespace: &str, digest: &[u8]) -> Result<(), SshSignatureError> {
        if namespace != self.namespace {
            return Err(SshSignatureError::Namespace(nacre_wire::text::clean_line(self.namespace.as_bytes(), 256)));
        }
        let name = Reader::new(&self.signature).text("signature format").unwrap_or_default();
        let algorithm = SignatureAlgorithm::signing().find(|algorithm| algorithm.name() == name);
        let message = Self::message(namespace, self.hash, digest);
        // SHA-1 (`ssh-rsa`) is none of ours.
        let algorithm = algorithm.ok_or(SshSignatureError::Wrong)?;
        verify::verify(RSA_FLOOR_BITS, algorithm, self.key.blob(), &message, &self.signature)
            .map_err(|_| SshSignatureError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::{Hasher, KeyKind};

    fn digest(hash: HashKind, data: &[u8]) -> Vec<u8> {
        let mut hasher = Hasher::new(hash);
        hasher.update(data);
        hasher.finish()
    }

    #[test]
    fn signatures_count_for_their_bytes_their_key_and_their_purpose() {
        for kind in [(KeyKind::Ed25519, None), (KeyKind::Ecdsa, Some(521)), (KeyKind::Rsa, Some(2048))] {
            let key = PrivateKey::generate(kind.0, kind.1).unwrap();
            for hash in [HashKind::Sha256, HashKind::Sha512] {
                let good = digest(hash, b"text");
                let bytes = SshSignature::sign(&key, key.public_blob(), "file", hash, &good).unwrap();
                let text = format!("{}behind\n", SshSignature::armour(&bytes));
                let signature = SshSignature::from_armour(text.as_bytes()).unwrap();
                for before in ["\n", " ", "before\n"] {
                    let text = format!("{before}{text}");
                    assert_eq!(SshSignature::from_armour(text.as_bytes()), Err(SshSignatureError::Armour));
                }
                assert_eq!((signature.key().blob(), signature.namespace()), (key.public_blob(), "file"));
                assert_eq!(signature.verify("file", &good), Ok(()));
                assert!(matches!(signature.verify("git", &good), Err(SshSignatureError::Namespace(_))));
                assert_eq!(signature.verify("file", &digest(hash, b"texts")), Err(SshSignatureError::Wrong));
                for cut in 0..bytes.len() {
                    assert!(SshSignature::decode(&bytes[..cut]).is_err());
                }
                let end = bytes.len() - 1;
                let changed = [&bytes[..end], &[bytes[end] ^ 1]].concat();
                assert_eq!(
                    SshSignature::decode(&changed).unwrap().verify("file", &good),
                    Err(SshSignatureError::Wrong)
                );
                assert!(SshSignature::decode(&[&bytes[..], &[0]].concat()).is_err());
            }
        }
        for bad in ["", BEGIN, "-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n"] {
            assert_eq!(SshSignature::from_armour(bad.as_bytes()), Err(SshSignatureError::Armour));
        }
    }
}
