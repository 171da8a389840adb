//! The question before a key is used, for keys that were added so.

use crate::cli::keygen::FingerprintHash;
use crate::ssh::ask;
use nacre_agent::server::Question;
use nacre_crypto::PublicKey;

/// What a person is shown.
pub fn text(question: &Question, hash: FingerprintHash) -> String {
    let plain = nacre_crypto::certified_key(&question.public_key).unwrap_or_else(|_| question.public_key.clone());
    let md5 = || PublicKey::from_blob(&plain, "").ok().map(|key| key.fingerprint_md5());
    let fingerprint = match hash {
        FingerprintHash::Md5 => md5().unwrap_or_default(),
        FingerprintHash::Sha256 => nacre_crypto::fingerprint_sha256(&plain),
    };
    let purpose = question.destination.as_ref().map(|place| format!(" to log in as {place}")).unwrap_or_default();
    format!("Allow use of key {}{purpose}?\nKey fingerprint {fingerprint}.", question.comment)
}

/// Asks through the program that `SSH_ASKPASS` names. Without one that answers yes, the answer is no. Blocks.
pub fn ask(question: &str) -> bool {
    ask::confirm(question)
}
