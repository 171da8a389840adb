//! Making certificates.

use super::{Certificate, CertificateError, CertificateKind};
use crate::private::{KeyError, PrivateKey};
use crate::provider::fill_random;
use crate::public::PublicKey;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_wire::{Reader, WriteExt};

/// The end of a validity that has none.
pub const FOREVER: u64 = u64::MAX;

/// An option to put into a certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewOption {
    /// Its name.
    pub name: String,
    /// Its value; `None` for an option that is only there.
    pub value: Option<String>,
}

/// What a certificate shall say.
#[derive(Debug, Clone)]
pub struct CertificateRequest<'a> {
    /// The key it is for; its comment becomes that of the certificate's line.
    pub key: &'a PublicKey,
    /// For whom.
    pub kind: CertificateKind,
    /// The CA's number for it.
    pub serial: u64,
    /// The CA's name for it, which logs show.
    pub key_id: &'a str,
    /// The users or hosts it names.
    pub principals: &'a [String],
    /// From when it is valid, in seconds since 1970.
    pub valid_after: u64,
    /// Until when, exclusive.
    pub valid_before: u64,
    /// What must be understood, in any order.
    pub critical: &'a [NewOption],
    /// What is allowed, in any order.
    pub extensions: &'a [NewOption],
}

impl CertificateRequest<'_> {
    /// Signs it with the CA's key; `algorithm` is one of the CA's own.
    ///
    /// # Errors
    /// The CA's key cannot do `algorithm`, a primitive failed, or what was asked for would be refused by every reader:
    /// too many names, an option twice.
    pub fn sign(&self, ca: &PrivateKey, algorithm: SignatureAlgorithm) -> Result<Certificate, KeyError> {
        self.sign_by(&ca.public_key(), |data| ca.sign(algorithm.plain(), data))
    }

    /// Has it signed by whoever holds the CA's key: `sign` makes an SSH signature blob (RFC 4253 §6.6) over what it is
    /// given.
    ///
    /// # Errors
    /// That of `sign`, or what was asked for would be refused by every reader: too many names, an option twice.
    pub fn sign_by(
        &self,
        ca: &PublicKey,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, KeyError>,
    ) -> Result<Certificate, KeyError> {
        let mut blob = self.head()?;
        blob.put_u64(self.serial);
        blob.put_u32(match self.kind {
            CertificateKind::User => 1,
            CertificateKind::Host => 2,
        });
        blob.put_string(self.key_id);
        let mut names = Vec::new();
        for name in self.principals {
            names.put_string(name);
        }
        blob.put_string(names);
        blob.put_u64(self.valid_after);
        blob.put_u64(self.valid_before);
        blob.put_string(packed(self.critical));
        blob.put_string(packed(self.extensions));
        blob.put_string("");
        blob.put_string(ca.blob());
        let signature = sign(&blob)?;
        blob.put_string(signature);
        let mut made = Certificate::from_blob(&blob).map_err(unusable)?;
        made.key.set_comment(self.key.comment());
        Ok(made)
    }

    /// Type, nonce and key.
    fn head(&self) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; 32];
        fill_random(&mut nonce).map_err(|_| KeyError::Failed)?;
        let plain = self.key.key_type();
        let algorithm = SignatureAlgorithm::signing().find(|a| a.key_type() == plain);
        let algorithm = algorithm.ok_or_else(|| KeyError::Unsupported(format!("a certificate for {plain}")))?;
        let mut blob = Vec::new();
        blob.put_string(algorithm.certified().key_type());
        blob.put_string(nonce);
        let mut key = Reader::new(self.key.blob());
        key.string("key type").map_err(|_| KeyError::Malformed("public key"))?;
        blob.extend_from_slice(key.rest());
        Ok(blob)
    }
}

/// Options in the order of their names, as PROTOCOL.certkeys wants them.
fn packed(options: &[NewOption]) -> Vec<u8> {
    let mut sorted: Vec<&NewOption> = options.iter().collect();
    sorted.sort();
    let mut out = Vec::new();
    for option in sorted {
        out.put_string(&option.name);
        let mut data = Vec::new();
        if let Some(value) = &option.value {
            data.put_string(value);
        }
        out.put_string(data);
    }
    out
}

fn unusable(error: CertificateError) -> KeyError {
    KeyError::Unsupported(format!("such a certificate ({error})"))
}
