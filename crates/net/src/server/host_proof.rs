//! Announcing host keys and proving that we hold them (OpenSSH PROTOCOL §2.5).

use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_wire::{Reader, WriteExt, names};

/// A host key as the server announces it.
#[derive(Debug, Clone)]
pub struct AnnouncedKey {
    /// The public key blob.
    pub blob: Vec<u8>,
    /// The algorithm it proves itself with.
    pub algorithm: SignatureAlgorithm,
}

/// The content of the announcement.
pub(super) fn announcement(keys: &[AnnouncedKey]) -> Vec<u8> {
    let mut data = Vec::new();
    for key in keys {
        data.put_string(&key.blob);
    }
    data
}

/// The keys that a request asks proof of; `None` when one is not ours, or they are too many.
pub(super) fn asked(keys: &[AnnouncedKey], data: &[u8]) -> Option<Vec<AnnouncedKey>> {
    let mut reader = Reader::new(data);
    let mut asked = Vec::new();
    while reader.remaining() > 0 {
        let blob = reader.string("host key").ok()?;
        asked.push(keys.iter().find(|key| key.blob == blob)?.clone());
    }
    (asked.len() <= keys.len()).then_some(asked)
}

/// What a key signs as proof.
pub(super) fn text(session_id: &[u8], blob: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    text.put_string(names::HOSTKEYS_PROVE);
    text.put_string(session_id);
    text.put_string(blob);
    text
}

/// The answer to a request for proof: all signatures, or nothing.
pub(super) fn proofs(signatures: &[Option<Vec<u8>>]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for signature in signatures {
        out.put_string(signature.as_ref()?);
    }
    Some(out)
}
